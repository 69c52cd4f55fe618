"""``mitmproxy.net.http.cookies``: Cookie and Set-Cookie headers. RFC 6265."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence

from proxyfw.alias import names_of
from proxyfw.http import CookieAttrs
from proxyfw.model import cookies, dates

__all__ = [
    "CookieAttrs", "format_cookie_header", "format_set_cookie_header", "get_expiration_ts", "group_cookies",
    "is_expired", "parse_cookie_header", "parse_cookie_headers", "parse_set_cookie_header",
    "parse_set_cookie_headers", "refresh_set_cookie_header",
]  # fmt: skip

SetCookie = tuple[str, str | None, CookieAttrs]


def parse_cookie_header(line: str) -> list[tuple[str, str]]:
    """The cookies of one Cookie header."""
    return cookies.parse_cookies([line])


def parse_cookie_headers(cookie_headers: Iterable[str]) -> list[tuple[str, str]]:
    """The cookies of several Cookie headers."""
    return cookies.parse_cookies(cookie_headers)


def format_cookie_header(lst: Sequence[tuple[str, str]]) -> str:
    """A Cookie header with these cookies."""
    return cookies.edit_cookies([], [(name, value) for name, value in lst])


def group_cookies(pairs: Sequence[tuple[str, str]]) -> list[SetCookie]:
    """Names, values and attributes from a flat list of pairs."""
    return parse_set_cookie_header("; ".join(f"{name}={value}" for name, value in pairs))


def parse_set_cookie_header(line: str) -> list[SetCookie]:
    """Name, value and attributes of the cookie in one Set-Cookie header."""
    return [(name, value, attrs) for name, (value, attrs) in cookies.parse_set_cookies([line])]


def parse_set_cookie_headers(headers: Iterable[str]) -> list[SetCookie]:
    """Those of several headers."""
    return [cookie for header in headers for cookie in parse_set_cookie_header(header)]


def format_set_cookie_header(set_cookies: Sequence[SetCookie]) -> str:
    """A Set-Cookie header that sets these cookies."""
    return ", ".join(
        cookies.edit_set_cookies([], [(name, (value or "", attrs)) for name, value, attrs in set_cookies])
    )


def refresh_set_cookie_header(c: str, delta: int) -> str:
    """The header with its expiry *delta* seconds later. Raises ValueError if it sets no cookie."""
    if not c.partition(";")[0].strip():
        raise ValueError("Invalid Cookie")
    return cookies.refresh(c, delta)


def get_expiration_ts(cookie_attrs: CookieAttrs) -> float | None:
    """When the cookie expires, in seconds since 1970, if it says so."""
    age = cookie_attrs.get("max-age")
    if age and re.fullmatch(r"-?\d+", age):
        return time.time() + int(age)
    expires = cookie_attrs.get("expires")
    return dates.parse_date(expires) if expires else None


def is_expired(cookie_attrs: CookieAttrs) -> bool:
    """Whether the cookie has expired."""
    expires = get_expiration_ts(cookie_attrs)
    return expires is not None and expires <= time.time()


__getattr__ = names_of("net.http.cookies")
