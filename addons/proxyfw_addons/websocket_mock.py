"""Serves WebSockets in place of their origin, which is never asked: a greeting, and replies to messages."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from proxyfw import ctx
from proxyfw.addonmanager import Loader
from proxyfw.exceptions import ProxyfwError
from proxyfw.http import HTTPFlow
from proxyfw.options import Duration
from proxyfw.rules import Action, Hit, Pattern, RuleBook
from proxyfw.websocket import Socket

_NOTHING: Any = object()
_AT_ONCE = Duration(0)
_CODES = frozenset({1000, 1001, 1002, 1003, *range(1007, 1015), *range(3000, 5000)})
"""RFC 6455 section 7.4."""
_ANYTHING = Pattern("*")


@dataclass
class Send:
    """One message to the client, or the end of the connection."""

    text: Annotated[str | None, "The message; `$1` is what the first `*` of the message stood for."] = None
    json: Annotated[Any, "The message, as JSON."] = field(default=_NOTHING)
    close: Annotated[int | None, "Close the connection with this code: 1000, or 3000 to 4999."] = None
    delay: Annotated[Duration, "How long to wait before."] = _AT_ONCE

    def __post_init__(self) -> None:
        if [self.text is not None, self.json is not _NOTHING, self.close is not None].count(True) != 1:
            raise ValueError("write one of text, json and close")
        if self.close is not None and self.close not in _CODES:
            raise ValueError(f"close: {self.close} is no code to close with: write 1000, or 3000 to 4999")

    @staticmethod
    def shorthand(value: object) -> Mapping[str, Any]:
        """Text alone."""
        return {"text": value}

    @staticmethod
    def shorthand_schema() -> dict[str, Any]:
        """As JSON Schema."""
        return {"type": ["string", "integer"]}

    async def to(self, socket: Socket, hit: Hit) -> None:
        """Do it."""
        if self.delay:
            await asyncio.sleep(self.delay)
        if self.close is not None:
            await socket.close(self.close)
        elif self.text is not None:
            await socket.send(hit.expand(self.text))
        else:
            import json  # not before there is any: most proxies serve no WebSocket

            await socket.send(json.dumps(self.json, default=str))


@dataclass
class Reply:
    """What is sent when a message has come."""

    send: Annotated[list[Send], "What is sent, one after the other."]
    message: Annotated[Pattern, "Pattern of the message; if left out, any."] = _ANYTHING


@dataclass
class WebSocketMock(Action):
    """Accept a WebSocket, and be its server."""

    greeting: Annotated[list[Send], "What is sent when it is open."] = field(default_factory=list)
    replies: Annotated[list[Reply], "What is sent for a message: the first reply that matches it."] = field(
        default_factory=list
    )
    echo: Annotated[bool, "Messages that no reply matches are sent back."] = False
    protocol: Annotated[str | None, "The subprotocol; if left out, the first that the client offers."] = None

    def request(self, flow: HTTPFlow, hit: Hit) -> None:
        """Accept it; other requests go on."""
        try:
            flow.accept_websocket(lambda socket: self._serve(socket, hit), self.protocol)
        except ProxyfwError:
            hit.note("the request does not open a WebSocket")

    async def _serve(self, socket: Socket, hit: Hit) -> None:
        await _send(self.greeting, socket, hit)
        async for message in socket:
            text = message if isinstance(message, str) else message.decode("utf-8", "replace")
            for reply in self.replies:
                found = reply.message.find(text)
                if found is not None:
                    using = Hit(hit.rule, found, hit.number, hit.random, hit.trace, hit.dry)
                    await _send(reply.send, socket, using)
                    break
            else:
                if self.echo:
                    await socket.send(message)


async def _send(messages: Sequence[Send], socket: Socket, hit: Hit) -> None:
    for message in messages:
        await message.to(socket, hit)


class MockingWebSockets:
    """The addon: the action and the option `websocket_mock`."""

    name = "websocket_mock"

    def load(self, loader: Loader) -> None:
        """Declare them."""
        loader.add_action("websocket_mock", WebSocketMock)
        loader.add_option(
            "websocket_mock",
            Sequence[str],
            [],
            "Accept WebSockets whose URL this pattern matches, and send back what comes; no origin is asked.",
            flag="--websocket-mock",
        )

    def configure(self, updated: set[str]) -> None:
        """Make rules of the patterns. Raises OptionsError."""
        if "websocket_mock" in updated:
            book: RuleBook = ctx.master.addons.rules
            patterns = ctx.options.websocket_mock
            rules = [_rule(index, pattern) for index, pattern in enumerate(patterns)]
            read = book.read(rules, locate=lambda where: f"websocket_mock: {patterns[int(where[0])]!r}")
            book.provide(self.name, read)


def _rule(index: int, pattern: str) -> dict[str, Any]:
    """The rule that *pattern* means."""
    return {
        "name": f"websocket_mock[{index}]",
        "match": {"url": pattern, "protocol": ["ws", "wss"]},
        "action": {"type": "websocket_mock", "echo": True},
    }
