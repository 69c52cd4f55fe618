"""Framing on the way through: bodies and their ends, trailers, and all that is ambiguous being refused."""

from __future__ import annotations

import pytest

from proxyfw.http import Headers, HTTPFlow
from proxyfw.testing import End, Recorder, World, world

GET = b"GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\n"
POST = b"POST http://example.com/ HTTP/1.1\r\nHost: example.com\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
TRAILED = b"3\r\nabc\r\n0\r\nX-Sum: 1\r\nx-more: 2\r\n\r\n"


async def ask(w: World, request: bytes = GET) -> tuple[End, End]:
    """A client that has sent *request*, and the origin that has got it."""
    origin = w.origin()
    client = w.client()
    client.write(request)
    server = await origin.accept()
    await server.head()
    return client, server


async def test_head_keeps_content_length_and_the_connection() -> None:
    """5.1.10."""
    async with world() as w:
        client, server = await ask(w, GET.replace(b"GET", b"HEAD"))
        server.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        assert await client.head() == b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
        client.write(GET)
        await server.head()
        server.write(OK)
        assert await client.message() == OK
        assert len(w.network.dialled) == 1


@pytest.mark.parametrize("fields", [b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b""])
@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
async def test_an_answer_without_a_body_is_not_waited_for(status: bytes, fields: bytes) -> None:
    """5.1.11."""
    async with world() as w:
        client, server = await ask(w)
        server.write(b"HTTP/1.1 %b\r\n%bETag: x\r\n\r\n" % (status, fields))
        assert (await client.head()).startswith(b"HTTP/1.1 " + status)
        client.write(GET)
        await server.head()
        server.write(OK)
        assert await client.message() == OK
        assert len(w.network.dialled) == 1


@pytest.mark.parametrize("limit", ["5m", "3"])
@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
async def test_a_body_that_ends_with_the_connection_arrives_whole(version: bytes, limit: str) -> None:
    """5.1.12: and the client's connection is closed, too; buffered or streamed."""
    async with world(stream_large_bodies=limit) as w:
        client, server = await ask(w, GET.replace(b"1.1", version))
        server.write(b"HTTP/1.1 200 OK\r\n\r\nhello, ")
        server.write(b"world")
        server.close()
        head = await client.head()
        assert b"Connection: close" in head
        body = await client.rest()
        chunked = limit == "3" and version == b"1.1"
        assert (b"chunked" in head) is chunked
        assert body.endswith(b"\r\n0\r\n\r\n" if chunked else b"hello, world")


@pytest.mark.parametrize("reset", [False, True])
async def test_a_buffered_body_cut_short_is_502_with_both_sizes(reset: bool) -> None:
    """5.1.13."""
    recorder = Recorder()
    async with world(addons=[recorder]) as w:
        gate = w.gate("responseheaders")
        client, server = await ask(w)
        server.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
        await gate.reached()
        gate.release()
        if reset:
            server.abort()
        else:
            server.close()
        answer = await client.rest()
        assert answer.startswith(b"HTTP/1.1 502 ")
        if not reset:
            assert b"expected 10 bytes, received 5" in answer
        await w.ended()
    assert recorder.hooks[:3] == ["requestheaders", "request", "responseheaders"]
    assert [hook.split(":")[0] for hook in recorder.hooks[3:]] == ["error", "flow_end"]


async def test_a_streamed_body_cut_short_breaks_the_client_off() -> None:
    """5.1.14: the client must not take what it has for the whole."""
    recorder = Recorder()
    async with world(addons=[recorder], stream_large_bodies="3") as w:
        client, server = await ask(w)
        server.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        await client.until(lambda received: b"hello" in received)
        server.close()
        assert await client.rest() == b""
        assert client.reset
        await w.ended()
    assert recorder.hooks[-2].startswith("error: response body cut short")


class Trails:
    """Notes trailers, and adds one."""

    def __init__(self) -> None:
        self.seen: list[Headers | None] = []

    def request(self, flow: HTTPFlow) -> None:
        self.edit(flow.request.trailers)

    def response(self, flow: HTTPFlow) -> None:
        assert flow.response
        self.edit(flow.response.trailers)

    def edit(self, trailers: Headers | None) -> None:
        self.seen.append(trailers.copy() if trailers is not None else None)
        if trailers is not None:
            trailers["X-Sum"] = "7"


@pytest.mark.parametrize("limit", ["5m", "1"])
async def test_trailers_of_a_response_are_forwarded_and_can_be_edited(limit: str) -> None:
    """5.1.15, 5.1.17: buffered or streamed; chunk extensions stay behind."""
    trails = Trails()
    async with world(addons=[trails], stream_large_bodies=limit) as w:
        client, server = await ask(w)
        server.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        server.write(TRAILED.replace(b"3\r\n", b"3;ext=1\r\n", 1))
        answer = await client.until(
            lambda received: received.endswith(b"\r\n\r\n") and b"\r\n0\r\n" in received
        )
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head == b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked"
        assert body == TRAILED.replace(b"X-Sum: 1", b"X-Sum: 7")
        assert trails.seen[1] is not None
        assert dict(trails.seen[1]) == {"X-Sum": "1", "x-more": "2"}


async def test_trailers_of_a_request_are_forwarded_and_can_be_edited() -> None:
    """5.1.16."""
    trails = Trails()
    async with world(addons=[trails]) as w:
        _, server = await ask(w, POST + b"Transfer-Encoding: chunked\r\n\r\n" + TRAILED)
        body = await server.until(lambda received: received.endswith(b"\r\n\r\n"))
        assert body == TRAILED.replace(b"X-Sum: 1", b"X-Sum: 7")
        assert trails.seen[0] is not None


async def test_trailers_of_a_streamed_request_are_forwarded() -> None:
    """5.1.16, with a body above the limit; what frames or routes a message is no trailer."""
    async with world(stream_large_bodies="1") as w:
        forbidden = TRAILED.replace(b"x-more", b"Content-Length")
        _, server = await ask(w, POST + b"Transfer-Encoding: chunked\r\n\r\n" + forbidden)
        body = await server.until(lambda received: received.endswith(b"\r\n\r\n"))
        assert body == b"3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n"


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
        b"Content-Length: +5\r\n\r\nabcde",
        b"Content-Length: 5, 5\r\n\r\nabcde",
        b"Content-Length: 0x5\r\n\r\nabcde",
        b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"X-A : b\r\n\r\n",
        b"X-A: b\nX-B: c\r\n\r\n",
        b"X-A: b\0c\r\n\r\n",
    ],
)
async def test_ambiguous_framing_is_refused_both_ways_and_nothing_is_forwarded(framing: bytes) -> None:
    """5.1.19 to 5.1.22; tests/protocol has the whole list."""
    recorder = Recorder()
    async with world(addons=[recorder]) as w:
        client = w.client()
        client.write(POST + framing)
        answer = await client.rest()
        assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 501 "))
        assert w.network.dialled == []
        assert recorder.hooks == []

        client, server = await ask(w)
        server.write(b"HTTP/1.1 200 OK\r\n" + framing)
        assert (await client.rest()).startswith(b"HTTP/1.1 502 ")
        assert await server.rest() == b""


async def test_a_head_above_the_limit_is_refused_both_ways() -> None:
    """5.1.26."""
    async with world(max_head_size="2k") as w:
        client = w.client()
        client.write(POST + b"X-Long: %b\r\n\r\n" % (b"x" * 2048))
        assert (await client.rest()).startswith(b"HTTP/1.1 431 ")
        client = w.client()
        client.write(b"GET http://example.com/" + b"x" * 2048)
        assert (await client.rest()).startswith(b"HTTP/1.1 414 ")
        client, server = await ask(w)
        server.write(b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 2048)
        assert (await client.rest()).startswith(b"HTTP/1.1 502 ")


async def test_garbage_from_the_origin_is_502_that_quotes_it_escaped() -> None:
    """5.1.34."""
    for accept, quoted in ((b"text/html", b"&lt;script&gt;"), (b"*/*", b"<script>")):
        async with world() as w:
            client, server = await ask(w, GET.replace(b"\r\n\r\n", b"\r\nAccept: %b\r\n\r\n" % accept))
            server.write(b"<script>alert(1)</script>\r\n\r\n")
            answer = await client.rest()
            assert answer.startswith(b"HTTP/1.1 502 ")
            assert quoted in answer
            assert (b"text/html" if accept == b"text/html" else b"text/plain") in answer
            assert b"nosniff" in answer


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 0\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"]
)
async def test_an_empty_body_with_streaming_on_does_not_hang(framing: bytes) -> None:
    """5.1.39: both directions."""

    class Stream:
        def requestheaders(self, flow: HTTPFlow) -> None:
            flow.request.stream = True

        def responseheaders(self, flow: HTTPFlow) -> None:
            assert flow.response
            flow.response.stream = True

    async with world(addons=[Stream()]) as w:
        client, server = await ask(w, POST + framing)
        server.write(b"HTTP/1.1 200 OK\r\n" + framing)
        answer = b"HTTP/1.1 200 OK\r\n" + framing
        assert await client.exactly(len(answer)) == answer
        client.write(GET)
        await server.until(lambda received: b"GET / " in received)
        server.write(OK)
        assert await client.message() == OK


async def test_the_answer_to_a_head_request_may_be_streamed() -> None:
    """5.1.10 with 5.1.39."""
    async with world(stream_large_bodies="1") as w:
        client, server = await ask(w, GET.replace(b"GET", b"HEAD"))
        server.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        assert (await client.head()).startswith(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n")
        client.write(GET)
        await server.head()
