"""What both roles of HTTP/1 share: bodies, the end of a cycle, and giving a connection up to a tunnel.

Bodies are framed by an engine (`proxyfw.protocol.http1_engine`), which is told of each head only what decides
the framing, because no library's heads would go out exactly as they came in.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Literal

from proxyfw.exceptions import LocalProtocolError, ProtocolError
from proxyfw.protocol.events import END, Data, End, Event, RawHeaders, Trailers
from proxyfw.protocol.fields import KnownFields, notable
from proxyfw.protocol.http1_chunks import ChunkGate
from proxyfw.protocol.http1_engine import BadChunk, Engine, NewEngine, engine_named
from proxyfw.protocol.http1_head import (
    CHUNKED,
    UNDECLARED,
    body_length,
    trailer_fields,
    write_fields,
)

_WINDOW = 16384


Reading = Literal["head", "body", "done", "opaque"]
"""How far the other side's message of this cycle has come."""
Writing = Literal["head", "body", "no body", "done"]
"""How far our message of this cycle has come. In "no body", Data is dropped until End."""


class Codec(ABC):
    """One connection, either role. `ServerCodec` and `ClientCodec` add the heads.

    A ProtocolError ends the connection for reading; `read_before_failure` then holds the events of the same
    call that came before the fault. Heads of more than *max_head_size* bytes are refused.
    """

    __slots__ = (
        "_backlog",
        "_closing",
        "_declared",
        "_engine",
        "_eof",
        "_expected",
        "_failure",
        "_gate",
        "_reading",
        "_received",
        "_sent",
        "_trailers",
        "_writing",
        "max_head_size",
        "read_before_failure",
    )
    _serves: ClassVar[bool]
    _theirs: ClassVar[str]

    def __init__(self, max_head_size: int = 65536, engine: NewEngine | None = None) -> None:
        self.max_head_size = max_head_size
        self._engine: Engine = (engine or engine_named())(self._serves)
        self._backlog = bytearray()
        self._closing = False
        self._eof = False
        self._failure: ProtocolError | None = None
        self.read_before_failure: list[Event] = []
        self._begin()

    def _begin(self) -> None:
        self._reading: Reading = "head"
        self._writing: Writing = "head"
        self._gate: ChunkGate | None = None
        self._expected = self._received = 0
        self._declared = UNDECLARED
        self._sent = 0
        self._trailers: RawHeaders = []

    @property
    def reusable(self) -> bool:
        """This cycle is complete both ways, nobody asked to close, and another may follow."""
        over = self._reading == "done" and self._writing == "done"
        return over and not self._closing and self._failure is None and self._may_follow()

    @property
    def closing(self) -> bool:
        """The connection ends with this cycle: a side asked for it, a body has no other end, an error."""
        return self._closing or self._failure is not None

    @property
    def opaque(self) -> bool:
        """The connection was given up to another protocol: a tunnel or an upgrade."""
        return self._reading == "opaque"

    @property
    def backlog(self) -> int:
        """Bytes received and not consumed: pipelined requests, or the beginning of a tunnel."""
        return len(self._backlog)

    # The heads, which differ between the roles

    @abstractmethod
    def _may_follow(self) -> bool:
        """Tell whether the other side can still take part in another cycle."""

    @abstractmethod
    def _read_head(self, data: bytes, events: list[Event]) -> None:
        """Take bytes of a head, and of what follows it."""

    @abstractmethod
    def _head_cut_short(self) -> None:
        """Take EOF in place of a head. Raises ProtocolError unless nothing was to come."""

    @abstractmethod
    def _unread_head(self) -> bytes:
        """Give back the bytes of a head that is not complete."""

    @abstractmethod
    def _send_head(self, event: Event, rest: Sequence[Event], out: list[bytes]) -> None:
        """Write a head; *rest* are the events of the same call that follow it."""

    # Receiving

    def receive(self, data: bytes) -> list[Event]:
        """Take received bytes, ``b""`` for EOF, and return what they complete. Raises ProtocolError."""
        if self._failure is not None:
            raise self._failure
        if self._reading == "done" or self._reading == "opaque":
            self._backlog += data
            self._eof = self._eof or not data
            return []
        events: list[Event] = []
        try:
            self._read(data, events)
        except ProtocolError as failure:
            self._failure = failure
            self.read_before_failure = events
            raise
        return events

    def _read(self, data: bytes, events: list[Event]) -> None:
        if self._reading == "body":
            if data:
                self._read_body(data, events)
            else:
                self._end_of_input(events)
        elif data:
            self._read_head(data, events)
        else:
            self._eof = True
            self._head_cut_short()

    def _start_body(self, length: int, old: bool, rest: bytes, events: list[Event]) -> None:
        """Begin a body of *length*; *old*: its head is of HTTP/1.0, *rest*: what followed it."""
        if 0 <= length <= len(rest) and not self._engine.frames_lengths:
            if length:
                events.append(Data(rest if length == len(rest) else rest[:length]))
            self._expected = self._received = length
            self._finish_reading(events, rest[length:])
            return
        self._engine.expect(length, old)
        self._reading = "body"
        self._expected = length
        if length == CHUNKED:
            self._gate = ChunkGate()
        if rest or length == 0:
            self._read_body(rest, events)

    def _read_body(self, data: bytes, events: list[Event]) -> None:
        gate, engine = self._gate, self._engine
        passed = data if gate is None else gate.admit(data)
        failure = None if gate is None else gate.failure
        try:
            pieces = engine.read(passed)
        except BadChunk as fault:  # the one that the gate leaves to the engine, before any that it has found
            pieces, failure = fault.pieces, ProtocolError(f"{self._theirs} body: {fault}")
        if pieces:
            body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            self._received += len(body)
            events.append(Data(body))
        if failure is not None:
            raise failure
        if engine.complete:
            self._finish_reading(events, engine.rest if gate is None else gate.rest)

    def _finish_reading(self, events: list[Event], rest: bytes) -> None:
        if self._gate is not None and self._gate.trailers:
            events.append(Trailers(self._gate.trailers))
        events.append(END)
        self._reading = "done"
        if rest:
            self._backlog[:0] = rest

    def _end_of_input(self, events: list[Event]) -> None:
        self._eof = True
        if self._expected == UNDECLARED:
            self._finish_reading(events, b"")
        elif self._gate is None:
            raise self._cut_short(f"expected {self._expected} bytes, received {self._received}")
        else:
            raise self._cut_short(f"{self._gate.missing()}, after {self._received} bytes of body in all")

    def _cut_short(self, missing: str) -> ProtocolError:
        return ProtocolError(f"{self._theirs} body cut short: {missing}")

    # Sending

    def send(self, *events: Event) -> bytes:
        """Return the bytes for *events*, joined. Raises LocalProtocolError.

        Data is dropped where a message has no body (HEAD, 204, 304). Trailers are dropped where the body is
        not chunked. A message that comes whole in one call is checked before anything changes: if it is
        refused, another head can still be sent.
        """
        out: list[bytes] = []
        for position, event in enumerate(events):
            if type(event) is Data:
                self._send_data(event.data, out)
            elif type(event) is End:
                self._send_end(out)
            elif type(event) is Trailers:
                self._trailers = self._sendable_trailers(event)
            else:
                rest = events[position + 1 :]
                self._send_head(event, rest, out)
                if rest and self._is_whole(rest):
                    self._writing = "done"
                    if len(rest) > 1:
                        out.append(rest[0].data)  # type: ignore[union-attr]  # it is Data
                    break
        return b"".join(out)

    def _is_whole(self, rest: Sequence[Event]) -> bool:
        """Whether *rest* is all that follows a head, and goes out as it is; its size has been checked."""
        if (
            rest[-1] is not END
            or self._writing != "body"
            or self._declared < 0
            or self._engine.frames_lengths
        ):
            return False
        return len(rest) == 1 or (len(rest) == 2 and type(rest[0]) is Data)

    def _send_data(self, data: bytes, out: list[bytes]) -> None:
        if self._writing == "no body":
            return
        if self._writing != "body":
            raise LocalProtocolError("events out of order for HTTP/1: a body without a head")
        self._sent += len(data)
        if 0 <= self._declared < self._sent:
            raise self._wrong_length(self._declared, f"{self._sent} bytes or more")
        self._engine.write(data, out)

    def _send_end(self, out: list[bytes]) -> None:
        if self._writing == "body":
            if self._sent < self._declared:
                raise self._wrong_length(self._declared, f"{self._sent} bytes")
        elif self._writing != "no body":
            raise LocalProtocolError("events out of order for HTTP/1: an end without a head")
        self._engine.end(self._trailers, out)
        self._writing = "done"

    def _sendable_trailers(self, event: Trailers) -> RawHeaders:
        write_fields(event.headers)
        chunked = self._writing == "body" and self._declared == CHUNKED
        return trailer_fields(event.headers) if chunked else []

    def _wrong_length(self, declared: int, found: str) -> LocalProtocolError:
        return LocalProtocolError(f"the head declares a body of {declared} bytes, but it has {found}")

    def _described(self, headers: RawHeaders) -> tuple[dict[bytes, bytes], int, bytes]:
        """The notable ones of *headers* to be sent, the length that they declare, and all of them as lines.

        Raises LocalProtocolError.
        """
        if type(headers) is not KnownFields or not headers.unchanged:
            known = notable(headers)
            return known, self._declared_length(known), write_fields(headers)
        block = headers.block
        if block.outgoing is None:
            block.outgoing = block.notable, self._declared_length(block.notable), block.text
        return block.outgoing

    def _declared_length(self, known: dict[bytes, bytes]) -> int:
        """Return the length that a head to be sent declares. Raises LocalProtocolError."""
        try:
            return body_length(known)
        except ProtocolError as exc:
            raise LocalProtocolError(str(exc)) from None

    def _check_whole(self, length: int, rest: Sequence[Event]) -> None:
        """Compare a declared *length* with the body, and look at the trailers, when all of it is at hand."""
        size = 0
        for event in rest:
            if type(event) is Data:
                size += len(event.data)
            elif type(event) is Trailers:
                write_fields(event.headers)
        if size != length >= 0 and rest and type(rest[-1]) is End:
            raise self._wrong_length(length, f"{size} bytes")

    # From one cycle to the next, or out of HTTP

    def next_cycle(self) -> list[Event]:
        """Start the next message and return the events of bytes already received.

        Raises LocalProtocolError if the connection is not `reusable`, ProtocolError as `receive` does.
        """
        if not self.reusable:
            raise LocalProtocolError("the connection cannot be used for another message")
        self._engine.begin_again()
        self._begin()
        if not self._backlog and not self._eof:
            return []
        events: list[Event] = []
        try:
            self._read_backlog(events)
        except ProtocolError:
            self.read_before_failure = events + self.read_before_failure
            raise
        return events

    def _read_backlog(self, events: list[Event]) -> None:
        while self._backlog and self._reading in ("head", "body"):
            # A little at a time: what is left over is copied, which for many small requests would add up.
            received = bytes(self._backlog[:_WINDOW])
            del self._backlog[:_WINDOW]
            events += self.receive(received)
        if self._eof and self._reading != "done":
            events += self.receive(b"")

    def detach(self) -> bytes:
        """Give the connection up to another protocol; return the received bytes nobody has consumed."""
        held = self._unread_head() + bytes(self._backlog)
        self._backlog.clear()
        self._reading = "opaque"
        return held
