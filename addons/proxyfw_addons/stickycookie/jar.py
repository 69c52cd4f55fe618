"""A cookie jar for all clients of the proxy, as user agents keep one. RFC 6265 sections 5.1 to 5.4.

Unlike theirs it tells ports apart. It sees no traffic and asks nobody for the time.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import count
from typing import NamedTuple

from proxyfw.http import CookieAttrs, Request, Response

MOST_DOMAINS, MOST_IN_A_DOMAIN = 1000, 180


class Key(NamedTuple):
    """What tells the cookies of a domain apart."""

    port: int
    path: str
    name: str


@dataclass(frozen=True, slots=True)
class Cookie:
    """What is kept of a cookie. *expires*: seconds since 1970, or None; *number*: which it is, in order."""

    value: str
    host_only: bool
    secure: bool
    expires: float | None
    number: int


class Jar:
    """Cookies by domain, port and path. It never holds more than a bound of them."""

    def __init__(self) -> None:
        self._domains: OrderedDict[str, OrderedDict[Key, Cookie]] = OrderedDict()
        self._numbers = count()

    def __len__(self) -> int:
        return sum(map(len, self._domains.values()))

    def store(self, request: Request, response: Response, now: float) -> None:
        """Keep what *response* to *request* sets, and forget what it lets expire. RFC 6265 section 5.3."""
        host = request.host.lower()
        for name, (value, attributes) in response.cookies.items(multi=True):
            domain = (attributes.get("domain") or "").lstrip(".").lower()
            if domain and not may_set(host, domain):
                continue
            path = attributes.get("path") or ""
            key = Key(request.port, path if path.startswith("/") else default_path(request.path), name)
            expires = expiry(attributes, now)
            if expires is not None and expires <= now:
                self._domains.get(domain or host, OrderedDict()).pop(key, None)
            else:
                cookie = Cookie(value, not domain, "secure" in attributes, expires, next(self._numbers))
                self._put(domain or host, key, cookie)

    def cookies(self, request: Request, now: float) -> list[tuple[str, str]]:
        """The cookies to send with *request*: longer paths first, then older ones. RFC 6265 section 5.4."""
        host, path = request.host.lower(), request.path.partition("?")[0]
        found: list[tuple[Key, Cookie]] = []
        for domain in domains_of(host):
            for key, cookie in self._lasting(domain, now):
                if (
                    key.port == request.port
                    and path_matches(path, key.path)
                    and (domain == host or not cookie.host_only)
                    and (request.scheme == "https" or not cookie.secure)
                ):
                    found.append((key, cookie))
        found.sort(key=lambda each: (-len(each[0].path), each[1].number))
        return [(key.name, cookie.value) for key, cookie in found]

    def _lasting(self, domain: str, now: float) -> list[tuple[Key, Cookie]]:
        """The cookies of *domain*, of which those are forgotten that have expired."""
        cookies = self._domains.get(domain, OrderedDict())
        for key in [key for key, each in cookies.items() if each.expires is not None and each.expires <= now]:
            del cookies[key]
        return list(cookies.items())

    def _put(self, domain: str, key: Key, cookie: Cookie) -> None:
        cookies = self._domains.setdefault(domain, OrderedDict())
        self._domains.move_to_end(domain)
        cookies[key] = cookie
        if len(cookies) > MOST_IN_A_DOMAIN:
            cookies.popitem(last=False)
        if len(self._domains) > MOST_DOMAINS:
            self._domains.popitem(last=False)


def may_set(host: str, domain: str) -> bool:
    """Whether *host* may set cookies for *domain*: itself, or one above it that is no top-level domain."""
    return host == domain or ("." in domain and domain in domains_of(host))


def domains_of(host: str) -> list[str]:
    """*host*, and every domain above it; an address has none. RFC 6265 section 5.1.3."""
    try:
        ip_address(host)
    except ValueError:
        labels = host.split(".")
        return [".".join(labels[first:]) for first in range(len(labels))]
    return [host]


def default_path(path: str) -> str:
    """The path of a cookie that names none. RFC 6265 section 5.1.4."""
    above = path.partition("?")[0].rpartition("/")[0]
    return above if above.startswith("/") else "/"


def path_matches(path: str, wanted: str) -> bool:
    """Whether *path* is *wanted* or below it. RFC 6265 section 5.1.4."""
    return path == wanted or path.startswith(wanted if wanted.endswith("/") else f"{wanted}/")


def expiry(attributes: CookieAttrs, now: float) -> float | None:
    """When a cookie expires; None if it lasts as long as the jar. Max-Age is before Expires."""
    age = attributes.get("max-age") or ""
    if age.removeprefix("-").isdecimal():
        return now + min(int(age), 10**10)
    from email.utils import mktime_tz, parsedate_tz

    date = parsedate_tz(attributes.get("expires") or "")
    try:
        return None if date is None else float(mktime_tz(date))
    except (ValueError, OverflowError):
        return None
