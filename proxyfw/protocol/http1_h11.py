"""The engine that frames HTTP/1 bodies with h11, the reference for the other."""

from __future__ import annotations

from functools import lru_cache

import h11

from proxyfw.protocol.events import RawHeaders
from proxyfw.protocol.http1_engine import BadChunk
from proxyfw.protocol.http1_head import CHUNKED, UNDECLARED

_END = h11.EndOfMessage()


class H11Engine:
    """Framing by h11, the reference."""

    frames_lengths = True
    __slots__ = ("_connection", "_server", "complete", "rest")

    def __init__(self, server: bool) -> None:
        self._server = server
        self.begin_again()

    def begin_again(self) -> None:
        self._connection = h11.Connection(h11.SERVER if self._server else h11.CLIENT)
        self.complete = False
        self.rest = b""

    def expect(self, length: int, old: bool) -> None:
        if self._server:
            lines = b"GET / HTTP/1.0\r\n" if old else b"GET / HTTP/1.1\r\nhost:\r\n"
            head = _surrogate_head(lines, length or UNDECLARED)
        else:
            head = _surrogate_head(b"HTTP/1.1 200 \r\n", length)
        self._connection.receive_data(head)
        self._connection.next_event()

    def read(self, data: bytes) -> list[bytes]:
        connection = self._connection
        if data:
            connection.receive_data(data)
        pieces: list[bytes] = []
        try:
            while type(event := connection.next_event()) is h11.Data:
                pieces.append(bytes(event.data))  # a bytearray
        except h11.RemoteProtocolError:
            raise BadChunk(pieces, data) from None
        if type(event) is h11.EndOfMessage:
            self.complete = True
            self.rest = connection.trailing_data[0]
        return pieces

    def begin(self, length: int) -> None:
        self._connection.send(_surrogate_response(length) if self._server else _surrogate_request(length))

    def write(self, data: bytes, out: list[bytes]) -> None:
        out += self._connection.send_with_data_passthrough(h11.Data(data=data)) or ()

    def end(self, trailers: RawHeaders, out: list[bytes]) -> None:
        end = h11.EndOfMessage(headers=trailers) if trailers else _END
        out += self._connection.send_with_data_passthrough(end) or ()


def _surrogate_framing(length: int) -> list[tuple[bytes, bytes]]:
    if length == CHUNKED:
        return [(b"transfer-encoding", b"chunked")]
    return [] if length == UNDECLARED else [(b"content-length", b"%d" % length)]


@lru_cache(maxsize=1024)
def _surrogate_head(first_lines: bytes, length: int) -> bytes:
    """A head for h11 that declares *length* and nothing else."""
    return b"".join([first_lines, *(b"%b: %b\r\n" % field for field in _surrogate_framing(length)), b"\r\n"])


@lru_cache(maxsize=1024)
def _surrogate_request(length: int) -> h11.Request:
    return h11.Request(method=b"GET", target=b"/", headers=[(b"host", b""), *_surrogate_framing(length)])


@lru_cache(maxsize=1024)
def _surrogate_response(length: int) -> h11.Response:
    return h11.Response(status_code=200, headers=_surrogate_framing(length))
