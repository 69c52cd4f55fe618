"""``mitmproxy.proxy.server_hooks``: what the hooks about servers are given."""

from __future__ import annotations

from proxyfw.alias import names_of
from proxyfw.connection import ServerConnectionHookData

__all__ = ["ServerConnectionHookData"]

__getattr__ = names_of("proxy.server_hooks")
