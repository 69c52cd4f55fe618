"""Where a mapped name leads: addresses, other names, or what name servers of its own say.

Names are resolved here; nothing is connected to.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from proxyfw import ctx
from proxyfw.exceptions import ConnectError

if TYPE_CHECKING:
    from dns.asyncresolver import Resolver

_PLACE = re.compile(
    r"\[(?P<ip6>[^\]]+)\](?::(?P<port6>\d{1,5}))?|(?P<host>[^\s:/@\[\]]+)(?::(?P<port>\d{1,5}))?|(?P<bare>[^\s/@\[\]]+)"
)
_DNS = 53
_REMEMBERED = 1024
"""Answers of name servers that are kept until they expire."""


class NoSuchName(ConnectError):
    """The name servers say that there is no such name."""


class Place(NamedTuple):
    """An address or a name; without a port, that of the connection holds."""

    host: str
    port: int | None = None

    @classmethod
    def read(cls, text: str) -> Place:
        """``10.0.0.5``, ``10.0.0.5:8443``, ``::1``, ``[::1]:8443``, ``name:8443``. Raises ValueError."""
        found = _PLACE.fullmatch(text.strip())
        port = int(found["port6"] or found["port"] or 0) if found else 0
        if found and (found["host"] or is_ip(found["ip6"] or found["bare"])) and port < 65536:
            return cls(found["host"] or found["ip6"] or found["bare"], port or None)
        raise ValueError(
            f"{text!r} is no address: write 10.0.0.5, [2001:db8::7] or name, with :port if need be"
        )


class NameServers:
    """Name servers that are asked instead of those of the system."""

    def __init__(self, servers: Sequence[str]) -> None:
        """Raises ValueError."""
        self._places = [Place.read(text) for text in servers]
        for place in self._places:
            if not is_ip(place.host):
                raise ValueError(
                    f"{place.host!r} is no name server: write its IP address, with :port if need be"
                )
        self._resolver: Resolver | None = None

    async def addresses(self, name: str) -> list[str]:
        """The addresses of *name*. Raises ConnectError."""
        import dns.exception
        import dns.resolver

        try:
            answers = await self._ready().resolve_name(name, lifetime=ctx.options.dns_timeout, search=False)
        except dns.resolver.NXDOMAIN:
            raise NoSuchName(f"cannot resolve {name!r}: {self} know no such name") from None
        except (dns.exception.DNSException, OSError) as problem:
            raise ConnectError(
                f"cannot resolve {name!r} by {self}: {problem or type(problem).__name__}"
            ) from None
        return list(answers.addresses())

    def _ready(self) -> Resolver:
        if self._resolver is None:
            import dns.asyncresolver
            from dns.nameserver import Do53Nameserver

            self._resolver = dns.asyncresolver.Resolver(configure=False)
            self._resolver.nameservers = [
                Do53Nameserver(place.host, place.port or _DNS) for place in self._places
            ]
            self._resolver.cache = dns.resolver.LRUCache(_REMEMBERED)
        return self._resolver

    def __str__(self) -> str:
        return f"the name servers {', '.join(place.host for place in self._places)}"


def is_ip(text: str) -> bool:
    """Whether *text* is an address rather than a name."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
