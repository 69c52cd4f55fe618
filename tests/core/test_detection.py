"""The table of proxyfw/core/detect.py, and the transparent mode, which lives by it."""

from __future__ import annotations

from typing import Any

import pytest

from proxyfw.hookspecs import NextLayer
from proxyfw.http import HTTPFlow
from proxyfw.protocol.detect import Speech
from proxyfw.testing import End, World, world

CONNECT = b"CONNECT example.com:80 HTTP/1.1\r\nHost: example.com:80\r\n\r\n"
GET = b"GET /a HTTP/1.1\r\nHost: example.com\r\n\r\n"
RAW = b"\x00\x01\x02"


async def seen_as_http(w: World, client: End, first: bytes = GET) -> bool:
    """Send *first* into a tunnel; whether the proxy reads it as a request, or carries it unseen."""
    origin = w.origin()
    client.write(CONNECT)
    await client.head()
    client.write(first)
    server = await origin.accept()
    assert await server.exactly(len(first)) == first
    server.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    await client.head()
    return any(isinstance(flow, HTTPFlow) and flow.request.method == "GET" for flow in w.flows)


@pytest.mark.parametrize(
    ("options", "http"),
    [
        ({}, True),
        ({"ignore_hosts": ["example"]}, False),
        ({"ignore_hosts": ["other"]}, True),
        ({"allow_hosts": ["other"]}, False),
        ({"allow_hosts": ["example"]}, True),
        ({"tcp_hosts": [":80$"]}, False),
    ],
)
async def test_options(options: dict[str, Any], http: bool) -> None:
    async with world(**options) as w:
        assert await seen_as_http(w, w.client()) is http


@pytest.mark.parametrize(
    ("layer", "http"),
    [
        ("http", True), ("tcp", False), ("ignored", False),
        (Speech.OTHER, False), (Speech.HTTP, True), (None, True),
    ],
)  # fmt: skip
async def test_next_layer_is_asked_first(layer: Any, http: bool) -> None:
    """An addon overrides even what the options say."""

    class Addon:
        seen: Any = None

        def next_layer(self, nextlayer: NextLayer) -> None:
            self.seen = (nextlayer.data_client(), nextlayer.layers, nextlayer.server)
            nextlayer.layer = layer

    options = {"ignore_hosts": ["example"]} if layer == "http" else {}
    async with world(addons=[addon := Addon()], **options) as w:
        assert await seen_as_http(w, w.client()) is http
        data, layers, server = addon.seen
        assert data == GET
        assert layers == ()
        assert server.address == ("example.com", 80)


async def test_a_layer_that_does_not_exist_is_an_error_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    class Addon:
        def next_layer(self, nextlayer: NextLayer) -> None:
            nextlayer.layer = "gopher"

    async with world(addons=[Addon()]) as w:
        assert await seen_as_http(w, w.client())
    assert "'gopher', which is none of 'tls', 'http', 'tcp', 'ignored'" in caplog.text


async def test_a_silent_client_is_no_reason_to_wait_with_next_layer() -> None:
    class Addon:
        def next_layer(self, nextlayer: NextLayer) -> None:
            assert nextlayer.data_client() == b""
            nextlayer.layer = "tcp"

    async with world(addons=[Addon()], sniff_timeout=0.01) as w:
        origin, client = w.origin(), w.client()
        client.write(CONNECT)
        await client.head()
        (await origin.accept()).write(b"220 hi")
        assert await client.exactly(6) == b"220 hi"


# Transparent


async def test_a_redirected_request_goes_to_where_it_was_going() -> None:
    async with world(mode=["transparent"]) as w:
        w.network.hosts["192.0.2.9"] = ["192.0.2.9"]
        w.network.redirected_from = ("192.0.2.9", 80)
        origin, client = w.origin("192.0.2.9"), w.client()
        client.write(GET)
        server = await origin.accept()
        assert await server.head() == GET
        server.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await client.message()
        (flow,) = await w.ended()
        assert isinstance(flow, HTTPFlow)
        assert flow.request.host == "192.0.2.9"
        assert flow.request.pretty_host == "example.com"


async def test_redirected_raw_bytes() -> None:
    async with world(mode=["transparent"]) as w:
        w.network.redirected_from = ("192.0.2.9", 22)
        w.network.hosts["192.0.2.9"] = ["192.0.2.9"]
        origin, client = w.origin("192.0.2.9", 22), w.client()
        client.write(RAW)
        assert await (await origin.accept()).exactly(3) == RAW


async def test_a_client_that_means_the_proxy_itself_does_not_go_round_in_a_loop() -> None:
    async with world(mode=["transparent"]) as w:
        w.network.redirected_from = w.proxy.address
        client = w.client()
        client.write(GET)
        assert b"is this proxy itself" in await client.message()


async def test_a_connection_that_was_not_redirected_is_closed_with_the_reason(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level("INFO"):
        async with world(mode=["transparent"]) as w:
            client = w.client()
            assert await client.rest() == b""
    assert "was not redirected" in caplog.text
