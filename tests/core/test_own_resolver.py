"""Addons that resolve names in their own way for the connections the proxy makes. Feature check 44."""

from __future__ import annotations

import pytest

from proxyfw.connection import ServerConnectionHookData
from proxyfw.testing import world

GET = b"GET http://app.test/ HTTP/1.1\r\nHost: app.test\r\n\r\n"
CONNECT = b"CONNECT app.test:443 HTTP/1.1\r\nHost: app.test:443\r\n\r\n"


class Map:
    def __init__(self, *addresses: tuple[str, int]) -> None:
        self.addresses = list(addresses)

    async def server_connect(self, data: ServerConnectionHookData) -> None:
        if data.server.address and data.server.address[0] == "app.test":
            data.addresses = self.addresses


async def test_a_name_that_does_not_exist_leads_where_an_addon_says() -> None:
    """features 44."""
    async with world(addons=[Map(("10.0.0.5", 8000))]) as w:
        w.network.unknown.add("app.test")
        w.network.hosts["other.test"] = ["10.0.0.5"]
        origin = w.origin("other.test", 8000)
        client = w.client()
        client.write(GET)
        server = await origin.accept()
        assert await server.head() == b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n"
        server.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        await client.head()
        (flow,) = await w.ended()
        assert flow.server_conn.address == ("app.test", 80)
        assert flow.server_conn.peername == ("10.0.0.5", 8000)


async def test_no_address_at_all_is_an_answer_that_says_so() -> None:
    async with world(addons=[Map()]) as w:
        client = w.client()
        client.write(GET)
        assert b"an addon left no address for app.test:80" in await client.rest()
        assert w.network.dialled == []


async def test_the_proxy_itself_is_no_destination() -> None:
    async with world(listen_port=8080) as w:
        w.proxy.addons.add(Map(w.proxy.address))
        client = w.client()
        client.write(GET)
        assert b"this proxy itself" in await client.rest()


@pytest.mark.parametrize("scheme", ["http", "socks5", "socks5h"])
async def test_an_upstream_proxy_is_asked_for_the_address(scheme: str) -> None:
    async with world(addons=[Map(("10.0.0.5", 443))], mode=[f"upstream:{scheme}://up.test:3128"]) as w:
        w.network.unknown.add("app.test")
        upstream = w.origin("up.test", 3128)
        client = w.client()
        client.write(CONNECT)
        await client.head()
        client.write(b"\0raw")
        asked = await upstream.accept()
        if scheme == "http":
            assert (await asked.head()).startswith(b"CONNECT 10.0.0.5:443 ")
        else:
            await asked.exactly(3)
            asked.write(b"\5\0")
            assert await asked.exactly(10) == b"\5\1\0\1\x0a\0\0\5\x01\xbb"
