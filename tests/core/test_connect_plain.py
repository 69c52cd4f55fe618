"""CONNECT without TLS inside: refusals, tunnels for any protocol, plain HTTP in them, dialling ahead."""

from __future__ import annotations

import asyncio
import logging

import pytest

from proxyfw.flow import Flow
from proxyfw.http import HTTPFlow, Response
from proxyfw.testing import Recorder, world

CONNECT = b"CONNECT raw.test:2000 HTTP/1.1\r\nHost: raw.test:2000\r\n\r\n"
GET = b"GET /inside HTTP/1.1\r\nHost: other.test\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


class Connects:
    """Notes the hooks of CONNECT."""

    def __init__(self) -> None:
        self.hooks: list[str] = []
        self.flows: list[Flow] = []

    def http_connect(self, flow: HTTPFlow) -> None:
        self.hooks.append("http_connect")
        self.flows.append(flow)

    def http_connected(self, flow: HTTPFlow) -> None:
        self.hooks.append("http_connected")

    def http_connect_error(self, flow: HTTPFlow) -> None:
        self.hooks.append(f"http_connect_error: {flow.error}")

    def requestheaders(self, flow: HTTPFlow) -> None:
        self.hooks.append("requestheaders")

    def flow_end(self, flow: Flow) -> None:
        self.hooks.append("flow_end")


class Refuses(Connects):
    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response

    def http_connect(self, flow: HTTPFlow) -> None:
        super().http_connect(flow)
        flow.response = self.response


async def test_a_refusal_reaches_the_client_which_may_ask_again() -> None:
    """5.2.46: status and body; the connection stays as good as after any answer."""
    refuses = Refuses(Response.make(403, b"not there", {"X-Why": "policy"}))
    async with world(addons=[refuses]) as w:
        client = w.client()
        for _ in range(2):
            client.write(CONNECT)
            answer = await client.message()
            assert answer.startswith(b"HTTP/1.1 403 Forbidden\r\n")
            assert b"X-Why: policy\r\n" in answer
            assert answer.endswith(b"\r\n\r\nnot there")
        assert w.network.dialled == []
    assert refuses.hooks == 2 * ["http_connect", "http_connect_error: None", "flow_end"]


async def test_a_refusal_that_cannot_be_sent_is_502_naming_why(caplog: pytest.LogCaptureFixture) -> None:
    """5.2.46."""
    refuses = Refuses(Response.make(403, b"", {"X-Bad": "a\nb"}))
    async with world(addons=[refuses]) as w:
        client = w.client()
        client.write(CONNECT)
        answer = await client.rest()
        assert answer.startswith(b"HTTP/1.1 502 ")
        assert b"X-Bad" in answer
    assert refuses.hooks[-1] == "flow_end"
    assert len([r for r in caplog.records if r.levelno >= logging.ERROR]) == 1


async def test_a_fault_at_connect_ends_its_flow() -> None:
    """5.6.119."""
    connects = Connects()

    class Odd:
        def http_connect(self, flow: HTTPFlow) -> None:
            flow.response = 403  # type: ignore[assignment]

    async with world(addons=[connects, Odd()]) as w:
        client = w.client()
        client.write(CONNECT)
        assert await client.rest() == b""
        await w.ended()
    assert connects.hooks == ["http_connect", "flow_end"]


async def test_an_unknown_protocol_is_tunnelled_byte_for_byte() -> None:
    """5.2.43 and 5.2.44: bytes sent early with CONNECT are part of it; a half-close is passed on."""
    connects = Connects()
    async with world(addons=[connects]) as w:
        origin = w.origin("raw.test", 2000)
        client = w.client()
        client.write(CONNECT + b"\x00\x01early")
        assert await client.head() == b"HTTP/1.1 200 Connection established\r\n\r\n"
        server = await origin.accept()
        assert await server.exactly(7) == b"\x00\x01early"
        server.write(b"\xff\r\n\r\n")
        assert await client.exactly(5) == b"\xff\r\n\r\n"
        client.write(b"last")
        client.write_eof()
        assert await server.rest() == b"last"
        assert not client.eof
        server.write(b"words")
        server.close()
        assert await client.rest() == b"words"
    assert connects.hooks.count("http_connected") == 1
    assert connects.hooks[0] == "http_connect"
    assert "requestheaders" not in connects.hooks


async def test_a_server_that_speaks_first_is_heard() -> None:
    """5.2.44: a client that is silent for sniff_timeout waits for the server."""
    async with world(sniff_timeout=0.001) as w:
        origin = w.origin("raw.test", 2000)
        client = w.client()
        client.write(CONNECT)
        await client.head()
        server = await origin.accept()
        server.write(b"220 welcome\r\n")
        assert await client.exactly(13) == b"220 welcome\r\n"
        client.write(b"HELO me\r\n")
        assert await server.exactly(9) == b"HELO me\r\n"


@pytest.mark.parametrize("leave", ["close", "abort"])
@pytest.mark.parametrize("side", ["client", "server"])
async def test_who_leaves_a_tunnel_closes_it(side: str, leave: str) -> None:
    async with world(half_close_timeout=0.001) as w:
        origin = w.origin("raw.test", 2000)
        client = w.client()
        client.write(CONNECT + b"\x00raw")
        await client.head()
        server = await origin.accept()
        await server.exactly(4)
        left, right = (client, server) if side == "client" else (server, client)
        getattr(left, leave)()
        assert await right.rest() == b""
        right.close()
        await w.ended()


async def test_plain_http_in_a_tunnel_is_seen_and_goes_where_the_tunnel_goes() -> None:
    """5.2.44: whatever Host says."""
    recorder = Recorder()
    async with world(addons=[recorder]) as w:
        origin = w.origin("raw.test", 2000)
        client = w.client()
        client.write(CONNECT + b"\r\n" + GET)  # some clients send an empty line after CONNECT: 5.2.43
        await client.head()
        server = await origin.accept()
        for _ in range(2):
            assert await server.head() == GET
            server.write(OK)
            assert await client.message() == OK
            client.write(GET)
        flow = (await w.ended())[0]
        assert isinstance(flow, HTTPFlow)
        assert flow.request.url == "http://raw.test:2000/inside"
        assert flow.request.host_header == "other.test"
    assert recorder.hooks[:5] == ["requestheaders", "request", "responseheaders", "response", "flow_end"]


async def test_plain_http_in_an_ignored_tunnel_is_not_looked_at() -> None:
    recorder = Recorder()
    odd = GET.replace(b"Host: ", b"host :")
    async with world(addons=[recorder], ignore_hosts=[r"raw\.test:2000"]) as w:
        origin = w.origin("raw.test", 2000)
        client = w.client()
        client.write(CONNECT + odd)
        await client.head()
        server = await origin.accept()
        assert await server.exactly(len(odd)) == odd
    assert "requestheaders" not in recorder.hooks


async def test_connect_within_a_tunnel_is_for_another_proxy() -> None:
    """So it passes as it is."""
    async with world() as w:
        origin = w.origin("raw.test", 2000)
        client = w.client()
        client.write(CONNECT + CONNECT)
        await client.head()
        assert await (await origin.accept()).head() == CONNECT


async def test_connect_to_a_dead_port_when_dialled_ahead_is_502_with_the_reason() -> None:
    """5.2.41 and 5.2.42."""
    connects = Connects()
    async with world(addons=[connects], connection_strategy="eager") as w:
        w.network.unknown.add("nowhere.test")
        client = w.client()
        client.write(CONNECT)
        answer = await client.rest()
        assert answer.startswith(b"HTTP/1.1 502 ")
        assert b"Connection refused" in answer
        client = w.client()
        client.write(CONNECT.replace(b"raw", b"nowhere"))
        assert b"cannot resolve 'nowhere.test'" in await client.rest()
    assert connects.hooks[0] == "http_connect"
    assert "Connection refused" in connects.hooks[1]
    assert connects.hooks[2] == "flow_end"


async def test_connect_to_a_dead_port_when_lazy_is_told_inside() -> None:
    """5.2.41: plain HTTP inside gets the 502, anything else a reset."""
    async with world() as w:
        client = w.client()
        client.write(CONNECT + GET)
        assert (await client.head()).startswith(b"HTTP/1.1 200 ")
        answer = await client.rest()
        assert answer.startswith(b"HTTP/1.1 502 ")
        assert b"Connection refused" in answer
        client = w.client()
        client.write(CONNECT + b"\x00raw")
        await client.head()
        assert await client.rest() == b""
        assert client.reset


async def test_what_was_dialled_ahead_is_used_or_closed() -> None:
    """5.2.41."""
    async with world(connection_strategy="eager") as w:
        origin = w.origin("raw.test", 2000)
        client = w.client()
        client.write(CONNECT)
        await client.head()
        server = await origin.accept()
        client.write(GET)
        assert await server.head() == GET
        unused = w.client()
        unused.write(CONNECT)
        await unused.head()
        server = await origin.accept()
        unused.close()
        assert await server.rest() == b""
        assert len(w.network.dialled) == 2


async def test_connect_to_the_proxy_itself_is_refused_as_a_loop() -> None:
    """5.1.4."""
    async with world(connection_strategy="eager") as w:
        client = w.client()
        client.write(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\nHost: x\r\n\r\n" % w.proxy.address[1])
        assert b"this proxy itself" in await client.rest()


async def test_a_request_after_a_refused_connect_is_served() -> None:
    """5.2.46."""
    async with world(addons=[Refuses(Response.make(403))]) as w:
        origin = w.origin()
        client = w.client()
        client.write(CONNECT + b"GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\n")
        assert (await client.message()).startswith(b"HTTP/1.1 403 ")
        server = await origin.accept()
        server.write(OK)
        assert await client.message() == OK


async def test_a_client_that_an_addon_refuses_is_closed_before_it_is_heard() -> None:
    """5.2.55."""

    class Refuse:
        def client_connected(self, client: object) -> None:
            client.error = "not you"  # type: ignore[attr-defined]

    async with world(addons=[Refuse()]) as w:
        client = w.client()
        client.write(CONNECT)
        assert await client.rest() == b""
        await asyncio.sleep(0)
        assert w.flows == []
