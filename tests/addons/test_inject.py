"""inject.*: messages of one's own on live flows, and what is refused."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from proxyfw.exceptions import CommandError
from proxyfw.flow import Flow
from proxyfw.http import HTTPFlow
from proxyfw.protocol.websocket import Fragment, WebSocketCodec
from proxyfw.tcp import TCPFlow
from proxyfw.testing import End, http_flow, tcp_flow, websocket_flow, world
from proxyfw.udp import UDPFlow

UPGRADE = (
    b"GET http://example.com/chat HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\n"
    b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
ACCEPT = (
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)
CONNECT = b"CONNECT db.example:5432 HTTP/1.1\r\nHost: db.example:5432\r\n\r\n"


class Seen:
    """Notes messages, and says when a flow has begun."""

    def __init__(self) -> None:
        self.begun: asyncio.Queue[Flow] = asyncio.Queue()
        self.messages: list[tuple[bytes, bool, bool]] = []

    def websocket_start(self, flow: HTTPFlow) -> None:
        self.begun.put_nowait(flow)

    tcp_start = udp_start = websocket_start

    def websocket_message(self, flow: HTTPFlow) -> None:
        assert flow.websocket
        self._note(flow.websocket.messages[-1])

    def tcp_message(self, flow: TCPFlow | UDPFlow) -> None:
        self._note(flow.messages[-1])

    udp_message = tcp_message

    def _note(self, message: Any) -> None:
        self.messages.append((message.content, message.from_client, message.injected))


async def heard(end: End, client: bool) -> bytes:
    """The message that arrives next at one end."""
    (event,) = WebSocketCodec(client, None).receive(await end.until(bool))
    assert isinstance(event, Fragment)
    return event.data


async def test_websocket() -> None:
    """Features 65: to both sides of a live socket, flagged; an error when it is closed."""
    seen = Seen()
    async with world(addons=["inject", seen]) as w:
        origin, client = w.origin(), w.client()
        client.write(UPGRADE)
        server = await origin.accept()
        await server.head()
        server.write(ACCEPT)
        await client.head()
        flow = await seen.begun.get()
        w.proxy.commands.call("inject.websocket", flow, True, b"to the client")
        assert await heard(client, True) == b"to the client"
        w.proxy.commands.execute(f"inject.websocket @{flow.id} false 'to the server' false")
        assert await heard(server, False) == b"to the server"
        with pytest.raises(CommandError, match=r"to_client must be bool \(true or false\), not 'up'"):
            w.proxy.commands.execute(f"inject.websocket @{flow.id} up x")
        with pytest.raises(CommandError, match="must be UTF-8; give is_text=false"):
            w.proxy.commands.call("inject.websocket", flow, True, b"\xff")
        with pytest.raises(CommandError, match="is no TCP flow, but of type http"):
            w.proxy.commands.call("inject.tcp", flow, True, b"x")
        client.abort()
        server.abort()
        await w.ended()
        with pytest.raises(CommandError, match="it is over"):
            w.proxy.commands.call("inject.websocket", flow, True, b"late")
    assert seen.messages == [(b"to the client", False, True), (b"to the server", True, True)]


async def test_tcp() -> None:
    seen = Seen()
    async with world(addons=["inject", seen]) as w:
        origin, client = w.origin("db.example", 5432), w.client()
        client.write(CONNECT)
        await client.head()
        client.write(b"\x00hello")
        server = await origin.accept()
        await server.exactly(6)
        flow = await seen.begun.get()
        w.proxy.commands.execute(rf"inject.tcp {flow.id} true '+OK\r\n'")
        assert await client.exactly(5) == b"+OK\r\n"
        w.proxy.commands.call("inject.tcp", flow, False, b"QUIT")
        assert await server.exactly(4) == b"QUIT"
        with pytest.raises(CommandError, match="is no WebSocket"):
            w.proxy.commands.call("inject.websocket", flow, True, b"x")
        client.write_eof()
        await server.rest()
        with pytest.raises(CommandError, match="the server has been told that no more comes"):
            w.proxy.commands.call("inject.tcp", flow, False, b"late")


async def test_udp() -> None:
    seen = Seen()
    async with world(addons=["inject", seen], mode=["reverse:udp://game.example:9000@7000"]) as w:
        server, client = w.datagram_origin("game.example", 9000), w.datagram_client()
        client.send(b"hello")
        await server.receive()
        flow = await seen.begun.get()
        w.proxy.commands.call("inject.udp", flow, True, b"welcome")
        assert (await client.receive())[0] == b"welcome"
        with pytest.raises(CommandError, match="is no UDP flow, but of type http"):
            w.proxy.commands.call("inject.udp", http_flow(), True, b"x")


@pytest.mark.parametrize(
    ("command", "flow"), [("inject.tcp", tcp_flow()), ("inject.websocket", websocket_flow((True, "hi")))]
)
async def test_flows_that_are_over(command: str, flow: Flow) -> None:
    async with world(addons=["inject"]) as w:
        with pytest.raises(CommandError, match=f"nothing can be injected into flow {flow.id}: it is over"):
            w.proxy.commands.call(command, flow, True, b"x")
