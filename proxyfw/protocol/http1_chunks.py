"""The gate before h11's reader of chunked bodies: refuses chunk syntax that could be read in two ways.

h11 accepts bare line feeds in trailers, control characters in extensions, whitespace after sizes and
folded trailers, and has no switch for that. RFC 9112 section 7.1.
"""

from __future__ import annotations

import re

from proxyfw.exceptions import ProtocolError
from proxyfw.protocol.events import RawHeaders
from proxyfw.protocol.http1_head import parse_fields, quote, trailer_fields

MAX_CHUNK_LINE = 1024
"""Longest size line, in bytes, its extensions included."""
MAX_TRAILERS = 8192
"""Longest trailer section, in bytes."""

_EXTENSION = rb"(?:[ \t]*+;[^\x00-\x08\x0a-\x1f\x7f]*+)?+"
_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,16}+)" + _EXTENSION)
_SIZE_LINE_BEGINNING = re.compile(
    rb"(?:[0-9A-Fa-f]{1,16}+(?:[ \t]*+|[ \t]*+;[^\x00-\x08\x0a-\x1f\x7f]*+)\r?)?"
)
_ILLEGAL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|(?<!\r)\n|\r(?!\n|\Z)")


class ChunkGate:
    """Follows one chunked body and lets only sizes, data and the end through, extensions left out.

    *trailers* holds the fields after the body once *done*, *rest* the bytes that follow the message. What is
    wrong is told as *failure*, not raised, for what came before it is still to be read. That every chunk ends
    with CRLF is left to h11.
    """

    __slots__ = (
        "_at_trailers",
        "_held",
        "_left",
        "_searched",
        "_size",
        "done",
        "failure",
        "rest",
        "trailers",
    )

    def __init__(self) -> None:
        self._held = b""
        self._left = 0
        self._searched = 0
        self._size = 0
        self._at_trailers = False
        self.done = False
        self.failure: ProtocolError | None = None
        self.rest = b""
        self.trailers: RawHeaders = []

    def admit(self, data: bytes) -> bytes:
        """Take received bytes, return those h11 may read."""
        passed: list[bytes] = []
        try:
            self._walk(self._held + data, passed)
        except ProtocolError as failure:
            self.failure = failure
        return b"".join(passed)

    def _walk(self, data: bytes, passed: list[bytes]) -> None:
        self._held = b""
        position = 0
        while position < len(data) and not self.done:
            if self._left:
                piece = data[position : position + self._left]
                self._left -= len(piece)
                position += len(piece)
                passed.append(piece)
                continue
            end = self._trailers_end(data, position) if self._at_trailers else self._size_end(data, position)
            if end < 0:
                self._held = data[position:]
                break
            passed.append(
                self._finish(data[position:end]) if self._at_trailers else self._open(data[position:end])
            )
            position = end
        if self.done:
            self.rest = data[position:]

    def missing(self) -> str:
        """Say what an end of input right now cuts off."""
        if self._left:
            received = max(0, self._size + 2 - self._left)
            return f"expected a chunk of {self._size} bytes, received {min(received, self._size)}"
        return "expected the end of the trailers" if self._at_trailers else "expected another chunk"

    def _size_end(self, data: bytes, position: int) -> int:
        end = data.find(b"\r\n", position, position + MAX_CHUNK_LINE)
        if end >= 0:
            return end + 2
        beginning = data[position : position + MAX_CHUNK_LINE]
        if not _SIZE_LINE_BEGINNING.fullmatch(beginning):
            raise ProtocolError(f"bad chunk size line: {quote(beginning)}")
        if len(data) - position >= MAX_CHUNK_LINE:
            raise ProtocolError(f"chunk size line longer than {MAX_CHUNK_LINE} bytes")
        return -1

    def _open(self, line: bytes) -> bytes:
        match = _SIZE_LINE.fullmatch(line[:-2])
        size = int(match[1], 16) if match else -1
        if match is None or size >= 2**63:
            raise ProtocolError(f"bad chunk size line: {quote(line)}")
        if size == 0:
            self._at_trailers = True
            return b"0\r\n"
        self._size = size
        self._left = size + 2
        return b"%x\r\n" % size

    def _trailers_end(self, data: bytes, position: int) -> int:
        if data.startswith(b"\r\n", position):
            return position + 2
        limit = position + MAX_TRAILERS
        start = position + self._searched
        end = data.find(b"\r\n\r\n", start, limit)
        if end >= 0:
            return end + 4
        if _ILLEGAL.search(data, start, limit):
            raise ProtocolError(f"control character or bare line break in trailers: {quote(data[position:])}")
        if len(data) >= limit:
            raise ProtocolError(f"trailers larger than {MAX_TRAILERS} bytes", 431)
        self._searched = max(0, len(data) - position - 3)
        return -1

    def _finish(self, block: bytes) -> bytes:
        self.trailers = trailer_fields(parse_fields(block[:-2]))
        self.done = True
        return b"\r\n"
