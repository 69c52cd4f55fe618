"""Server-sent events on their way through the proxy: at once, seen, edited, dropped, delayed."""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import brotli  # type: ignore[import-untyped]
import pytest
import zstandard

from proxyfw.core import event_stream
from proxyfw.http import HTTPFlow
from proxyfw.sse import ServerSentEvent
from proxyfw.testing import End, World, world

GET = b"GET http://example.com/events HTTP/1.1\r\nHost: example.com\r\nAccept: text/event-stream\r\n\r\n"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


async def opened(w: World, head: bytes = CHUNKED) -> tuple[End, End, bytes]:
    """A client that has got the head of a stream, and the origin that will send it."""
    origin, client = w.origin(), w.client()
    client.write(GET)
    server = await origin.accept()
    await server.head()
    server.write(head)
    return client, server, await client.head()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b"0\r\n\r\n"


async def got(client: End, data: bytes) -> None:
    """*data* is what the client gets next, in chunks of any size."""
    body = b""
    while len(body) < len(data):
        size, _, rest = (await client.until(lambda received: b"\r\n" in received)).partition(b"\r\n")
        client.received = rest
        body += (await client.exactly(int(size, 16) + 2))[:-2]
    assert body == data


class Seen:
    def __init__(self) -> None:
        self.events: list[tuple[str, str, str | None]] = []

    def sse_event(self, flow: HTTPFlow, event: ServerSentEvent) -> None:
        assert flow.response
        assert flow.live
        self.events.append((event.event, event.data, event.id))


@pytest.mark.parametrize("seen", [False, True], ids=["unseen", "seen"])
async def test_the_first_event_is_there_before_the_second_is_sent(seen: bool) -> None:
    """5.1.38 and features 69: with and without somebody who looks, to the byte."""
    async with world(addons=[Seen()] if seen else []) as w:
        client, server, head = await opened(w)
        assert head == CHUNKED
        for event in (
            b": hello\n",
            b"data: 1\n\n",
            b"id:2\r\nevent: tick\r\ndata:2\r\n\r\n",
            b"retry: 9\n\n",
        ):
            server.write(chunk(event))
            await got(client, event)
        server.write(chunk(b""))
        assert await client.until(lambda data: data.endswith(b"0\r\n\r\n"))
        (flow,) = await w.ended()
    assert flow.error is None


async def test_a_stream_that_nobody_looks_at_is_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "EventStreamParser", None)
    async with world() as w:
        client, server, _ = await opened(w)
        server.write(chunk(b"data: 1"))
        await got(client, b"data: 1")


async def test_each_event_is_seen_once_however_it_was_cut() -> None:
    seen = Seen()
    async with world(addons=[seen]) as w:
        client, server, _ = await opened(w)
        stream = "event: ä\ndata: ☃\n\ndata: a\ndata: b\nid: 7\n\n: only a comment\n\n".encode()
        for byte in stream:
            server.write(chunk(bytes([byte])))
        await got(client, stream)
    assert seen.events == [("ä", "☃", None), ("message", "a\nb", "7")]


async def test_one_event_is_dropped_by_name_and_another_rewritten() -> None:
    """Features 70."""

    class Rule:
        def sse_event(self, flow: HTTPFlow, event: ServerSentEvent) -> None:
            if event.event == "advert":
                event.drop()
            elif event.data == "old":
                event.data = "new\nlines"
                event.id = "x"

    async with world(addons=[Rule()]) as w:
        client, server, _ = await opened(w)
        server.write(chunk(b"event: advert\ndata: buy\n\ndata: old\n\ndata: kept\r\n\r\n"))
        await got(client, b"id: x\ndata: new\ndata: lines\n\ndata: kept\r\n\r\n")


async def test_an_event_is_delayed_alone_and_the_order_is_kept() -> None:
    released = asyncio.Event()

    class Slow:
        async def sse_event(self, flow: HTTPFlow, event: ServerSentEvent) -> None:
            if event.data == "slow":
                await released.wait()

    async with world(addons=[Slow()]) as w:
        client, server, _ = await opened(w)
        server.write(chunk(b"data: fast\n\ndata: slow\n\ndata: later\n\n"))
        await got(client, b"data: fast\n\n")
        assert client.received == b""
        released.set()
        await got(client, b"data: slow\n\ndata: later\n\n")


async def test_an_intercepted_event_waits() -> None:
    class Breakpoint:
        flow: HTTPFlow
        reached = asyncio.Event()

        def sse_event(self, flow: HTTPFlow, event: ServerSentEvent) -> None:
            self.flow = flow
            flow.intercept()
            self.reached.set()

    breakpoint = Breakpoint()
    async with world(addons=[breakpoint]) as w:
        client, server, _ = await opened(w)
        server.write(chunk(b"data: 1\n\n"))
        await breakpoint.reached.wait()
        assert client.received == b""
        breakpoint.flow.resume()
        await got(client, b"data: 1\n\n")


async def test_a_hook_runs_to_its_end_though_the_client_has_left() -> None:
    class Slow:
        reached, release, finished = asyncio.Event(), asyncio.Event(), False
        seen = 0

        async def sse_event(self, flow: HTTPFlow, event: ServerSentEvent) -> None:
            self.seen += 1
            self.reached.set()
            await self.release.wait()
            self.finished = True

        def error(self, flow: HTTPFlow) -> None:
            assert self.finished

    slow = Slow()
    async with world(addons=[slow]) as w:
        client, server, _ = await opened(w)
        server.write(chunk(b"data: 1\n\ndata: 2\n\n"))
        await slow.reached.wait()
        client.abort()
        await asyncio.sleep(0)
        slow.release.set()
        assert await server.rest() == b""
        (flow,) = await w.ended()
    assert str(flow.error) == "client disconnected"
    assert (slow.finished, slow.seen) == (True, 1)


async def test_kill_from_elsewhere_ends_the_stream() -> None:
    """5.6.102."""

    class Keeper:
        flow: HTTPFlow

        def sse_event(self, flow: HTTPFlow, event: ServerSentEvent) -> None:
            self.flow = flow

    keeper = Keeper()
    async with world(addons=[keeper]) as w:
        client, server, _ = await opened(w)
        server.write(chunk(b"data: 1\n\n"))
        await got(client, b"data: 1\n\n")
        keeper.flow.kill()
        assert await client.rest() == b""
        assert await server.rest() == b""
        await w.ended()


async def test_a_hook_that_fails_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    class Failing:
        def sse_event(self, flow: HTTPFlow, event: ServerSentEvent) -> None:
            raise ValueError("oops")

    async with world(addons=[Failing()]) as w:
        client, server, _ = await opened(w)
        server.write(chunk(b"data: 1\n\n"))
        await got(client, b"data: 1\n\n")
    assert "oops" in caplog.text


async def test_an_edit_that_cannot_be_said_ends_the_stream(caplog: pytest.LogCaptureFixture) -> None:
    class Wrong:
        def sse_event(self, flow: HTTPFlow, event: ServerSentEvent) -> None:
            event.event = "two\nlines"

    async with world(addons=[Wrong()]) as w:
        client, server, _ = await opened(w)
        server.write(chunk(b"data: 1\n\n"))
        assert await client.rest() == b""
        assert client.reset
        (flow,) = await w.ended()
    assert "must be one line" in str(flow.error)
    assert "must be one line" in caplog.text


async def test_a_length_that_edits_make_false_is_not_sent() -> None:
    """5.1.18 for events: a finite stream with a length is seen as well."""

    class Longer:
        def sse_event(self, flow: HTTPFlow, event: ServerSentEvent) -> None:
            event.data *= 2

    async with world(addons=[Longer()]) as w:
        client, _, head = await opened(w, HEAD + b"Content-Length: 9\r\n\r\ndata: 1\n\n")
        assert head == CHUNKED
        await got(client, b"data: 11\n\n")
        assert await client.exactly(5) == chunk(b"")


async def test_what_comes_after_the_last_event_is_forwarded() -> None:
    seen = Seen()
    async with world(addons=[seen]) as w:
        client, server, _ = await opened(w, HEAD + b"\r\n")
        server.write(b"data: 1\n\ndata: cut off")
        server.close()
        await got(client, b"data: 1\n\ndata: cut off")
    assert [data for _, data, _ in seen.events] == ["1"]


def _zlib(data: bytes) -> bytes:
    packer = zlib.compressobj()
    return packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH)


def _gzip(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=31)
    return packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH)


def _brotli(data: bytes) -> bytes:
    packer = brotli.Compressor()
    return bytes(packer.process(data) + packer.flush())


def _zstd(data: bytes) -> bytes:
    packer = zstandard.ZstdCompressor().compressobj()
    return packer.compress(data) + packer.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)


@pytest.mark.parametrize(
    ("coding", "encode"), [("gzip", _gzip), ("deflate", _zlib), ("br", _brotli), ("zstd", _zstd)]
)
async def test_an_encoded_stream_is_seen_and_forwarded_decoded(
    coding: str, encode: Callable[[bytes], bytes]
) -> None:
    seen = Seen()
    async with world(addons=[seen]) as w:
        coded = b"Content-Encoding: " + coding.encode() + b"\r\n"
        client, server, head = await opened(w, HEAD + coded + b"Transfer-Encoding: chunked\r\n\r\n")
        assert head == CHUNKED
        server.write(chunk(encode(b"data: 1\n\n")))
        await got(client, b"data: 1\n\n")
    assert [data for _, data, _ in seen.events] == ["1"]


async def test_an_encoding_that_is_not_known_is_not_touched(caplog: pytest.LogCaptureFixture) -> None:
    seen = Seen()
    async with world(addons=[seen]) as w:
        head = HEAD + b"Content-Encoding: rot13\r\nTransfer-Encoding: chunked\r\n\r\n"
        client, server, answer = await opened(w, head)
        assert answer == head
        server.write(chunk(b"qngn: 1\n\n"))
        await got(client, b"qngn: 1\n\n")
    assert seen.events == []
    assert "sse_event is not called: content encoding 'rot13'" in caplog.text


async def test_a_stream_that_is_not_what_it_says_ends(caplog: pytest.LogCaptureFixture) -> None:
    async with world(addons=[Seen()]) as w:
        head = HEAD + b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
        client, server, _ = await opened(w, head)
        server.write(chunk(gzip.compress(b"")[:4] + b"garbage that is no gzip"))
        assert await client.rest() == b""
        (flow,) = await w.ended()
    assert "cannot be read" in str(flow.error)


async def test_other_bodies_are_no_event_streams() -> None:
    seen = Seen()
    async with world(addons=[seen]) as w:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-streams\r\nContent-Length: 9\r\n\r\n"
        client, _, answer = await opened(w, head + b"data: 1\n\n")
        assert answer == head
        assert await client.exactly(9) == b"data: 1\n\n"
    assert seen.events == []


async def test_a_long_stream_uses_constant_memory() -> None:
    """Features 70: what has passed is not kept."""
    seen = Seen()
    async with world(addons=[seen]) as w:
        client, server, _ = await opened(w)
        event = b"data: " + b"x" * 2000 + b"\n\n"

        async def pass_on(count: int) -> int:
            for _ in range(count):
                server.write(chunk(event))
                await got(client, event)
            seen.events.clear()
            return tracemalloc.get_traced_memory()[0]

        tracemalloc.start()
        try:
            before = await pass_on(100)
            assert await pass_on(1500) - before < 500_000
        finally:
            tracemalloc.stop()
