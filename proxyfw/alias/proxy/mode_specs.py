"""``mitmproxy.proxy.mode_specs``: the option ``mode`` taken apart.

``flow.client_conn.proxy_mode`` is the text of the mode here, with `full_spec` and `type_name`;
``isinstance(it, ReverseMode)`` says what is meant all the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, ClassVar

from proxyfw.alias import names_of
from proxyfw.core import modes
from proxyfw.exceptions import OptionsError

_kinds: dict[str, type[ProxyMode]] = {}


class _Recognising(type):
    type_name: str

    def __instancecheck__(cls, instance: object) -> bool:
        if isinstance(instance, str):
            return not cls.type_name or re.split("[:@]", instance, maxsplit=1)[0] == cls.type_name
        return super().__instancecheck__(instance)


@dataclass(frozen=True)
class ProxyMode(metaclass=_Recognising):
    """One mode: ``reverse:http://example.com@8081`` has the data ``http://example.com`` and a port."""

    full_spec: str
    data: str
    custom_listen_host: str | None
    custom_listen_port: int | None
    type_name: ClassVar[str] = ""

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        _kinds[cls.type_name] = cls

    @classmethod
    def parse(cls, spec: str) -> ProxyMode:
        """The mode that *spec* says. Raises ValueError."""
        try:
            modes.parse_all([spec], "", None)
        except OptionsError as problem:
            raise ValueError(str(problem)) from None
        head, at, place = spec.rpartition("@")
        listen = re.fullmatch(r"(?:\[?(?P<host>[^@]*?)\]?:)?(?P<port>\d+)", place) if at else None
        kind, _, data = (head if listen else spec).partition(":")
        return _kinds[kind.lower()](
            spec, data, listen["host"] if listen else None, int(listen["port"]) if listen else None
        )

    def listen_host(self, default: str | None = None) -> str:
        """Where it listens: its own host, else *default*."""
        return self.custom_listen_host or default or ""

    def listen_port(self, default: int | None = None) -> int | None:
        """Where it listens: its own port, else *default*."""
        return default if self.custom_listen_port is None else self.custom_listen_port

    def __str__(self) -> str:
        return self.full_spec


class RegularMode(ProxyMode):
    """A client that knows that it speaks to a proxy."""

    type_name = "regular"


class UpstreamMode(ProxyMode):
    """Regular, by way of another proxy."""

    type_name = "upstream"


class ReverseMode(ProxyMode):
    """In the place of one server."""

    type_name = "reverse"


class TransparentMode(ProxyMode):
    """Connections that were redirected to the proxy."""

    type_name = "transparent"


class Socks5Mode(ProxyMode):
    """SOCKS version 5."""

    type_name = "socks5"


class DnsMode(ProxyMode):
    """A name server."""

    type_name = "dns"


__getattr__ = names_of("proxy.mode_specs")
