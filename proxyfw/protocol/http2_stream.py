"""What the codec knows of one HTTP/2 stream: how far both messages have come, and what waits to be sent."""

from __future__ import annotations

from collections import deque

from proxyfw.exceptions import LocalProtocolError, ProtocolError
from proxyfw.protocol.events import Data, End, Event, RawHeaders
from proxyfw.protocol.http1_head import UNDECLARED

_BODILESS = frozenset({204, 304})


class StreamState:
    """One stream, seen from either side."""

    __slots__ = (
        "_declared", "_expected", "_pieces", "_received", "_sent", "_start", "blocked", "ended",
        "finished_reading", "finished_writing", "head_received", "head_sent", "id", "method", "no_body",
        "pending", "queued", "trailers", "unacknowledged",
        "unwanted", "upgrade_key",
    )  # fmt: skip

    def __init__(self, stream_id: int, method: bytes) -> None:
        self.id = stream_id
        self.method = method
        self.upgrade_key: bytes | None = None
        """It was opened with extended CONNECT, which is told as an upgrade to WebSocket with this key."""
        # their message
        self.head_received = False
        self.finished_reading = False
        self.unwanted = False
        """Nobody will take what arrives."""
        self.unacknowledged = 0
        """Bytes that were taken and not yet given back to the stream's window."""
        self._expected = UNDECLARED
        self._received = 0
        # our message
        self.head_sent = False
        self.no_body = False
        """Data is dropped, as for HEAD. RFC 9110 section 6.4.1."""
        self.trailers: RawHeaders | None = None
        self.ended = False
        """Its end is queued."""
        self.finished_writing = False
        """Its end is written."""
        self.blocked = False
        """It has data and no window."""
        self.queued = False
        """It stands in the queue of those that may send."""
        self.pending = 0
        """Bytes that wait to be sent."""
        self._pieces: deque[bytes] = deque()
        self._start = 0
        self._declared = UNDECLARED
        self._sent = 0

    # Their message

    def expect(self, length: int, status: int = 0) -> None:
        """The head has arrived, with *length* declared; *status* of a response."""
        self.head_received = True
        self._expected = 0 if status in _BODILESS or (status and self.method == b"HEAD") else length

    def received(self, size: int) -> None:
        """Raises ProtocolError if the body is longer than its head says. RFC 9113 section 8.1.1."""
        self._received += size
        if 0 <= self._expected < self._received:
            raise self._wrong_length()

    def complete(self) -> None:
        """Raises ProtocolError if the body is shorter than its head says."""
        self.finished_reading = True
        if 0 <= self._expected != self._received:
            raise self._wrong_length()

    def _wrong_length(self) -> ProtocolError:
        return ProtocolError(
            f"the body does not have its declared length: expected {self._expected} bytes,"
            f" received {self._received}"
        )

    # Our message

    def begin(self, length: int, no_body: bool, rest: tuple[Event, ...]) -> None:
        """Our head declares *length*. Raises LocalProtocolError if *rest* is all of a body, and not that."""
        if length >= 0 and not no_body and rest and type(rest[-1]) is End:
            size = sum([len(event.data) for event in rest if type(event) is Data])
            if size != length:
                raise self._false_length(length, size)
        self._declared = UNDECLARED if no_body else length
        self.no_body = no_body
        self.head_sent = True

    def queue(self, data: bytes) -> None:
        """Raises LocalProtocolError if our body has no head, or gets longer than that says."""
        if not self.head_sent:
            raise LocalProtocolError("events out of order for HTTP/2: a body before its head")
        if self.no_body:
            return
        self._sent += len(data)
        if 0 <= self._declared < self._sent:
            raise self._false_length(self._declared, self._sent)
        self._pieces.append(data)
        self.pending += len(data)

    def end(self) -> None:
        """Raises LocalProtocolError if our body has no head, or is shorter than that says."""
        if not self.head_sent:
            raise LocalProtocolError("events out of order for HTTP/2: an end before its head")
        if self._sent < self._declared:
            raise self._false_length(self._declared, self._sent)
        self.ended = True

    def next(self, size: int) -> bytes:
        """Take at most *size* of the pending bytes, small pieces joined."""
        self.pending -= min(size, self.pending)
        pieces, first = self._pieces, self._pieces[0]
        if self._start == 0 and len(first) <= size and (len(first) == size or len(pieces) == 1):
            return pieces.popleft()
        parts: list[bytes] = []
        while size and pieces:
            first = pieces[0]
            part = first[self._start : self._start + size]
            parts.append(part)
            size -= len(part)
            self._start += len(part)
            if self._start == len(first):
                pieces.popleft()
                self._start = 0
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _false_length(self, declared: int, found: int) -> LocalProtocolError:
        return LocalProtocolError(f"the head declares a body of {declared} bytes, but it has {found}")
