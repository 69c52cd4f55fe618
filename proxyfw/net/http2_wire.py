"""A stream of HTTP/2 as a wire: what it carries after an extended CONNECT is bytes both ways. RFC 8441.

Its END_STREAM is the end of the bytes, as a FIN is that of TCP, and a reset with CANCEL is a reset.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxyfw.exceptions import ConnectionProblem
from proxyfw.protocol.events import END, Data
from proxyfw.protocol.http2 import ErrorCodes

from .wire import Wire

if TYPE_CHECKING:
    from .http2_stream import Http2Stream

_LIMIT = 256 * 1024
"""Bytes that wait to be sent above which the wire is not writable."""


class Http2Wire(Wire):
    """*stream*, whose messages are over. What it has received is handed out by `pull`."""

    __slots__ = ("_closing", "_finished", "_paused", "_stream")

    def __init__(self, stream: Http2Stream, carrier: Wire) -> None:
        super().__init__(carrier.peername, carrier.sockname)
        self._closing = False
        self._finished = False
        self._paused = False
        self._stream = stream

    def write(self, data: bytes) -> None:
        if data and not (self._finished or self.closed):
            stream = self._stream
            stream.send(Data(data))
            if self.writable and stream.pending > _LIMIT:
                self.writable = False
                stream.await_room()
                self.receiver.writable_changed()

    def write_eof(self) -> None:
        if not (self._finished or self.closed):
            self._finished = True
            self._stream.send(END)

    def pause(self) -> None:
        self._paused = True

    def resume(self) -> None:
        if self._paused:
            self._paused = False
            self._stream.schedule(self.pull)

    def close(self) -> None:
        self.write_eof()
        self._lose_soon()

    def abort(self) -> None:
        self._finished = True
        self._lose_soon()
        self._stream.abort(ErrorCodes.CANCEL)

    def _lose_soon(self) -> None:
        if not self._closing:
            self._closing = True
            self._stream.schedule(lambda: self.deliver_loss(None))

    # What the stream calls

    def pull(self) -> None:
        """Hand out what has arrived."""
        while not (self._paused or self._closing or self.closed):
            event = self._stream.next()
            if event is None:
                return
            if type(event) is Data:
                self.receiver.data_received(event.data)
            elif not self.eof:  # trailers mean nothing here
                self.deliver_eof()

    def lost(self, reason: ConnectionProblem) -> None:
        """Nothing more will come, and nothing goes out."""
        if not self._closing:
            self.pull()
            self.deliver_loss(reason)

    def room(self) -> None:
        """Enough of what waited has been sent."""
        if not (self.writable or self.closed):
            self.writable = True
            self.receiver.writable_changed()
