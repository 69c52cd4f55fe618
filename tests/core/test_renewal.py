"""Connections in the pool are made anew when an addon says that they lead elsewhere now. Feature check 44."""

from __future__ import annotations

import pytest
from http2_ends import h2_client, h2_origin

from proxyfw import ctx
from proxyfw.connection import ServerConnectionHookData
from proxyfw.exceptions import ConnectError
from proxyfw.testing import End, Origin, World, world

GET = b"GET http://app.test/ HTTP/1.1\r\nHost: app.test\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Map:
    """Sends *host* elsewhere, as long as it is on."""

    def __init__(self, host: str, *renewed: str) -> None:
        self._host = host
        self._on = False
        self._renewed = renewed

    def toggle(self, w: World) -> None:
        with ctx.use(w.proxy):
            self._on = not self._on
            ctx.proxy.renew_connections(*self._renewed)

    def server_connect(self, data: ServerConnectionHookData) -> None:
        if self._on and data.server.address and data.server.address[0] == self._host:
            data.addresses = [("192.0.2.99", data.server.address[1])]


def elsewhere(w: World, port: int = 80) -> Origin:
    w.network.hosts["mapped.test"] = ["192.0.2.99"]
    return w.origin("mapped.test", port)


async def answered(client: End, origin: Origin | End, request: bytes = GET) -> End:
    """Ask; the connection on which *origin* has answered."""
    client.write(request)
    server = origin if isinstance(origin, End) else await origin.accept()
    assert (await server.head()).startswith(b"GET / HTTP/1.1\r\n")
    server.write(OK)
    assert (await client.message()).endswith(b"ok")
    return server


@pytest.mark.parametrize("renewed", [("app.test",), (), ("other.test", "app.test")])
async def test_a_mapping_holds_at_once_and_ends_at_once(renewed: tuple[str, ...]) -> None:
    """features 44: though connections to both places are kept."""
    async with world(addons=[addon := Map("app.test", *renewed)]) as w:
        here, there = w.origin("app.test"), elsewhere(w)
        client = w.client()
        first = await answered(client, here)
        await answered(client, first)
        addon.toggle(w)
        assert await first.rest() == b""
        second = await answered(client, there)
        await answered(client, second)
        addon.toggle(w)
        assert await second.rest() == b""
        await answered(client, here)


async def test_other_hosts_are_left_alone() -> None:
    async with world(addons=[addon := Map("app.test", "app.test")]) as w:
        other, client = w.origin("other.test"), w.client()
        request = GET.replace(b"app.test", b"other.test")
        server = await answered(client, other, request)
        addon.toggle(w)
        await answered(client, server, request)


async def test_what_is_under_way_is_completed_and_its_connection_not_used_again() -> None:
    async with world(addons=[addon := Map("app.test", "app.test")]) as w:
        here, there, client = w.origin("app.test"), elsewhere(w), w.client()
        client.write(GET)
        server = await here.accept()
        await server.head()
        addon.toggle(w)
        server.write(OK)
        assert (await client.message()).endswith(b"ok")
        assert await server.rest() == b""
        await answered(client, there)


async def test_a_connection_that_was_being_made_is_not_used_again() -> None:
    """It was asked for before, and came about after."""
    async with world(addons=[addon := Map("app.test", "app.test")]) as w:
        here, there, client = w.origin("app.test"), elsewhere(w), w.client()
        gate = w.gate("server_connected")
        client.write(GET)
        await gate.reached()
        addon.toggle(w)
        gate.release()
        server = await here.accept()
        await server.head()
        server.write(OK)
        await client.message()
        await answered(client, there)


async def test_http2_connections_end_when_they_are_done() -> None:
    async with world(addons=[addon := Map("example.com", "example.com")], ssl_insecure=True) as w:
        here, there = w.origin("example.com", 443), elsewhere(w, 443)
        client = await h2_client(w)
        slow = client.ask()
        server = await h2_origin(here)
        number, _ = await server.asked()
        addon.toggle(w)
        stream_id = client.ask()
        mapped = await h2_origin(there)
        other, _ = await mapped.asked()
        mapped.answer(other, b"mapped")
        assert (await client.whole(stream_id)).body == b"mapped"
        server.answer(number, b"as it was")
        assert (await client.whole(slow)).body == b"as it was"
        await server.until(lambda: server.gone)


async def test_a_connection_that_was_made_ahead_is_not_used() -> None:
    async with world(addons=[addon := Map("app.test", "app.test")], connection_strategy="eager") as w:
        here, there, client = w.origin("app.test"), elsewhere(w), w.client()
        client.write(b"CONNECT app.test:80 HTTP/1.1\r\nHost: app.test:80\r\n\r\n")
        await client.head()
        ahead = await here.accept()
        addon.toggle(w)
        assert await ahead.rest() == b""
        await answered(client, there, b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n")


async def test_many_hosts_cost_little() -> None:
    async with world() as w:
        origin, client = w.origin("app.test"), w.client()
        server = await answered(client, origin)
        for number in range(5000):
            w.proxy.renew_connections(f"host{number}.test")
        assert await server.rest() == b""  # they are too many to be told apart
        await answered(client, origin)


async def test_resolving_tells_the_truth() -> None:
    """features 44."""
    async with world() as w:
        w.network.hosts["app.test"] = ["192.0.2.7", "2001:db8::7"]
        w.network.unknown.add("nowhere.test")
        assert await w.proxy.resolve("app.test") == ["192.0.2.7", "2001:db8::7"]
        with pytest.raises(ConnectError, match=r"nowhere\.test"):
            await w.proxy.resolve("nowhere.test")


async def test_a_proxy_that_does_not_run_has_no_connections() -> None:
    async with world() as w:
        proxy = w.proxy
    proxy.renew_connections("app.test")
