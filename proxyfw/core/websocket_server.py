"""The far side of a WebSocket that has no origin: an addon's function serves it.

To the story that carries the messages it is a wire like any other.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator

from proxyfw.net.memory import pipe
from proxyfw.net.wire import Wire
from proxyfw.protocol.websocket import Close, Event, Fragment, Ping, Pong, WebSocketCodec, whole
from proxyfw.websocket import Serve

log = logging.getLogger("proxyfw")

_INBOX_LIMIT = 256 * 1024
"""Bytes that wait for the function above which the client is kept waiting."""
_COST = 128
"""What a message takes besides its content, about, in bytes."""
_NORMAL, _FAILED = 1000, 1011


class WebSocketServer:
    """A `proxyfw.websocket.Socket`, and the `proxyfw.net.wire.Receiver` of its end of `wire`."""

    def __init__(self, serve: Serve, url: str) -> None:
        """*url* is for the log."""
        self.wire: Wire
        """The end that is given to the story."""
        self.wire, self._own = pipe()
        self._codec = WebSocketCodec(False)
        self._url = url
        self._parts: list[Fragment] = []
        self._inbox: deque[str | bytes] = deque()
        self._size = 0
        self._over = False
        self._changed: asyncio.Future[None] | None = None
        self._own.attach(self)
        self._task = asyncio.create_task(self._run(serve))

    async def stop(self) -> None:
        """End it, whatever the function is doing."""
        self._task.cancel()
        await asyncio.wait([self._task])
        self._own.close()

    async def _run(self, serve: Serve) -> None:
        try:
            await serve(self)
            await self.close()
        except Exception:
            log.exception("what serves the WebSocket %s has failed", self._url)
            await self.close(_FAILED, "the server has failed")

    # What the function calls

    def __aiter__(self) -> AsyncIterator[str | bytes]:
        return self

    async def __anext__(self) -> str | bytes:
        while not self._inbox:
            if self._over:
                raise StopAsyncIteration
            await self._change()
        message = self._inbox.popleft()
        self._size -= len(message) + _COST
        if self._size <= _INBOX_LIMIT // 2:
            self._own.resume()
        return message

    async def send(self, content: str | bytes) -> None:
        """Send a message, text if it is a str; once either side has closed, do nothing."""
        is_text = isinstance(content, str)
        self._send(whole(content.encode() if isinstance(content, str) else content, is_text, True))
        while not (self._own.writable or self._own.closed):
            await self._change()

    async def close(self, code: int = _NORMAL, reason: str = "") -> None:
        """Close it, if it is not closed yet. Raises LocalProtocolError for a code that may not be sent."""
        self._send(Close(code, reason))

    def _send(self, event: Event) -> None:
        if not (self._codec.closed or self._own.closed):
            self._own.write(self._codec.send(event))

    async def _change(self) -> None:
        self._changed = asyncio.get_running_loop().create_future()
        await self._changed

    # What the wire calls

    def data_received(self, data: bytes) -> None:
        for event in self._codec.receive(data):
            if isinstance(event, Fragment):
                self._add(event)
            elif isinstance(event, Ping):
                self._send(Pong(event.data))
            elif isinstance(event, Close):
                self._end()
                self._send(event)
                self._own.close()

    def _add(self, fragment: Fragment) -> None:
        self._parts.append(fragment)
        if not fragment.final:
            return
        content = b"".join(part.data for part in self._parts)
        self._inbox.append(content.decode() if self._parts[0].is_text else content)
        self._parts = []
        self._size += len(content) + _COST
        if self._size > _INBOX_LIMIT:
            self._own.pause()
        self.writable_changed()

    def _end(self) -> None:
        self._over = True
        self.writable_changed()

    def eof_received(self) -> None:
        self._end()

    def connection_lost(self, reason: Exception | None) -> None:
        self._end()
        self._task.cancel()

    def writable_changed(self) -> None:
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)
