"""One side of a WebSocket connection: bytes in, events out; events in, bytes out; either role. RFC 6455.

wsproto takes the frames apart, and judges what is wrong with them; only whole messages of the plainest kind
do not take that way, as most are such. Frames are put together here, so that a fragment stays as long as it
was, even one that ends within a character, and a message that came uncompressed stays so.
"""

from __future__ import annotations

import codecs
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import inf
from struct import pack, unpack, unpack_from

from wsproto.frame_protocol import CloseReason, Frame, FrameDecoder, Opcode, ParseFailed

from proxyfw.exceptions import LocalProtocolError, WebSocketError
from proxyfw.protocol.permessage_deflate import Deflate, Deflater, Inflater
from proxyfw.protocol.websocket_gate import Gate

NO_STATUS = 1005
"""The code of a close frame without one. RFC 6455 section 7.1.5."""
ABNORMAL = 1006
"""The code of a connection that ended without a close frame."""

_Utf8 = codecs.getincrementaldecoder("utf-8")
_FIN, _RSV1, _MASKED = 0x80, 0x40, 0x80
_CLOSE_CODES = frozenset({1000, 1001, 1002, 1003, *range(1007, 1015), *range(3000, 5000)})
"""Codes that may be sent. RFC 6455 section 7.4 and the IANA registry."""
_REASON_LIMIT = 123
_PLAIN_TEXT = 0x81
_PLAIN = frozenset({_PLAIN_TEXT, 0x82})
"""First bytes of whole uncompressed messages."""
_MASK_AT_ONCE = 8192
"""Bytes; a multiple of the key's length. Larger numbers cost more than they save."""


@dataclass(slots=True)
class Fragment:
    """One data frame, inflated: a whole message if it is the first of one and *final*.

    *is_text* and *compressed* are the message's; those of the first fragment count.
    """

    data: bytes
    is_text: bool
    final: bool = True
    compressed: bool = False


@dataclass(slots=True)
class Ping:
    data: bytes = b""


@dataclass(slots=True)
class Pong:
    data: bytes = b""


@dataclass(slots=True)
class Close:
    """The last event of its side: a close frame, `NO_STATUS` if it has no code, or `ABNORMAL`."""

    code: int = NO_STATUS
    reason: str = ""


Event = Fragment | Ping | Pong | Close


class WebSocketCodec:
    """One side. *client* says which role it has: a client masks what it sends.

    *deflate* is what the handshake agreed upon, *limit* the greatest length of a message, inflated, in
    bytes. *random* gives that many unpredictable bytes for masks.
    """

    __slots__ = (
        "_client", "_compressing", "_decoder", "_deflater", "_ended", "_gate", "_limit", "_pieces", "_random",
        "_sending", "_utf8", "closed",
    )  # fmt: skip

    def __init__(
        self,
        client: bool,
        deflate: Deflate | None = None,
        limit: float = inf,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.closed = False
        """A close frame has been sent: nothing may follow."""
        self._client = client
        self._limit = limit
        self._random = random
        self._gate = Gate(_inflater(client, deflate), deflate is not None, limit)
        self._decoder = FrameDecoder(client, [self._gate])
        self._deflater = _deflater(client, deflate)
        self._pieces: list[bytes] = []
        self._utf8: codecs.IncrementalDecoder | None = None
        self._ended = False
        self._sending = False
        self._compressing = False

    # Receiving

    def receive(self, data: bytes) -> Iterator[Event]:
        """What *data* completes; ``b""`` is the end of the stream. To be consumed to its end.

        Raises WebSocketError after the events before it. Nothing follows a `Close` or an error.
        """
        if self._ended:
            return
        if not data:
            self._ended = True
            yield Close(ABNORMAL)
            return
        if not self._gate.within and not self._decoder.buffer and self._decoder.header is None:
            position = 0
            while found := self._plain_message(data, position):
                message, position = found
                yield message
            if position == len(data):
                return
            data = data[position:]
        self._decoder.receive_bytes(data)
        try:
            while not self._ended:
                frame = self._decoder.process_buffer()
                if frame is None:
                    return
                if event := self._event(frame):
                    yield event
        except ParseFailed as e:
            self._ended = True
            raise WebSocketError(self._gate.problem or str(e), int(e.code)) from None

    def _plain_message(self, data: bytes, at: int) -> tuple[Fragment, int] | None:
        """A whole message in one uncompressed frame, and where it ends; None: let wsproto see what it is."""
        if len(data) < at + 4 or (first := data[at]) not in _PLAIN:
            return None
        length, start = data[at + 1], at + 2
        if (length >= _MASKED) is self._client:
            return None
        length &= 127
        if length > 125:
            length = unpack_from("!H", data, start)[0] if length == 126 else 0
            start += 2
            if length < 126:
                return None
        if not self._client:
            start += 4
        end = start + length
        if end > len(data) or length > self._limit:
            return None
        payload = data[start:end]
        if not self._client:
            payload = _mask(payload, data[start - 4 : start])
        if first == _PLAIN_TEXT and not _is_utf8(payload):
            return None
        return Fragment(payload, first == _PLAIN_TEXT), end

    def _event(self, frame: Frame) -> Event | None:
        gate = self._gate
        assert isinstance(frame.payload, bytes | bytearray)
        payload = bytes(frame.payload)
        if gate.is_control:
            return self._control(frame.opcode, payload)
        complete = frame.frame_finished
        if gate.is_text:
            self._check_text(payload, complete and frame.message_finished and not gate.is_full)
        if gate.is_full:
            raise gate.too_long()
        if not complete:
            self._pieces.append(payload)
            return None
        if self._pieces:
            self._pieces.append(payload)
            payload = b"".join(self._pieces)
            self._pieces.clear()
        return Fragment(payload, gate.is_text, frame.message_finished, gate.compressed)

    def _control(self, opcode: Opcode, payload: bytes) -> Event:
        if opcode is Opcode.PING:
            return Ping(payload)
        if opcode is Opcode.PONG:
            return Pong(payload)
        close = _read_close(payload)
        self._ended = True
        return close

    def _check_text(self, data: bytes, last: bool) -> None:
        """Refuse text as soon as it cannot become UTF-8 any more. RFC 6455 section 8.1."""
        try:
            if self._utf8 is not None:
                self._utf8.decode(data, last)
            elif last:
                data.decode()
            else:
                self._utf8 = _Utf8()
                self._utf8.decode(data)
        except UnicodeDecodeError as e:
            raise ParseFailed(f"text is not UTF-8: {e.reason}", CloseReason.INVALID_FRAME_PAYLOAD_DATA) from e
        if last:
            self._utf8 = None

    # Sending

    def send(self, *events: Event) -> bytes:
        """The bytes that say *events*. Raises LocalProtocolError if they cannot be said."""
        if len(events) == 1:
            return self._write(events[0])
        return b"".join([self._write(event) for event in events])

    def _write(self, event: Event) -> bytes:
        if self.closed:
            raise LocalProtocolError("nothing may be sent after a close frame")
        if type(event) is Fragment:
            return self._write_fragment(event)
        if type(event) is Close:
            payload = _close_payload(event)
            self.closed = True
            return self._frame(_FIN | Opcode.CLOSE, payload)
        assert isinstance(event, Ping | Pong)
        if len(event.data) > 125:
            raise LocalProtocolError(f"a ping or pong of {len(event.data)} bytes is too long: 125 at most")
        return self._frame(_FIN | (Opcode.PING if type(event) is Ping else Opcode.PONG), event.data)

    def _write_fragment(self, event: Fragment) -> bytes:
        first = 0
        if not self._sending:
            first = Opcode.TEXT if event.is_text else Opcode.BINARY
            self._compressing = event.compressed and self._deflater is not None
            if self._compressing:
                first |= _RSV1
        if event.final:
            first |= _FIN
        self._sending = not event.final
        data = event.data
        if self._compressing and self._deflater:
            data = self._deflater.fragment(data, event.final)
        return self._frame(first, data)

    def _frame(self, first: int, payload: bytes) -> bytes:
        size, masked = len(payload), _MASKED if self._client else 0
        if size < 126:
            head = bytes((first, masked | size))
        elif size < 65536:
            head = pack("!BBH", first, masked | 126, size)
        else:
            head = pack("!BBQ", first, masked | 127, size)
        if not masked:
            return head + payload
        key = self._random(4)
        return head + key + _mask(payload, key)


def whole(content: bytes, is_text: bool, compressed: bool) -> Fragment:
    """A message of our own in one frame. Raises LocalProtocolError if *content* is not what it is to be."""
    if not isinstance(content, bytes):
        raise LocalProtocolError(f"the content of a message must be bytes, not {type(content).__name__}")
    if is_text:
        try:
            content.decode()
        except UnicodeDecodeError as e:
            raise LocalProtocolError(f"the content of a text message is not UTF-8: {e.reason}") from None
    return Fragment(content, is_text, True, compressed)


def _is_utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _mask(payload: bytes, key: bytes) -> bytes:
    """*payload* with *key* laid over it again and again. RFC 6455 section 5.3."""
    size = len(payload)
    if size > _MASK_AT_ONCE:
        starts = range(0, size, _MASK_AT_ONCE)
        return b"".join([_mask(payload[start : start + _MASK_AT_ONCE], key) for start in starts])
    over = (key * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "little") ^ int.from_bytes(over, "little")).to_bytes(size, "little")


def _read_close(payload: bytes) -> Close:
    if not payload:
        return Close()
    if len(payload) == 1:
        raise ParseFailed("a close frame of one byte")
    code = unpack("!H", payload[:2])[0]
    if code not in _CLOSE_CODES:
        raise ParseFailed(f"the close code {code} must not be sent")
    try:
        return Close(code, payload[2:].decode())
    except UnicodeDecodeError as e:
        message = f"the reason of a close frame is not UTF-8: {e.reason}"
        raise ParseFailed(message, CloseReason.INVALID_FRAME_PAYLOAD_DATA) from e


def _close_payload(event: Close) -> bytes:
    if event.code == NO_STATUS:
        return b""
    if event.code not in _CLOSE_CODES:
        raise LocalProtocolError(f"the close code {event.code} must not be sent")
    reason = event.reason.encode("utf-8", "replace")
    if len(reason) > _REASON_LIMIT:
        reason = reason[:_REASON_LIMIT].decode("utf-8", "ignore").encode()
    return pack("!H", event.code) + reason


def _deflater(client: bool, deflate: Deflate | None) -> Deflater | None:
    if deflate is None:
        return None
    if client:
        bits, reset = deflate.client_max_window_bits, deflate.client_no_context_takeover
    else:
        bits, reset = deflate.server_max_window_bits, deflate.server_no_context_takeover
    # zlib cannot write with a window of 8 bits; messages need not be compressed.
    return Deflater(bits, not reset) if bits > 8 else None


def _inflater(client: bool, deflate: Deflate | None) -> Inflater:
    if deflate is None:
        return Inflater(True)
    reset = deflate.server_no_context_takeover if client else deflate.client_no_context_takeover
    return Inflater(not reset)
