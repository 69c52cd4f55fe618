"""HTTP dates as seconds since 1970, in all three formats that RFC 9110 section 5.6.7 wants understood."""

from __future__ import annotations

import time
from calendar import timegm

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def format_date(timestamp: float) -> str:
    """*timestamp* as ``Sun, 06 Nov 1994 08:49:37 GMT``."""
    at = time.gmtime(timestamp)
    day, month = _DAYS[at.tm_wday], _MONTHS[at.tm_mon - 1]
    return f"{day}, {at.tm_mday:02} {month} {at.tm_year:04} {at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02} GMT"


def parse_date(text: str) -> float | None:
    """Seconds since 1970, or None for what is not a date (servers send ``0`` and ``-1``)."""
    words = text.replace(",", " ").replace("-", " ").split()
    try:
        if ":" in words[3]:
            _, month, day, clock, year = words
        else:
            _, day, month, year, clock = words[:5]
        hour, minute, second = map(int, clock.split(":"))
        parts = (_year(year), _MONTHS.index(month.title()) + 1, int(day), hour, minute, second)
        return float(timegm(parts))
    except (IndexError, ValueError, OverflowError):
        return None


def moved(text: str, seconds: float) -> str:
    """The date *text*, that many *seconds* later; what is not a date stays."""
    at = parse_date(text)
    return text if at is None else format_date(at + seconds)


def _year(text: str) -> int:
    year = int(text)
    if len(text) > 2:
        return year
    return year + (1900 if year >= 70 else 2000)
