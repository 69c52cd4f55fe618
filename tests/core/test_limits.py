"""body_size_limit: larger bodies are refused, whether their length is known or not, and not stored."""

from __future__ import annotations

import pytest

from proxyfw.http import HTTPFlow
from proxyfw.testing import Recorder, world

GET = b"GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\n"
POST = b"POST http://example.com/ HTTP/1.1\r\nHost: example.com\r\n"
KNOWN = b"Content-Length: 9\r\n\r\n123456789"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n4\r\n1234\r\n5\r\n56789\r\n0\r\n\r\n"


@pytest.mark.parametrize("stream", ["5m", "1"])
@pytest.mark.parametrize("framed", [KNOWN, CHUNKED])
async def test_a_request_body_above_the_limit_is_answered_413(framed: bytes, stream: str) -> None:
    """5.6.110."""
    recorder = Recorder()
    async with world(addons=[recorder], body_size_limit="8", stream_large_bodies=stream) as w:
        w.origin()
        client = w.client()
        client.write(POST + framed)
        answer = await client.rest()
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"body_size_limit" in answer
        if framed is KNOWN or stream == "5m":
            assert w.network.dialled == []
        await w.ended()
    assert "response" not in recorder.hooks
    assert recorder.hooks[-2].startswith("error: ")
    assert recorder.hooks.count("flow_end") == 1


@pytest.mark.parametrize("framed", [KNOWN, CHUNKED])
async def test_a_response_body_above_the_limit_is_answered_502(framed: bytes) -> None:
    """5.6.110."""
    recorder = Recorder()
    async with world(addons=[recorder], body_size_limit="8") as w:
        origin = w.origin()
        client = w.client()
        client.write(GET)
        server = await origin.accept()
        await server.head()
        server.write(b"HTTP/1.1 200 OK\r\n" + framed)
        answer = await client.rest()
        assert answer.startswith(b"HTTP/1.1 502 ")
        assert b"body_size_limit" in answer
        assert await server.rest() == b""
        await w.ended()
    assert recorder.hooks[-2].startswith("error: ")


async def test_a_streamed_response_that_turns_out_too_large_is_broken_off() -> None:
    """5.6.110: its head was sent already."""
    async with world(body_size_limit="8", stream_large_bodies="1") as w:
        origin = w.origin()
        client = w.client()
        client.write(GET)
        server = await origin.accept()
        await server.head()
        server.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n1234\r\n")
        await client.until(lambda received: b"1234" in received)
        server.write(b"5\r\n56789\r\n0\r\n\r\n")
        assert b"0\r\n\r\n" not in await client.rest()
        assert client.reset


async def test_bodies_of_just_the_limit_pass() -> None:
    async with world(body_size_limit="9") as w:
        origin = w.origin()
        client = w.client()
        client.write(POST + CHUNKED)
        server = await origin.accept()
        await server.until(lambda received: received.endswith(b"0\r\n\r\n"))
        server.write(b"HTTP/1.1 200 OK\r\n" + KNOWN)
        assert (await client.message()).endswith(b"123456789")


async def test_a_limit_set_later_holds_for_later_requests() -> None:
    async with world() as w:
        w.proxy.options.update(body_size_limit="8")
        client = w.client()
        client.write(POST + KNOWN)
        assert (await client.rest()).startswith(b"HTTP/1.1 413 ")
        flow = (await w.ended())[0]
    assert isinstance(flow, HTTPFlow)
    assert flow.error
    assert flow.error.msg == "the request body of 9 bytes exceeds body_size_limit"
