"""1xx answers: 100 (Continue) is ours to give, the others are the origin's and pass through."""

from __future__ import annotations

import pytest

from proxyfw.http import HTTPFlow, Response
from proxyfw.testing import Recorder, world

POST = (
    b"POST http://example.com/ HTTP/1.1\r\nHost: example.com\r\n"
    b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n"
)
GET = b"GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@pytest.mark.parametrize("limit", ["5m", "1"])
async def test_a_client_that_expects_it_gets_one_100_and_the_origin_no_expectation(limit: str) -> None:
    """5.1.6: the origin's own 100 is not a second one; buffered or streamed."""
    async with world(stream_large_bodies=limit) as w:
        origin = w.origin()
        client = w.client()
        client.write(POST)
        assert await client.head() == CONTINUE
        client.write(b"abc")
        server = await origin.accept()
        assert await server.message() == (
            b"POST / HTTP/1.1\r\nHost: example.com\r\nContent-Length: 3\r\n\r\nabc"
        )
        server.write(CONTINUE + OK)
        assert await client.message() == OK
        assert server.received == b""


async def test_no_100_for_a_client_that_did_not_wait_for_it() -> None:
    """5.1.6. RFC 9110 section 10.1.1: a server may omit it then."""
    async with world() as w:
        origin = w.origin()
        client = w.client()
        client.write(POST + b"abc")
        server = await origin.accept()
        await server.message()
        server.write(OK)
        assert await client.message() == OK


class Refuses:
    def requestheaders(self, flow: HTTPFlow) -> None:
        flow.response = Response.make(417, b"no")


async def test_a_request_answered_from_its_head_gets_no_100() -> None:
    """5.1.7: the answer says that the connection closes, and it does."""
    recorder = Recorder()
    async with world(addons=[Refuses(), recorder]) as w:
        client = w.client()
        client.write(POST)
        answer = await client.rest()
        assert answer.startswith(b"HTTP/1.1 417 ")
        assert b"Connection: close" in answer
        assert w.network.dialled == []
        await w.ended()
    assert recorder.hooks == ["requestheaders", "request", "responseheaders", "response", "flow_end"]


async def test_a_request_answered_from_its_head_whose_body_came_anyway_may_go_on() -> None:
    """5.1.7."""
    async with world(addons=[Refuses()]) as w:
        client = w.client()
        client.write((POST + b"abc") * 2)
        for _ in range(2):
            assert (await client.message()).startswith(b"HTTP/1.1 417 ")


async def test_a_body_that_is_too_large_is_refused_before_it_is_sent() -> None:
    """5.1.6 and 5.1.7 with body_size_limit."""
    async with world(body_size_limit="2") as w:
        client = w.client()
        client.write(POST)
        answer = await client.rest()
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"3 bytes" in answer


async def test_early_hints_are_relayed_and_the_final_answer_is_the_answer() -> None:
    """5.1.8 and 5.1.9: several 1xx in a row."""
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"
    processing = b"HTTP/1.1 102 Processing\r\n\r\n"
    recorder = Recorder()
    async with world(addons=[recorder]) as w:
        origin = w.origin()
        client = w.client()
        client.write(GET)
        server = await origin.accept()
        await server.head()
        server.write(hints)
        assert await client.head() == hints
        server.write(processing + hints + OK)
        assert await client.head() == processing
        assert await client.head() == hints
        assert await client.message() == OK
        flow = (await w.ended())[0]
    assert isinstance(flow, HTTPFlow)
    assert flow.response
    assert flow.response.status_code == 200
    assert recorder.hooks == ["requestheaders", "request", "responseheaders", "response", "flow_end"]


async def test_an_old_client_gets_no_1xx() -> None:
    """5.1.8. RFC 9110 section 15.2."""
    async with world() as w:
        origin = w.origin()
        client = w.client()
        client.write(GET.replace(b"1.1", b"1.0"))
        server = await origin.accept()
        await server.head()
        server.write(b"HTTP/1.1 103 Early Hints\r\n\r\n" + OK)
        assert (await client.rest()).startswith(b"HTTP/1.1 200 OK\r\n")


async def test_an_origin_that_gives_hints_and_then_leaves_is_502() -> None:
    """5.1.9: no final answer is no answer."""
    async with world() as w:
        origin = w.origin()
        client = w.client()
        client.write(GET)
        server = await origin.accept()
        await server.head()
        server.write(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        await client.head()
        server.close()
        assert (await client.rest()).startswith(b"HTTP/1.1 502 ")


async def test_switching_protocols_joins_both_sides_byte_for_byte() -> None:
    """What follows 101 is not HTTP any more; bytes that came with the head are part of it."""
    async with world() as w:
        origin = w.origin()
        client = w.client()
        client.write(GET.replace(b"\r\n\r\n", b"\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n"))
        server = await origin.accept()
        assert b"Upgrade: chat\r\nConnection: Upgrade\r\n" in await server.head()
        server.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: chat\r\nConnection: Upgrade\r\n\r\nhello")
        assert (await client.head()).startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
        assert await client.exactly(5) == b"hello"
        client.write(b"\x00\xff")
        assert await server.exactly(2) == b"\x00\xff"
        client.close()
        assert await server.rest() == b""


async def test_101_without_upgrade_is_502() -> None:
    async with world() as w:
        origin = w.origin()
        client = w.client()
        client.write(GET)
        server = await origin.accept()
        await server.head()
        server.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: chat\r\nConnection: Upgrade\r\n\r\n")
        assert (await client.rest()).startswith(b"HTTP/1.1 502 ")
