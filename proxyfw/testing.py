"""What tests of addons need: flows to feed them, a proxy without a network, hooks that wait for the test.

    async def test_it() -> None:
        async with world(addons=[MyAddon()]) as w:
            origin = w.origin("example.com", 80)
            client = w.client()
            client.write(b"GET http://example.com/ HTTP/1.1\\r\\nHost: example.com\\r\\n\\r\\n")
            server = await origin.accept()
            ...

Everything here runs in one event loop, with no ports, no sleeps and no real time.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

from . import ctx, hookspecs
from .addonmanager import AddonManager
from .command import CommandManager
from .connection import Client, ConnectionState, Server
from .core.settings import declare
from .flow import Error, Flow
from .http import HTTPFlow, Request, Response
from .net.datagram import Datagrams
from .net.memory import MemoryNetwork, pipe
from .net.wire import Address, Wire
from .options import Options
from .proxy import Proxy
from .tcp import TCPFlow, TCPMessage
from .websocket import WebSocketData, WebSocketMessage

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

_A_MOMENT = 1_700_000_000.0
_PATIENCE = 5.0
"""Seconds after which a test that waits for what never comes fails. Never spent by one that passes."""


# Flows


def client_connection(**facts: Any) -> Client:
    """A client at 127.0.0.1:50000; *facts* are set as attributes."""
    client = Client(peername=("127.0.0.1", 50000), sockname=("127.0.0.1", 8080), timestamp_start=_A_MOMENT)
    return _with(client, facts)


def server_connection(address: Address = ("example.com", 80), **facts: Any) -> Server:
    """An open connection to *address*."""
    server = Server(address=address)
    server.peername, server.sockname = ("192.0.2.1", address[1]), ("127.0.0.1", 50001)
    server.state = ConnectionState.OPEN
    server.timestamp_start, server.timestamp_tcp_setup = _A_MOMENT, _A_MOMENT + 0.01
    return _with(server, facts)


def http_flow(
    request: Request | str = "http://example.com/path",
    response: Response | int | None = 200,
    *,
    error: str | None = None,
    **facts: Any,
) -> HTTPFlow:
    """A flow that has happened: a GET of a URL (or *request*), answered with a status (or *response*)."""
    if isinstance(request, str):
        request = Request.make("GET", request)
    if isinstance(response, int):
        response = Response.make(response, b"content", {"Content-Type": "text/plain"})
    flow = HTTPFlow(client_connection(), server_connection((request.host, request.port)))
    flow.request, flow.response = request, response
    if error:
        flow.response, flow.error = None, Error(error, _A_MOMENT)
    return _with(flow, facts)


def websocket_flow(*messages: tuple[bool, bytes | str], **facts: Any) -> HTTPFlow:
    """A WebSocket flow; *messages* are ``(from_client, content)``, text if the content is str."""
    flow = http_flow("http://example.com/socket", Response.make(101), **facts)
    flow.websocket = WebSocketData()
    for from_client, content in messages:
        text = isinstance(content, str)
        data = content.encode() if isinstance(content, str) else content
        flow.websocket.messages.append(WebSocketMessage(1 if text else 2, from_client, data, _A_MOMENT))
    return flow


def tcp_flow(*messages: tuple[bool, bytes], **facts: Any) -> TCPFlow:
    """A TCP flow; *messages* are ``(from_client, content)``."""
    flow = TCPFlow(client_connection(), server_connection())
    flow.messages += [TCPMessage(from_client, content, _A_MOMENT) for from_client, content in messages]
    return _with(flow, facts)


_T = TypeVar("_T")


def _with(thing: _T, facts: dict[str, Any]) -> _T:
    for name, value in facts.items():
        setattr(thing, name, value)
    return thing


# An addon on its own


class AddonContext:
    """A proxy without traffic: options, commands and addons as the real one has them."""

    def __init__(self, **options: Any) -> None:
        self.options = Options(**options)
        declare(self.options)
        self.commands = CommandManager()
        self.log = ctx.log
        self.addons = AddonManager(self)

    def shutdown(self) -> None:
        """A script wants the proxy to end; nothing to do here."""

    def configure(self, **changes: Any) -> None:
        """Change options as a user would. Raises OptionsError."""
        self.options.update(**changes)

    async def cycle(self, flow: Flow) -> Flow:
        """Let the addons see *flow* as if it happened now, up to its end; returns it for chaining."""
        call = self.addons.call
        if isinstance(flow, HTTPFlow):
            await call(hookspecs.requestheaders, flow)
            await call(hookspecs.request, flow)
            if flow.error:
                await call(hookspecs.error, flow)
            elif flow.response:
                await call(hookspecs.responseheaders, flow)
                await call(hookspecs.response, flow)
        await call(hookspecs.flow_end, flow)
        return flow


@contextmanager
def addon_test_context(*addons: object, **options: Any) -> Iterator[AddonContext]:
    """Load *addons* with *options*; inside the block `proxyfw.ctx` is theirs.

    with addon_test_context(MyAddon(), my_option=3) as context:
        flow = await context.cycle(http_flow("http://example.com/"))
    """
    context = AddonContext(**options)
    with ctx.use(context):
        for addon in addons:
            context.addons.add(addon)
        context.options.check_deferred()
        yield context


# A proxy in memory


class End:
    """One end of a connection in a test: a raw client, or a raw origin."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.received = b""
        self.eof = False
        self.reset = False
        self._changed = asyncio.Event()
        wire.attach(self)

    def write(self, data: bytes) -> None:
        self.wire.write(data)

    def write_eof(self) -> None:
        self.wire.write_eof()

    def close(self) -> None:
        self.wire.close()

    def abort(self) -> None:
        self.wire.abort()

    async def until(self, wanted: Callable[[bytes], bool]) -> bytes:
        """Everything received and not taken yet, once *wanted* says that it is enough; it is taken then."""
        async with asyncio.timeout(_PATIENCE):
            while not wanted(self.received):
                if self.eof or self.reset:
                    raise EOFError(f"the connection ended after {self.received!r}")
                self._changed.clear()
                await self._changed.wait()
        data, self.received = self.received, b""
        return data

    async def head(self) -> bytes:
        """The bytes up to the end of the next head; what follows stays."""
        data = await self.until(lambda received: b"\r\n\r\n" in received)
        head, separator, self.received = data.partition(b"\r\n\r\n")
        return head + separator

    async def exactly(self, size: int) -> bytes:
        """The next *size* bytes."""
        data = await self.until(lambda received: len(received) >= size)
        self.received = data[size:]
        return data[:size]

    async def message(self) -> bytes:
        """A head, and a body as long as its Content-Length says."""
        head = await self.head()
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                return head + await self.exactly(int(line[15:]))
        return head

    async def rest(self) -> bytes:
        """Everything up to the end of the stream."""
        async with asyncio.timeout(_PATIENCE):
            while not (self.eof or self.reset):
                self._changed.clear()
                await self._changed.wait()
        data, self.received = self.received, b""
        return data

    def data_received(self, data: bytes) -> None:
        self.received += data
        self._changed.set()

    def eof_received(self) -> None:
        self.eof = True
        self._changed.set()

    def connection_lost(self, reason: Exception | None) -> None:
        self.reset = self.reset or reason is not None
        self.eof = True
        self._changed.set()

    def writable_changed(self) -> None:
        self._changed.set()


class Origin:
    """A server in memory whose connections a test answers by hand."""

    def __init__(self) -> None:
        self.connections: list[End] = []
        self._waiting: asyncio.Queue[End] = asyncio.Queue()

    def connected(self, wire: Wire) -> None:
        end = End(wire)
        self.connections.append(end)
        self._waiting.put_nowait(end)

    async def accept(self) -> End:
        """The next connection that the proxy makes."""
        async with asyncio.timeout(_PATIENCE):
            return await self._waiting.get()


class DatagramEnd:
    """A socket for datagrams in a test: a client's, or an origin's."""

    socket: Datagrams

    def __init__(self) -> None:
        self.refused = False
        """The other side was said not to be there."""
        self._received: asyncio.Queue[tuple[bytes, Address]] = asyncio.Queue()

    def send(self, data: bytes, to: Address | None = None) -> None:
        """Send to the peer; an origin has to say *to* whom."""
        self.socket.send(data, to)

    async def receive(self) -> tuple[bytes, Address]:
        """The next datagram, and where it came from."""
        async with asyncio.timeout(_PATIENCE):
            return await self._received.get()

    @property
    def waiting(self) -> int:
        """Datagrams that have come and that nobody has received."""
        return self._received.qsize()

    def datagram_received(self, data: bytes, source: Address) -> None:
        self._received.put_nowait((data, source))

    def failed(self, reason: Exception) -> None:
        self.refused = True


class Gate:
    """An addon that holds a hook until the test lets it go on."""

    def __init__(self) -> None:
        self.flow: Any = None
        self._reached = asyncio.Event()
        self._open = asyncio.Event()

    async def hold(self, flow: Any) -> None:
        self.flow = flow
        self._reached.set()
        await self._open.wait()

    async def reached(self) -> Any:
        """Wait until the hook is called; what it was called with."""
        async with asyncio.timeout(_PATIENCE):
            await self._reached.wait()
        return self.flow

    def release(self) -> None:
        """Let the hook return, now and from now on."""
        self._open.set()


class Recorder:
    """An addon that notes in `hooks` what HTTP flows go through, errors with their message."""

    def __init__(self) -> None:
        self.hooks: list[str] = []

    def requestheaders(self, flow: HTTPFlow) -> None:
        self.hooks.append("requestheaders")

    def request(self, flow: HTTPFlow) -> None:
        self.hooks.append("request")

    def responseheaders(self, flow: HTTPFlow) -> None:
        self.hooks.append("responseheaders")

    def response(self, flow: HTTPFlow) -> None:
        self.hooks.append("response")

    def error(self, flow: HTTPFlow) -> None:
        self.hooks.append(f"error: {flow.error}")

    def flow_end(self, flow: Flow) -> None:
        self.hooks.append("flow_end")


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
        async with asyncio.timeout(_PATIENCE):
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
