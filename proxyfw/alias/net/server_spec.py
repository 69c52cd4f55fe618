"""``mitmproxy.net.server_spec``: upstream proxies and reverse targets."""

from __future__ import annotations

from proxyfw.alias import names_of
from proxyfw.connection import ServerSpec
from proxyfw.model import url

__all__ = ["ServerSpec", "parse"]

_PORTS = {"http": 80, "https": 443, "quic": 443, "http3": 443, "dns": 53}


def parse(server_spec: str, default_scheme: str) -> ServerSpec:
    """``scheme://host:port``, scheme and usual port optional. Raises ValueError."""
    scheme, separator, authority = server_spec.rpartition("://")
    scheme = scheme.lower() if separator else default_scheme
    host, port = url.parse_authority(authority.rstrip("/"))
    if port is None:
        port = _PORTS.get(scheme)
    if port is None:
        raise ValueError(f"Port specification missing: {server_spec}")
    return ServerSpec(scheme, (host, port))


__getattr__ = names_of("net.server_spec")
