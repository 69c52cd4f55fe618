"""Who does not read is not written to without end: memory stays flat, and nothing is lost."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

import pytest

from proxyfw.testing import End, world

POST = b"POST http://example.com/ HTTP/1.1\r\nHost: example.com\r\n"
GET = b"GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\n"
PIECE = bytes(range(256)) * 256
SIZE = 256 * len(PIECE)
BOUND = 3 * 1024 * 1024
"""Far below SIZE: a handful of buffers of 256 KiB, on each of the wires and in each of the inboxes."""
_STILL = 100
"""Steps of the loop without any change after which nothing more will change."""


async def fill(end: End, left: int) -> int:
    """Write pieces of *left* bytes until the far side lets no more through; how many were written."""
    written = still = 0
    while still < _STILL and written < left:
        if end.wire.writable:
            end.write(PIECE)
            written += len(PIECE)
            still = 0
        else:
            still += 1
        await asyncio.sleep(0)
    return written


async def transfer(source: End, sink: End) -> None:
    """Move SIZE bytes from *source* to a *sink* that does not read at first, and compare."""
    sink.wire.pause()
    stuck = await fill(source, SIZE)
    assert not source.wire.writable
    assert stuck < BOUND
    sink.wire.resume()
    sending = asyncio.create_task(fill(source, SIZE - stuck))
    received = hashlib.sha256()
    for _ in range(SIZE // len(PIECE)):
        received.update(await sink.exactly(len(PIECE)))
    assert stuck + await sending == SIZE
    assert received.digest() == hashlib.sha256(PIECE * (SIZE // len(PIECE))).digest()


@pytest.mark.parametrize("options", [{}, {"store_streamed_bodies": True, "capture_limit": "1k"}])
async def test_a_download_waits_for_its_reader(options: dict[str, Any]) -> None:
    """5.1.37."""
    async with world(**options) as w:
        origin = w.origin()
        client = w.client()
        client.write(GET)
        server = await origin.accept()
        await server.head()
        server.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE)
        await client.head()
        await transfer(server, client)
        await w.ended()
        client.write(GET)
        await server.head()


@pytest.mark.parametrize("options", [{}, {"store_streamed_bodies": True, "capture_limit": "1k"}])
async def test_an_upload_waits_for_the_origin(options: dict[str, Any]) -> None:
    """5.1.36."""
    async with world(**options) as w:
        origin = w.origin()
        client = w.client()
        client.write(POST + b"Content-Length: %d\r\n\r\n" % SIZE)
        server = await origin.accept()
        await server.head()
        await transfer(client, server)
        server.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        assert (await client.head()).startswith(b"HTTP/1.1 204 ")


async def test_a_tunnel_waits_for_its_reader() -> None:
    """5.1.37 and 5.2.44, both directions."""
    async with world() as w:
        origin = w.origin("raw.test", 2000)
        client = w.client()
        client.write(b"CONNECT raw.test:2000 HTTP/1.1\r\nHost: raw.test:2000\r\n\r\n")
        assert (await client.head()).startswith(b"HTTP/1.1 200 ")
        client.write(b"\x00raw")
        server = await origin.accept()
        assert await server.exactly(4) == b"\x00raw"
        await transfer(server, client)
        await transfer(client, server)


async def test_requests_that_pipeline_without_end_are_not_stored_without_end() -> None:
    """A client that sends requests faster than they are answered has to wait."""
    request = b"GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\nX-Long: %b\r\n\r\n" % (b"x" * 8000)
    count = SIZE // len(request)
    async with world() as w:
        origin = w.origin()
        client = w.client()
        written = still = 0
        while still < _STILL and written < count:
            if client.wire.writable:
                client.write(request)
                written += 1
                still = 0
            else:
                still += 1
            await asyncio.sleep(0)
        assert written * len(request) < BOUND
        server = await origin.accept()
        for _ in range(written):
            await server.head()
            server.write(b"HTTP/1.1 204 No Content\r\n\r\n")
            assert (await client.head()).startswith(b"HTTP/1.1 204 ")
