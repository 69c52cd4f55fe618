"""``mitmproxy.proxy.context``: the connections that a hook is about."""

from __future__ import annotations

from proxyfw.alias import names_of
from proxyfw.tls import Context

__all__ = ["Context"]

__getattr__ = names_of("proxy.context")
