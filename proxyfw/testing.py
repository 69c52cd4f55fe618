"""What tests need: flows to feed addons, a proxy without a network, hooks that wait, types of the fixtures.

    async def test_it() -> None:
        async with world(addons=[MyAddon()]) as w:
            origin = w.origin("example.com", 80)
            client = w.client()
            client.write(b"GET http://example.com/ HTTP/1.1\\r\\nHost: example.com\\r\\n\\r\\n")
            server = await origin.accept()
            ...

What is made by `world` runs in one event loop, with no ports, no sleeps and no real time. The pytest fixtures
(``proxy``, ``route``, ``flow_log``, ``proxy_client``) are there without an import; they use real sockets.
"""

from __future__ import annotations

from .net.memory import MemoryNetwork, pipe
from .testkit.actions import Abort
from .testkit.client import AsyncProxyClient, ProxyClient, Reply
from .testkit.ends import DatagramEnd, End, Origin
from .testkit.flowlog import FlowLog
from .testkit.flows import client_connection, http_flow, server_connection, tcp_flow, websocket_flow
from .testkit.live import LiveProxy
from .testkit.observers import Gate, Recorder
from .testkit.routes import Route
from .testkit.solitude import AddonContext, addon_test_context
from .testkit.virtual_time import in_virtual_time
from .testkit.world import World, world

__all__ = [
    "Abort",
    "AddonContext",
    "AsyncProxyClient",
    "DatagramEnd",
    "End",
    "FlowLog",
    "Gate",
    "LiveProxy",
    "MemoryNetwork",
    "Origin",
    "ProxyClient",
    "Recorder",
    "Reply",
    "Route",
    "World",
    "addon_test_context",
    "client_connection",
    "http_flow",
    "in_virtual_time",
    "pipe",
    "server_connection",
    "tcp_flow",
    "websocket_flow",
    "world",
]
