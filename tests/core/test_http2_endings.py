"""How requests over HTTP/2 end: resets, farewells, lost connections, kills, early answers, shutdown."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from h2.errors import ErrorCodes
from http2_ends import (
    H2Client,
    Heard,
    get,
    h1_client,
    h1_origin,
    h2_client,
    h2_origin,
)

from proxyfw.http import HTTPFlow, Response
from proxyfw.testing import world


async def test_a_client_that_resets_cancels_only_its_own_request() -> None:
    """5.4.78."""
    async with world(ssl_insecure=True) as w:
        origin = w.origin("example.com", 443)
        client = await h2_client(w)
        first, second = client.ask(get(b"/1")), client.ask(get(b"/2"))
        server = await h2_origin(origin)
        one, _ = await server.asked()
        other, _ = await server.asked()
        client.reset(first, ErrorCodes.CANCEL)
        assert await server.broken(one) == ErrorCodes.CANCEL
        server.answer(other, b"still there")
        assert (await client.whole(second)).body == b"still there"
        flows: Any = await w.ended(2)
        assert [str(flow.error) for flow in flows if flow.error] == ["client disconnected"]


async def test_an_origin_that_resets_after_the_head_resets_the_client_with_its_code() -> None:
    """5.4.78."""
    async with world(ssl_insecure=True, stream_large_bodies="1") as w:
        origin = w.origin("example.com", 443)
        client = await h2_client(w)
        first, second = client.ask(get(b"/1")), client.ask(get(b"/2"))
        server = await h2_origin(origin)
        one, _ = await server.asked()
        other, _ = await server.asked()
        server.head(one, [(b":status", b"200")])
        server.data(one, b"part")
        await client.until(lambda: client.heard(first).body)
        server.reset(one, ErrorCodes.ENHANCE_YOUR_CALM)
        assert (await client.whole(first)).reset == ErrorCodes.ENHANCE_YOUR_CALM
        server.answer(other, b"ok")
        assert (await client.whole(second)).body == b"ok"


async def test_an_origin_that_resets_before_the_head_is_a_502_that_names_the_code() -> None:
    """5.4.78."""
    async with world(ssl_insecure=True) as w:
        origin = w.origin("example.com", 443)
        client = await h2_client(w)
        stream_id = client.ask(get(b"/", b"POST"), b"x")
        server = await h2_origin(origin)
        number, _ = await server.asked()
        server.reset(number, ErrorCodes.INTERNAL_ERROR)
        answer = await client.whole(stream_id)
        assert (answer[b":status"], b"INTERNAL_ERROR" in answer.body) == (b"502", True)


async def test_http11_required_is_passed_on_and_learned() -> None:
    """5.4.78."""
    async with world(ssl_insecure=True) as w:
        origin = w.origin("example.com", 443)
        client = await h2_client(w)
        stream_id = client.ask()
        server = await h2_origin(origin)
        number, _ = await server.asked()
        server.reset(number, ErrorCodes.HTTP_1_1_REQUIRED)
        assert (await client.whole(stream_id)).reset == ErrorCodes.HTTP_1_1_REQUIRED
        again = await h1_client(w)
        again.write(b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n")
        end = await h1_origin(origin)
        assert (await end.head()).startswith(b"GET / ")


class OffersHttp2:
    """Has origins asked in HTTP/2 where clients speak HTTP/1.1."""

    def requestheaders(self, flow: HTTPFlow) -> None:
        flow.server_conn.alpn_offers = (b"h2", b"http/1.1")


async def test_http11_required_is_obeyed_at_once_for_a_client_that_cannot_be_told() -> None:
    async with world(addons=[OffersHttp2()], ssl_insecure=True) as w:
        origin = w.origin("example.com", 443)
        client = await h1_client(w)
        client.write(b"POST / HTTP/1.1\r\nHost: example.com\r\nContent-Length: 2\r\n\r\nhi")
        server = await h2_origin(origin)
        number, _ = await server.asked()
        server.reset(number, ErrorCodes.HTTP_1_1_REQUIRED)
        end = await h1_origin(origin)
        assert (await end.message()).endswith(b"\r\n\r\nhi")
        end.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        assert (await client.head()).startswith(b"HTTP/1.1 200 ")


async def test_what_a_departing_origin_has_not_processed_is_asked_again_and_the_rest_survives() -> None:
    """5.4.79: whatever the method, for it was not processed."""
    async with world(ssl_insecure=True) as w:
        origin = w.origin("example.com", 443)
        client = await h2_client(w)
        first = client.ask(get(b"/1"))
        server = await h2_origin(origin)
        one, _ = await server.asked()
        second = client.ask(get(b"/2", b"POST"), b"body")
        other, _ = await server.asked()
        await server.whole(other)
        server.wire.write(b"\0\0\x08\7\0\0\0\0\0" + one.to_bytes(4, "big") + bytes(4))  # GOAWAY
        fresh = await h2_origin(origin)
        number, _ = await fresh.asked()
        assert (await fresh.whole(number)).body == b"body"
        fresh.answer(number, b"two")
        assert (await client.whole(second)).body == b"two"
        server.answer(one, b"one")
        assert (await client.whole(first)).body == b"one"
        await server.until(lambda: server.gone)


@pytest.mark.parametrize("method", [b"GET", b"POST"])
async def test_a_refused_stream_is_asked_again_on_the_same_connection(method: bytes) -> None:
    """5.4.79, RFC 9113 section 8.7."""
    async with world(ssl_insecure=True) as w:
        origin = w.origin("example.com", 443)
        client = await h2_client(w)
        stream_id = client.ask(get(b"/", method))
        server = await h2_origin(origin)
        number, _ = await server.asked()
        server.reset(number, ErrorCodes.REFUSED_STREAM)
        number, _ = await server.asked()
        server.answer(number, b"now")
        assert (await client.whole(stream_id)).body == b"now"
        assert len(w.network.dialled) == 1


async def test_a_lost_connection_repeats_what_may_be_repeated() -> None:
    async with world(ssl_insecure=True) as w:
        origin = w.origin("example.com", 443)
        client = await h2_client(w)
        stream_id = client.ask()
        server = await h2_origin(origin)
        number, _ = await server.asked()
        server.answer(number)
        await client.whole(stream_id)
        safe, unsafe = client.ask(get(b"/safe")), client.ask(get(b"/unsafe", b"POST"), b"x")
        await server.asked()
        await server.asked()
        server.wire.abort()
        fresh = await h2_origin(origin)
        number, request = await fresh.asked()
        assert request[b":path"] == b"/safe"
        fresh.answer(number, b"again")
        assert (await client.whole(safe)).body == b"again"
        assert (await client.whole(unsafe))[b":status"] == b"502"


async def test_a_client_that_leaves_ends_all_its_requests() -> None:
    async with world(ssl_insecure=True) as w:
        origin = w.origin("example.com", 443)
        client = await h2_client(w)
        for _ in range(3):
            client.ask()
        server = await h2_origin(origin)
        ids = [(await server.asked())[0] for _ in range(3)]
        client.wire.abort()
        for stream_id in ids:
            assert await server.broken(stream_id) == ErrorCodes.CANCEL
        flows: Any = await w.ended(3)
        assert [str(flow.error) for flow in flows[:3]] == ["client disconnected"] * 3


async def test_a_killed_flow_resets_both_its_streams_and_no_other() -> None:
    async with world(ssl_insecure=True) as w:
        origin = w.origin("example.com", 443)
        client = await h2_client(w)
        first = client.ask(get(b"/kill"))
        server = await h2_origin(origin)
        one, _ = await server.asked()
        gate = w.gate("request")
        second = client.ask(get(b"/keep"))
        flow: Any = await gate.reached()
        assert flow.request.path == "/keep"
        gate.release()
        other, _ = await server.asked()
        flow.kill()
        assert (await client.whole(second)).reset == ErrorCodes.INTERNAL_ERROR
        assert await server.broken(other) == ErrorCodes.CANCEL
        server.answer(one, b"ok")
        assert (await client.whole(first)).body == b"ok"


async def test_an_answer_that_comes_before_the_request_is_complete_stops_the_upload() -> None:
    async with world(ssl_insecure=True, stream_large_bodies="1") as w:
        origin = w.origin("example.com", 443)
        client = await h2_client(w)
        stream_id = client.ask(get(b"/", b"POST"), b"part", end=False)
        server = await h2_origin(origin)
        number, _ = await server.asked()
        await server.until(lambda: server.heard(number).body)
        server.head(number, [(b":status", b"413")], end=True)
        await client.until(lambda: client.heard(stream_id).reset is not None)
        answer = client.heard(stream_id)
        assert (answer[b":status"], answer.ended, answer.reset) == (b"413", True, ErrorCodes.NO_ERROR)
        assert await server.broken(number) == ErrorCodes.CANCEL


async def test_an_addon_answers_while_the_body_is_still_on_its_way() -> None:
    class Refuse:
        def requestheaders(self, flow: HTTPFlow) -> None:
            flow.request.stream = True
            flow.response = Response.make(403, b"no")

    async with world(addons=[Refuse()]) as w:
        client = await h2_client(w)
        stream_id = client.ask(get(b"/", b"POST"), b"part", end=False)
        await client.until(lambda: client.heard(stream_id).reset is not None)
        answer = client.heard(stream_id)
        assert (answer[b":status"], answer.body, answer.reset) == (b"403", b"no", ErrorCodes.NO_ERROR)
        assert w.network.dialled == []


async def test_a_proxy_that_stops_lets_requests_be_answered_and_takes_no_more() -> None:
    async with world(ssl_insecure=True, shutdown_timeout=5.0) as w:
        origin = w.origin("example.com", 443)
        client = await h2_client(w)
        stream_id = client.ask()
        server = await h2_origin(origin)
        number, _ = await server.asked()
        stopping = asyncio.create_task(w.proxy.stop())
        await client.until(lambda: client.farewell is not None)
        server.answer(number, b"the last one")
        assert await answered(client, stream_id) == b"the last one"
        await stopping
        assert client.gone


async def answered(client: H2Client, stream_id: int) -> bytes:
    heard: Heard = await client.whole(stream_id)
    return heard.body


async def test_a_proxy_that_stops_does_not_wait_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    async with world(ssl_insecure=True, shutdown_timeout=0.05) as w:
        origin = w.origin("example.com", 443)
        client = await h2_client(w)
        client.ask()
        server = await h2_origin(origin)
        await server.asked()
        await w.proxy.stop()
        await client.until(lambda: client.gone)
        assert len(w.flows) == 2  # the tunnel and the request
        assert not [record for record in caplog.records if record.levelname == "ERROR"]
