"""Nested data as the value of an option: frozen while it is kept, copied for those who read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

_DEEPEST = 64
_FROZEN = (tuple, MappingProxyType)


def freeze(value: object, path: str = "", depth: int = 0) -> Any:
    """A deep copy of *value* that nobody can change: mappings read-only, sequences as tuples.

    Raises ValueError, naming the place below *path*, for anything but mappings, sequences, text, numbers,
    booleans and None.
    """
    if depth > _DEEPEST:
        raise ValueError(f"{path[:40]}… is nested more than {_DEEPEST} levels deep")
    if value is None or isinstance(value, bool):
        return value
    for scalar in (str, int, float):
        if isinstance(value, scalar):
            return value if type(value) is scalar else scalar(value)
    if isinstance(value, Mapping):
        return MappingProxyType(
            {_key(key, path): freeze(item, f"{path}.{key}", depth + 1) for key, item in value.items()}
        )
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return tuple(freeze(item, f"{path}[{index}]", depth + 1) for index, item in enumerate(value))
    raise ValueError(
        f"{path} is {type(value).__name__} {value}: write it in quotes, as text"
        if hasattr(value, "isoformat")
        else f"{path} cannot be {type(value).__name__} {value!r}"
    )


def thaw(value: object) -> Any:
    """*value*, which `freeze` returned, as dicts and lists of the reader's own."""
    if isinstance(value, tuple):
        return [thaw(item) if isinstance(item, _FROZEN) else item for item in value]
    if isinstance(value, MappingProxyType):
        return {key: thaw(item) for key, item in value.items()}
    return value


def read_data(text: str) -> Any:
    """What *text* means as JSON or else as YAML. Raises ValueError, in one line."""
    import json

    try:
        return json.loads(text)
    except ValueError:
        pass
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    from proxyfw.addon.yaml_text import read_yaml

    return read_yaml(text)


def _key(key: object, path: str) -> str | int:
    if isinstance(key, str):
        return str(key)
    if isinstance(key, int) and not isinstance(key, bool):
        return int(key)
    raise ValueError(f"{path} has the key {key!r}: write it in quotes, as text")
