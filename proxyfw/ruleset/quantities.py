"""Quantities in rules: written with their unit, read into one unit each.

A number without its unit is refused: tools of this field count in bytes, kilobits and milliseconds each.
Sizes and durations are those of options.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple, Self

from proxyfw.exceptions import OptionsError
from proxyfw.options import Duration, Size

_NUMBER = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?|\.[0-9]+)\s*([a-zA-Z/%]+)\s*")
_PER_CENT = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*%\s*")


class Rate(float):
    """Bits a second: ``280kbit``, ``1.5mbit``, ``35KiB``; ``Ki`` is 1024, ``k`` is 1000."""

    units: ClassVar = {
        f"{prefix}{unit}{per}": factor * bits
        for prefix, factor in (
            ("", 1.0), ("k", 1e3), ("m", 1e6), ("g", 1e9), ("ki", 2.0**10), ("mi", 2.0**20), ("gi", 2.0**30)
        )
        for unit, bits in (("bit", 1.0), ("b", 8.0), ("byte", 8.0), ("bytes", 8.0))
        for per in ("", "/s")
    }  # fmt: skip

    @classmethod
    def read(cls, value: object) -> Self:
        """The rate that *value* means. Raises ValueError."""
        found = _NUMBER.fullmatch(value) if isinstance(value, str) else None
        if found is None or found[2].lower() not in cls.units:
            raise ValueError(
                f"{value!r} is no rate: write it with its unit, as 280kbit, 1.5mbit or 35KiB, a second each"
            )
        return cls(float(found[1]) * cls.units[found[2].lower()])

    @classmethod
    def schema(cls) -> dict[str, Any]:
        """As JSON Schema."""
        pattern = r"^\s*([0-9]+(\.[0-9]+)?|\.[0-9]+)\s*([kKmMgG][iI]?)?([bB]|[bB]it|[bB]ytes?)(/s)?\s*$"
        return {"type": "string", "pattern": pattern}


class Chance(float):
    """Between 0 and 1; also written as ``10%``."""

    @classmethod
    def read(cls, value: object) -> Self:
        """The chance that *value* means. Raises ValueError."""
        part: object = value
        if isinstance(value, str) and (found := _PER_CENT.fullmatch(value)):
            part = float(found[1]) / 100
        if isinstance(part, bool) or not isinstance(part, int | float) or not 0 <= part <= 1:
            raise ValueError(f"{value!r} is no chance: write a number from 0 to 1, or 10%")
        return cls(part)

    @classmethod
    def schema(cls) -> dict[str, Any]:
        """As JSON Schema."""
        percent = {"type": "string", "pattern": _PER_CENT.pattern.join("^$")}
        return {"anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, percent]}


class Quantity(NamedTuple):
    """How a class of the options is read in rules, and what that is in JSON Schema."""

    read: Callable[[object], Any]
    schema: dict[str, Any]


def _duration(value: object) -> Duration:
    if isinstance(value, Duration):
        return value
    try:
        if isinstance(value, str) and not value.strip().replace(".", "").isdigit():
            return Duration(value)
    except OptionsError:
        pass
    if not isinstance(value, bool | str) and value == 0:
        return Duration(0)
    raise ValueError(f"{value!r} is no duration: write it with its unit, as 300ms, 1.5s or 2m")


def _size(value: object) -> Size:
    try:
        if isinstance(value, int | str) and not isinstance(value, bool):
            return Size(value)
    except OptionsError:
        pass
    raise ValueError(f"{value!r} is no size: write a number of bytes, or 64k, 5m, 1g")


def _shaped(pattern: str, number: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [{"type": "string", "pattern": pattern}, number]}


QUANTITIES: dict[Any, Quantity] = {
    Duration: Quantity(
        _duration, _shaped(r"^\s*([0-9]+(\.[0-9]+)?\s*([mM]?[sS]|[mMhHdD])\s*)+$", {"const": 0})
    ),
    Size: Quantity(
        _size,
        _shaped(r"^\s*[0-9]+(\.[0-9]+)?\s*[kKmMgGtT]?([iI]?[bB])?\s*$", {"type": "integer", "minimum": 0}),
    ),
}
"""Classes of the options that may be used in rules."""
