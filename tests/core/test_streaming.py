"""Bodies that pass through piece by piece: when they do, what addons may make of them, what is recorded."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any

import pytest

from proxyfw.http import HTTPFlow, Response
from proxyfw.net.memory import MemoryWire
from proxyfw.testing import End, Recorder, World, world

GET = b"GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\n"
POST = b"POST http://example.com/ HTTP/1.1\r\nHost: example.com\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
IN_ORDER = ["requestheaders", "request", "responseheaders", "response", "flow_end"]

StreamFunction = Callable[[bytes], bytes | Iterable[bytes] | Awaitable[bytes | Iterable[bytes]]]


class Streams:
    """Streams bodies through *function*."""

    def __init__(self, function: StreamFunction, requests: bool = True) -> None:
        self.function = function
        self.requests = requests

    def requestheaders(self, flow: HTTPFlow) -> None:
        if self.requests:
            flow.request.stream = self.function

    def responseheaders(self, flow: HTTPFlow) -> None:
        assert flow.response
        flow.response.stream = self.function


async def ask(w: World, request: bytes = GET) -> tuple[End, End]:
    """A client that has sent *request*, and the origin that has got its head."""
    origin = w.origin()
    client = w.client()
    client.write(request)
    return client, await origin.accept()


async def ended(w: World, count: int = 1) -> HTTPFlow:
    flow = (await w.ended(count))[-1]
    assert isinstance(flow, HTTPFlow)
    return flow


@pytest.mark.parametrize("kind", [b"text/event-stream", b"text/event-stream;charset=utf-8"])
async def test_events_reach_the_client_as_they_come(kind: bytes) -> None:
    """5.1.38: without any configuration."""
    recorder = Recorder()
    async with world(addons=[recorder]) as w:
        client, server = await ask(w)
        server.write(CHUNKED.replace(b"\r\n\r\n", b"\r\nContent-Type: %b\r\n\r\n" % kind))
        assert kind in await client.head()
        server.write(b"9\r\ndata: 1\n\n\r\n")
        assert await client.exactly(14) == b"9\r\ndata: 1\n\n\r\n"
        assert recorder.hooks == IN_ORDER[:3]
        server.write(b"0\r\n\r\n")
        assert await client.exactly(5) == b"0\r\n\r\n"
        await w.ended()
    assert recorder.hooks == IN_ORDER


async def test_a_body_is_streamed_once_it_is_longer_than_stream_large_bodies() -> None:
    async with world(stream_large_bodies="4") as w:
        client, server = await ask(w)
        server.write(CHUNKED + b"4\r\nabcd\r\n")
        server.write(b"1\r\ne\r\n")
        assert (await client.until(lambda received: b"e\r\n" in received[-3:])).startswith(CHUNKED)
        server.write(b"0\r\n\r\n")
        assert (await ended(w)).response is not None


async def test_a_body_of_just_that_length_is_buffered() -> None:
    async with world(stream_large_bodies="4") as w:
        client, server = await ask(w)
        server.write(CHUNKED + b"4\r\nabcd\r\n0\r\n\r\n")
        await client.head()
        response = (await ended(w)).response
        assert response
        assert response.content == b"abcd"


@pytest.mark.parametrize(
    ("options", "content", "truncated"),
    [
        ({}, None, False),
        ({"store_streamed_bodies": True}, b"abcdefgh", False),
        ({"store_streamed_bodies": True, "capture_limit": "8"}, b"abcdefgh", False),
        ({"store_streamed_bodies": True, "capture_limit": "6"}, b"abcdef", True),
    ],
)
async def test_streamed_bodies_are_recorded_up_to_the_capture_limit(
    options: dict[str, Any], content: bytes | None, truncated: bool
) -> None:
    """What is forwarded is never cut."""
    async with world(stream_large_bodies="1", **options) as w:
        client, server = await ask(w, POST + b"Content-Length: 8\r\n\r\nabcdefgh")
        assert (await server.message()).endswith(b"\r\n\r\nabcdefgh")
        server.write(CHUNKED + b"4\r\nabcd\r\n")
        await client.until(lambda received: b"abcd" in received)
        server.write(b"4\r\nefgh\r\n0\r\n\r\n")
        assert await client.exactly(14) == b"4\r\nefgh\r\n0\r\n\r\n"
        flow = await ended(w)
    assert flow.response
    for message in (flow.request, flow.response):
        assert message.raw_content == content
        assert message.truncated is truncated


async def test_an_empty_streamed_body_is_recorded_as_empty() -> None:
    def same(piece: bytes) -> bytes:
        return piece

    async with world(addons=[Streams(same)], store_streamed_bodies=True) as w:
        client, server = await ask(w)
        await server.head()
        server.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await client.until(lambda received: received.endswith(b"0\r\n\r\n"))
        response = (await ended(w)).response
        assert response
        assert response.raw_content == b""


def upper(piece: bytes) -> bytes:
    return piece.upper()


async def upper_later(piece: bytes) -> list[bytes]:
    return [piece.upper()]


def letters(piece: bytes) -> Iterator[bytes]:
    for letter in piece.decode().upper():
        yield letter.encode()


@pytest.mark.parametrize("function", [upper, upper_later, letters])
async def test_a_function_makes_of_each_piece_what_it_likes(function: StreamFunction) -> None:
    """Plain, async, and returning several pieces; the length that is not known any more is not claimed."""
    async with world(addons=[Streams(function)], store_streamed_bodies=True) as w:
        client, server = await ask(w, POST + b"Content-Length: 3\r\n\r\nabc")
        head = await server.head()
        assert b"Content-Length" not in head
        assert b"Transfer-Encoding: chunked\r\n" in head
        await server.until(lambda received: received.endswith(b"0\r\n\r\n"))
        server.write(OK)
        head = await client.head()
        assert b"Content-Length" not in head
        assert b"Transfer-Encoding: chunked\r\n" in head
        await client.until(lambda received: received.endswith(b"0\r\n\r\n"))
        flow = await ended(w)
    assert flow.response
    assert flow.request.raw_content == b"ABC"
    assert flow.response.raw_content == b"HI"


async def test_a_function_may_drop_pieces_and_add_some_at_the_end() -> None:
    seen: list[bytes] = []

    def last_only(piece: bytes) -> bytes | list[bytes]:
        seen.append(piece)
        return [] if piece else b"%d bytes" % sum(map(len, seen))

    async with world(addons=[Streams(last_only, requests=False)]) as w:
        client, server = await ask(w)
        await server.head()
        server.write(CHUNKED + b"3\r\nabc\r\n")
        assert await client.head() == CHUNKED
        server.write(b"2\r\nde\r\n0\r\n\r\n")
        assert await client.until(lambda r: r.endswith(b"0\r\n\r\n")) == b"7\r\n5 bytes\r\n0\r\n\r\n"
    assert seen == [b"abc", b"de", b""]


def broken(piece: bytes) -> bytes:
    raise KeyError("oops")


def nothing(piece: bytes) -> bytes:
    return None  # type: ignore[return-value]


@pytest.mark.parametrize("function", [broken, nothing])
async def test_a_function_that_fails_ends_the_flow_and_is_named_in_one_line(
    function: StreamFunction, caplog: pytest.LogCaptureFixture
) -> None:
    """5.6.119: before the answer 502, within it the connection is broken off."""
    recorder = Recorder()
    async with world(addons=[recorder, Streams(function)]) as w:
        client = w.client()
        w.origin()
        client.write(POST + b"Content-Length: 3\r\n\r\nabc")
        answer = await client.rest()
        assert answer.startswith(b"HTTP/1.1 502 ")
        assert function.__name__.encode() in answer
        await w.ended()
    assert recorder.hooks[2].startswith("error: ")
    assert recorder.hooks[3:] == ["flow_end"]
    assert [
        r.getMessage().count(function.__name__) for r in caplog.records if r.levelno >= logging.ERROR
    ] == [1]


async def test_a_flow_killed_from_within_its_stream_ends_there() -> None:
    """5.6.102."""
    flows: list[HTTPFlow] = []

    class Kills:
        def responseheaders(self, flow: HTTPFlow) -> None:
            assert flow.response
            flow.response.stream = self.kill
            flows.append(flow)

        def kill(self, piece: bytes) -> bytes:
            flows[0].kill()
            return piece

    async with world(addons=[Kills()]) as w:
        client, server = await ask(w)
        await server.head()
        server.write(CHUNKED + b"3\r\nabc\r\n")
        assert b"abc" not in await client.rest()
        assert await server.rest() == b""
        assert client.reset
        assert (await ended(w)).error is not None


async def test_the_request_hook_may_still_answer_a_streamed_request() -> None:
    """Nothing is dialled then, and the connection is closed, for nobody wants the rest."""

    class Mock:
        def request(self, flow: HTTPFlow) -> None:
            flow.response = Response.make(200, b"mine")

    async with world(addons=[Mock()], stream_large_bodies="1") as w:
        client = w.client()
        client.write(POST + b"Content-Length: 100\r\n\r\nabc")
        answer = await client.rest()
        assert answer.endswith(b"\r\n\r\nmine")
        assert b"Connection: close" in answer
        assert w.network.dialled == []


async def test_an_answer_that_comes_before_the_end_of_an_upload_is_the_answer() -> None:
    """5.1.33: it is forwarded, the upload stops, the hooks keep their order."""
    recorder = Recorder()
    async with world(addons=[recorder], stream_large_bodies="1") as w:
        client, server = await ask(w, POST + b"Content-Length: 100\r\n\r\nabc")
        await server.until(lambda received: received.endswith(b"abc"))
        server.write(b"HTTP/1.1 413 Too Much\r\nContent-Length: 3\r\n\r\nbig")
        answer = await client.rest()
        assert answer.startswith(b"HTTP/1.1 413 Too Much\r\n")
        assert answer.endswith(b"\r\n\r\nbig")
        assert await server.rest() == b""
        flow = await ended(w)
    assert recorder.hooks == IN_ORDER
    assert flow.error is None


async def test_an_upload_that_nobody_waited_for_is_not_taken_for_the_next_request(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """5.1.33: it has arrived in full, the origin has answered and does not read it."""
    async with world(stream_large_bodies="1") as w:
        client, server = await ask(w, POST + b"Content-Length: 450000\r\n\r\n")
        server.wire.pause()
        for _ in range(9):
            client.write(bytes(50_000))
        assert isinstance(client.wire, MemoryWire)
        for _ in range(100):
            await asyncio.sleep(0)
        assert client.wire.unread == 0
        server.write(OK)
        assert (await client.rest()).endswith(b"\r\n\r\nhi")
        flow = await ended(w)
    assert flow.error is None
    assert [r for r in caplog.records if r.levelno >= logging.ERROR] == []


async def test_a_streamed_answer_runs_beside_the_upload() -> None:
    """5.1.33: an origin that answers while it reads gets the whole upload."""
    async with world(stream_large_bodies="1") as w:
        client, server = await ask(w, POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n")
        await server.until(lambda received: received.endswith(b"2\r\nab\r\n"))
        server.write(CHUNKED + b"2\r\nAB\r\n")
        assert (await client.until(lambda r: r.endswith(b"2\r\nAB\r\n"))).startswith(CHUNKED)
        client.write(b"2\r\ncd\r\n0\r\n\r\n")
        assert await server.exactly(12) == b"2\r\ncd\r\n0\r\n\r\n"
        server.write(b"2\r\nCD\r\n0\r\n\r\n")
        assert await client.exactly(12) == b"2\r\nCD\r\n0\r\n\r\n"
        client.write(GET)
        assert (await server.head()).startswith(b"GET / ")


class InPieces:
    """Answers with *pieces* of *size* bytes; `made` counts them."""

    def __init__(self, pieces: int, size: int, fails: bool = False) -> None:
        self.pieces = pieces
        self.size = size
        self.fails = fails
        self.made = 0

    def request(self, flow: HTTPFlow) -> None:
        flow.response = Response.make(200)
        del flow.response.headers["content-length"]
        flow.response.raw_content = None
        flow.response.stream = lambda _: self.make()

    def make(self) -> Iterator[bytes]:
        for _ in range(self.pieces):
            self.made += 1
            yield bytes(self.size)
        if self.fails:
            raise OSError("the disk is gone")


async def test_an_addons_answer_is_made_while_it_is_sent() -> None:
    """Not ahead of a client that does not read; no origin is asked."""
    async with world(addons=[addon := InPieces(100, 100_000)]) as w:
        client = w.client()
        client.wire.pause()
        client.write(GET)
        for _ in range(200):
            await asyncio.sleep(0)
        assert 0 < addon.made < 10
        client.wire.resume()
        assert b"\r\nTransfer-Encoding: chunked\r\n" in await client.head()
        body = await client.until(lambda received: received.endswith(b"\r\n0\r\n\r\n"))
        assert len(body) > 10_000_000
        flow = await ended(w)
        assert flow.response
        assert flow.response.raw_content is None
        assert w.network.dialled == []


async def test_an_answer_that_cannot_be_made_to_its_end_is_broken_off(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with world(addons=[InPieces(1, 10, fails=True)]) as w:
        client = w.client()
        client.write(GET)
        assert not (await client.rest()).endswith(b"0\r\n\r\n")
        assert "the disk is gone" in str((await ended(w)).error)
