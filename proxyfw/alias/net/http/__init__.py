"""``mitmproxy.net.http``."""

from __future__ import annotations

from proxyfw.alias import names_of
from proxyfw.http import Headers, Request, Response

__all__ = ["Headers", "Request", "Response"]

__getattr__ = names_of("net.http")
