"""Sizes and durations: numbers that are written with a unit, and say it when they are printed."""

from __future__ import annotations

import math
import re
from typing import Self

from proxyfw.exceptions import OptionsError

_BYTES = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}
_SECONDS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)\s*")


class Size(int):
    """A number of bytes, from a number or from ``512``, ``64k``, ``1.5g`` (powers of 1024).

    It is an int; as text it is the shortest that means the same: ``str(Size(65536))`` is ``64k``. Raises
    `OptionsError` if it is not a size.
    """

    __slots__ = ()

    def __new__(cls, value: int | str) -> Self:
        size = parse_size(value) if isinstance(value, str) else value
        if size < 0:
            raise OptionsError(f"{value!r} is not a size: it is below zero")
        return super().__new__(cls, size)

    def __str__(self) -> str:
        number = int(self)
        units = [unit for unit, factor in _BYTES.items() if number and number % factor == 0]
        unit = units[-1] if units else ""
        return f"{number // _BYTES[unit]}{unit}"


class Duration(float):
    """A time in seconds, from a number or from ``200ms``, ``1.5s``, ``2m``, ``1h30m``, ``1d``.

    It is a float; as text it has the largest unit that fits: ``str(Duration(120))`` is ``2m``. Raises
    `OptionsError` if it is not a time.
    """

    __slots__ = ()

    def __new__(cls, value: float | str) -> Self:
        seconds = parse_duration(value) if isinstance(value, str) else float(value)
        if not 0 <= seconds < math.inf:
            raise OptionsError(f"{value!r} is not a time: it is below zero or without end")
        return super().__new__(cls, seconds)

    def __str__(self) -> str:
        seconds = float(self)
        if seconds < 1:
            return f"{seconds * 1000:g}ms" if seconds else "0s"
        for unit, factor in _SECONDS.items():
            if factor >= 1 and (seconds / factor).is_integer():
                return f"{seconds / factor:.0f}{unit}"
        return f"{seconds!r}s"


def parse_size(text: str) -> int:
    """The number of bytes that ``512``, ``64k``, ``1.5g`` mean (powers of 1024); else `OptionsError`."""
    number = text.strip().lower().removesuffix("ib")
    digits = number.rstrip("bkmgt")
    try:
        size = int(float(digits) * _BYTES[number[len(digits) :].removesuffix("b")])
    except (ValueError, KeyError, OverflowError):
        size = -1
    if size < 0:
        raise OptionsError(f"{text!r} is not a size: write a number of bytes, or 64k, 5m, 1g")
    return size


def format_size(size: int) -> str:
    """*size* bytes for people: ``512b``, ``1.5k``, ``5m``; the inverse of `parse_size` up to rounding."""
    value: float = size
    for unit in "bkmg":
        if abs(value) < 1024:
            return f"{value:.3g}{unit}" if value != int(value) else f"{int(value)}{unit}"
        value /= 1024
    return f"{value:.3g}t"


def parse_duration(text: str) -> float:
    """The seconds that ``30``, ``1.5s``, ``200ms``, ``2m``, ``1h30m`` mean; else `OptionsError`."""
    tidy = text.strip().lower()
    if tidy and _DURATION.sub("", tidy) == "":
        return sum(float(number) * _SECONDS[unit] for number, unit in _DURATION.findall(tidy))
    try:
        return float(tidy)
    except ValueError:
        raise OptionsError(f"{text!r} is not a time: write seconds, or 200ms, 1.5s, 2m, 1h, 1d") from None
