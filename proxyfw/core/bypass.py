"""Which destinations are reached without the upstream proxy: patterns as NO_PROXY has them."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from fnmatch import fnmatchcase

from proxyfw.exceptions import OptionsError
from proxyfw.net.wire import Address

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Bypass:
    """``example.com`` (and all below it), ``*.lan``, ``10.0.0.0/8``, ``::1``, ``host:8080``.

    ``.example.com`` is the same, ``*`` is everything. Names are not resolved: networks match destinations
    that are given as addresses.
    """

    def __init__(self, patterns: Sequence[str] = ()) -> None:
        """Raises OptionsError for a pattern that cannot be one."""
        self._networks: list[_Network] = []
        self._names: list[tuple[str, int | None]] = []
        for text in patterns:
            self._add(text.strip().lower())

    def __bool__(self) -> bool:
        return bool(self._networks or self._names)

    def covers(self, address: Address) -> bool:
        """Whether *address* is to be reached directly."""
        host, port = address[0].lower().rstrip("."), address[1]
        if self._networks and (ip := _ip(host)):
            return any(ip in network for network in self._networks) or self._names_it(host, port)
        return self._names_it(host, port)

    def _names_it(self, host: str, port: int) -> bool:
        return any(_matches(name, host) for name, only in self._names if only in (None, port))

    def _add(self, text: str) -> None:
        try:
            self._networks.append(ipaddress.ip_network(text.strip("[]"), strict=False))
            return
        except ValueError:
            name, colon, port = text.rpartition(":")
        if not colon:
            name, port = text, ""
        if not name or "/" in name or (colon and not port.isdigit()):
            raise OptionsError(
                f"upstream_bypass: {text!r} is none of host[:port], *.domain, address, network (10.0.0.0/8)"
            )
        self._names.append((name.strip("[]"), int(port) if port else None))


def _matches(pattern: str, host: str) -> bool:
    if "*" in pattern:
        return fnmatchcase(host, pattern)
    domain = pattern.lstrip(".")
    return host == domain or host.endswith(f".{domain}")


def _ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
