"""Clients and origins that speak WebSocket over any wire, and an addon that records what hooks it sees."""

from __future__ import annotations

from collections import deque
from typing import Any

from proxyfw.http import HTTPFlow
from proxyfw.protocol.permessage_deflate import Deflate
from proxyfw.protocol.websocket import Close, Event, Fragment, WebSocketCodec
from proxyfw.testing import End
from proxyfw.websocket import WebSocketData, WebSocketMessage


class Talker:
    """One end that speaks WebSocket: the test's client, or its origin."""

    def __init__(self, end: End, client: bool, deflate: Deflate | None = None) -> None:
        self.end = end
        self.codec = WebSocketCodec(client, deflate)
        self._events: deque[Event] = deque()

    def send(self, *events: Event) -> None:
        self.end.write(self.codec.send(*events))

    def text(self, *texts: str) -> None:
        self.send(*[Fragment(text.encode(), True) for text in texts])

    async def event(self) -> Event:
        while not self._events:
            self._events.extend(self.codec.receive(await self.end.until(bool)))
        return self._events.popleft()

    async def data(self) -> bytes:
        event = await self.event()
        assert isinstance(event, Fragment), event
        return event.data

    async def closed(self) -> Event:
        """The close frame that comes next; this end answers it and leaves."""
        event = await self.event()
        assert isinstance(event, Close), event
        if not self.codec.closed:
            self.send(Close(event.code))
        self.end.close()
        return event


class Recorder:
    def __init__(self) -> None:
        self.hooks: list[str] = []
        self.flow: HTTPFlow

    def requestheaders(self, flow: HTTPFlow) -> None:
        self.hooks.append("requestheaders")

    def request(self, flow: HTTPFlow) -> None:
        self.hooks.append("request")

    def responseheaders(self, flow: HTTPFlow) -> None:
        self.hooks.append("responseheaders")

    def response(self, flow: HTTPFlow) -> None:
        self.hooks.append("response")

    def error(self, flow: HTTPFlow) -> None:
        self.hooks.append("error")

    def websocket_start(self, flow: HTTPFlow) -> None:
        self.flow = flow
        assert flow.live
        assert flow.websocket
        assert not flow.websocket.messages
        self.hooks.append("websocket_start")

    def websocket_message(self, flow: HTTPFlow) -> None:
        message = last(flow)
        arrow = ">" if message.from_client else "<"
        self.hooks.append(arrow + message.content.decode("latin-1") + "!" * message.injected)

    def websocket_end(self, flow: HTTPFlow) -> None:
        assert flow.websocket
        assert not flow.live
        self.hooks.append(f"websocket_end {flow.websocket.close_code}")

    def flow_end(self, flow: HTTPFlow) -> None:
        if isinstance(flow, HTTPFlow):
            self.hooks.append("flow_end")


def last(flow: HTTPFlow) -> WebSocketMessage:
    assert flow.websocket
    return flow.websocket.messages[-1]


def record(flow: Any) -> WebSocketData:
    assert isinstance(flow, HTTPFlow)
    assert flow.websocket
    return flow.websocket
