"""Requests and answers between HTTP/2 and HTTP/1.1 ends: fields, framing, trailers, informational answers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from http2_ends import (
    H2Origin,
    get,
    h1_client,
    h1_origin,
    h2_client,
    h2_origin,
    secured,
)

from proxyfw.http import HTTPFlow
from proxyfw.testing import world

CHUNKED = b"transfer-encoding: chunked\r\n"


async def serving(origin: Any, tasks: list[asyncio.Task[None]]) -> H2Origin:
    """The next connection to *origin*, which answers every request with its path."""
    server = await h2_origin(origin)
    tasks.append(asyncio.create_task(server.serve()))
    return server


async def test_a_hundred_requests_at_once_and_a_slow_hook_holds_up_only_its_own() -> None:
    """5.4.71."""
    held = asyncio.Event()

    class SlowOne:
        async def request(self, flow: HTTPFlow) -> None:
            if flow.request.path == "/0":
                await held.wait()

    async with world(addons=[SlowOne()], ssl_insecure=True) as w:
        origin, tasks = w.origin("example.com", 443), list[asyncio.Task[None]]()
        client = await h2_client(w)
        ids = [client.ask(get(b"/%d" % n)) for n in range(100)]
        await serving(origin, tasks)
        for n, stream_id in enumerate(ids[1:], 1):
            assert (await client.whole(stream_id)).body == b"/%d" % n
        assert not client.heard(ids[0]).headers
        held.set()
        assert (await client.whole(ids[0])).body == b"/0"
        assert len(w.network.dialled) == 1
        flows: Any = await w.ended(101 - 1)
        assert {flow.request.http_version for flow in flows} == {"HTTP/2.0"}
        assert {flow.response.http_version for flow in flows} == {"HTTP/2.0"}
        assert len({flow.client_conn for flow in flows}) == len({flow.server_conn for flow in flows}) == 1
        tasks[0].cancel()


@pytest.mark.parametrize("stream", [False, True])
async def test_a_body_without_a_length_is_framed_for_http1(stream: bool) -> None:
    """5.4.72."""

    class Stream:
        def requestheaders(self, flow: HTTPFlow) -> None:
            flow.request.stream = stream

    async with world(addons=[Stream()], ssl_insecure=True) as w:
        origin = w.origin("example.com", 443)
        client = await h2_client(w)
        stream_id = client.ask(get(b"/", b"POST"), b"body")
        server = await h1_origin(origin)
        head = (await server.head()).lower()
        if stream:
            assert CHUNKED in head
            assert await server.until(lambda received: received.endswith(b"0\r\n\r\n"))
        else:
            assert b"content-length: 4\r\n" in head
            assert await server.exactly(4) == b"body"
        assert head.count(b"content-length") + head.count(b"transfer-encoding") == 1
        server.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
        assert (await client.whole(stream_id)).body == b"hi"


async def test_a_request_without_a_body_has_no_framing_in_http1() -> None:
    async with world(ssl_insecure=True) as w:
        origin = w.origin("example.com", 443)
        client = await h2_client(w)
        client.ask()
        server = await h1_origin(origin)
        assert await server.head() == b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n"


async def test_authority_becomes_host_and_crumbs_become_a_cookie() -> None:
    """5.4.73."""
    async with world(ssl_insecure=True) as w:
        origin = w.origin("example.com", 443)
        client = await h2_client(w)
        stream_id = client.ask(get(b"/a?b", b"GET", (b"cookie", b"a=1"), (b"x", b"y"), (b"cookie", b"b=2")))
        server = await h1_origin(origin)
        assert await server.head() == (
            b"GET /a?b HTTP/1.1\r\nHost: example.com\r\ncookie: a=1; b=2\r\nx: y\r\n\r\n"
        )
        server.write(b"HTTP/1.1 200 Fine\r\nX-Case: Kept\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        answer = await client.whole(stream_id)
        assert answer.headers == [(b":status", b"200"), (b"x-case", b"Kept"), (b"content-length", b"0")]


class OffersHttp2:
    """Has origins asked in HTTP/2 where clients speak HTTP/1.1."""

    def requestheaders(self, flow: HTTPFlow) -> None:
        flow.server_conn.alpn_offers = (b"h2", b"http/1.1")


async def test_names_are_lowered_only_towards_http2() -> None:
    """5.4.73, and hop-by-hop fields stay behind."""
    async with world(addons=[OffersHttp2()], ssl_insecure=True) as w:
        origin = w.origin("example.com", 443)
        client = await h1_client(w)
        client.write(
            b"GET /x HTTP/1.1\r\nHost: example.com\r\nX-Case: Kept\r\nConnection: x-hop\r\nX-Hop: 1\r\n"
            b"TE: trailers\r\n\r\n"
        )
        server = await h2_origin(origin)
        stream_id, request = await server.asked()
        assert request.headers == [
            (b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"example.com"), (b":path", b"/x"),
            (b"x-case", b"Kept"), (b"te", b"trailers"),
        ]  # fmt: skip
        server.answer(stream_id, b"body", (b"x-lower", b"v"))
        answer = await client.message()
        assert answer == b"HTTP/1.1 200 OK\r\nx-lower: v\r\nContent-Length: 4\r\n\r\nbody"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_chunked_answer_reaches_http2_whole(stream: bool) -> None:
    """5.4.74."""

    class Stream:
        def responseheaders(self, flow: HTTPFlow) -> None:
            assert flow.response
            flow.response.stream = stream

    async with world(addons=[Stream()], ssl_insecure=True) as w:
        origin = w.origin("example.com", 443)
        client = await h2_client(w)
        stream_id = client.ask()
        server = await h1_origin(origin)
        await server.head()
        server.write(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nX-T: 1\r\n\r\n"
        )
        answer = await client.whole(stream_id)
        assert (answer.headers, answer.body) == ([(b":status", b"200")], b"abcde")
        assert answer.trailers == [(b"x-t", b"1")]


async def test_an_answer_that_ends_with_its_connection_ends_its_stream_only() -> None:
    """5.4.74."""
    async with world(ssl_insecure=True) as w:
        origin = w.origin("example.com", 443)
        client = await h2_client(w)
        stream_id = client.ask()
        server = await h1_origin(origin)
        await server.head()
        server.write(b"HTTP/1.1 200 OK\r\n\r\nuntil the end")
        server.close()
        answer = await client.whole(stream_id)
        assert (answer.body, answer.ended) == (b"until the end", True)
        stream_id = client.ask()
        server = await h1_origin(origin)
        await server.head()
        server.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        assert (await client.whole(stream_id))[b":status"] == b"204"


async def test_trailers_between_http2_ends() -> None:
    """5.4.75."""
    async with world(ssl_insecure=True) as w:
        origin = w.origin("example.com", 443)
        client = await h2_client(w)
        stream_id = client.ask(get(b"/", b"POST"), b"body", end=False)
        client.head(stream_id, [(b"x-asked", b"1")], end=True)
        server = await h2_origin(origin)
        number, _ = await server.asked()
        request = await server.whole(number)
        assert (request.body, request.trailers) == (b"body", [(b"x-asked", b"1")])
        server.head(number, [(b":status", b"200")])
        server.data(number, b"answer")
        server.head(number, [(b"x-answered", b"1")], end=True)
        answer = await client.whole(stream_id)
        assert (answer.body, answer.trailers) == (b"answer", [(b"x-answered", b"1")])
        [flow] = await w.ended()
        assert isinstance(flow, HTTPFlow)
        assert flow.response
        assert flow.request.trailers is not None
        assert flow.response.trailers is not None
        assert flow.request.trailers["x-asked"] == flow.response.trailers["x-answered"] == "1"


async def test_trailers_of_a_request_from_http2_to_http1() -> None:
    """5.4.75."""
    async with world(ssl_insecure=True, stream_large_bodies="1") as w:
        origin = w.origin("example.com", 443)
        client = await h2_client(w)
        stream_id = client.ask(get(b"/", b"POST"), b"body", end=False)
        client.head(stream_id, [(b"x-sum", b"1")], end=True)
        server = await h1_origin(origin)
        assert CHUNKED in (await server.head()).lower()
        rest = await server.until(lambda received: received.endswith(b"\r\n\r\n"))
        assert rest == b"4\r\nbody\r\n0\r\nx-sum: 1\r\n\r\n"
        server.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        await client.whole(stream_id)


async def test_trailers_of_a_request_from_http1_to_http2() -> None:
    """5.4.75."""
    async with world(addons=[OffersHttp2()], ssl_insecure=True) as w:
        origin = w.origin("example.com", 443)
        client = await h1_client(w)
        client.write(
            b"POST / HTTP/1.1\r\nHost: example.com\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"4\r\nbody\r\n0\r\nX-Sum: 1\r\n\r\n"
        )
        server = await h2_origin(origin)
        stream_id, _ = await server.asked()
        request = await server.whole(stream_id)
        assert (request.body, request.trailers) == (b"body", [(b"x-sum", b"1")])
        assert request.get(b"transfer-encoding") is None


@pytest.mark.parametrize("kind", [b"application/grpc", b"text/plain"])
async def test_a_trailers_only_answer_stays_one(kind: bytes) -> None:
    """5.4.76."""
    async with world(ssl_insecure=True) as w:
        origin = w.origin("example.com", 443)
        client = await h2_client(w)
        stream_id = client.ask(get(b"/", b"POST", (b"te", b"trailers")), b"request")
        server = await h2_origin(origin)
        number, request = await server.asked()
        assert request[b"te"] == b"trailers"
        status = [(b":status", b"200"), (b"content-type", kind), (b"grpc-status", b"5")]
        server.head(number, status, end=True)
        answer = await client.whole(stream_id)
        assert answer.in_one_frame
        assert [f for f in answer.headers if f[0] != b"content-length"] == status
        assert (answer.body, answer.trailers) == (b"", None)


async def test_informational_answers_are_relayed() -> None:
    """5.4.77."""
    async with world(ssl_insecure=True) as w:
        origin = w.origin("example.com", 443)
        client = await h2_client(w)
        stream_id = client.ask()
        server = await h2_origin(origin)
        number, _ = await server.asked()
        server.head(number, [(b":status", b"103"), (b"link", b"</a>")])
        server.head(number, [(b":status", b"103"), (b"link", b"</b>")])
        server.answer(number, b"final")
        answer = await client.whole(stream_id)
        assert [fields[1][1] for fields in answer.informational] == [b"</a>", b"</b>"]
        assert (answer[b":status"], answer.body) == (b"200", b"final")


async def test_a_client_that_waits_for_100_continue_is_told() -> None:
    async with world(ssl_insecure=True) as w:
        origin = w.origin("example.com", 443)
        client = await h2_client(w)
        stream_id = client.ask(get(b"/", b"POST", (b"expect", b"100-continue")), end=False)
        await client.until(lambda: client.heard(stream_id).informational)
        assert client.heard(stream_id).informational == [[(b":status", b"100")]]
        client.data(stream_id, b"body", end=True)
        server = await h2_origin(origin)
        number, request = await server.asked()
        assert (await server.whole(number)).body == b"body"
        assert request.get(b"expect") is None


async def test_the_answer_to_head_declares_what_it_does_not_have() -> None:
    async with world(ssl_insecure=True) as w:
        origin = w.origin("example.com", 443)
        client = await h2_client(w)
        stream_id = client.ask(get(b"/", b"HEAD"))
        server = await h2_origin(origin)
        number, _ = await server.asked()
        server.head(number, [(b":status", b"200"), (b"content-length", b"1000")], end=True)
        answer = await client.whole(stream_id)
        assert (answer[b"content-length"], answer.body) == (b"1000", b"")


async def test_what_comes_in_http1_goes_on_in_it_and_leaves_nothing_that_http2_would_take() -> None:
    async with world(ssl_insecure=True) as w:
        origin = w.origin("example.com", 443)
        old = await h1_client(w)
        asked = b"GET /x HTTP/1.1\r\nHost: example.com\r\nX-Case: Kept\r\n\r\n"
        old.write(asked)
        end = await h1_origin(origin)
        assert await end.head() == asked
        end.write(b"HTTP/1.1 200 Fine\r\nContent-Length: 0\r\n\r\n")
        assert (await old.head()).startswith(b"HTTP/1.1 200 Fine\r\n")
        new = await h2_client(w)
        stream_id = new.ask(get(b"/y"))
        server = await h2_origin(origin)  # though the other connection is idle
        number, _ = await server.asked()
        server.answer(number, b"body")
        assert (await new.whole(stream_id)).body == b"body"


async def test_an_origin_that_knows_http2_only_is_asked_in_it_from_then_on() -> None:
    async with world(ssl_insecure=True) as w:
        origin = w.origin("example.com", 443)
        client = await h1_client(w)
        client.write(b"POST /x HTTP/1.1\r\nHost: example.com\r\nContent-Length: 2\r\n\r\nhi")
        H2Origin(await secured(await origin.accept(), b"h2"))  # it was not offered, and begins all the same
        server = H2Origin(await secured(await origin.accept(), b"h2"))
        for path in (b"/x", b"/y"):
            number, _ = await server.asked()
            assert (await server.whole(number)).get(b":path") == path
            server.answer(number, b"body")
            assert (await client.message()).endswith(b"body")
            client.write(b"GET /y HTTP/1.1\r\nHost: example.com\r\n\r\n")
