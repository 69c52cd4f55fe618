"""WebSocket with hypercorn as an origin, which takes it over HTTP/2. RFC 8441."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
import pytest
from ends import PATIENCE, Field
from hypercorn.asyncio import serve
from hypercorn.config import Config
from websockets.asyncio.client import connect

from proxyfw.http import HTTPFlow
from proxyfw.proxy import Proxy

pytestmark = pytest.mark.end_to_end


async def echo(scope: Any, receive: Callable[[], Any], send: Callable[[Any], Any]) -> None:
    """An ASGI application that says every message again, after what it was asked for."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": scope["http_version"].encode()})
        return
    while (event := await receive())["type"] != "websocket.disconnect":
        if event["type"] == "websocket.connect":
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.send", "text": f"{scope['http_version']} {scope['path']}"})
        else:
            await send({"type": "websocket.send", "text": event.get("text"), "bytes": event.get("bytes")})


@asynccontextmanager
async def hypercorn(field: Field) -> AsyncIterator[int]:
    """The port of a server that offers h2 only."""
    config = Config()
    pem = field.file(field.authority.issue(["example.test"]).to_pem())
    config.certfile = config.keyfile = str(pem)
    config.alpn_protocols = ["h2"]
    port = await field.unused_port()
    config.bind = [f"127.0.0.1:{port}"]
    config.loglevel = "ERROR"
    ending, up = asyncio.Event(), asyncio.Event()

    async def app(scope: Any, receive: Callable[[], Any], send: Callable[[Any], Any]) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            up.set()
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
        else:
            await echo(scope, receive, send)

    serving = asyncio.create_task(serve(app, config, shutdown_trigger=ending.wait))
    try:
        async with asyncio.timeout(PATIENCE):
            await up.wait()
            yield port
    finally:
        ending.set()
        with suppress(Exception):  # it stumbles over the END_STREAM of a socket that it has ended before us
            await serving


class Watcher:
    """Keeps the flows of WebSockets."""

    def __init__(self) -> None:
        self.flows: list[HTTPFlow] = []

    def websocket_end(self, flow: HTTPFlow) -> None:
        self.flows.append(flow)


class Knows:
    """Has flows go to where HTTP/2 is spoken."""

    def request(self, flow: HTTPFlow) -> None:
        flow.server_conn.alpn_offers = (b"h2",)


async def talk(field: Field, proxy: Proxy, port: int) -> str:
    """Say something on a WebSocket and be answered the same; the version that the origin was asked in."""
    url = f"wss://example.test:{port}/socket"
    async with connect(url, ssl=field.trust(proxy), proxy=proxy.url) as client:
        version = str(await client.recv()).removesuffix(" /socket")
        for said in ("text", b"binary", "x" * 100_000):
            await client.send(said)
            assert await client.recv() == said
        return version


async def test_sockets_to_an_origin_that_was_not_met_before(field: Field) -> None:
    """mitmproxy 5.4.85: a client in HTTP/1.1, and an origin in HTTP/2."""
    watcher = Watcher()
    proxy = await field.proxy(Knows(), watcher)
    async with hypercorn(field) as port:
        assert await talk(field, proxy, port) == "2"
    [flow] = watcher.flows
    assert flow.server_conn.alpn == b"h2"
    assert flow.websocket
    assert [message.from_client for message in flow.websocket.messages] == [False, *[True, False] * 3]


async def test_an_origin_that_names_http2_and_knows_more(field: Field) -> None:
    """It is asked in HTTP/1.1, which it understands, until a connection in HTTP/2 is there anyway."""
    proxy = await field.proxy()
    async with hypercorn(field) as port:
        assert await talk(field, proxy, port) == "1.1"
        async with httpx.AsyncClient(proxy=proxy.url, verify=field.trust(proxy), http2=True) as http:
            assert (await http.get(f"https://example.test:{port}/")).text == "2"
        assert await talk(field, proxy, port) == "2"
