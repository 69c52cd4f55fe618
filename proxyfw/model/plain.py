"""Plain data: what any storage can keep. Nothing of a program's own classes passes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_SCALARS = (str, bytes, int, float, bool, type(None))


def plain(data: Mapping[str, Any]) -> dict[str, Any]:
    """A deep copy of *data* with the entries that are plain: tuples as lists, others left out."""
    return {key: _copy(value) for key, value in data.items() if isinstance(key, str) and _is_plain(value)}


def _is_plain(value: object) -> bool:
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(item) for key, item in value.items())
    return type(value) in _SCALARS


def _copy(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_copy(item) for item in value]
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    return value
