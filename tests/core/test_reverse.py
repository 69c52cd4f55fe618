"""Reverse proxies: everything goes to one server, whatever clients ask for."""

from __future__ import annotations

from typing import Any

import pytest

from proxyfw.http import HTTPFlow
from proxyfw.tcp import TCPFlow
from proxyfw.testing import world

GET = b"GET /a HTTP/1.1\r\nX: 1\r\nhOsT: front.example\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


@pytest.mark.parametrize(
    ("mode", "host", "address"),
    [
        ("reverse:http://example.com", b"example.com", ("example.com", 80)),
        ("reverse:http://example.com:8000", b"example.com:8000", ("example.com", 8000)),
        ("reverse:http://[2001:db8::1]:8000", b"[2001:db8::1]:8000", ("2001:db8::1", 8000)),
        ("reverse:http://[2001:db8::1]", b"[2001:db8::1]", ("2001:db8::1", 80)),
    ],
)
async def test_host_becomes_the_target(mode: str, host: bytes, address: tuple[str, int]) -> None:
    """5.2.51: in its place and its case; IPv6 literals are bracketed."""
    async with world(mode=[mode]) as w:
        if ":" in address[0]:
            w.network.hosts[address[0]] = [address[0]]
        origin, client = w.origin(*address), w.client()
        client.write(GET)
        server = await origin.accept()
        assert await server.head() == b"GET /a HTTP/1.1\r\nX: 1\r\nhOsT: %b\r\n\r\n" % host
        server.write(OK)
        assert await client.message() == OK
        (flow,) = await w.ended()
        assert isinstance(flow, HTTPFlow)
        assert (flow.request.host, flow.request.port) == address
        assert flow.request.pretty_url == f"http://{host.decode()}/a"
        assert flow.client_conn.proxy_mode == str(w.proxy.options.mode[0]).replace(
            host.decode(), f"{host.decode()}:80" if address[1] == 80 else host.decode()
        )


async def test_host_is_kept_on_request() -> None:
    """5.2.51."""
    async with world(mode=["reverse:http://example.com"], keep_host_header=True) as w:
        origin, client = w.origin(), w.client()
        client.write(GET)
        assert await (await origin.accept()).head() == GET


async def test_requests_for_elsewhere_and_without_host_go_to_the_target() -> None:
    async with world(mode=["reverse:http://example.com"]) as w:
        origin, client = w.origin(), w.client()
        client.write(b"GET http://elsewhere.example:99/x HTTP/1.1\r\nHost: elsewhere.example:99\r\n\r\n")
        server = await origin.accept()
        assert await server.head() == b"GET /x HTTP/1.1\r\nHost: example.com\r\n\r\n"
        server.write(OK)
        await client.message()
        client.write(b"GET /y HTTP/1.0\r\n\r\n")
        assert b"Host: example.com\r\n" in await server.head()
        assert len(w.network.dialled) == 1


async def test_connect_is_not_a_way_out() -> None:
    async with world(mode=["reverse:http://example.com"]) as w:
        w.origin("elsewhere.example", 443)
        client = w.client()
        client.write(b"CONNECT elsewhere.example:443 HTTP/1.1\r\nHost: elsewhere.example:443\r\n\r\n")
        assert not (await client.head()).startswith(b"HTTP/1.1 2")
        assert ("192.0.2.2", 443) not in w.network.dialled


async def test_credentials_for_the_server() -> None:
    async with world(mode=["reverse:http://example.com"], upstream_auth="u:pw") as w:
        origin, client = w.origin(), w.client()
        client.write(GET)
        assert b"Authorization: Basic dTpwdw==\r\n" in await (await origin.accept()).head()


async def test_an_addon_may_send_a_request_elsewhere() -> None:
    class Addon:
        def request(self, flow: HTTPFlow) -> None:
            flow.request.host = "other.example"

    async with world(mode=["reverse:http://example.com"], addons=[Addon()]) as w:
        other, client = w.origin("other.example"), w.client()
        client.write(GET)
        await (await other.accept()).head()


async def test_a_target_that_is_the_proxy_itself() -> None:
    async with world(mode=["reverse:http://localhost:8080"]) as w:
        client = w.client()
        client.write(GET)
        assert b"is this proxy itself" in await client.message()


async def test_raw_bytes_though_they_look_like_something() -> None:
    class Addon:
        flow: Any = None

        def tcp_start(self, flow: TCPFlow) -> None:
            self.flow = flow

    async with world(mode=["reverse:tcp://db.example:5432"], addons=[addon := Addon()]) as w:
        origin, client = w.origin("db.example", 5432), w.client()
        client.write(b"\x16\x03\x01GET / HTTP/1.1\r\n\r\n")
        server = await origin.accept()
        assert await server.exactly(21) == b"\x16\x03\x01GET / HTTP/1.1\r\n\r\n"
        server.write(b"answer")
        assert await client.exactly(6) == b"answer"
        assert addon.flow.server_conn.address == ("db.example", 5432)


async def test_the_server_speaks_first_at_once() -> None:
    """5.2.44: a raw target is connected to before the client has said anything."""
    async with world(mode=["reverse:tcp://smtp.example:25"], sniff_timeout=1000) as w:
        origin, client = w.origin("smtp.example", 25), w.client()
        (await origin.accept()).write(b"220 hi\r\n")
        assert await client.exactly(8) == b"220 hi\r\n"
