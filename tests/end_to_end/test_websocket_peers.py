"""WebSocket through the proxy with the `websockets` library at both ends: plain, intercepted, compressed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from ends import PATIENCE, Field
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidStatus
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.http11 import Request, Response

from proxyfw.http import HTTPFlow
from proxyfw.proxy import Proxy
from proxyfw.websocket import WebSocketData, WebSocketMessage

pytestmark = pytest.mark.end_to_end


class Watcher:
    """Keeps flows, and changes messages as it is told."""

    def __init__(self) -> None:
        self.hooks: list[str] = []
        self.flow: HTTPFlow
        self.ended = asyncio.Event()

    def websocket_start(self, flow: HTTPFlow) -> None:
        self.flow = flow
        self.hooks.append("start")

    def websocket_message(self, flow: HTTPFlow) -> None:
        message = self.data.messages[-1]
        if message.content == b"drop":
            message.drop()
        elif message.content.startswith(b"edit "):
            message.content = message.content.replace(b"edit ", b"edited ")

    def websocket_end(self, flow: HTTPFlow) -> None:
        self.hooks.append("end")

    def flow_end(self, flow: Any) -> None:
        if isinstance(flow, HTTPFlow) and flow.websocket:
            self.hooks.append("flow_end")
            self.ended.set()

    @property
    def data(self) -> WebSocketData:
        assert self.flow.websocket
        return self.flow.websocket

    @property
    def messages(self) -> list[WebSocketMessage]:
        return self.data.messages


class Peers:
    """What a test has: a proxy, a server behind it, and clients in front of it."""

    def __init__(self, field: Field, proxy: Proxy, watcher: Watcher, secure: bool, port: int) -> None:
        self.watcher = watcher
        self.server: ServerConnection
        scheme = "wss" if secure else "ws"
        self.url = f"{scheme}://{'example.test' if secure else '127.0.0.1'}:{port}/socket"
        self._context = field.trust(proxy) if secure else None
        self._proxy = proxy.url

    def connect(self, **how: Any) -> connect:
        return connect(self.url, ssl=self._context, proxy=self._proxy, **{"ping_interval": None, **how})


async def echo(server: ServerConnection) -> None:
    async for message in server:
        await server.send(message)


@asynccontextmanager
async def peers(
    field: Field, secure: bool, handler: Any = echo, *addons: object, **how: Any
) -> AsyncIterator[Peers]:
    watcher = Watcher()
    proxy = await field.proxy(watcher, *addons)
    context = field.server_context() if secure else None
    if context:
        context.set_alpn_protocols(["h2", "http/1.1"])  # nobody may choose HTTP/2 for an upgrade
    made: Peers

    async def accept(server: ServerConnection) -> None:
        made.server = server
        await handler(server)

    async with serve(accept, "127.0.0.1", 0, ssl=context, **{"ping_interval": None, **how}) as origin:
        port = next(iter(origin.sockets)).getsockname()[1]
        made = Peers(field, proxy, watcher, secure, port)
        async with asyncio.timeout(PATIENCE):
            yield made


def extensions(connection: ClientConnection | ServerConnection) -> list[str]:
    return [extension.name for extension in connection.protocol.extensions]


@pytest.fixture(params=[False, True], ids=["plain", "intercepted"])
def secure(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.mark.parametrize(
    ("of_client", "of_server"),
    [("deflate", "deflate"), (None, "deflate"), ("deflate", None), (None, None)],
    ids=["deflate", "client has none", "server has none", "none"],
)
async def test_everything_through_the_proxy(
    field: Field, secure: bool, of_client: str | None, of_server: str | None
) -> None:
    """5.5.88, 5.5.89 and 5.5.90; features 63, 64, 65 and 68."""
    async with peers(field, secure, compression=of_server) as p, p.connect(compression=of_client) as client:
        both = bool(of_client and of_server)
        assert extensions(client) == extensions(p.server) == ["permessage-deflate"] * both
        for message in ("text ☃", b"\x00\xff binary", "", b"", "a" * 200_000, bytes(70_000)):
            await client.send(message)
            assert await client.recv() == message
        await client.send("edit one")
        assert await client.recv() == "edited one"
        await client.send("edit " + "long " * 1000)
        assert await client.recv() == "edited " + "long " * 1000
        await client.send("drop")
        await client.send(["fragment", "ed", ""])
        assert [part async for part in client.recv_streaming()] == ["fragmented"]
        p.watcher.data.inject(True, "to the client")
        assert await client.recv() == "to the client"
        p.watcher.data.inject(False, b"to the server")
        assert await client.recv() == b"to the server"
        await (await client.ping(b"payload"))
        await (await p.server.ping(b"back"))
        await client.close(1000, "done")
        await p.watcher.ended.wait()
    assert p.watcher.hooks == ["start", "end", "flow_end"]
    assert (p.watcher.data.close_code, p.watcher.data.close_reason) == (1000, "done")
    assert p.watcher.data.closed_by_client is True
    assert [m.content for m in p.watcher.messages if m.injected] == [b"to the client", b"to the server"]


async def test_fragments_of_the_client_reach_the_server_as_they_were(field: Field, secure: bool) -> None:
    """5.5.88."""
    fragments: list[Any] = []

    async def keep(server: ServerConnection) -> None:
        fragments.extend([part async for part in server.recv_streaming()])
        await server.send([b"one", b"two", b"three"])
        await server.wait_closed()

    async with peers(field, secure, keep, compression=None) as p, p.connect() as client:
        await client.send([b"a", b"bc", b"def"])
        assert [part async for part in client.recv_streaming()] == [b"one", b"two", b"three", b""]
        assert fragments == [b"a", b"bc", b"def", b""]


async def test_a_close_of_the_server_has_its_code_and_reason(field: Field, secure: bool) -> None:
    """5.5.91."""

    async def close(server: ServerConnection) -> None:
        await server.close(4321, "gönn dir")

    async with peers(field, secure, close) as p, p.connect() as client:
        with pytest.raises(ConnectionClosedError):
            await client.recv()
        assert (client.close_code, client.close_reason) == (4321, "gönn dir")
        await p.watcher.ended.wait()
    assert (p.watcher.data.closed_by_client, p.watcher.data.close_code) == (False, 4321)


@pytest.mark.parametrize("by_client", [True, False], ids=["client", "server"])
async def test_an_abrupt_end_is_1006_at_both_ends(field: Field, secure: bool, by_client: bool) -> None:
    """5.5.91."""
    other: list[int | None] = []
    leave = asyncio.Event()

    async def handle(server: ServerConnection) -> None:
        if by_client:
            with pytest.raises(ConnectionClosed):
                await server.recv()
            other.append(server.close_code)
        else:
            await leave.wait()
            server.transport.abort()

    async with peers(field, secure, handle) as p, p.connect() as client:
        if by_client:
            client.transport.abort()
        else:
            leave.set()
            with pytest.raises(ConnectionClosedError):
                await client.recv()
            other.append(client.close_code)
        await p.watcher.ended.wait()
    assert other == [1006]
    assert p.watcher.hooks == ["start", "end", "flow_end"]
    assert (p.watcher.data.closed_by_client, p.watcher.data.close_code) == (by_client, 1006)


async def test_sub_protocols_are_agreed_upon_end_to_end(field: Field, secure: bool) -> None:
    async with (
        peers(field, secure, subprotocols=["superchat", "chat"]) as p,
        p.connect(subprotocols=["chat", "superchat"]) as client,
    ):
        assert client.subprotocol == p.server.subprotocol
        assert client.subprotocol in ("chat", "superchat")


@pytest.mark.parametrize("bits", [8, 9, 15])
async def test_deflate_parameters_are_agreed_upon_end_to_end(field: Field, secure: bool, bits: int) -> None:
    """5.5.89."""
    wanted = ClientPerMessageDeflateFactory(True, True, bits if bits > 8 else None, max(bits, 9))
    async with peers(field, secure) as p, p.connect(extensions=[wanted], compression=None) as client:
        assert extensions(client) == ["permessage-deflate"]
        for message in ("hello " * 1000, "hello " * 1000, "edit " + "hello " * 1000):
            await client.send(message)
            assert await client.recv() == message.replace("edit", "edited")


@pytest.mark.parametrize("status", [200, 403])
async def test_a_refused_upgrade_is_an_ordinary_response(field: Field, secure: bool, status: int) -> None:
    """5.5.93."""

    def refuse(server: ServerConnection, request: Request) -> Response:
        return server.respond(status, "no, thank you\n")

    async with peers(field, secure, process_request=refuse) as p:
        with pytest.raises(InvalidStatus) as refused:
            async with p.connect():
                pass
        assert refused.value.response.status_code == status
        assert refused.value.response.body == b"no, thank you\n"
    assert p.watcher.hooks == []


async def test_many_sockets_at_once_keep_their_order(field: Field) -> None:
    """5.5.90: one slow hook does not stall the others."""

    async def talk(p: Peers, number: int) -> None:
        async with p.connect() as client:
            for turn in range(20):
                await client.send(f"{number}:{turn}")
            assert [await client.recv() for _ in range(20)] == [f"{number}:{turn}" for turn in range(20)]

    class Slow:
        async def websocket_message(self, flow: HTTPFlow) -> None:
            await asyncio.sleep(0)

    async with peers(field, False, echo, Slow()) as p:
        await asyncio.gather(*[talk(p, number) for number in range(20)])


async def test_a_tunnel_without_tls_is_seen(field: Field) -> None:
    """What clients make of a ws:// URL and a proxy."""
    async with peers(field, False) as p, p.connect() as client:
        await client.send("a")
        assert await client.recv() == "a"
    assert len(p.watcher.messages) == 2
