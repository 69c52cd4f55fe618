"""The event stream format, piece by piece: bytes to events and back. WHATWG HTML section 9.2.

Every byte that comes in belongs to exactly one block that comes out, so a stream nobody edits stays the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf

from proxyfw.exceptions import LocalProtocolError
from proxyfw.sse import ServerSentEvent

_BOM = b"\xef\xbb\xbf"
_Facts = tuple[str, str, str | None, int | None]


@dataclass(slots=True)
class Block:
    """Some bytes of the stream, and the event that they are, if they are one."""

    raw: bytes
    event: ServerSentEvent | None = None
    facts: _Facts | None = None
    """What the event said when it came."""

    def written(self) -> bytes:
        """The bytes to forward: as they came, unless the event was dropped or changed.

        Raises LocalProtocolError if it cannot be said in this format.
        """
        event = self.event
        if event is None:
            return self.raw
        if event.dropped:
            return b""
        return self.raw if _facts(event) == self.facts else write(event)


def write(event: ServerSentEvent) -> bytes:
    """*event* in the format. Raises LocalProtocolError if type or id are not of one line."""
    lines = []
    if event.event != "message":
        lines.append(f"event: {_one_line('type', event.event)}")
    if event.id is not None:
        if "\0" in event.id:
            raise LocalProtocolError("the id of a server-sent event contains NUL, so it would be ignored")
        lines.append(f"id: {_one_line('id', event.id)}")
    if event.retry is not None:
        lines.append(f"retry: {event.retry:d}")
    data = event.data.replace("\r\n", "\n").replace("\r", "\n")
    lines += [f"data: {line}" for line in data.split("\n")]
    return ("\n".join(lines) + "\n\n").encode("utf-8", "replace")


def _one_line(what: str, text: str) -> str:
    if "\n" in text or "\r" in text:
        raise LocalProtocolError(f"the {what} of a server-sent event must be one line: {text[:100]!r}")
    return text


def _facts(event: ServerSentEvent) -> _Facts:
    return event.event, event.data, event.id, event.retry


class EventStreamParser:
    """Takes a stream apart. Events of more than *limit* bytes, line ends apart, pass unseen as they come."""

    __slots__ = (
        "_after_cr", "_data", "_event", "_id", "_limit", "_lines", "_midline", "_open", "_retry", "_size",
        "_started", "_unseen",
    )  # fmt: skip

    def __init__(self, limit: float = inf) -> None:
        self._limit = limit
        self._started = False
        self._after_cr = False
        self._open: list[bytes] = []
        """The beginning of a line whose end has not come."""
        self._unseen = False
        """The present block is too long: its lines are not kept."""
        self._midline = False
        """The beginning of the present line has been passed on."""
        self._begin()

    def _begin(self) -> None:
        self._lines: list[bytes] = []
        self._size = 0
        self._data: list[str] = []
        self._event = ""
        self._id: str | None = None
        self._retry: int | None = None

    def feed(self, data: bytes) -> Iterator[Block]:
        """The blocks that *data* completes. To be consumed to its end."""
        if self._after_cr and data.startswith(b"\n"):  # the second half of a CR LF
            data = data[1:]
            self._after_cr = False
            if self._lines:
                self._lines[-1] += b"\n"
            else:
                yield Block(b"\n")
        if not data:
            return
        self._after_cr = data.endswith(b"\r")
        for line in data.splitlines(keepends=True):
            self._size += len(line.rstrip(b"\r\n"))  # a CR LF may come in two halves: neither counts
            if line[-1] not in b"\r\n":
                self._open.append(line)
            else:
                if self._open:
                    line = b"".join([*self._open, line])
                    self._open.clear()
                yield from self._line(line)
        if self._size > self._limit:
            yield from self._give_up()

    def end(self) -> bytes:
        """What was left at the end of the stream: no event. To be forwarded as it is."""
        return b"".join([*self._lines, *self._open])

    def _line(self, line: bytes) -> Iterator[Block]:
        content = line.rstrip(b"\r\n")
        if not self._started:
            self._started = True
            content = content.removeprefix(_BOM)
        if self._unseen:
            yield Block(line)
            if not content and not self._midline:
                self._unseen = False
                self._begin()
            self._midline = False
        elif not content:
            self._lines.append(line)
            yield self._block()
        elif content[0] == 0x3A and not self._lines:
            yield Block(line)  # a comment, to keep the connection alive: nobody should wait for what follows
            self._unseen = self._size > self._limit
            self._size = 0
        else:
            self._lines.append(line)
            self._field(content)

    def _field(self, content: bytes) -> None:
        name, _, value = content.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value.decode("utf-8", "replace"))
        elif name == b"event":
            self._event = value.decode("utf-8", "replace")
        elif name == b"id":
            if b"\0" not in value:
                self._id = value.decode("utf-8", "replace")
        elif name == b"retry" and value.isdigit() and len(value) < 19:
            self._retry = int(value)

    def _block(self) -> Block:
        block = Block(b"".join(self._lines))
        if self._data and self._size <= self._limit:
            event = ServerSentEvent("\n".join(self._data), self._event or "message", self._id, self._retry)
            block.event, block.facts = event, _facts(event)
        self._begin()
        return block

    def _give_up(self) -> Iterator[Block]:
        """Let go of what there is of a block that is too long."""
        self._midline = self._midline or bool(self._open)
        self._unseen = True
        if raw := self.end():
            self._lines.clear()
            self._open.clear()
            yield Block(raw)
