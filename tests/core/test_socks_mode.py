"""The SOCKS 5 entrance: who is let in, where they go, and what they are told when they cannot."""

from __future__ import annotations

import logging

import pytest

from proxyfw.hookspecs import Socks5AuthData
from proxyfw.http import HTTPFlow, Response
from proxyfw.testing import End, world

HELLO = b"\x05\x01\x00"
GRANTED = b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"
TO_NAME = b"\x05\x01\x00\x03\x0bexample.com\x00\x50"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


class Guard:
    """Lets `user` in with `secret`; and whoever has no name, if *anonymous*."""

    def __init__(self, anonymous: bool = False) -> None:
        self.anonymous = anonymous
        self.asked: list[tuple[str, str]] = []

    async def socks5_auth(self, data: Socks5AuthData) -> None:
        self.asked.append((data.username, data.password))
        data.valid = self.asked[-1] == ("user", "secret") or (self.anonymous and not data.username)


async def ask(client: End, request: bytes = TO_NAME) -> bytes:
    client.write(HELLO)
    assert await client.exactly(2) == b"\x05\x00"
    client.write(request)
    return await client.exactly(10)


@pytest.mark.parametrize(
    ("request_", "host"),
    [
        (TO_NAME, "example.com"),
        (b"\x05\x01\x00\x01\xc0\x00\x02\x63\x00\x50", "192.0.2.99"),
        (b"\x05\x01\x00\x04\x20\x01\x0d\xb8" + bytes(11) + b"\x01\x00\x50", "2001:db8::1"),
    ],
)
async def test_names_and_addresses(request_: bytes, host: str) -> None:
    """5.2.50: HTTP inside is seen as HTTP."""
    async with world(mode=["socks5"]) as w:
        if host[0].isdigit():
            w.network.hosts[host] = [host]
        origin, client = w.origin(host), w.client()
        assert await ask(client, request_) == GRANTED
        client.write(b"GET /a HTTP/1.1\r\nHost: name.example\r\n\r\n")
        server = await origin.accept()
        assert await server.head() == b"GET /a HTTP/1.1\r\nHost: name.example\r\n\r\n"
        server.write(OK)
        assert await client.message() == OK
        (flow,) = await w.ended()
        assert isinstance(flow, HTTPFlow)
        assert flow.request.host == host
        assert flow.client_conn.proxy_mode == "socks5"


async def test_everything_at_once_and_raw_bytes() -> None:
    async with world(mode=["socks5"]) as w:
        origin, client = w.origin(), w.client()
        client.write(HELLO + TO_NAME + b"\x00raw")
        server = await origin.accept()
        assert await server.exactly(4) == b"\x00raw"
        server.write(b"answer")
        assert await client.exactly(18) == b"\x05\x00" + GRANTED + b"answer"


async def test_the_server_may_speak_first() -> None:
    """5.2.44."""
    async with world(mode=["socks5"], sniff_timeout=0.01) as w:
        origin, client = w.origin(), w.client()
        assert await ask(client) == GRANTED
        (await origin.accept()).write(b"220 hi")
        assert await client.exactly(6) == b"220 hi"


async def test_user_and_password() -> None:
    """5.2.50."""
    guard = Guard()
    async with world(mode=["socks5"], addons=[guard]) as w:
        w.origin()
        client = w.client()
        client.write(b"\x05\x02\x00\x02")
        assert await client.exactly(2) == b"\x05\x02"
        client.write(b"\x01\x04user\x06secret")
        assert await client.exactly(2) == b"\x01\x00"
        client.write(TO_NAME)
        assert await client.exactly(10) == GRANTED
        assert guard.asked == [("user", "secret")]


async def test_a_wrong_password_closes(caplog: pytest.LogCaptureFixture) -> None:
    async with world(mode=["socks5"], addons=[Guard()]) as w:
        client = w.client()
        client.write(b"\x05\x01\x02\x01\x04user\x05wrong" + TO_NAME)
        assert await client.rest() == b"\x05\x02\x01\x01"
        assert w.network.dialled == []
    assert "user 'user' is not let in" in caplog.text


@pytest.mark.parametrize("anonymous", [False, True])
async def test_an_addon_is_asked_about_clients_without_a_name_too(anonymous: bool) -> None:
    async with world(mode=["socks5"], addons=[Guard(anonymous)]) as w:
        client = w.client()
        client.write(HELLO)
        assert await client.exactly(2) == (b"\x05\x00" if anonymous else b"\x05\xff")
        if not anonymous:
            assert await client.rest() == b""


async def test_a_login_that_nobody_wants_is_accepted() -> None:
    async with world(mode=["socks5"]) as w:
        client = w.client()
        client.write(b"\x05\x01\x02\x01\x01a\x01b")
        assert await client.exactly(4) == b"\x05\x02\x01\x00"


async def test_no_method_in_common() -> None:
    async with world(mode=["socks5"]) as w:
        client = w.client()
        client.write(b"\x05\x01\x01")
        assert await client.rest() == b"\x05\xff"


@pytest.mark.parametrize(
    ("request_", "reply"),
    [
        (b"\x05\x02\x00\x01\x00\x00\x00\x00\x00\x50", b"\x05\x07"),
        (b"\x05\x03\x00\x01\x00\x00\x00\x00\x00\x50", b"\x05\x07"),
        (b"\x05\x01\x00\x02\x00\x00\x00\x00\x00\x00", b"\x05\x08"),
        (b"\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x00", b"\x05\x01"),
    ],
)
async def test_what_is_not_supported_is_answered_and_closed(request_: bytes, reply: bytes) -> None:
    """5.2.50: an unsupported command gets 0x07."""
    async with world(mode=["socks5"]) as w:
        client = w.client()
        assert (await ask(client, request_))[:2] == reply
        assert await client.rest() == b""


@pytest.mark.parametrize(
    ("first", "hint"),
    [(b"GET http://example.com/ HTTP/1.1\r\n\r\n", "looks like HTTP"), (b"\x04\x01", "SOCKS 4")],
)
async def test_a_bad_version_closes_with_a_hint(
    first: bytes, hint: str, caplog: pytest.LogCaptureFixture
) -> None:
    """5.2.50."""
    with caplog.at_level(logging.WARNING):
        async with world(mode=["socks5"]) as w:
            client = w.client()
            client.write(first)
            assert await client.rest() == b""
    assert hint in caplog.text


async def test_eagerly_a_dead_destination_is_told_in_socks() -> None:
    async with world(mode=["socks5"], connection_strategy="eager") as w:
        w.network.unknown.add("example.com")
        assert (await ask(w.client()))[:2] == b"\x05\x04"


async def test_eagerly_the_connection_that_was_dialled_is_used() -> None:
    async with world(mode=["socks5"], connection_strategy="eager") as w:
        origin, client = w.origin(), w.client()
        assert await ask(client) == GRANTED
        client.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await (await origin.accept()).head()
        assert len(w.network.dialled) == 1


async def test_lazily_an_addon_may_answer_for_a_dead_destination() -> None:
    class Mock:
        def request(self, flow: HTTPFlow) -> None:
            flow.response = Response.make(418)

    async with world(mode=["socks5"], addons=[Mock()]) as w:
        client = w.client()
        assert await ask(client) == GRANTED
        client.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await client.message()).startswith(b"HTTP/1.1 418 ")
        assert w.network.dialled == []
