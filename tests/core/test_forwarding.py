"""How requests find their origin, and what of them arrives there: targets, Host, fields, connections."""

from __future__ import annotations

import pytest

from proxyfw.http import HTTPFlow
from proxyfw.testing import Recorder, world

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
HOST = b"Host: example.com\r\n"


async def test_the_target_decides_where_a_request_goes_and_host_is_forwarded_as_sent() -> None:
    """5.1.1 and 5.1.2: the flow shows both."""
    async with world() as w:
        origin = w.origin("target.test", 8080)
        client = w.client()
        client.write(b"GET http://target.test:8080/x HTTP/1.1\r\nHost: other.test\r\n\r\n")
        server = await origin.accept()
        assert await server.head() == b"GET /x HTTP/1.1\r\nHost: other.test\r\n\r\n"
        server.write(OK)
        await client.message()
        flow = (await w.ended())[0]
    assert isinstance(flow, HTTPFlow)
    assert (flow.request.host, flow.request.port) == ("target.test", 8080)
    assert flow.request.host_header == "other.test"
    assert flow.request.authority == "target.test:8080"


async def test_origin_form_is_routed_by_host() -> None:
    """5.1.3."""
    async with world() as w:
        origin = w.origin("example.com", 8000)
        client = w.client()
        client.write(b"GET /x HTTP/1.1\r\nHost: example.com:8000\r\n\r\n")
        server = await origin.accept()
        assert await server.head() == b"GET /x HTTP/1.1\r\nHost: example.com:8000\r\n\r\n"


@pytest.mark.parametrize(
    ("request_bytes", "status", "reason"),
    [
        (b"GET / HTTP/1.0\r\n\r\n", b"400", b"names no host"),
        (b"GET / HTTP/1.1\r\n\r\n", b"400", b"Host"),
        (b"GET / HTTP/1.1\r\nHost:\r\n\r\n", b"400", b"names no host"),
        (b"GET ftp://example.com/ HTTP/1.1\r\n" + HOST + b"\r\n", b"400", b"scheme 'ftp'"),
        (b"GET http://example.com:0/ HTTP/1.1\r\n" + HOST + b"\r\n", b"400", b"port"),
        (b"GET http://example.com:99999/ HTTP/1.1\r\n" + HOST + b"\r\n", b"400", b"port"),
        (b"GET http://u:p@example.com/ HTTP/1.1\r\n" + HOST + b"\r\n", b"400", b"user information"),
        (b"GET http://[::1/ HTTP/1.1\r\n" + HOST + b"\r\n", b"400", b"[::1"),
        (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", b"400", b"a b"),
        (b"CONNECT example.com HTTP/1.1\r\n" + HOST + b"\r\n", b"400", b"example.com"),
        (b"\x16\x03 this is no HTTP\r\n\r\n", b"400", b"expected"),
        (b"<script>alert(1)</script>\r\n\r\n", b"400", b"script"),
    ],
)
async def test_what_names_no_destination_is_answered_400_with_a_reason(
    request_bytes: bytes, status: bytes, reason: bytes
) -> None:
    """5.1.3 and 5.1.34: and the connection is closed."""
    async with world() as w:
        client = w.client()
        if request_bytes[0] == 0x16:  # else it would be taken for TLS
            request_bytes = b"?" + request_bytes
        client.write(request_bytes)
        answer = await client.rest()
        assert answer.startswith(b"HTTP/1.1 " + status)
        assert reason in answer
        assert b"Connection: close" in answer
        assert w.network.dialled == []


async def test_an_ipv6_literal_is_dialled_without_brackets() -> None:
    async with world() as w:
        origin = w.origin("2001:db8::1", 8080)
        w.network.hosts["2001:db8::1"] = ["2001:db8::1"]
        w.network.serve(("2001:db8::1", 8080), origin.connected)
        client = w.client()
        client.write(b"GET http://[2001:db8::1]:8080/ HTTP/1.1\r\nHost: [2001:db8::1]:8080\r\n\r\n")
        server = await origin.accept()
        assert await server.head() == b"GET / HTTP/1.1\r\nHost: [2001:db8::1]:8080\r\n\r\n"
        assert w.network.dialled == [("2001:db8::1", 8080)]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "me.test"])
async def test_a_request_to_the_proxy_itself_is_refused_as_a_loop(host: str) -> None:
    """5.1.4."""
    recorder = Recorder()
    async with world(addons=[recorder]) as w:
        w.network.hosts["me.test"] = ["127.0.0.1"]
        client = w.client()
        client.write(b"GET http://%b:%d/ HTTP/1.1\r\nHost: x\r\n\r\n" % (host.encode(), w.proxy.address[1]))
        answer = await client.rest()
        assert answer.startswith(b"HTTP/1.1 502 ")
        assert b"this proxy itself" in answer
        assert w.network.dialled == []
    assert recorder.hooks[-1] == "flow_end"
    assert recorder.hooks[-2].startswith("error: ")


async def test_an_origin_that_does_not_answer_the_dial_is_502_with_its_reason() -> None:
    async with world() as w:
        w.network.unknown.add("nowhere.test")
        for host, reason in ((b"closed.test", b"Connection refused"), (b"nowhere.test", b"cannot resolve")):
            client = w.client()
            client.write(b"GET http://%b/ HTTP/1.1\r\nHost: x\r\n\r\n" % host)
            answer = await client.rest()
            assert answer.startswith(b"HTTP/1.1 502 ")
            assert reason in answer


@pytest.mark.parametrize("target", [b"*", b"http://example.com"])
async def test_options_for_the_whole_server_keeps_its_asterisk(target: bytes) -> None:
    """5.1.5."""
    async with world() as w:
        origin = w.origin()
        client = w.client()
        client.write(b"OPTIONS %b HTTP/1.1\r\nHost: example.com\r\n\r\n" % target)
        server = await origin.accept()
        assert await server.head() == b"OPTIONS * HTTP/1.1\r\nHost: example.com\r\n\r\n"


@pytest.mark.parametrize(
    "path", [b"//a//b", b"/a/../b/./c", b"/%7Euser/%2e%2e/%zz", b"/caf\xc3\xa9?q=\xff", b"/a?b=%20+&&=#"[:-1]]
)
async def test_paths_are_forwarded_byte_for_byte(path: bytes) -> None:
    """5.1.40."""
    async with world() as w:
        origin = w.origin()
        client = w.client()
        client.write(b"GET http://example.com%b HTTP/1.1\r\n%b\r\n" % (path, HOST))
        server = await origin.accept()
        assert await server.head() == b"GET %b HTTP/1.1\r\n%b\r\n" % (path, HOST)


async def test_fields_keep_order_case_and_duplicates_both_ways() -> None:
    """5.1.23 and 5.1.24."""
    fields = b"X-b: 1\r\nx-A: \xe9\r\nHOST: example.com\r\nX-b: 2\r\nAccept:*/*\r\nX-Empty:\r\n"
    sent = fields.replace(b"Accept:*/*", b"Accept: */*").replace(b"X-Empty:", b"X-Empty: ")
    answer = (
        b"HTTP/1.1 299 Quite Fine\r\nSet-Cookie: a=1\r\nserver: x\r\nSet-Cookie: b=2\r\n"
        b"CONTENT-LENGTH: 2\r\nX-Z: \xff\r\n\r\nhi"
    )
    async with world() as w:
        origin = w.origin()
        client = w.client()
        client.write(b"GET http://example.com/ HTTP/1.1\r\n" + fields + b"\r\n")
        server = await origin.accept()
        assert await server.head() == b"GET / HTTP/1.1\r\n" + sent + b"\r\n"
        server.write(answer)
        assert await client.message() == answer


async def test_hop_by_hop_fields_stay_on_their_hop() -> None:
    """5.1.25."""
    async with world() as w:
        origin = w.origin()
        client = w.client()
        client.write(
            b"GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\nProxy-Connection: keep-alive\r\n"
            b"Connection: keep-alive, X-Mine\r\nKeep-Alive: timeout=5\r\nX-Mine: secret\r\nTE: trailers\r\n"
            b"Proxy-Authorization: Basic YTpi\r\nAuthorization: Basic eDp5\r\nX-Kept: yes\r\n\r\n"
        )
        server = await origin.accept()
        assert await server.head() == (
            b"GET / HTTP/1.1\r\nHost: example.com\r\nAuthorization: Basic eDp5\r\nX-Kept: yes\r\n\r\n"
        )
        server.write(
            b"HTTP/1.1 200 OK\r\nConnection: X-Theirs, keep-alive\r\nX-Theirs: secret\r\n"
            b"Keep-Alive: timeout=5\r\nX-Kept: yes\r\nContent-Length: 2\r\n\r\nhi"
        )
        assert await client.message() == b"HTTP/1.1 200 OK\r\nX-Kept: yes\r\nContent-Length: 2\r\n\r\nhi"


async def test_pipelined_requests_are_answered_in_order() -> None:
    """5.1.28."""
    async with world() as w:
        origins = [w.origin(host) for host in ("a.test", "b.test")]
        client = w.client()
        client.write(
            b"GET http://a.test/1 HTTP/1.1\r\nHost: a.test\r\n\r\n"
            b"POST http://b.test/2 HTTP/1.1\r\nHost: b.test\r\nContent-Length: 3\r\n\r\nabc"
            b"GET http://a.test/3 HTTP/1.1\r\nHost: a.test\r\n\r\n"
        )
        first = await origins[0].accept()
        assert (await first.head()).startswith(b"GET /1 ")
        first.write(OK)
        assert await client.message() == OK
        second = await origins[1].accept()
        assert (await second.message()).endswith(b"\r\n\r\nabc")
        second.write(OK)
        assert (await first.head()).startswith(b"GET /3 ")
        first.write(OK)
        assert await client.exactly(2 * len(OK)) == OK + OK


@pytest.mark.parametrize(
    ("request_line", "fields", "closes"),
    [
        (b"HTTP/1.1", b"", False),
        (b"HTTP/1.1", b"Connection: close\r\n", True),
        (b"HTTP/1.0", b"", True),
        (b"HTTP/1.0", b"Connection: keep-alive\r\n", False),
    ],
)
async def test_a_client_that_wants_to_close_is_closed(
    request_line: bytes, fields: bytes, closes: bool
) -> None:
    """5.1.31: the origin's connection is kept all the same."""
    async with world() as w:
        origin = w.origin()
        client = w.client()
        client.write(b"GET http://example.com/ %b\r\n%b%b\r\n" % (request_line, HOST, fields))
        server = await origin.accept()
        assert await server.head() == b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"
        server.write(OK)
        answer = await client.message()
        assert (b"Connection: close" in answer) is closes
        assert (b"Connection: keep-alive" in answer) is (not closes and request_line == b"HTTP/1.0")
        if closes:
            assert await client.rest() == b""
        other = w.client()
        other.write(b"GET http://example.com/2 HTTP/1.1\r\n" + HOST + b"\r\n")
        assert (await server.head()).startswith(b"GET /2 ")


async def test_an_origin_that_wants_to_close_is_not_used_again_and_the_client_is_not_closed() -> None:
    """5.1.31."""
    async with world() as w:
        origin = w.origin()
        client = w.client()
        for _ in range(2):
            client.write(b"GET http://example.com/ HTTP/1.1\r\n" + HOST + b"\r\n")
            server = await origin.accept()
            await server.head()
            server.write(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            assert await client.message() == OK
            assert await server.rest() == b""
