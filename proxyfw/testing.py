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
from .testkit.ends import DatagramEnd, End, Origin
from .testkit.flows import client_connection, http_flow, server_connection, tcp_flow, websocket_flow
from .testkit.observers import Gate, Recorder
from .testkit.solitude import AddonContext, addon_test_context
from .testkit.world import World, world

__all__ = [
    "AddonContext",
    "DatagramEnd",
    "End",
    "Gate",
    "MemoryNetwork",
    "Origin",
    "Recorder",
    "World",
    "addon_test_context",
    "client_connection",
    "http_flow",
    "pipe",
    "server_connection",
    "tcp_flow",
    "websocket_flow",
    "world",
]
