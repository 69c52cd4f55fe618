"""A WebSocket that an addon serves: accepted, carried and closed as any other, and no origin is dialled."""

from __future__ import annotations

import asyncio

import pytest
from http2_ends import StreamWire, h2_client
from websocket_ends import Recorder, Talker

from proxyfw.exceptions import ProxyfwError
from proxyfw.http import HTTPFlow, Response
from proxyfw.protocol.websocket import Close, Fragment, Ping, Pong
from proxyfw.testing import End, World, http_flow, world
from proxyfw.websocket import Serve, Socket

UPGRADE = (
    b"GET http://example.com/chat HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\n"
    b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Protocol: chat.v2, chat.v1\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
)


class Serving:
    """Accepts every WebSocket."""

    def __init__(self, serve: Serve) -> None:
        self.serve = serve

    def request(self, flow: HTTPFlow) -> None:
        flow.accept_websocket(self.serve)


async def opened(w: World) -> Talker:
    """A client that has been accepted."""
    end = w.client()
    end.write(UPGRADE)
    head = (await end.head()).lower()
    assert head.startswith(b"http/1.1 101 switching protocols\r\n")
    assert b"\r\nsec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n" in head
    assert b"\r\nsec-websocket-protocol: chat.v2\r\n" in head
    assert b"extensions" not in head
    return Talker(end, True)


async def echo(socket: Socket) -> None:
    async for message in socket:
        await socket.send(message)


async def test_messages_go_to_the_function_and_back_and_through_the_hooks() -> None:
    """features 66."""
    async with world(addons=[Serving(echo)]) as w:
        client = await opened(w)
        client.send(Fragment(b"he", True, False), Fragment(b"llo", True), Ping(b"p"))
        seen = [await client.event(), await client.event()]
        assert Fragment(b"hello", True) in seen
        assert Pong(b"p") in seen
        client.send(Fragment(b"\x00", False))
        assert await client.event() == Fragment(b"\x00", False)
        client.send(Close(1000, "bye"))
        assert await client.event() == Close(1000, "bye")
        (flow,) = await w.ended()
        assert isinstance(flow, HTTPFlow)
        assert flow.websocket
        assert [(m.from_client, m.content, m.injected) for m in flow.websocket.messages] == [
            (True, b"hello", False), (False, b"hello", False), (True, b"\0", False), (False, b"\0", False)
        ]  # fmt: skip
        assert (flow.websocket.close_code, flow.websocket.closed_by_client) == (1000, True)
        assert flow.error is None
        assert w.network.dialled == []


async def test_over_http2_it_is_the_same_story() -> None:
    fields = [
        (b":method", b"CONNECT"), (b":protocol", b"websocket"), (b":scheme", b"https"), (b":path", b"/chat"),
        (b":authority", b"example.com"), (b"sec-websocket-version", b"13"),
    ]  # fmt: skip
    recorder = Recorder()
    async with world(addons=[Serving(echo), recorder]) as w:
        h2 = await h2_client(w)
        number = h2.ask(fields, end=False)
        await h2.until(lambda: h2.heard(number).headers)
        assert h2.heard(number)[b":status"] == b"200"
        client = Talker(End(StreamWire(h2, number)), True)
        client.text("hello")
        assert await client.data() == b"hello"
        client.send(Close(1000))
        await client.closed()
        await w.ended()
        assert recorder.hooks == [
            "requestheaders", "request", "responseheaders", "response",
            "websocket_start", ">hello", "<hello", "websocket_end 1000", "flow_end",
        ]  # fmt: skip
        assert w.network.dialled == []


async def test_the_connection_closes_when_the_function_returns() -> None:
    async def greet(socket: Socket) -> None:
        await socket.send("hi")

    async with world(addons=[Serving(greet)]) as w:
        client = await opened(w)
        assert await client.event() == Fragment(b"hi", True)
        assert await client.event() == Close(1000)
        client.send(Close(1000))
        (flow,) = await w.ended()
        assert isinstance(flow, HTTPFlow)
        assert flow.websocket
        assert flow.websocket.closed_by_client is False


async def test_a_function_that_fails_closes_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    async def fail(socket: Socket) -> None:
        raise ValueError("oops")

    async with world(addons=[Serving(fail)]) as w:
        client = await opened(w)
        assert await client.event() == Close(1011, "the server has failed")
        client.send(Close(1011))
        await w.ended()
    assert "what serves the WebSocket http://example.com/chat has failed" in caplog.text


@pytest.mark.parametrize("leave", ["abort", "stop"])
async def test_a_function_that_waits_for_ever_is_cancelled(leave: str) -> None:
    cancelled = asyncio.Event()

    async def wait(socket: Socket) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with world(addons=[Serving(wait)]) as w:
        client = await opened(w)
        if leave == "abort":
            client.end.abort()
            await asyncio.wait_for(cancelled.wait(), 10)
    assert cancelled.is_set()


async def test_a_function_that_does_not_read_makes_the_client_wait() -> None:
    go = asyncio.Event()

    async def slow(socket: Socket) -> None:
        await go.wait()
        await echo(socket)

    async with world(addons=[Serving(slow)]) as w:
        client = await opened(w)
        part = b"x" * 100_000
        for _ in range(30):
            client.send(Fragment(part, False))
        for _ in range(50):
            await asyncio.sleep(0)
        assert not client.end.wire.writable
        go.set()
        assert [await client.event() for _ in range(30)] == [Fragment(part, False)] * 30
        client.send(Close(1000))
        await w.ended()


async def test_101_without_anybody_to_go_on_with_is_an_error() -> None:
    class Promising:
        def request(self, flow: HTTPFlow) -> None:
            flow.response = Response.make(101, b"", {"Upgrade": "websocket"})

    for addon, websocket in ((Promising(), True), (Serving(echo), False)):
        async with world(addons=[addon], websocket=websocket) as w:
            client = w.client()
            client.write(UPGRADE)
            assert (await client.message()).startswith(b"HTTP/1.1 502 ")
            await w.ended()


def test_only_an_opening_handshake_can_be_accepted() -> None:
    with pytest.raises(ProxyfwError, match="does not open a WebSocket"):
        http_flow().accept_websocket(echo)
