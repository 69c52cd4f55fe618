"""Modified messages on the wire: what the origin and the client get, byte for byte."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

from proxyfw.http import HTTPFlow
from proxyfw.rules import original_response
from proxyfw.testing import World, world

ADDONS = ("rules", "modify", "anticache", "anticomp", "stickyauth", "stickycookie", "strip_csp")


def modified(*rules: dict[str, Any], **options: Any) -> Any:
    return world(default_addons=ADDONS, rules=list(rules), **options)


async def exchanged(w: World, request: bytes, answer: bytes) -> tuple[bytes, bytes]:
    """What the origin got, and what the client got."""
    origin, client = w.origin(), w.client()
    client.write(request)
    server = await origin.accept()
    received = await server.message()
    server.write(answer)
    return received, await client.message()


async def test_the_rest_of_a_head_goes_on_as_the_bytes_it_was() -> None:
    """Features 25, 26 and 28."""
    request = (
        b"GET http://example.com/?b=%7e&a=1&&c HTTP/1.1\r\nHost: example.com\r\nX-one: 1\r\nCOOKIE: a=1\r\n"
        b"x-ONE: 2\r\nAccept: a,  b\r\nAccept: c\r\ncookie: b=2\r\n\r\n"
    )
    answer = (
        b"HTTP/1.1 200 Fine\r\nset-cookie: a=1\r\nServer: nginx\r\nSet-Cookie: b=2\r\nX: 1\r\nx: 2\r\n"
        b"Content-Length: 2\r\n\r\nhi"
    )
    async with modified(
        {
            "action": {
                "type": "modify_request",
                "headers": {"remove": "Cookie"},
                "query": {"set": {"a": 2}},
            }
        },
        {"action": {"type": "modify_response", "headers": {"remove": "Server"}}},
    ) as w:
        sent, got = await exchanged(w, request, answer)
    assert sent == (
        b"GET /?b=%7e&a=2&c HTTP/1.1\r\nHost: example.com\r\nX-one: 1\r\nx-ONE: 2\r\nAccept: a,  b\r\n"
        b"Accept: c\r\n\r\n"
    )
    assert got == answer.replace(b"Server: nginx\r\n", b"")


async def test_a_gzip_body_is_readable_and_as_long_as_it_says() -> None:
    """Features 27 and 31, mitmproxy 5.6.107."""
    body = gzip.compress(b"old " * 100)
    answer = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    async with modified(modify_body=["/~s/o(l)d/n\\1w"]) as w:
        _, got = await exchanged(w, b"GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\n", answer)
        (flow,) = await w.ended()
    head, _, content = got.partition(b"\r\n\r\n")
    assert gzip.decompress(content) == b"nlw " * 100
    assert f"Content-Length: {len(content)}".encode() in head
    assert b"Content-Encoding: gzip" in head
    assert isinstance(flow, HTTPFlow)
    assert flow.response
    assert flow.response.raw_content == content
    origin = original_response(flow)
    assert origin
    assert origin.raw_content == body


async def test_chunked_bodies_are_edited_on_both_sides() -> None:
    request = (
        b"POST http://example.com/ HTTP/1.1\r\nHost: example.com\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"1\r\nb\r\n2\r\nob\r\n0\r\n\r\n"
    )
    async with modified(modify_body=["/bob/alice"]) as w:
        origin, client = w.origin(), w.client()
        client.write(request)
        server = await origin.accept()
        sent = await server.until(lambda received: received.endswith(b"0\r\n\r\n"))
        assert b"alice" in sent
        server.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nbob\r\n0\r\n\r\n")
        got = await client.until(lambda received: received.endswith(b"0\r\n\r\n"))
        assert b"\r\n5\r\nalice\r\n" in got


async def test_a_bodiless_get_reaches_the_origin_as_it_was() -> None:
    """mitmproxy 5.6.107."""
    request = b"GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\n"
    answer = b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n"
    async with modified(modify_body=["/.*/x"]) as w:
        sent, got = await exchanged(w, request, answer)
    assert sent == b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n"
    assert got == answer


async def test_a_stream_of_events_passes_at_once_with_its_new_head() -> None:
    async with modified(
        {"action": {"type": "modify_response", "headers": {"set": {"X-A": "1"}}, "body": "new"}}
    ) as w:
        origin, client = w.origin(), w.client()
        client.write(b"GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\n")
        server = await origin.accept()
        await server.head()
        server.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
        assert b"X-A: 1\r\n" in await client.head()
        assert b"data: 1\n\n" in await client.until(lambda received: b"data: 1" in received)
        server.close()
        await client.rest()
        (flow,) = await w.ended()
        assert any("body: left as it is: it is streamed" in step.detail for step in flow.trace or ())


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_large_body_passes_as_it_is_and_nothing_hangs(chunked: bool) -> None:
    body = b"x" * 5000
    framing = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: 5000"
    data = b"1388\r\n%b\r\n0\r\n\r\n" % body if chunked else body
    async with modified(modify_body=["/x/y"], stream_large_bodies="1k") as w:
        origin, client = w.origin(), w.client()
        client.write(
            b"PUT http://example.com/ HTTP/1.1\r\nHost: example.com\r\n%b\r\n\r\n%b" % (framing, data)
        )
        server = await origin.accept()
        head = await server.head()
        assert framing in head
        await server.until(lambda received: received.count(b"x") == 5000)
        server.write(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n%b" % (framing, data))
        await client.head()
        await client.until(lambda received: received.count(b"x") == 5000)
        (flow,) = await w.ended()
    notes = [step.detail for step in flow.trace or () if step.phase == "note"]
    assert len([note for note in notes if note.startswith("body: left as it is: it is streamed")]) == 2
