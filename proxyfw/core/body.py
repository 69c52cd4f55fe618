"""Bodies that pass through piece by piece: changed on the way if an addon wants it, copied for the record."""

from __future__ import annotations

from collections.abc import Awaitable

from proxyfw.exceptions import LocalProtocolError
from proxyfw.flow import Line
from proxyfw.http import Message
from proxyfw.net.peer import Stream
from proxyfw.protocol.events import Data

from . import pace


class Passage:
    """The body of *message* on its way to *to*; what is recorded of it ends up in the message."""

    __slots__ = ("_left", "_line", "_message", "_pieces", "_to", "_to_client", "received")

    def __init__(
        self,
        message: Message,
        to: Stream,
        capture_limit: int,
        line: Line | None = None,
        to_client: bool = True,
    ) -> None:
        self.received = 0
        self._message = message
        self._to = to
        self._left = capture_limit
        self._line = line
        self._to_client = to_client
        self._pieces: list[bytes] = []
        message.raw_content = None

    async def add(self, piece: bytes) -> None:
        """Pass on one piece, which may become none or several."""
        self.received += len(piece)
        await self._transform(piece)

    async def end(self) -> None:
        """There are no more pieces."""
        await self._transform(b"")
        if self._pieces or self._left:
            self._message.raw_content = b"".join(self._pieces)

    async def _transform(self, piece: bytes) -> None:
        change = self._message.stream
        if not callable(change):
            if piece:
                await self._send(piece)
            return
        try:
            changed = change(piece)
            if isinstance(changed, Awaitable):
                changed = await changed
            parts = iter([changed] if isinstance(changed, bytes) else changed)
            part = next(parts, None)
        except Exception as e:
            raise _failed(change, e) from e
        while part is not None:
            if part:
                await self._send(part)
            try:
                part = next(parts, None)
            except Exception as e:
                raise _failed(change, e) from e

    async def _send(self, piece: bytes) -> None:
        if self._left or self._pieces:
            self._record(piece)
        if self._line is not None:
            return await pace.send(self._line, self._to, self._to_client, Data(piece))
        self._to.send(Data(piece))
        await self._to.drain()

    def _record(self, piece: bytes) -> None:
        if len(piece) > self._left:
            piece = piece[: self._left]
            self._message.truncated = True
        self._left -= len(piece)
        if piece:
            self._pieces.append(piece)


def _failed(change: object, problem: Exception) -> LocalProtocolError:
    return LocalProtocolError(
        f"the addon's stream function {getattr(change, '__qualname__', change)} failed:"
        f" {type(problem).__name__}: {problem}"
    )
