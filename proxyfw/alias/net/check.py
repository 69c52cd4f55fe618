"""``mitmproxy.net.check``: whether a host or port can be one."""

from __future__ import annotations

from proxyfw.alias import names_of
from proxyfw.alias.net.http.url import is_valid_host, is_valid_port

__all__ = ["is_valid_host", "is_valid_port"]

__getattr__ = names_of("net.check")
