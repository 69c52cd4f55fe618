"""CONNECT on a stream of HTTP/2, from clients that speak that to the proxy itself. RFC 9113 section 8.5."""

from __future__ import annotations

from typing import Any

import pytest
from h2.errors import ErrorCodes
from http2_ends import PATIENCE, H2Client, StreamWire, get, tls_client, unclaimed
from OpenSSL import SSL

from proxyfw.http import HTTPFlow, Response
from proxyfw.net.tls import TlsWire
from proxyfw.testing import End, World, world


def to_proxy(w: World) -> H2Client:
    """A client that speaks HTTP/2 to the proxy itself; without TLS, which would make no difference."""
    return H2Client(unclaimed(w.client()))


async def tunnel(client: H2Client, authority: bytes) -> StreamWire:
    stream_id = client.ask([(b":method", b"CONNECT"), (b":authority", authority)], end=False)
    await client.until(lambda: client.heard(stream_id).headers)
    assert client.heard(stream_id).headers == [(b":status", b"200")]
    return StreamWire(client, stream_id)


async def secured(wire: StreamWire) -> End:
    ssl = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD))
    ssl.set_connect_state()
    ssl.set_tlsext_host_name(b"example.com")
    inner = TlsWire(wire, ssl)
    await inner.handshake(PATIENCE)
    return End(inner)


class Answer:
    def request(self, flow: HTTPFlow) -> None:
        flow.response = Response.make(200, flow.request.pretty_url.encode())


async def test_tunnels_and_requests_beside_each_other() -> None:
    """mitmproxy 5.4.71: with TLS, with HTTP in the clear, and requests that need none."""
    async with world(addons=[Answer()]) as w:
        client = to_proxy(w)
        one, other = await tunnel(client, b"example.com:443"), await tunnel(client, b"example.com:80")
        secure, clear = await secured(one), End(other)
        for _ in range(2):
            secure.write(b"GET /s HTTP/1.1\r\nHost: example.com\r\n\r\n")
            assert (await secure.message()).endswith(b"https://example.com/s")
            clear.write(b"GET /c HTTP/1.1\r\nHost: example.com\r\n\r\n")
            assert (await clear.message()).endswith(b"http://example.com/c")
        plain = [(n, b"http" if n == b":scheme" else v) for n, v in get(b"/p")]
        assert (await client.fetch(plain)).body == b"http://example.com/p"
        secure.close()
        clear.write_eof()
        assert await clear.rest() == b""
        flows: Any = await w.ended(7)
        inside = [flow for flow in flows if flow.request.method == "GET"]
        assert {flow.client_conn.tls for flow in inside if flow.request.scheme == "https"} == {True}
        assert {flow.client_conn.tls for flow in inside if flow.request.scheme == "http"} == {False}


async def test_raw_bytes_both_ways_and_half_a_close() -> None:
    async with world() as w:
        origin, client = w.origin("example.com", 22), to_proxy(w)
        end = End(await tunnel(client, b"example.com:22"))
        end.write(b"\0\1hello")
        server = await origin.accept()
        assert await server.exactly(7) == b"\0\1hello"
        end.write_eof()
        assert await server.rest() == b""
        server.write(b"bye")
        server.close()
        assert await end.rest() == b"bye"


async def test_a_reset_breaks_the_tunnel_only() -> None:
    async with world(addons=[Answer()]) as w:
        origin, client = w.origin("example.com", 22), to_proxy(w)
        wire = await tunnel(client, b"example.com:22")
        End(wire).write(b"\0\1hello")
        server = await origin.accept()
        wire.abort()
        await server.rest()
        other = End(await tunnel(client, b"example.com:80"))
        other.write(b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n")
        assert (await other.message()).startswith(b"HTTP/1.1 200 ")


async def test_a_refusal_is_an_answer() -> None:
    """mitmproxy 5.2.46."""

    class Refuse:
        def http_connect(self, flow: HTTPFlow) -> None:
            flow.response = Response.make(403, b"not there")

    async with world(addons=[Refuse()]) as w:
        client = to_proxy(w)
        stream_id = client.ask([(b":method", b"CONNECT"), (b":authority", b"a.example:443")], end=False)
        heard = await client.whole(stream_id)
        assert (heard[b":status"], heard.body) == (b"403", b"not there")
        flows: Any = await w.ended()
        assert flows[0].request.method == "CONNECT"


async def test_a_proxy_that_stops_closes_tunnels_that_wait() -> None:
    async with world(shutdown_timeout=3600) as w:
        client = to_proxy(w)
        end = End(await tunnel(client, b"example.com:443"))
        await w.proxy.stop()
        await end.rest()
        await client.until(lambda: client.gone)
        assert client.farewell == ErrorCodes.NO_ERROR


@pytest.mark.parametrize("websocket", [True, False])
async def test_inside_a_tunnel_and_behind_a_reverse_proxy_there_is_no_connect(websocket: bool) -> None:
    """mitmproxy 5.4.85: extended CONNECT is offered for WebSocket only."""
    async with world(websocket=websocket) as w:
        client = H2Client(await tls_client(w, b"h2"))
        stream_id = client.ask([(b":method", b"CONNECT"), (b":authority", b"a.example:443")], end=False)
        await client.until(lambda: client.heard(stream_id).headers)
        assert client.heard(stream_id)[b":status"] == b"501"
        assert client.h2.remote_settings.enable_connect_protocol == websocket


async def test_a_login_holds_for_its_tunnel_and_no_other() -> None:
    """mitmproxy 5.2.53."""
    login = (b"proxy-authorization", b"Basic dXNlcjpzZWNyZXQ=")
    async with world(addons=[Answer()], default_addons=["proxyauth"], proxyauth="user:secret") as w:
        client = to_proxy(w)
        stranger = [(b":method", b"CONNECT"), (b":authority", b"example.com:80")]
        assert (await client.whole(client.ask(stranger, end=False)))[b":status"] == b"407"
        stream_id = client.ask([*stranger, login], end=False)
        await client.until(lambda: client.heard(stream_id).headers)
        end = End(StreamWire(client, stream_id))
        end.write(b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n")
        assert (await end.message()).startswith(b"HTTP/1.1 200 ")
        assert (await client.whole(client.ask(stranger, end=False)))[b":status"] == b"407"
