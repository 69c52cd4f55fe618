"""The pages about commands, and about held, replayed and injected flows, do what they say."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tree import ROOT, snippets

from proxyfw import command, ctx, hookspecs
from proxyfw.commands.flows import SELECTORS
from proxyfw.exceptions import CommandError
from proxyfw.flow import Flow
from proxyfw.http import HTTPFlow, Request
from proxyfw.testing import http_flow, websocket_flow, world

Write = Callable[[str, int], str]
COMMANDS, HOLD = "docs/howto/commands.md", "docs/howto/hold-replay-inject.md"


def text(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


@pytest.fixture
def script(tmp_path: Path) -> Write:
    """Writes a snippet of a page into a file."""

    def write(page: str, number: int) -> str:
        path = tmp_path / "script.py"
        path.write_text(snippets(page)[number])
        return str(path)

    return write


async def test_the_shop(script: Write) -> None:
    path = script(COMMANDS, 0)
    flow = http_flow(Request.make("POST", "http://shop.example/"))
    async with world(scripts=[path], addons=["view"]) as w:
        view: Any = w.proxy.addons.get("view")
        view.add([flow, http_flow()])
        commands = w.proxy.commands
        assert commands.call("shop.total", [flow], "SEK") == "2 SEK"
        assert commands.call_strings("shop.total", ["@all", "SEK"]) == "4 SEK"
        assert commands.execute("shop.total @all SEK") == "4 SEK"
        assert commands.execute("shop.total '~m POST & ~d shop.example' SEK") == "2 SEK"
        with pytest.raises(CommandError, match="none of EUR, SEK"):
            commands.execute("shop.pay USD")
        with pytest.raises(CommandError) as caught:
            commands.execute("shop.total '~m POST & ~x' SEK")
    assert f"```text\n{caught.value}\n```" in text(COMMANDS)


async def test_the_price(script: Write, caplog: pytest.LogCaptureFixture) -> None:
    class Shop:
        @command.command("shop.price")
        async def price(self, flow: Flow) -> int:
            return 7

    path = script(COMMANDS, 1)
    caplog.set_level("INFO")
    flow = http_flow()
    async with world(scripts=[path], addons=[Shop()]) as w:
        with ctx.use(w.proxy):
            await w.proxy.addons.call(hookspecs.flow_end, flow)
        await w.proxy.commands.call("shop.price", flow)
        await asyncio.sleep(0)
    assert f"{flow.id}: 7" in caplog.text


async def test_the_failures(script: Write) -> None:
    path = script(COMMANDS, 2)
    async with world(scripts=[path], addons=["flows"]) as w:
        flow = http_flow(error="no route")
        await w.proxy.addons.call(hookspecs.error, flow)
        w.proxy.commands.execute("flow.mark @all !")
        assert flow.marked == "!"
        w.proxy.options.scripts = []
        assert w.proxy.commands.flows.select("@all") == []


def test_every_selector_is_explained() -> None:
    for selector in SELECTORS:
        assert f"`{selector}`" in text(COMMANDS)


async def test_the_script_that_holds(script: Write) -> None:
    path = script(HOLD, 0)
    async with world(scripts=[path]) as w:
        for status in (200, 503):
            flow = http_flow(response=status)
            await w.proxy.addons.call(hookspecs.response, flow)
            assert flow.intercepted == (status == 503)


async def test_the_script_that_replays(script: Write) -> None:
    path = script(HOLD, 1)
    async with world(scripts=[path], addons=["replay"]) as w:
        origin, client = w.origin(), w.client()
        client.write(b"GET http://example.com/?page=1 HTTP/1.1\r\nHost: example.com\r\n\r\n")
        server = await origin.accept()
        assert (await server.head()).startswith(b"GET /?page=1 ")
        server.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await client.head()
        asked = await (await origin.accept() if len(w.network.dialled) > 1 else server).head()
        assert asked.startswith(b"GET /?page=2 ")


async def test_the_script_that_injects(script: Write) -> None:
    class Injector:
        def __init__(self) -> None:
            self.sent: list[Any] = []

        def inject(self, message: Any) -> None:
            self.sent.append((message.content, message.from_client, message.injected))

    path = script(HOLD, 2)
    flow, injector = websocket_flow((True, "ping")), Injector()
    assert flow.websocket
    flow.live, flow.websocket.injector = True, injector
    async with world(scripts=[path], addons=["inject"]) as w:
        with ctx.use(w.proxy):
            await w.proxy.addons.call(hookspecs.websocket_message, flow)
        assert flow.addon_errors == []
    assert injector.sent == [(b"pong, says the proxy", False, True)]


async def test_the_commands_of_the_table_can_be_called() -> None:
    page = text(HOLD)
    async with world(default_addons=("flows", "intercept", "replay", "inject")) as w:
        w.proxy.addons.dormant.wake_all()
        known = json.dumps(sorted(w.proxy.commands.commands))
        for name in ("intercept.pending", "flow.set", "flow.resume", "flow.kill", "flow.respond"):
            assert f"`{name}" in page
            assert f'"{name}"' in known
        flow = http_flow(response=None, intercepted=True, live=True)
        w.proxy.commands.call("flow.respond", [flow], 418, b"short and stout", "X-By: hand")
        assert isinstance(flow, HTTPFlow)
        assert flow.response
        assert flow.response.headers["x-by"] == "hand"
