"""Server-sent events between real peers: an aiohttp server, curl and httpx, with rules at work."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import pytest
from aiohttp import web
from ends import PATIENCE, Field

from proxyfw.addonmanager import Loader
from proxyfw.http import HTTPFlow
from proxyfw.rules import Action, Hit
from proxyfw.sse import ServerSentEvent

pytestmark = pytest.mark.end_to_end


@dataclass
class Edit(Action):
    """Drop events by name, and replace text in others."""

    drop: str
    old: str
    new: str

    def sse_event(self, flow: HTTPFlow, event: ServerSentEvent, hit: Hit) -> None:
        if event.event == self.drop:
            event.drop()
        event.data = event.data.replace(self.old, self.new)


class Editing:
    def load(self, loader: Loader) -> None:
        loader.add_action("edit", Edit)


RULES = [
    {"match": {"path": "/events"}, "action": {"type": "edit", "drop": "noise", "old": "secret", "new": "*"}}
]


@asynccontextmanager
async def event_source(received: asyncio.Event) -> AsyncIterator[str]:
    """The URL of a stream whose second part is sent only after the first one has been *received*."""

    async def events(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"event: hello\ndata: a secret\n\n")
        await received.wait()
        await response.write(b"event: noise\ndata: x\n\ndata: last\n\n")
        return response

    app = web.Application()
    app.router.add_get("/events", events)
    runner = web.AppRunner(app, shutdown_timeout=PATIENCE)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}/events"
    finally:
        received.set()
        await runner.cleanup()


async def with_curl(proxy: str, url: str, got_first: Callable[[], None]) -> bytes:
    process = await asyncio.create_subprocess_exec(
        "curl", "-sN", "--max-time", str(PATIENCE), "-x", proxy, url, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout
    first = await process.stdout.readuntil(b"\n\n")
    got_first()
    rest = await process.stdout.read()
    assert await process.wait() == 0
    return first + rest


async def with_httpx(proxy: str, url: str, got_first: Callable[[], None]) -> bytes:
    body = b""
    async with (
        httpx.AsyncClient(proxy=proxy, timeout=PATIENCE) as client,
        client.stream("GET", url) as response,
    ):
        async for piece in response.aiter_bytes():
            body += piece
            if b"\n\n" in body:
                got_first()
    return body


@pytest.mark.parametrize("fetch", [with_curl, with_httpx])
async def test_the_first_event_arrives_at_once_and_rules_see_each(
    field: Field, fetch: Callable[[str, str, Callable[[], None]], Awaitable[bytes]]
) -> None:
    """features 69 and 70: nothing more is sent before the client has the first event."""
    if fetch is with_curl and not shutil.which("curl"):
        pytest.skip("needs curl")
    received = asyncio.Event()
    proxy = await field.proxy(Editing())
    book = proxy.addons.rules
    book.provide("test", book.read(RULES))
    async with event_source(received) as url, asyncio.timeout(PATIENCE):
        body = await fetch(proxy.url, url, received.set)
    assert body == b"event: hello\ndata: a *\n\ndata: last\n\n"
