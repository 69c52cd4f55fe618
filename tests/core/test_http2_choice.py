"""Which version is spoken with whom, and how connections to origins are shared and kept alive."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from h2.errors import ErrorCodes
from http2_ends import (
    H2Client,
    H2Origin,
    get,
    h1_client,
    h1_origin,
    h2_client,
    h2_origin,
    secured,
    tls_client,
    tunnel,
)

from proxyfw.http import HTTPFlow
from proxyfw.testing import End, world


async def serving(origin: Any, tasks: list[asyncio.Task[None]]) -> H2Origin:
    """The next connection to *origin*, which answers every request with its path."""
    server = await h2_origin(origin)
    tasks.append(asyncio.create_task(server.serve()))
    return server


async def test_an_origin_that_is_silent_gets_pings() -> None:
    """5.4.87."""
    async with world(ssl_insecure=True, http2_ping_keepalive=0.05) as w:
        origin = w.origin("example.com", 443)
        client = await h2_client(w)
        stream_id = client.ask()
        server = await h2_origin(origin)
        number, _ = await server.asked()
        await server.until(lambda: server.pings >= 2)
        server.answer(number, b"at last")
        assert (await client.whole(stream_id)).body == b"at last"


async def test_no_pings_without_the_option() -> None:
    async with world(ssl_insecure=True, http2_ping_keepalive=0, idle_timeout=0.1) as w:
        origin = w.origin("example.com", 443)
        client = await h2_client(w)
        stream_id = client.ask()
        server = await h2_origin(origin)
        await server.asked()
        answer = await client.whole(stream_id)
        assert (answer[b":status"], server.pings) == (b"502", 0)


async def test_an_unused_connection_is_closed_in_good_order() -> None:
    async with world(ssl_insecure=True, pool_idle_timeout=0.05) as w:
        origin = w.origin("example.com", 443)
        client = await h2_client(w)
        stream_id = client.ask()
        server = await h2_origin(origin)
        number, _ = await server.asked()
        server.answer(number)
        await client.whole(stream_id)
        await server.until(lambda: server.gone)
        assert server.farewell == ErrorCodes.NO_ERROR


async def test_an_idle_client_is_sent_home() -> None:
    async with world(idle_timeout=0.05) as w:
        client = await h2_client(w)
        await client.until(lambda: client.gone)
        assert client.farewell == ErrorCodes.NO_ERROR


@pytest.mark.parametrize(
    ("offered", "http2", "agreed"),
    [
        ((b"h2", b"http/1.1"), True, b"h2"),
        ((b"http/1.1",), True, b"http/1.1"),
        ((), True, b""),
        ((b"h2", b"http/1.1"), False, b"http/1.1"),
    ],
)
async def test_what_is_agreed_on_with_the_client(
    offered: tuple[bytes, ...], http2: bool, agreed: bytes
) -> None:
    """5.3.64: and nobody is dialled for it."""
    async with world(http2=http2) as w:
        wire = await tls_client(w, *offered)
        assert wire.ssl.get_alpn_proto_negotiated() == agreed
        assert w.network.dialled == []


@pytest.mark.parametrize(("speaks", "agreed"), [("h1", b"http/1.1"), ("h2", b"h2")])
async def test_eager_mode_mirrors_what_the_origin_speaks(speaks: str, agreed: bytes) -> None:
    """5.3.64."""
    async with world(ssl_insecure=True, connection_strategy="eager") as w:
        origin = w.origin("example.com", 443)
        connecting = asyncio.create_task(tls_client(w, b"h2", b"http/1.1"))
        server: Any = await (h1_origin(origin) if speaks == "h1" else h2_origin(origin))
        wire = await connecting
        assert wire.ssl.get_alpn_proto_negotiated() == agreed
        if speaks == "h1":
            end = End(wire)
            end.write(b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n")
            assert (await server.head()).startswith(b"GET / ")
        else:
            client = H2Client(wire)
            client.ask()
            await server.asked()
        assert len(w.network.dialled) == 1


async def test_an_origin_without_http2_and_a_client_with_it_and_the_reverse() -> None:
    async with world(ssl_insecure=True, http2=False) as w:
        origin = w.origin("example.com", 443)
        client = await h1_client(w)
        client.write(b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n")
        end = await origin.accept()
        wire = await secured(end, b"h2", b"http/1.1")
        assert wire.ssl.get_alpn_proto_negotiated() == b"http/1.1"


async def test_prior_knowledge_in_a_tunnel_reaches_an_origin_that_has_it_too() -> None:
    """5.4.84."""
    async with world() as w:
        origin = w.origin("example.com", 80)
        client = H2Client((await tunnel(w, 80)).wire)
        stream_id = client.ask([(b":method", b"GET"), (b":scheme", b"http"), *get()[2:]])
        server = await h2_origin(origin, tls=False)
        number, request = await server.asked()
        assert request[b":scheme"] == b"http"
        server.answer(number, b"clear")
        assert (await client.whole(stream_id)).body == b"clear"


async def test_prior_knowledge_of_the_proxy_says_nothing_of_origins() -> None:
    """5.4.84."""
    async with world() as w:
        origin = w.origin("example.com", 80)
        client = H2Client(w.client().wire)
        stream_id = client.ask([(b":method", b"GET"), (b":scheme", b"http"), *get()[2:]])
        server = await h1_origin(origin, tls=False)
        assert await server.head() == b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n"
        server.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
        assert (await client.whole(stream_id)).body == b"hi"


async def test_a_preface_that_dribbles() -> None:
    async with world() as w:
        origin = w.origin("example.com", 80)
        end = w.client()
        client = H2Client(end.wire)
        stream_id = client.ask([(b":method", b"GET"), (b":scheme", b"http"), *get()[2:]])
        server = await h1_origin(origin, tls=False)
        await server.head()
        server.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        assert (await client.whole(stream_id))[b":status"] == b"204"


async def test_an_addon_chooses_prior_knowledge_for_an_origin() -> None:
    class Choose:
        def requestheaders(self, flow: HTTPFlow) -> None:
            flow.server_conn.alpn_offers = (b"h2c",)

    async with world(addons=[Choose()]) as w:
        origin = w.origin()
        client = w.client()
        client.write(b"GET http://example.com/x HTTP/1.1\r\nHost: example.com\r\n\r\n")
        server = await h2_origin(origin, tls=False)
        number, _ = await server.asked()
        server.answer(number, b"hi")
        assert (await client.message()).endswith(b"\r\n\r\nhi")


async def test_first_requests_share_a_dial_and_later_clients_the_connection() -> None:
    async with world(ssl_insecure=True) as w:
        origin, tasks = w.origin("example.com", 443), list[asyncio.Task[None]]()
        clients = [await h2_client(w) for _ in range(5)]
        asked = [(client, client.ask(get(b"/%d" % n))) for n, client in enumerate(clients)]
        await serving(origin, tasks)
        for n, (client, stream_id) in enumerate(asked):
            assert (await client.whole(stream_id)).body == b"/%d" % n
        assert len(w.network.dialled) == 1
        tasks[0].cancel()


async def test_first_requests_to_an_http1_origin_get_connections_of_their_own() -> None:
    async with world(ssl_insecure=True) as w:
        origin = w.origin("example.com", 443)
        client = await h2_client(w)
        ids = [client.ask(get(b"/%d" % n)) for n in range(3)]
        ends = [await h1_origin(origin) for _ in range(3)]
        for end in ends:
            path = (await end.head()).split()[1]
            end.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + path)
        assert [(await client.whole(stream_id)).body for stream_id in ids] == [b"/0", b"/1", b"/2"]


async def test_a_dial_that_fails_fails_all_who_waited_for_it() -> None:
    async with world(ssl_insecure=True) as w:
        w.network.unknown.add("example.com")
        client = await h2_client(w)
        ids = [client.ask() for _ in range(5)]
        for stream_id in ids:
            answer = await client.whole(stream_id)
            assert (answer[b":status"], b"cannot resolve" in answer.body) == (b"502", True)


async def test_who_waits_for_a_dial_goes_on_when_its_client_leaves() -> None:
    async with world(ssl_insecure=True) as w:
        origin = w.origin("example.com", 443)
        first, second = await h2_client(w), await h2_client(w)
        first.ask()
        end = await origin.accept()
        stream_id = second.ask()
        first.wire.abort()
        await w.ended(1)
        end.abort()
        server = await h2_origin(origin)
        number, _ = await server.asked()
        server.answer(number, b"ok")
        assert (await second.whole(stream_id)).body == b"ok"


async def test_a_websocket_is_asked_for_in_http1_though_the_origin_has_http2() -> None:
    async with world(ssl_insecure=True) as w:
        origin = w.origin("example.com", 443)
        client = await h1_client(w)
        client.write(
            b"GET / HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        )
        end = await origin.accept()
        wire = await secured(end, b"h2", b"http/1.1")
        assert wire.ssl.get_alpn_proto_negotiated() == b"http/1.1"
