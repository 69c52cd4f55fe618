"""What goes out on an HTTP/2 connection: heads at once, bodies as windows allow, a frame of each in turn."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from h2.connection import H2Connection
from h2.exceptions import H2Error

from proxyfw.exceptions import LocalProtocolError, ProtocolError
from proxyfw.protocol.events import Data, End, Event, Informational, RequestHead, ResponseHead, Trailers
from proxyfw.protocol.fields import notable
from proxyfw.protocol.http1_head import UNDECLARED, body_length
from proxyfw.protocol.http2_fields import Block, block_size, request_block, response_block, trailers_block
from proxyfw.protocol.http2_gate import Budget
from proxyfw.protocol.http2_stream import StreamState
from proxyfw.protocol.http2_websocket import accepting

_FRAMES_PER_DATA = 3
"""WINDOW_UPDATEs for stream and connection, and a PING to measure with: what a peer may say to each DATA."""


class Outbox:
    """The sending half of *connection*. Each DATA that is sent earns the peer some of *nuisances*."""

    __slots__ = ("_connection", "_nuisances", "ready")

    def __init__(self, connection: H2Connection, nuisances: Budget) -> None:
        self._connection = connection
        self._nuisances = nuisances
        self.ready: deque[StreamState] = deque()
        """Streams that have something to send and, as far as is known, may."""

    def write(self, stream: StreamState, events: tuple[Event, ...]) -> None:
        """Write heads and queue what follows them. Raises LocalProtocolError."""
        for position, event in enumerate(events):
            if type(event) is Data:
                stream.queue(event.data)
            elif type(event) is End:
                stream.end()
            elif type(event) is Trailers:
                stream.trailers = trailers_block(event.headers) or None
            else:
                self._write_head(stream, event, events[position + 1 :])
        if stream.pending or stream.ended:
            self._enqueue(stream)

    def _enqueue(self, stream: StreamState) -> None:
        if not (stream.queued or stream.blocked or stream.finished_writing):
            stream.queued = True
            self.ready.append(stream)

    def _write_head(self, stream: StreamState, event: Event, rest: tuple[Event, ...]) -> None:
        if type(event) is ResponseHead and stream.upgrade_key is not None:
            event = accepting(event)
        block, no_body = self._block(stream, event)
        for later in rest:
            if type(later) is Trailers:
                trailers_block(later.headers)
        if isinstance(event, RequestHead | ResponseHead):
            stream.begin(_declared_length(event), no_body, rest)
        ends = bool(rest) and type(rest[0]) is End
        try:
            self._connection.send_headers(stream.id, block, end_stream=ends)
        except H2Error as exc:
            raise LocalProtocolError(f"events out of order for HTTP/2: {exc}") from exc
        stream.finished_writing = ends

    def _block(self, stream: StreamState, event: Event) -> tuple[Block, bool]:
        """The header list for a head, and whether no body may follow it. Raises LocalProtocolError."""
        client = self._connection.config.client_side
        if isinstance(event, RequestHead) and client:
            block, no_body = request_block(event), False
        elif isinstance(event, ResponseHead | Informational) and not client:
            block, no_body = response_block(event), stream.method == b"HEAD" or event.status in (204, 304)
        else:
            role = "client" if client else "server"
            raise LocalProtocolError(f"a {role} cannot send {type(event).__name__} over HTTP/2")
        most = self._connection.remote_settings.max_header_list_size
        if most is not None and (size := block_size(block)) > most:
            raise LocalProtocolError(f"a header list of {size} bytes, where the other side allows {most}")
        return block, no_body

    def unblock(self, streams: Iterable[StreamState]) -> None:
        """The windows of *streams* may have been opened."""
        for stream in streams:
            if stream.blocked:
                stream.blocked = False
                self._enqueue(stream)

    def fill(self, room: int) -> list[StreamState]:
        """Write at most about *room* bytes of bodies; the streams that have been written to their end."""
        ended: list[StreamState] = []
        ready = self.ready
        while ready and room > 0:
            stream = ready.popleft()
            stream.queued = False
            if stream.finished_writing:
                continue
            if stream.pending:
                room -= self._write_data(stream)
            elif stream.trailers is not None and stream.ended:
                self._connection.send_headers(stream.id, stream.trailers, end_stream=True)
                stream.finished_writing = True
            elif stream.ended:
                self._connection.end_stream(stream.id)
                stream.finished_writing = True
            if stream.finished_writing:
                ended.append(stream)
        return ended

    def _write_data(self, stream: StreamState) -> int:
        connection = self._connection
        window = connection.local_flow_control_window(stream.id)
        size = min(window, connection.max_outbound_frame_size, stream.pending)
        if size <= 0:
            stream.blocked = True
            return 0
        last = stream.ended and stream.pending == size and stream.trailers is None
        connection.send_data(stream.id, stream.next(size), end_stream=last)
        self._nuisances.earn(_FRAMES_PER_DATA)
        stream.finished_writing = last
        if stream.pending or stream.ended:
            self._enqueue(stream)
        return size


def _declared_length(head: RequestHead | ResponseHead) -> int:
    """The body length that *head* declares. Raises LocalProtocolError."""
    length = notable(head.headers).get(b"content-length")
    try:
        return UNDECLARED if length is None else body_length({b"content-length": length})
    except ProtocolError as exc:
        raise LocalProtocolError(str(exc)) from None
