"""What is asked about a WebSocket frame while wsproto reads it: order, length, content. RFC 6455, 7692."""

from __future__ import annotations

import zlib
from math import inf

from wsproto.extensions import Extension
from wsproto.frame_protocol import CloseReason, FrameDecoder, FrameProtocol, Opcode, ParseFailed, RsvBits

from proxyfw.protocol.permessage_deflate import Inflater


class Gate(Extension):
    """What wsproto asks about each frame: whether it is in its place and short enough, and what it holds.

    A header is asked about again if it did not come in one piece, so nothing is counted there.
    """

    name = "permessage-deflate"

    def __init__(self, inflater: Inflater, deflates: bool, limit: float) -> None:
        self.problem = ""
        """What is wrong, if wsproto will only know that something is."""
        self.is_control = False
        self.is_text = False
        self.compressed = False
        self.is_full = False
        """The message is longer than allowed; what was handed out is its beginning."""
        self._inflater = inflater
        self._deflates = deflates
        self._limit = limit
        self._size = 0
        self.within = False
        """A message has begun and not ended."""

    def offer(self) -> bool:
        return False

    def frame_inbound_header(
        self, proto: FrameDecoder | FrameProtocol, opcode: Opcode, rsv: RsvBits, payload_length: int
    ) -> CloseReason | RsvBits:
        self.is_control = opcode.iscontrol()
        if rsv.rsv1 and (self.is_control or opcode is Opcode.CONTINUATION or not self._deflates):
            return self._refuse("a reserved bit is set")
        if self.is_control:
            return RsvBits(False, False, False)
        if (opcode is Opcode.CONTINUATION) is not self.within:
            return self._refuse(
                "a message begins within another" if self.within else "a continuation of no message"
            )
        if not self.within:
            self.is_text = opcode is Opcode.TEXT
            self.compressed = rsv.rsv1
        if not self.compressed and self._size + payload_length > self._limit:
            self.problem = str(self.too_long())
            return CloseReason.MESSAGE_TOO_BIG
        return RsvBits(self._deflates, False, False)

    def frame_inbound_payload_data(
        self, proto: FrameDecoder | FrameProtocol, data: bytes
    ) -> bytes | CloseReason:
        if self.is_control:
            return data
        if not self.compressed:
            self._size += len(data)
            return data
        try:
            return self._inflated(self._inflater.piece(data, self._room))
        except zlib.error:
            return self._refuse_data()

    def frame_inbound_complete(
        self, proto: FrameDecoder | FrameProtocol, fin: bool
    ) -> bytes | CloseReason | None:
        if self.is_control:
            return None
        self.within = not fin
        if not fin:
            return None
        rest = None
        if self.compressed and not self.is_full:
            try:
                rest = self._inflated(self._inflater.end(self._room))
            except zlib.error:
                return self._refuse_data()
        self._size = 0
        return rest

    def too_long(self) -> ParseFailed:
        return ParseFailed(f"a message is longer than {self._limit:.0f} bytes", CloseReason.MESSAGE_TOO_BIG)

    @property
    def _room(self) -> int:
        return -1 if self._limit == inf else max(int(self._limit) - self._size, 0)

    def _inflated(self, data: bytes) -> bytes:
        self._size += len(data)
        if self._size > self._limit:
            self.is_full = True
            return data[: len(data) - 1]
        return data

    def _refuse(self, problem: str) -> CloseReason:
        self.problem = problem
        return CloseReason.PROTOCOL_ERROR

    def _refuse_data(self) -> CloseReason:
        self.problem = "a compressed message cannot be inflated"
        return CloseReason.INVALID_FRAME_PAYLOAD_DATA
