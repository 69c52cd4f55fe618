"""What frames the bodies of one HTTP/1 request and its response: h11, or llhttp where httptools is installed.

An engine is told lengths, not heads, because heads are read and written exactly by the codecs themselves.
Both give the same pieces for the same bytes, or both refuse.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Protocol

from proxyfw.exceptions import ProtocolError
from proxyfw.protocol.events import RawHeaders
from proxyfw.protocol.http1_head import CHUNKED, UNDECLARED, quote, write_fields


class Engine(Protocol):
    """One message in each direction, and then the next. Lengths are bytes, CHUNKED or UNDECLARED."""

    @property
    def frames_lengths(self) -> bool:
        """It has to be told of bodies of known length, too."""

    complete: bool
    """The incoming body has been read to its end."""
    rest: bytes
    """What followed the end of an incoming body that is not chunked."""

    def expect(self, length: int, old: bool) -> None:
        """An incoming body of *length* begins; *old*: its head is of HTTP/1.0."""

    def read(self, data: bytes) -> list[bytes]:
        """The pieces of the body in *data*. Raises ProtocolError for a chunk that does not end as it must."""

    def begin(self, length: int) -> None:
        """An outgoing body of *length* begins."""

    def write(self, data: bytes, out: list[bytes]) -> None: ...

    def end(self, trailers: RawHeaders, out: list[bytes]) -> None: ...

    def begin_again(self) -> None:
        """Both messages are over, and others may follow."""


NewEngine = Callable[[bool], Engine]
"""Makes an engine; True for the server's side of the connection."""


class LlhttpEngine:
    """Framing by llhttp; a body of known length needs no parser, so it meets none."""

    frames_lengths = False
    __slots__ = ("_left", "_outgoing", "_parser", "_pieces", "_server", "complete", "rest")

    def __init__(self, server: bool) -> None:
        self._server = server
        self.begin_again()

    def begin_again(self) -> None:
        self._parser: Any = None
        self._left = 0
        self._outgoing = 0
        self.complete = False
        self.rest = b""

    def expect(self, length: int, old: bool) -> None:
        self._left = length
        if length == CHUNKED:
            self._pieces: list[bytes] = []
            self._parser = _llhttp_parser(self._server)(self)
            self._parser.feed_data(_LLHTTP_HEAD[self._server])

    def read(self, data: bytes) -> list[bytes]:
        left = self._left
        if left == CHUNKED:
            return self._read_chunks(data)
        if left == UNDECLARED:
            return [data] if data else []
        size = len(data)
        if size < left:
            self._left = left - size
            return [data] if data else []
        self.complete = True
        if size == left:
            return [data] if data else []
        self.rest = data[left:]
        return [data[:left]] if left else []

    def _read_chunks(self, data: bytes) -> list[bytes]:
        try:
            self._parser.feed_data(data)
        except _llhttp_error():
            raise BadChunk(self._pieces, data) from None
        pieces, self._pieces = self._pieces, []
        return pieces

    def on_body(self, piece: bytes) -> None:
        self._pieces.append(piece)

    def on_message_complete(self) -> None:
        self.complete = True

    def begin(self, length: int) -> None:
        self._outgoing = length

    def write(self, data: bytes, out: list[bytes]) -> None:
        if self._outgoing != CHUNKED:
            out.append(data)
        elif data:
            out += (b"%x\r\n" % len(data), data, b"\r\n")

    def end(self, trailers: RawHeaders, out: list[bytes]) -> None:
        if self._outgoing == CHUNKED:
            out.append(b"0\r\n%b\r\n" % write_fields(trailers))


class BadChunk(ProtocolError):
    """A chunk is not ended by CRLF; *pieces* are what came before it."""

    def __init__(self, pieces: list[bytes], data: bytes) -> None:
        super().__init__(f"chunk not ended by CRLF: {quote(data)}")
        self.pieces = pieces


preferred = "auto"
"""The engine of codecs that are given none."""


def engine_named(name: str | None = None) -> NewEngine:
    """The engine for ``auto``, ``h11`` or ``httptools``. Raises ImportError if the last is not installed."""
    name = name or preferred
    if name != "h11":
        try:
            _llhttp_parser(True)
        except ImportError:
            if name != "auto":
                raise
        else:
            return LlhttpEngine
    from .http1_h11 import H11Engine  # not light: a stand-in for those that have the other

    return H11Engine


@lru_cache
def _llhttp_parser(server: bool) -> Any:
    import httptools

    return httptools.HttpRequestParser if server else httptools.HttpResponseParser


@lru_cache
def _llhttp_error() -> type[Exception]:
    import httptools

    error: type[Exception] = httptools.HttpParserError
    return error


_LLHTTP_HEAD = {
    True: b"POST / HTTP/1.1\r\nhost:x\r\ntransfer-encoding: chunked\r\n\r\n",
    False: b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
}
