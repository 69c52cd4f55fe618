"""Time-outs: whoever is waited for is waited for only so long, and only who is waited for."""

from __future__ import annotations

import pytest

from proxyfw.testing import Recorder, world

GET = b"GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\n"
POST = b"POST http://example.com/ HTTP/1.1\r\nHost: example.com\r\nContent-Length: 6\r\n\r\nabc"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


@pytest.mark.parametrize("beginning", [b"G", b"GET / HTTP/1.1\r\nHos"])
async def test_a_head_that_dribbles_in_is_given_up(beginning: bytes) -> None:
    """5.1.27: bytes that complete nothing buy no time."""
    async with world(head_timeout=0.01) as w:
        client = w.client()
        client.write(beginning)
        assert await client.rest() == b""


async def test_a_silent_client_is_given_up() -> None:
    async with world(idle_timeout=0.01) as w:
        client = w.client()
        assert await client.rest() == b""
        client = w.client()
        origin = w.origin()
        client.write(GET)
        server = await origin.accept()
        await server.head()
        server.write(OK)
        assert await client.rest() == OK


@pytest.mark.parametrize("limit", ["5m", "1"])
async def test_a_client_that_stalls_within_its_body_is_given_up(limit: str) -> None:
    """No request keeps a connection for ever."""
    recorder = Recorder()
    async with world(addons=[recorder], idle_timeout=0.01, stream_large_bodies=limit) as w:
        w.origin()
        client = w.client()
        client.write(POST)
        await client.rest()
        await w.ended()
    assert recorder.hooks[-2].startswith("error: ")


async def test_an_origin_that_does_not_answer_is_502() -> None:
    async with world(idle_timeout=0.01) as w:
        w.origin()
        client = w.client()
        client.write(GET)
        answer = await client.rest()
        assert answer.startswith(b"HTTP/1.1 502 ")
        assert b"in time" in answer


async def test_an_origin_whose_head_dribbles_in_is_502() -> None:
    """5.1.27, the other side."""
    async with world(head_timeout=0.01) as w:
        origin = w.origin()
        client = w.client()
        client.write(GET)
        server = await origin.accept()
        await server.head()
        server.write(b"HTTP/1.1 200")
        assert (await client.rest()).startswith(b"HTTP/1.1 502 ")


async def test_a_client_is_not_blamed_for_a_slow_hook() -> None:
    """It has said all it has to say and waits for us."""
    async with world(idle_timeout=0.01) as w:
        gate = w.gate("request")
        origin = w.origin()
        client = w.client()
        patient = w.client()
        client.write(GET)
        await gate.reached()
        assert await patient.rest() == b""  # a time-out has passed
        assert not client.eof
        gate.release()
        server = await origin.accept()
        server.write(OK)
        assert await client.message() == OK


async def test_a_client_that_does_not_read_its_answer_is_given_up() -> None:
    recorder = Recorder()
    async with world(addons=[recorder], idle_timeout=0.02) as w:
        origin = w.origin()
        client = w.client()
        client.write(GET)
        server = await origin.accept()
        await server.head()
        client.wire.pause()
        server.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n" + bytes(2_000_000))
        await server.rest()
        await w.ended()
    assert recorder.hooks[-2].startswith("error: ")


async def test_a_silent_tunnel_is_given_up() -> None:
    async with world(idle_timeout=0.02) as w:
        origin = w.origin("raw.test", 2000)
        client = w.client()
        client.write(b"CONNECT raw.test:2000 HTTP/1.1\r\nHost: raw.test:2000\r\n\r\n")
        await client.head()
        client.write(b"\x00raw")
        server = await origin.accept()
        await server.exactly(4)
        assert await server.rest() == b""
        assert await client.rest() == b""
