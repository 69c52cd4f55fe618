"""Connections to origins: shared by clients, kept while they are good, replaced when they turn out dead."""

from __future__ import annotations

import pytest

from proxyfw.connection import ServerConnectionHookData
from proxyfw.core import pool
from proxyfw.http import HTTPFlow, Response
from proxyfw.testing import End, Origin, Recorder, World, world

HOST = b"Host: example.com\r\n"
GET = b"GET http://example.com/ HTTP/1.1\r\n" + HOST + b"\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


async def used_once(w: World, request: bytes = GET, answer: bytes = OK) -> tuple[End, End, Origin]:
    """A client that has had one answer, the connection on which it came, and the origin."""
    origin = w.origin()
    client = w.client()
    client.write(request)
    server = await origin.accept()
    await server.head()
    server.write(answer)
    await client.message()
    return client, server, origin


async def test_a_connection_serves_all_clients() -> None:
    """5.1.29."""
    async with world() as w:
        _, server, _ = await used_once(w)
        for _ in range(3):
            client = w.client()
            client.write(GET)
            await server.head()
            server.write(OK)
            assert await client.message() == OK
            client.close()
        assert len(w.network.dialled) == 1


async def test_requests_at_the_same_time_do_not_wait_for_each_other() -> None:
    async with world() as w:
        origin = w.origin()
        clients = [w.client() for _ in range(3)]
        for client in clients:
            client.write(GET)
        servers = [await origin.accept() for _ in clients]
        for server in servers:
            await server.head()
            server.write(OK)
        for client in clients:
            assert await client.message() == OK
            client.write(GET)
        for server in servers:
            await server.head()
        assert len(w.network.dialled) == 3


@pytest.mark.parametrize("leave", ["close", "abort"])
@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"PUT", b"DELETE", b"OPTIONS"])
async def test_a_dead_connection_is_replaced_once_for_what_may_be_repeated(method: bytes, leave: str) -> None:
    """5.1.30."""
    recorder = Recorder()
    async with world(addons=[recorder]) as w:
        client, stale, origin = await used_once(w)
        client.write(GET.replace(b"GET", method).replace(b"\r\n\r\n", b"\r\nContent-Length: 3\r\n\r\nabc"))
        await stale.until(lambda received: received.endswith(b"abc"))
        getattr(stale, leave)()
        server = await origin.accept()
        assert (await server.message()).endswith(b"\r\n\r\nabc")
        server.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        assert (await client.head()).startswith(b"HTTP/1.1 204 ")
        await w.ended(2)
    assert recorder.hooks[5:] == ["requestheaders", "request", "responseheaders", "response", "flow_end"]


@pytest.mark.parametrize("method", [b"POST", b"PATCH", b"FOO"])
async def test_what_may_not_be_repeated_is_not(method: bytes) -> None:
    """5.1.30: the origin may have acted on it."""
    async with world() as w:
        client, stale, _ = await used_once(w)
        client.write(GET.replace(b"GET", method))
        await stale.head()
        stale.close()
        assert (await client.rest()).startswith(b"HTTP/1.1 502 ")
        assert len(w.network.dialled) == 1


async def test_a_streamed_request_is_not_repeated() -> None:
    """5.1.30: its body is gone."""
    async with world(stream_large_bodies="1") as w:
        client, stale, _ = await used_once(w)
        client.write(b"PUT http://example.com/ HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\n\r\nabc")
        await stale.message()
        stale.close()
        assert (await client.rest()).startswith(b"HTTP/1.1 502 ")
        assert len(w.network.dialled) == 1


async def test_a_new_connection_that_fails_is_not_replaced() -> None:
    """5.1.30: the first request on a connection, and the repetition."""
    async with world() as w:
        origin = w.origin()
        client = w.client()
        client.write(GET)
        server = await origin.accept()
        await server.head()
        server.close()
        answer = await client.rest()
        assert answer.startswith(b"HTTP/1.1 502 ")
        assert b"without sending a response" in answer
        assert len(w.network.dialled) == 1


async def test_a_repetition_is_not_repeated() -> None:
    """5.1.30."""
    async with world() as w:
        client, stale, origin = await used_once(w)
        client.write(GET)
        await stale.head()
        stale.close()
        (await origin.accept()).close()
        assert (await client.rest()).startswith(b"HTTP/1.1 502 ")
        assert len(w.network.dialled) == 2


async def test_an_origin_that_leaves_while_idle_is_noticed() -> None:
    """5.1.30: so even a POST is safe afterwards, and the socket is closed."""
    async with world() as w:
        client, server, origin = await used_once(w)
        server.write_eof()
        assert await server.rest() == b""
        client.write(GET.replace(b"GET", b"POST"))
        server = await origin.accept()
        await server.head()
        server.write(OK)
        assert await client.message() == OK


@pytest.mark.parametrize("when", ["later", "at once"])
async def test_what_nobody_asked_for_is_never_an_answer(when: str) -> None:
    """A 408 on an idle connection, or bytes behind an answer: the connection is closed."""
    unasked = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"
    async with world() as w:
        client, server, origin = await used_once(w, answer=OK + (unasked if when == "at once" else b""))
        if when == "later":
            server.write(unasked)
        assert await server.rest() == b""
        client.write(GET.replace(b"GET", b"POST"))
        server = await origin.accept()
        await server.head()
        server.write(OK)
        assert await client.message() == OK


async def test_idle_connections_are_closed_after_pool_idle_timeout() -> None:
    async with world(pool_idle_timeout=0.01) as w:
        client, server, origin = await used_once(w)
        assert await server.rest() == b""
        client.write(GET)
        server = await origin.accept()
        await server.head()


async def test_only_so_many_idle_connections_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that has been idle for longest goes."""
    monkeypatch.setattr(pool, "_MAX_IDLE_PER_HOST", 2)
    async with world() as w:
        origin = w.origin()
        clients = [w.client() for _ in range(3)]
        for client in clients:
            client.write(GET)
        servers = [await origin.accept() for _ in clients]
        for client, server in zip(clients, servers, strict=True):
            await server.head()
            server.write(OK)
            await client.message()
        assert await servers[0].rest() == b""
        for client, server in zip(clients, reversed(servers[1:]), strict=False):
            client.write(GET)
            await server.head()


@pytest.mark.parametrize("scheme", [b"NTLM", b"Negotiate"])
@pytest.mark.parametrize("asked_by", ["client", "origin"])
async def test_a_login_that_is_bound_to_its_connection_stays_with_its_client(
    scheme: bytes, asked_by: str
) -> None:
    """RFC 4559 section 6: or another client would act in this one's name."""
    request, answer = GET, OK
    if asked_by == "client":
        request = GET.replace(b"\r\n\r\n", b"\r\nAuthorization: %b TlRM\r\n\r\n" % scheme)
    else:
        challenge = b"WWW-Authenticate: Basic\r\nWWW-Authenticate: %b\r\nContent-Length: 0\r\n\r\n" % scheme
        answer = b"HTTP/1.1 401 Unauthorized\r\n" + challenge
    async with world() as w:
        client, bound, origin = await used_once(w, request, answer)
        other = w.client()
        other.write(GET)
        server = await origin.accept()
        await server.head()
        server.write(OK)
        await other.message()
        client.write(GET)
        await bound.head()
        bound.write(OK)
        assert await client.message() == OK


class Dials:
    """Notes what happens to connections to origins."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def server_connect(self, data: ServerConnectionHookData) -> None:
        self.events.append("connect")
        if data.server.address == ("refused.test", 80):
            data.server.error = "not today"
        elif data.server.address == ("moved.test", 80):
            data.server.address = ("example.com", 80)

    def server_connected(self, data: ServerConnectionHookData) -> None:
        self.events.append("connected")

    def server_connect_error(self, data: ServerConnectionHookData) -> None:
        self.events.append(f"error: {data.server.error}")

    def server_disconnected(self, data: ServerConnectionHookData) -> None:
        self.events.append("disconnected")


async def test_addons_are_told_of_every_dial_and_every_end_once() -> None:
    dials = Dials()
    async with world(addons=[dials]) as w:
        client, server, _ = await used_once(w)
        client.write(GET)
        await server.head()
        assert dials.events == ["connect", "connected"]
        server.abort()
        w.network.forget(("192.0.2.2", 80))
        assert (await client.rest()).startswith(b"HTTP/1.1 502 ")
        await w.ended(2)
    error = "error: cannot connect to 192.0.2.2:80: Connection refused"
    assert sorted(dials.events) == sorted(["connect", "connected", "disconnected", "connect", error])


async def test_an_addon_may_refuse_or_redirect_a_dial() -> None:
    dials = Dials()
    async with world(addons=[dials]) as w:
        origin = w.origin()
        client = w.client()
        client.write(GET.replace(b"example.com/", b"refused.test/"))
        answer = await client.rest()
        assert answer.startswith(b"HTTP/1.1 502 ")
        assert b"not today" in answer
        assert w.network.dialled == []
        client = w.client()
        client.write(GET.replace(b"example.com/", b"moved.test/"))
        await (await origin.accept()).head()
    assert dials.events[:2] == ["connect", "error: not today"]


class Replaces:
    def __init__(self, hook: str) -> None:
        self.hook = hook

    def responseheaders(self, flow: HTTPFlow) -> None:
        self.replace("responseheaders", flow)

    def response(self, flow: HTTPFlow) -> None:
        self.replace("response", flow)

    def replace(self, hook: str, flow: HTTPFlow) -> None:
        if hook == self.hook and flow.request.path == "/":
            flow.response = Response.make(200, b"mine")


@pytest.mark.parametrize("hook", ["responseheaders", "response"])
@pytest.mark.parametrize("body", [b"ab", b""])
async def test_a_response_that_an_addon_replaced_never_answers_the_next_request(
    hook: str, body: bytes
) -> None:
    """Its body is discarded; the connection is used again only if nothing of it is left."""
    async with world(addons=[Replaces(hook)]) as w:
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        client, server, origin = await used_once(w, answer=answer)
        closed = hook == "responseheaders"
        if closed:
            assert await server.rest() == b""
        client.write(GET.replace(b"m/", b"m/2"))
        server = await origin.accept() if closed else server
        assert (await server.head()).startswith(b"GET /2 ")
        server.write(OK)
        assert await client.message() == OK


async def test_the_rest_of_a_replaced_response_is_not_waited_for() -> None:
    async with world(addons=[Replaces("responseheaders")]) as w:
        client, server, _ = await used_once(w, answer=b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        assert await server.rest() == b""
        assert not client.eof


async def test_an_addon_is_told_for_which_request_a_connection_is_made() -> None:
    """None for a tunnel: nothing is known of what it is for."""
    flows: list[HTTPFlow | None] = []

    class Watch:
        def server_connect(self, data: ServerConnectionHookData) -> None:
            flows.append(data.flow)

    async with world(addons=[Watch()]) as w:
        client, _, origin = await used_once(w)
        client.write(GET.replace(b"example.com/", b"example.com/b"))
        tunnel = w.client()
        tunnel.write(b"CONNECT example.com:80 HTTP/1.1\r\n" + HOST + b"\r\n")
        await tunnel.head()
        tunnel.write(b"\0raw")
        assert await (await origin.accept()).exactly(4) == b"\0raw"
        (first,) = (await w.ended())[:1]
        assert flows == [first, None]
