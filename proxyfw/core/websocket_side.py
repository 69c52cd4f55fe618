"""One side of a WebSocket connection: its wire, its codec, and what has come and was not yet carried on."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

from proxyfw.exceptions import WebSocketError
from proxyfw.flow import Line
from proxyfw.net.wire import Wire
from proxyfw.protocol.websocket import Close, Event, Fragment, Ping, Pong, WebSocketCodec
from proxyfw.websocket import WebSocketMessage

Item = Event | WebSocketMessage | WebSocketError
"""What comes from a side, or seems to: frames, injected messages, and what is wrong with it."""

_INBOX_LIMIT = 256 * 1024
"""Bytes that wait for a hook, or for the other side to read, above which the wire is paused."""
_COST = 128
"""What an item takes besides its content, about, in bytes."""


class Story(Protocol):
    """What a side is part of."""

    @property
    def over(self) -> bool: ...

    @property
    def holding(self) -> bool: ...

    def touch(self) -> None: ...


class Side:
    """A `proxyfw.net.wire.Receiver` that a story takes items from in order."""

    __slots__ = (
        "_behind", "_drained", "_inbox", "_paused", "_read", "_size", "_story", "codec", "done", "other",
        "wire",
    )  # fmt: skip

    other: Side

    def __init__(self, wire: Wire, codec: WebSocketCodec, story: Story) -> None:
        self.wire = wire
        self.codec = codec
        self.done = False
        """It has sent all that it will ever send."""
        self._behind: bytearray | None = None
        """What is to follow what is just being said piece by piece."""
        self._story = story
        self._inbox: deque[tuple[Item, int]] = deque()
        self._size = 0
        self._paused = False
        self._read: asyncio.Future[None] | None = None
        self._drained: asyncio.Future[None] | None = None

    # What the story calls

    def attach(self) -> None:
        """Begin to receive."""
        self.wire.attach(self)

    async def next(self) -> Item | None:
        """What comes next; None if the story is over."""
        while not self._inbox:
            if self._story.over:
                return None
            self._read = asyncio.get_running_loop().create_future()
            await self._read
        if self._story.over:
            return None
        item, size = self._inbox.popleft()
        self._size -= size
        if self._paused and self._size <= _INBOX_LIMIT // 2:
            self._paused = False
            self.wire.resume()
        return item

    def put(self, item: Item, size: int) -> None:
        """Add to what comes from here."""
        self._inbox.append((item, size + _COST))
        self._size += size + _COST
        _complete(self._read)

    def send(self, *events: Event) -> None:
        """Say *events* to this side, unless it cannot hear any more. Raises LocalProtocolError."""
        if not (self.codec.closed or self.wire.closed):
            data = self.codec.send(*events)
            if self._behind is None:
                self.wire.write(data)
            else:
                self._behind += data

    async def say(self, line: Line, to_client: bool, *events: Event) -> None:
        """As `send`, in the pieces and at the times that *line* says; what is sent meanwhile comes after."""
        self._behind = bytearray()
        self.send(*events)
        while self._behind and not (self.wire.closed or self._story.over):
            rest, self._behind = self._behind, bytearray()
            while rest and not (self.wire.closed or self._story.over):
                allowed = max(1, await line.take(to_client, len(rest)))
                if not (self.wire.closed or self._story.over):
                    self.wire.write(bytes(rest[:allowed]))
                    self._story.touch()
                    await self.drain()
                del rest[:allowed]
        self._behind = None

    async def drain(self) -> None:
        """Wait until this side has read enough of what was said to it."""
        while not (self.wire.writable or self.wire.closed or self._story.over):
            self._drained = asyncio.get_running_loop().create_future()
            await self._drained

    async def ended(self) -> None:
        """Wait until the far end has closed its half."""
        while not (self.wire.eof or self.wire.closed):
            self._drained = asyncio.get_running_loop().create_future()
            await self._drained

    def wake(self) -> None:
        """Let those who wait look again."""
        _complete(self._read)
        _complete(self._drained)
        if self._paused:
            self._paused = False
            self.wire.resume()

    # What the wire calls

    def data_received(self, data: bytes) -> None:
        if self._story.over:
            return
        self._story.touch()
        try:
            for event in self.codec.receive(data):
                self._receive(event)
        except WebSocketError as e:
            self.put(e, 0)
        if self._size > _INBOX_LIMIT and not self._paused:
            self._paused = True
            self.wire.pause()

    def _receive(self, event: Event) -> None:
        if type(event) is Close:
            self.put(event, 0)
            return
        assert isinstance(event, Fragment | Ping | Pong)
        if self._story.holding and type(event) is not Fragment and self.other.wire.writable:
            self.other.send(event)  # a message waits for an addon: that is no reason to seem dead
        else:
            self.put(event, len(event.data))

    def eof_received(self) -> None:
        for event in self.codec.receive(b""):
            self._receive(event)
        _complete(self._drained)

    def connection_lost(self, reason: Exception | None) -> None:
        self.eof_received()

    def writable_changed(self) -> None:
        _complete(self._drained)


def _complete(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)
