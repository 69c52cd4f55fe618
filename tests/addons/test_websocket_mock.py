"""The websocket_mock addon: what it says, to what, and when it closes."""

from __future__ import annotations

from typing import Any

import pytest

from proxyfw.exceptions import OptionsError
from proxyfw.http import Request
from proxyfw.protocol.websocket import Close, Event, Fragment, WebSocketCodec
from proxyfw.proxy import Proxy
from proxyfw.rules import dry_run
from proxyfw.testing import End, World, http_flow, world
from proxyfw_addons.rules import RuleFiles
from proxyfw_addons.websocket_mock import MockingWebSockets

UPGRADE = (
    b"GET http://chat.example.com/socket HTTP/1.1\r\nHost: chat.example.com\r\nConnection: Upgrade\r\n"
    b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def mocking(match: dict[str, Any] | None = None, /, **action: Any) -> Any:
    rules = [{"name": "it", "match": match or {}, "action": {"type": "websocket_mock", **action}}]
    return world(addons=[MockingWebSockets(), RuleFiles()], rules=rules)


def made(**options: Any) -> Proxy:
    proxy = Proxy(default_addons=(), addons=[MockingWebSockets(), RuleFiles()], **options)
    proxy.addons.rules.check()
    return proxy


class Client:
    """A client that has been accepted."""

    def __init__(self, end: End) -> None:
        self.end = end
        self.codec = WebSocketCodec(True)
        self._events: list[Event] = []

    def text(self, *texts: str) -> None:
        self.end.write(self.codec.send(*[Fragment(text.encode(), True) for text in texts]))

    async def event(self) -> Event:
        while not self._events:
            self._events += self.codec.receive(await self.end.until(bool))
        return self._events.pop(0)

    async def data(self) -> bytes:
        event = await self.event()
        assert isinstance(event, Fragment)
        return event.data


async def opened(w: World) -> Client:
    end = w.client()
    end.write(UPGRADE)
    assert (await end.head()).startswith(b"HTTP/1.1 101 ")
    return Client(end)


async def test_it_echoes_with_no_origin_present() -> None:
    """features 66."""
    async with mocking(echo=True) as w:
        client = await opened(w)
        client.text("one", "two")
        assert [await client.data(), await client.data()] == [b"one", b"two"]
        client.end.abort()
        (flow,) = await w.ended()
        assert flow.trace
        assert flow.trace.answered_by == "it"
        assert w.network.dialled == []


async def test_without_replies_it_only_listens() -> None:
    async with mocking(replies=[{"message": "/^b/", "send": {"text": "a b"}}]) as w:
        client = await opened(w)
        client.text("a", "b")
        assert await client.data() == b"a b"
        client.end.abort()
        await w.ended()


async def test_the_greeting_knows_what_the_url_was() -> None:
    async with mocking({"url": "http://*/socket"}, greeting="this is $1") as w:
        client = await opened(w)
        assert await client.data() == b"this is chat.example.com"
        client.end.abort()
        await w.ended()


async def test_messages_and_the_end_may_come_late() -> None:
    send = [{"json": [1, None], "delay": "1ms"}, {"close": 3001, "delay": "1ms"}, "never"]
    async with mocking(replies=[{"send": send}]) as w:
        client = await opened(w)
        client.text("a")
        assert await client.data() == b"[1, null]"
        assert await client.event() == Close(3001)
        client.end.write(client.codec.send(Close(3001)))
        await w.ended()


async def test_other_requests_go_on() -> None:
    async with mocking(echo=True) as w:
        client = w.client()
        client.write(UPGRADE.replace(b"Upgrade: websocket\r\n", b""))
        assert (await client.message()).startswith(b"HTTP/1.1 502 ")
        assert "note: it matched (the request does not open a WebSocket)" in [
            str(step) for step in (await w.ended())[0].trace or ()
        ]


async def test_the_option() -> None:
    async with world(addons=[MockingWebSockets()], websocket_mock=["ws://chat.example.com/*"]) as w:
        client = await opened(w)
        client.text("one")
        assert await client.data() == b"one"
        client.end.abort()
        await w.ended()
        w.proxy.options.update(websocket_mock=[])
        assert w.proxy.addons.rules.current.hooks == frozenset()


async def test_a_dry_run_says_what_would_be_done() -> None:
    """features 33."""
    proxy = made(websocket_mock=["*"])
    headers = {"Upgrade": "websocket", "Sec-WebSocket-Key": "x"}
    request = Request.make("GET", "https://chat.example.com/", b"", headers)
    trace, _ = await dry_run(proxy.addons.rules.current, http_flow(request, response=None))
    assert trace.answered_by == "websocket_mock[0]"


@pytest.mark.parametrize(
    ("action", "message"),
    [
        ({"greeting": [{"text": "a", "close": 1000}]}, r"greeting\[0\]: write one of text, json and close"),
        ({"greeting": [{"delay": "1s"}]}, "write one of text, json and close"),
        ({"greeting": {"close": 1005}}, "close: 1005 is no code to close with"),
        (
            {"replies": [{"message": "/(/", "send": "a"}]},
            r"replies\[0\].message: .* is not a regular expression",
        ),
        ({"replies": [{"message": "a"}]}, "send is missing"),
    ],
)
def test_mistakes_are_explained(action: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionsError, match=message):
        made(rules=[{"action": {"type": "websocket_mock", **action}}])
