"""Arguments that say which numbers are meant: ``404``, ``4xx``, ``500-599``, ``200,204``, ``>10k``."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from proxyfw.filters.wrong import Wrong

Span = tuple[float, float]
"""The least and the greatest number meant."""
Reader = Callable[[str], Span]
"""What one number, as text, means. Raises ValueError that says what to write."""

_ENTRY = re.compile(r"(?P<sign>[<>]=?|=)?(?P<low>[^-<>=]+)(?:-(?P<high>[^-<>=]+))?")
_SIZE = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(?:([kmgt])i?)?b?", re.ASCII)
_TIME = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ms|[smhd])", re.ASCII)
_CLASS = re.compile(r"[1-9]xx", re.ASCII)
_BYTES = {None: 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}


def tidy(text: str) -> str:
    """*text* without what makes no difference: spaces and capitals."""
    return "".join(text.lower().split())


def spans(text: str, read: Reader) -> tuple[Span, ...]:
    """The numbers that *text*, a list of entries, means. Raises Wrong."""
    found, at = [], 0
    for entry in text.split(","):
        try:
            found.append(_span(entry, read))
        except ValueError as problem:
            raise Wrong(str(problem), at) from None
        at += len(entry) + 1
    return tuple(found)


def spoken(text: str) -> str:
    """The list *text* as one would say it."""
    return " or ".join(_spoken_entry(entry) for entry in text.split(","))


def status(text: str) -> Span:
    """``404`` or ``4xx``."""
    if _CLASS.fullmatch(text):
        return int(text[0]) * 100.0, int(text[0]) * 100.0 + 99
    if len(text) == 3 and text.isascii() and text.isdigit() and text[0] != "0":
        return float(text), float(text)
    raise ValueError(f"{text!r} is not a status: write 404, 4xx, 500-599, 200,204 or >=400")


def port(text: str) -> Span:
    """A port."""
    if text.isascii() and text.isdigit() and int(text[:6]) <= 65535:
        return float(text), float(text)
    raise ValueError(f"{text!r} is not a port: write 443, 8000-8999, 80,8080 or <1024")


def size(text: str) -> Span:
    """A number of bytes, with units that are powers of 1024."""
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a size: write 0, >10k, <=1.5m or 10k-20k")
    return (float(match[1]) * _BYTES[match[2]],) * 2


def duration(text: str) -> Span:
    """A time in seconds, with a unit, so that nobody takes seconds for milliseconds."""
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a time: write >500ms, <2s, 1m-5m; units are ms, s, m, h, d")
    return (float(match[1]) * _SECONDS[match[2]],) * 2


def _span(entry: str, read: Reader) -> Span:
    match = _ENTRY.fullmatch(entry)
    if match is None:
        if entry:
            read(entry)
        raise ValueError(f"{entry!r} is not a number or range" if entry else "a number is missing here")
    sign, (low, high) = match["sign"], read(match["low"])
    if match["high"]:
        low, high = _range(low, read(match["high"])[1])
    elif sign in (None, "=") and read is duration:
        raise ValueError(f"no time is exactly {match['low']}: write >{match['low']} or <{match['low']}")
    if sign in (None, "="):
        return low, high
    if match["high"] or low != high:
        raise ValueError(f"{sign} goes with one number: {entry!r} names several")
    return _beyond(sign, low)


def _range(low: float, high: float) -> Span:
    if low > high:
        raise ValueError("this range is empty: write the lower number first")
    return low, high


def _beyond(sign: str, number: float) -> Span:
    if sign[0] == ">":
        return (number if "=" in sign else math.nextafter(number, math.inf)), math.inf
    return -math.inf, (number if "=" in sign else math.nextafter(number, -math.inf))


_SPOKEN = {">": "above", ">=": "at least", "<": "below", "<=": "at most"}


def _spoken_entry(entry: str) -> str:
    match = _ENTRY.fullmatch(entry)
    if match is None:
        return entry
    if match["high"]:
        return f"{match['low']} to {match['high']}"
    sign = _SPOKEN.get(match["sign"] or "")
    return f"{sign} {match['low']}" if sign else match["low"]
