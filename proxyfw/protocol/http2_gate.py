"""The gate in front of h2: cuts received bytes into frames, and deals with those that h2 takes too seriously
or not seriously enough.

h2 forgets all streams at a GOAWAY and ends the connection for faults of one stream; it lets a peer send
frames without end that cost work and bring nothing forward.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from h2.connection import H2Connection
from h2.errors import ErrorCodes
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    PushPromiseFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from proxyfw.exceptions import ProtocolError
from proxyfw.protocol.http1_head import quote
from proxyfw.protocol.http2_facts import GoAway
from proxyfw.protocol.http2_names import PREFACE

_HEAD = struct.Struct(">HBBBL")
_HEAD_SIZE = 9
_END_STREAM = 0x1
_ACK = 0x1
_END_HEADERS = 0x4
_SETTING = struct.Struct(">HL")
_KNOWN_SETTINGS = frozenset(range(1, 7)) | {8}
_MOST_SETTINGS = 32
_TABLE_SIZE = 4096
_MOST_CONTINUATIONS = 32
_FRAMES_PER_HEADERS = 3
"""A WINDOW_UPDATE, a PRIORITY and a RST_STREAM may come with a request; resets are counted elsewhere."""
_CALM = ErrorCodes.ENHANCE_YOUR_CALM


@dataclass(slots=True)
class StreamFault:
    """A frame is wrong in a way that concerns its stream only. RFC 9113 section 5.4.2."""

    stream_id: int
    code: ErrorCodes
    reason: str


@dataclass(slots=True)
class ConnectionFault:
    """The connection is beyond repair. RFC 9113 section 5.4.1."""

    code: ErrorCodes
    reason: str


Admitted = bytes | GoAway | StreamFault | ConnectionFault


class Budget:
    """How often a peer may do what costs us and brings nothing forward: a *burst*, then *rate* a second.

    What does bring something forward earns some of it back, so a busy connection is never short.
    """

    __slots__ = ("_burst", "_clock", "_left", "_rate", "_since")

    def __init__(self, burst: int, rate: float, clock: Callable[[], float]) -> None:
        self._burst = self._left = float(burst)
        self._rate = rate
        self._clock = clock
        self._since = clock()

    def spend(self, amount: int = 1) -> bool:
        """Take *amount*; False if there is not so much."""
        self._left -= amount
        if self._left < 0:
            now = self._clock()
            self._left = min(self._burst, self._left + (now - self._since) * self._rate)
            self._since = now
        return self._left >= 0

    def earn(self, amount: int = 1) -> None:
        self._left = min(self._burst, self._left + amount)


class FrameGate:
    """Admits one frame after the other to *connection*.

    *block_limit*: the most bytes of one compressed header block.
    """

    __slots__ = ("_block", "_block_limit", "_budget", "_buffer", "_connection", "_first", "_preface")

    def __init__(self, connection: H2Connection, budget: Budget, block_limit: int, *, server: bool) -> None:
        self._connection = connection
        self._budget = budget
        self._block_limit = block_limit
        self._buffer = b""
        self._preface = PREFACE if server else b""
        self._first = True
        self._block: list[int] | None = None
        """Frames and bytes of a header block that is not complete yet."""

    def admit(self, data: bytes) -> Iterator[Admitted]:
        """Yield what *data* completes: a frame for h2, or what takes its place; nothing after a fault."""
        data = self._buffer + data if self._buffer else data
        position = 0
        if self._preface:
            wanted = self._preface
            if data[: len(wanted)] != wanted[: len(data)]:
                yield ConnectionFault(ErrorCodes.PROTOCOL_ERROR, f"expected HTTP/2, received {quote(data)}")
                return
            if len(data) < len(wanted):
                self._buffer = data
                return
            self._preface = b""
            yield wanted
            position = len(wanted)
        size = len(data)
        while size - position >= _HEAD_SIZE:
            high, low, kind, flags, stream_id = _HEAD.unpack_from(data, position)
            length = (high << 8) + low
            if self._first or length > self._connection.max_inbound_frame_size:
                fault = self._check_size(data, position, kind, length)
                if fault:
                    yield fault
                    return
            end = position + _HEAD_SIZE + length
            if size < end:
                break
            frame = data[position:end]
            position = end
            admitted = self._admit(kind, flags, stream_id & 0x7FFFFFFF, length, frame)
            if admitted is not None:
                yield admitted
                if type(admitted) is ConnectionFault:
                    return
        self._buffer = data[position:]

    def _check_size(self, data: bytes, position: int, kind: int, length: int) -> ConnectionFault | None:
        if self._first and kind != SettingsFrame.type:
            shown = quote(data[position : position + 60])
            return ConnectionFault(ErrorCodes.PROTOCOL_ERROR, f"expected HTTP/2 SETTINGS, received {shown}")
        self._first = False
        most = self._connection.max_inbound_frame_size
        if length > most:
            return ConnectionFault(ErrorCodes.FRAME_SIZE_ERROR, f"frame of {length} bytes, at most {most}")
        return None

    def _admit(self, kind: int, flags: int, stream_id: int, length: int, frame: bytes) -> Admitted | None:
        if self._block is not None:
            return self._continue_block(kind, flags, length, frame)
        if kind == DataFrame.type:
            if length:
                self._budget.earn()
                return frame
            return frame if flags & _END_STREAM else self._costing(frame, "empty DATA frames")
        if kind == HeadersFrame.type or kind == PushPromiseFrame.type:
            self._budget.earn(_FRAMES_PER_HEADERS)
            if not flags & _END_HEADERS:
                self._block = [1, length]
            return frame
        handler = _HANDLERS.get(kind)
        if handler is None:
            return self._costing(None, "frames of unknown types")
        return handler(self, flags, stream_id, length, frame)

    def _costing(self, frame: Admitted | None, what: str) -> Admitted | None:
        if self._budget.spend():
            return frame
        return ConnectionFault(_CALM, f"too many {what}")

    def _continue_block(self, kind: int, flags: int, length: int, frame: bytes) -> Admitted:
        block = self._block
        assert block
        block[0] += 1
        block[1] += length
        if block[0] > _MOST_CONTINUATIONS or block[1] > self._block_limit:
            return ConnectionFault(_CALM, f"a header block of {block[1]} bytes or more in {block[0]} frames")
        if kind != ContinuationFrame.type or flags & _END_HEADERS:
            self._block = None
        return frame

    def _priority(self, flags: int, stream_id: int, length: int, frame: bytes) -> Admitted | None:
        """Priorities are obsolete and ignored. RFC 9113 section 5.3.2."""
        valid = stream_id and length == 5
        return self._costing(None if valid else frame, "PRIORITY frames")

    def _reset(self, flags: int, stream_id: int, length: int, frame: bytes) -> Admitted | None:
        if self._is_idle(stream_id):
            return ConnectionFault(ErrorCodes.PROTOCOL_ERROR, f"RST_STREAM on idle stream {stream_id}")
        return self._costing(frame, "RST_STREAM frames")

    def _settings(self, flags: int, stream_id: int, length: int, frame: bytes) -> Admitted | None:
        if flags & _ACK and length:
            return ConnectionFault(ErrorCodes.FRAME_SIZE_ERROR, "SETTINGS ACK with settings")
        if stream_id or flags & _ACK or length % _SETTING.size:
            return self._costing(frame, "SETTINGS frames")
        count = length // _SETTING.size
        if count > _MOST_SETTINGS or not self._budget.spend(count):
            return ConnectionFault(_CALM, f"too many settings, {count} in one frame")
        payload = _known_settings(frame[_HEAD_SIZE:])
        return self._costing(
            _HEAD.pack(0, len(payload), SettingsFrame.type, 0, 0) + payload, "SETTINGS frames"
        )

    def _ping(self, flags: int, stream_id: int, length: int, frame: bytes) -> Admitted | None:
        return self._costing(frame, "PING frames")

    def _go_away(self, flags: int, stream_id: int, length: int, frame: bytes) -> Admitted | None:
        if stream_id or length < 8:
            return self._costing(frame, "GOAWAY frames")
        last, code = struct.unpack_from(">LL", frame, _HEAD_SIZE)
        reason = frame[_HEAD_SIZE + 8 :][:200].decode("utf-8", "replace")
        return self._costing(GoAway(last & 0x7FFFFFFF, code, reason), "GOAWAY frames")

    def _window_update(self, flags: int, stream_id: int, length: int, frame: bytes) -> Admitted | None:
        if length == 4 and stream_id and not any(frame[_HEAD_SIZE + 1 :]) and not frame[_HEAD_SIZE] & 0x7F:
            if self._is_idle(stream_id):
                return ConnectionFault(ErrorCodes.PROTOCOL_ERROR, f"WINDOW_UPDATE on idle stream {stream_id}")
            fault = StreamFault(stream_id, ErrorCodes.PROTOCOL_ERROR, "WINDOW_UPDATE by nothing")
            return self._costing(fault, "WINDOW_UPDATE frames")
        return self._costing(frame, "WINDOW_UPDATE frames")

    def _continuation(self, flags: int, stream_id: int, length: int, frame: bytes) -> Admitted | None:
        return ConnectionFault(ErrorCodes.PROTOCOL_ERROR, "CONTINUATION without HEADERS")

    def _is_idle(self, stream_id: int) -> bool:
        """Nobody has opened *stream_id* yet. RFC 9113 section 5.1."""
        connection = self._connection
        return stream_id > max(connection.highest_inbound_stream_id, connection.highest_outbound_stream_id)


def first_settings(payload: bytes) -> bytes:
    """*payload* of SETTINGS that came before any frame, as it is admitted. Raises ProtocolError."""
    if len(payload) % _SETTING.size or len(payload) > _MOST_SETTINGS * _SETTING.size:
        raise ProtocolError(f"{len(payload)} bytes of settings are too many, or not whole")
    return _known_settings(payload)


def _known_settings(payload: bytes) -> bytes:
    """*payload* with what h2 is to know of it.

    h2 would keep every unknown setting, and there are 65,000. RFC 9113 section 6.5.2: ignore them. It would
    also fill the largest table for compression that it is offered, and search it for every field.
    """
    known = [
        _SETTING.pack(key, min(value, _TABLE_SIZE) if key == SettingsFrame.HEADER_TABLE_SIZE else value)
        for key, value in _SETTING.iter_unpack(payload)
        if key in _KNOWN_SETTINGS
    ]
    return b"".join(known)


_HANDLERS: dict[int, Callable[[FrameGate, int, int, int, bytes], Admitted | None]] = {
    PriorityFrame.type: FrameGate._priority,
    RstStreamFrame.type: FrameGate._reset,
    SettingsFrame.type: FrameGate._settings,
    PingFrame.type: FrameGate._ping,
    GoAwayFrame.type: FrameGate._go_away,
    WindowUpdateFrame.type: FrameGate._window_update,
    ContinuationFrame.type: FrameGate._continuation,
}
