"""``mitmproxy.net.tls``: what begins like TLS."""

from __future__ import annotations

from proxyfw.alias import names_of
from proxyfw.protocol import tls

__all__ = ["starts_like_tls_record"]


def starts_like_tls_record(data: bytes) -> bool:
    """Whether *data*, three bytes or more, begins a TLS record."""
    return bool(tls.starts_like_tls(data))


__getattr__ = names_of("net.tls")
