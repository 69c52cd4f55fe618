"""``mitmproxy.proxy.server_hooks``: what the hooks about servers are given."""

from __future__ import annotations

from proxyfw.alias import names_of
from proxyfw.alias.hooks import all_hooks
from proxyfw.connection import ServerConnectionHookData

__all__ = [
    "ServerConnectErrorHook",
    "ServerConnectHook",
    "ServerConnectedHook",
    "ServerConnectionHookData",
    "ServerDisconnectedHook",
]

ServerConnectHook = all_hooks["server_connect"]
ServerConnectedHook = all_hooks["server_connected"]
ServerConnectErrorHook = all_hooks["server_connect_error"]
ServerDisconnectedHook = all_hooks["server_disconnected"]

__getattr__ = names_of("proxy.server_hooks")
