"""A running proxy on a network in memory, and what is around it."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from proxyfw.flow import Flow
from proxyfw.net.datagram import Datagrams
from proxyfw.net.memory import MemoryNetwork
from proxyfw.proxy import Proxy

from .ends import DatagramEnd, End, Origin
from .observers import Gate
from .patience import patience


class World:
    """A running proxy on a network in memory, and what is around it."""

    def __init__(self, proxy: Proxy, network: MemoryNetwork) -> None:
        self.proxy = proxy
        self.network = network
        self.flows: list[Flow] = []
        """Flows that have ended, in order."""
        self._ended = asyncio.Event()

    def client(self, port: int | None = None) -> End:
        """A new connection to the proxy, to *port* if it listens on several."""
        address = self.proxy.address
        wire = self.network.reach(address if port is None else (address[0], port))
        assert wire, "the proxy does not listen"
        return End(wire)

    def origin(self, host: str = "example.com", port: int = 80) -> Origin:
        """Have *host* exist, and listen on *port* there."""
        ip = self.network.hosts.setdefault(host, [f"192.0.2.{len(self.network.hosts) + 1}"])[0]
        origin = Origin()
        self.network.serve((ip, port), origin.connected)
        return origin

    def datagram_client(self) -> DatagramEnd:
        """A client of the proxy, in a mode that takes datagrams."""
        end = DatagramEnd()
        end.socket = self.network.datagrams.connect([self.proxy.address], end)
        return end

    def datagram_origin(self, host: str = "example.com", port: int = 53) -> DatagramEnd:
        """Have *host* exist, and receive datagrams for *port* there."""
        ip = self.network.hosts.setdefault(host, [f"192.0.2.{len(self.network.hosts) + 1}"])[0]
        end = DatagramEnd()

        def answering(socket: Datagrams) -> DatagramEnd:
            end.socket = socket
            return end

        self.network.datagrams.listen(ip, port, answering)
        return end

    def gate(self, hook: str) -> Gate:
        """Hold the hook called *hook* (after all other addons had it) until the gate is released."""
        gate = Gate()
        holder = type("GateKeeper", (), {hook: staticmethod(gate.hold)})()
        self.proxy.addons.add(holder, f"gate-{hook}-{len(self.proxy.addons)}")
        return gate

    async def ended(self, count: int = 1) -> list[Flow]:
        """Wait until *count* flows have ended; all that have."""
        async with asyncio.timeout(patience()):
            while len(self.flows) < count:
                self._ended.clear()
                await self._ended.wait()
        return self.flows

    def flow_end(self, flow: Flow) -> None:
        self.flows.append(flow)
        self._ended.set()


@asynccontextmanager
async def world(
    *, addons: Sequence[object] = (), default_addons: Sequence[str] = (), **options: Any
) -> AsyncIterator[World]:
    """A proxy with just *addons* and *options* on a `MemoryNetwork`, with a certificate directory of its own.

    *default_addons*: names of built-in addons to have as well.
    """
    network = MemoryNetwork()
    with tempfile.TemporaryDirectory() as confdir:
        options = {"confdir": confdir, "shutdown_timeout": 0.01, **options}
        proxy = Proxy(options, addons=addons, default_addons=default_addons, network=network)
        around = World(proxy, network)
        proxy.addons.add(around, "world")
        async with proxy:
            yield around
