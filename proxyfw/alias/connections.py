"""``mitmproxy.connections``, long gone: the old names of the two kinds of connection."""

from __future__ import annotations

from proxyfw.connection import Client as ClientConnection
from proxyfw.connection import Server as ServerConnection

from . import names_of

__all__ = ["ClientConnection", "ServerConnection"]

__getattr__ = names_of("connections")
