"""Clients that ask to go on in HTTP/2 on a connection in the clear. RFC 7540 section 3.2, check 5.4.84."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from h2.errors import ErrorCodes
from http2_ends import H2Client, get, h1_client, tunnel, unclaimed

from proxyfw.http import HTTPFlow, Response
from proxyfw.testing import End, Recorder, World, world

ASKS = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
HEAD = b"GET /one HTTP/1.1\r\nHost: example.com\r\n"
SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
LIMIT = 256 * 1024


class Answer:
    """Answers each request with its path and the size of its body."""

    def request(self, flow: HTTPFlow) -> None:
        body = flow.request.raw_content or b""
        flow.response = Response.make(200, b"%b %d" % (flow.request.path.encode(), len(body)))


def plain(path: bytes) -> Any:
    """A request in the clear."""
    return [(name, b"http" if name == b":scheme" else value) for name, value in get(path)]


async def ask(end: End, head: bytes = HEAD, body: bytes = b"") -> H2Client:
    """Send a request that asks for HTTP/2 and is to get it."""
    end.write(head + ASKS + b"\r\n" + body)
    assert await end.head() == SWITCHING
    return H2Client(unclaimed(end), upgraded=True)


async def way_in(w: World, way: str) -> End:
    return await tunnel(w, 80) if way == "tunnel" else w.client()


@pytest.mark.parametrize("way", ["reverse", "tunnel", "regular"])
async def test_the_connection_goes_on_in_http2(way: str) -> None:
    """In reverse mode, in a tunnel, and where Host says who is meant. The origin is asked in HTTP/1.1."""
    recorder = Recorder()
    mode = ["reverse:http://example.com:80"] if way == "reverse" else ["regular"]
    async with world(addons=[recorder], mode=mode) as w:
        origin = w.origin()
        end = await way_in(w, way)
        end.write(HEAD + ASKS + b"\r\n")
        server = await origin.accept()
        assert await server.head() == b"GET /one HTTP/1.1\r\nHost: example.com\r\n\r\n"
        assert await end.head() == SWITCHING
        client = H2Client(unclaimed(end), upgraded=True)
        server.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst")
        heard = await client.whole(1)
        assert (heard[b":status"], heard.body) == (b"200", b"first")
        stream_id = client.ask(plain(b"/two"))
        assert await server.head() == b"GET /two HTTP/1.1\r\nHost: example.com\r\n\r\n"
        server.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecond")
        assert (await client.whole(stream_id)).body == b"second"
        flows: Any = await w.ended(2)
        assert [flow.request.http_version for flow in flows[:2]] == ["HTTP/1.1", "HTTP/2.0"]
        assert flows[0].request.headers["upgrade"] == "h2c"
        assert recorder.hooks.count("response") == 2


async def test_a_slow_first_request_holds_up_no_other() -> None:
    slow = asyncio.Event()

    class Slow:
        async def response(self, flow: HTTPFlow) -> None:
            if flow.request.path == "/one":
                await slow.wait()

    async with world(addons=[Answer(), Slow()]) as w:
        client = await ask(w.client())
        assert (await client.fetch(plain(b"/two"))).body == b"/two 0"
        assert not client.heard(1).headers
        slow.set()
        assert (await client.whole(1)).body == b"/one 0"


@pytest.mark.parametrize("size", [1, LIMIT])
async def test_a_request_with_a_body(size: int) -> None:
    async with world(addons=[Answer()]) as w:
        head = b"POST /up HTTP/1.1\r\nHost: example.com\r\nContent-Length: %d\r\n" % size
        client = await ask(w.client(), head, bytes(size))
        assert (await client.whole(1)).body == b"/up %d" % size


async def test_the_answer_to_head_has_no_body() -> None:
    async with world(addons=[Answer()]) as w:
        client = await ask(w.client(), b"HEAD / HTTP/1.1\r\nHost: example.com\r\n")
        heard = await client.whole(1)
        assert (heard[b":status"], heard[b"content-length"], heard.body) == (b"200", b"3", b"")


async def test_the_client_may_begin_before_it_is_told_to() -> None:
    """What it has sent ahead is not lost."""
    async with world(addons=[Answer()]) as w:
        end = w.client()
        preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
        end.write(HEAD + ASKS + b"\r\n" + preface + b"\0\0\x08\6\0\0\0\0\0" + b"pingpong")
        assert await end.head() == SWITCHING
        answer = await end.until(lambda data: b"/one 0" in data and b"pingpong" in data)
        assert b"\0\0\x08\6\1\0\0\0\0pingpong" in answer


async def test_a_request_after_it_is_not_read_as_anything() -> None:
    """No second request can be hidden behind the one that asks."""
    async with world(addons=[Answer()]) as w:
        gate = w.gate("request")
        end = w.client()
        end.write(HEAD + ASKS + b"\r\n" + b"GET /hidden HTTP/1.1\r\nHost: example.com\r\n\r\n")
        assert (await end.head()) == SWITCHING
        farewell = await end.rest()
        assert b"\7\0\0\0\0\0" in farewell
        assert b"expected HTTP/2, received" in farewell
        assert b"hidden 0" not in farewell
        gate.release()
        flows: Any = await w.ended()
        assert [flow.request.path for flow in flows] == ["/one"]
        assert flows[0].error


async def test_a_client_that_leaves_after_it() -> None:
    async with world() as w:
        origin = w.origin()
        end = w.client()
        end.write(HEAD + ASKS + b"\r\n")
        server = await origin.accept()
        await server.head()
        end.close()
        flows: Any = await w.ended()
        assert "closed the connection" in str(flows[0].error) or "disconnected" in str(flows[0].error)
        await server.rest()


async def test_a_reset_of_it_reaches_the_origin() -> None:
    """5.4.78, for a stream that began in HTTP/1.1."""
    async with world() as w:
        origin = w.origin()
        client = await ask(w.client())
        server = await origin.accept()
        await server.head()
        client.reset(1, ErrorCodes.CANCEL)
        await server.rest()


STAYS = {
    "larger": (b"PUT", b"Content-Length: %d\r\n" % (LIMIT + 1), ASKS),
    "chunked": (b"PUT", b"Transfer-Encoding: chunked\r\n", ASKS),
    "expect": (b"PUT", b"Content-Length: 1\r\nExpect: 100-continue\r\n", ASKS),
    "base64": (b"GET", b"", ASKS.replace(b"AAMA", b"A!MA")),
    "half a setting": (b"GET", b"", ASKS.replace(b"AAMAAABkAAQAAP__", b"AAMAAA")),
    "wrong setting": (b"GET", b"", ASKS.replace(b"AAMAAABkAAQAAP__", b"AAT_____")),
    "twice": (b"GET", b"HTTP2-Settings: AAMAAABkAAQAAP__\r\n", ASKS),
    "not named": (b"GET", b"", ASKS.replace(b", HTTP2-Settings", b"")),
}


@pytest.mark.parametrize("case", STAYS.values(), ids=STAYS)
async def test_what_stays_in_http1(case: tuple[bytes, bytes, bytes]) -> None:
    """And the wish is not passed on to the origin."""
    method, framing, asks = case
    bodies = {b"Content": bytes(LIMIT + 1), b"Transfe": b"1\r\nx\r\n0\r\n\r\n"}
    body = b"x" if b"Expect" in framing else bodies.get(framing[:7], b"")
    async with world() as w:
        origin = w.origin()
        end = w.client()
        end.write(method + HEAD[3:] + framing + asks + b"\r\n" + body)
        server = await origin.accept()
        assert b"upgrade" not in (await server.head()).lower()
        server.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        answer = await end.head()
        answer = await end.head() if answer.startswith(b"HTTP/1.1 100 ") else answer
        assert answer.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("http2", [True, False])
async def test_a_proxy_that_is_asked_in_absolute_form_stays_in_http1(http2: bool) -> None:
    """curl would put whole URLs into the paths of later requests."""
    async with world(addons=[Answer()], http2=http2) as w:
        end = w.client()
        end.write(b"GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\n" + ASKS + b"\r\n")
        assert (await end.head()).startswith(b"HTTP/1.1 200 ")


async def test_the_option_turns_it_off() -> None:
    async with world(addons=[Answer()], http2=False) as w:
        end = w.client()
        end.write(HEAD + ASKS + b"\r\n")
        assert (await end.head()).startswith(b"HTTP/1.1 200 ")


async def test_inside_tls_there_is_alpn_for_that() -> None:
    async with world(addons=[Answer()]) as w:
        end = await h1_client(w)
        end.write(HEAD + ASKS + b"\r\n")
        assert (await end.message()).startswith(b"HTTP/1.1 200 ")


async def test_a_body_that_never_comes() -> None:
    """It is waited for as long as any is, and the client learns of it in HTTP/1.1."""
    async with world(addons=[Answer()], idle_timeout=0.05) as w:
        end = w.client()
        end.write(b"POST / HTTP/1.1\r\nHost: example.com\r\nContent-Length: 5\r\n" + ASKS + b"\r\nab")
        assert await end.rest() == b""


async def test_a_later_request_may_ask_for_it() -> None:
    async with world(addons=[Answer()]) as w:
        end = w.client()
        end.write(HEAD + b"\r\n")
        assert (await end.message()).endswith(b"/one 0")
        client = await ask(end, b"GET /later HTTP/1.1\r\nHost: example.com\r\n")
        assert (await client.whole(1)).body == b"/later 0"


async def test_the_body_limit_holds() -> None:
    async with world(addons=[Answer()], body_size_limit="3") as w:
        head = b"POST /up HTTP/1.1\r\nHost: example.com\r\nContent-Length: 4\r\n"
        client = await ask(w.client(), head, b"four")
        assert (await client.whole(1))[b":status"] == b"413"
