"""HTTP/2 over h2, either role: bytes in, events of many streams out; events in, bytes out as windows allow.

What concerns one stream ends that stream, what concerns all ends the connection. Push and priorities are
not offered; extended CONNECT is read and sent as the upgrade to WebSocket that it stands for. RFC 9113.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from h2 import events as h2_events
from h2.errors import ErrorCodes
from h2.exceptions import H2Error
from hpack import HPACKError
from hyperframe.exceptions import HyperframeError
from hyperframe.frame import GoAwayFrame

from proxyfw.exceptions import LocalProtocolError, ProtocolError
from proxyfw.protocol.events import (
    END,
    Data,
    Event,
    RequestHead,
    Reset,
    ResponseHead,
)
from proxyfw.protocol.http1_head import UNDECLARED
from proxyfw.protocol.http2_facts import ANSWERABLE, Fact, Failure, Found, GoAway, Malformed, PingAck, name_of
from proxyfw.protocol.http2_fields import read_request, read_response, read_trailers
from proxyfw.protocol.http2_gate import (
    Admitted,
    Budget,
    ConnectionFault,
    FrameGate,
    StreamFault,
)
from proxyfw.protocol.http2_names import PREFACE, VERSION
from proxyfw.protocol.http2_outbox import Outbox
from proxyfw.protocol.http2_setup import (
    CONNECTION_WINDOW,
    HARD_LIMIT,
    MAX_STREAMS,
    STREAM_WINDOW,
    new_connection,
)
from proxyfw.protocol.http2_stream import StreamState
from proxyfw.protocol.http2_websocket import connect_fields, switching, upgrade_fields

__all__ = [
    "ANSWERABLE", "CONNECTION_WINDOW", "MAX_STREAMS", "PREFACE", "STREAM_WINDOW", "VERSION", "Codec",
    "ErrorCodes", "Fact", "Failure", "GoAway", "Malformed", "PingAck", "name_of",
]  # fmt: skip

_NUISANCES, _NUISANCES_PER_SECOND = 2000, 200
_RESETS, _RESETS_PER_SECOND = 500, 50


class Codec:
    """One connection. *client*: we open the streams.

    Heads with a list of more than *max_head_size* bytes are refused. *clock* counts seconds, for the limits
    on frames that bring nothing forward. *websocket*: a server offers extended CONNECT for that. *upgraded*:
    the settings of a client whose first request came in HTTP/1.1, which `take_over` is to be told; raises
    ProtocolError if they are none.
    """

    def __init__(
        self,
        *,
        client: bool,
        max_head_size: int = 65536,
        max_streams: int = MAX_STREAMS,
        websocket: bool = False,
        upgraded: bytes | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.failed = False
        self.finished: list[int] = []
        """Streams that are complete or reset since somebody cleared this list."""
        self._client = client
        self._max_head_size = max_head_size
        self._max_streams = max_streams
        self._websocket = websocket
        self._streams: dict[int, StreamState] = {}
        self._found: Found = []
        self._out: list[bytes] = []
        self._first: Found = []
        self._unacknowledged = 0
        self._their_limit_known = False
        self._nuisances = Budget(_NUISANCES, _NUISANCES_PER_SECOND, clock)
        self._resets = Budget(_RESETS, _RESETS_PER_SECOND, clock)
        self._h2 = new_connection(client, max_head_size, max_streams, websocket, upgraded)
        self._outbox = Outbox(self._h2, self._nuisances)
        self._gate = FrameGate(self._h2, self._nuisances, HARD_LIMIT * max_head_size, server=not client)

    # What the peer allows

    @property
    def their_max_streams(self) -> int:
        """Streams that we may have open at a time."""
        most = self._h2.remote_settings.max_concurrent_streams
        return most if self._their_limit_known else min(most, MAX_STREAMS)

    @property
    def introduced(self) -> bool:
        """The peer has said what it allows."""
        return self._their_limit_known

    @property
    def carries_websockets(self) -> bool:
        """The peer has said that it takes extended CONNECT. RFC 8441 section 3."""
        return bool(self._h2.remote_settings.enable_connect_protocol)

    @property
    def exhausted(self) -> bool:
        """No stream can be opened any more: their numbers have run out. RFC 9113 section 5.1.1."""
        return self._h2.highest_outbound_stream_id + 2 > self._h2.HIGHEST_ALLOWED_STREAM_ID

    def pending(self, stream_id: int) -> int:
        """Bytes of body that wait to be sent on this stream."""
        stream = self._streams.get(stream_id)
        return stream.pending if stream else 0

    # Receiving

    def take_over(self, head: RequestHead, *rest: Event) -> None:
        """The complete request of stream 1 came in HTTP/1.1; the next `receive` returns it, whatever comes.

        RFC 7540 section 3.2.
        """
        stream = self._streams[1] = StreamState(1, head.method)
        stream.head_received = stream.finished_reading = True
        # Its body was not counted against our windows, so taking it gives nothing back.
        self._unacknowledged = -sum([len(event.data) for event in rest if type(event) is Data])
        self._first = [(1, event) for event in (head, *rest)]

    def receive(self, data: bytes) -> Found:
        """Take received bytes and return what they complete, with the stream that each belongs to."""
        found = self._found = self._first
        self._first = []
        if self.failed:
            return found
        for admitted in self._gate.admit(data):
            if not self._take_in(admitted):
                break
        return found

    def _take_in(self, admitted: Admitted) -> bool:
        if type(admitted) is bytes:
            self._receive_frame(admitted)
        elif type(admitted) is StreamFault:
            self._fault(admitted.stream_id, ProtocolError(admitted.reason), admitted.code)
        elif type(admitted) is ConnectionFault:
            self._fail(admitted.code, admitted.reason)
        elif type(admitted) is GoAway:
            self._found.append((0, admitted))
        return not self.failed

    def _receive_frame(self, frame: bytes) -> None:
        try:
            events = self._h2.receive_data(frame)
        except (H2Error, HyperframeError, HPACKError) as exc:
            self.failed = True  # h2 has written the GOAWAY
            code = getattr(exc, "error_code", ErrorCodes.PROTOCOL_ERROR)
            self._found.append((0, Failure(code, str(exc) or type(exc).__name__)))
            return
        for event in events:
            handler = _HANDLERS.get(type(event))
            if handler:
                handler(self, event)

    def _request(self, event: h2_events.RequestReceived) -> None:
        stream_id = event.stream_id
        if self._client:
            self._fail(ErrorCodes.PROTOCOL_ERROR, f"the server opened stream {stream_id}")
            return
        if len(self._streams) >= self._max_streams:
            self._h2.reset_stream(stream_id, ErrorCodes.REFUSED_STREAM)
            self._count_reset()
            return
        stream = self._streams[stream_id] = StreamState(stream_id, b"")
        try:
            head, length = read_request(event.headers, self._max_head_size, self._websocket)
        except ProtocolError as exc:
            self._refuse_head(stream, exc)
            return
        if head.websocket:
            head.method, head.websocket = b"GET", False
            head.headers, stream.upgrade_key = upgrade_fields(head.headers)
        stream.method = head.method
        tunnel = stream.upgrade_key is not None or head.method == b"CONNECT"
        stream.expect(UNDECLARED if tunnel else length)
        self._found.append((stream_id, head))
        if tunnel:
            self._found.append((stream_id, END))  # what follows is not its body

    def _response(self, event: h2_events.ResponseReceived | h2_events.InformationalResponseReceived) -> None:
        stream = self._streams.get(event.stream_id)
        if stream is None:
            return
        try:
            head, length = read_response(event.headers, self._max_head_size)
        except ProtocolError as exc:
            self._refuse_head(stream, exc)
            return
        if type(head) is ResponseHead:
            if stream.upgrade_key is not None:
                head = switching(head, stream.upgrade_key)
                length = UNDECLARED if head.status == 101 else length
            stream.expect(length, head.status)
        self._found.append((stream.id, head))

    def _refuse_head(self, stream: StreamState, problem: ProtocolError) -> None:
        if problem.status in ANSWERABLE and not self._client:
            self._found.append((stream.id, Malformed(str(problem), problem.status)))
        else:
            self._fault(stream.id, problem)

    def _trailers(self, event: h2_events.TrailersReceived) -> None:
        stream = self._streams.get(event.stream_id)
        if stream is None or not stream.head_received:
            return
        try:
            self._found.append((stream.id, read_trailers(event.headers, self._max_head_size)))
        except ProtocolError as exc:
            self._fault(stream.id, exc)

    def _data(self, event: h2_events.DataReceived) -> None:
        stream = self._streams.get(event.stream_id)
        size = len(event.data)
        if stream is None or not stream.head_received:
            self.consumed(event.stream_id, event.flow_controlled_length)
            return
        if event.flow_controlled_length != size:
            self.consumed(stream.id, event.flow_controlled_length - size)  # padding
        if not size:
            return
        if stream.unwanted:
            self.consumed(stream.id, size)
            return
        try:
            stream.received(size)
        except ProtocolError as exc:
            self.consumed(stream.id, size)
            self._fault(stream.id, exc)
            return
        self._found.append((stream.id, Data(event.data)))

    def _ended(self, event: h2_events.StreamEnded) -> None:
        stream = self._streams.get(event.stream_id)
        if stream is None:
            return
        try:
            stream.complete()
        except ProtocolError as exc:
            self._fault(stream.id, exc)
            return
        if stream.head_received and not stream.unwanted:
            self._found.append((stream.id, END))
        self._finish(stream)

    def _reset(self, event: h2_events.StreamReset) -> None:
        stream = self._streams.get(event.stream_id)
        if stream is None:
            return
        code = int(event.error_code)
        if event.remote_reset:
            self._found.append((stream.id, Reset(f"the stream was reset with {name_of(code)}", code)))
        else:
            self._found.append((stream.id, Malformed(f"the stream was in error: {name_of(code)}", 400)))
        self._drop(stream)
        self._count_reset()

    def _window_opened(self, event: h2_events.WindowUpdated) -> None:
        if event.stream_id == 0:
            self._outbox.unblock(self._streams.values())
        elif stream := self._streams.get(event.stream_id):
            self._outbox.unblock([stream])

    def _settings_changed(self, event: h2_events.RemoteSettingsChanged) -> None:
        self._their_limit_known = True
        self._outbox.unblock(self._streams.values())

    def _ping_answered(self, event: h2_events.PingAckReceived) -> None:
        self._found.append((0, PingAck()))

    # What goes wrong

    def _fault(
        self, stream_id: int, problem: ProtocolError, code: ErrorCodes = ErrorCodes.PROTOCOL_ERROR
    ) -> None:
        """The peer broke a rule on one stream: reset that."""
        stream = self._streams.get(stream_id)
        if stream is not None:
            status = 502 if self._client else problem.status
            self._found.append((stream_id, Malformed(str(problem), status)))
            self.reset(stream_id, code)
            self._count_reset()

    def _count_reset(self) -> None:
        """Streams that come and go cost us more than the peer. CVE-2023-44487 and CVE-2025-8671."""
        if not self._client and not self._resets.spend():
            self._fail(ErrorCodes.ENHANCE_YOUR_CALM, "too many streams were opened to be reset")

    def _fail(self, code: ErrorCodes, reason: str) -> None:
        self.go_away(code, reason)
        self.failed = True
        self._found.append((0, Failure(code, reason)))

    # Sending

    def open(self, *events: Event) -> int:
        """Begin a stream with a RequestHead and what follows it; its id. Raises LocalProtocolError.

        Nothing follows one that asks for a WebSocket, not even its end.
        """
        head = events[0]
        assert isinstance(head, RequestHead), head
        if self.failed or self.exhausted:
            raise LocalProtocolError("the connection takes no more streams")
        stream = StreamState(self._h2.get_next_available_stream_id(), head.method)
        if head.websocket:
            stream.upgrade_key = connect_fields(head)[1]
            events = events[:1]
        self._outbox.write(stream, events)
        self._streams[stream.id] = stream
        return stream.id

    def send(self, stream_id: int, *events: Event) -> None:
        """Queue *events*; `take` hands out the bytes. Nothing happens on a stream that is over.

        Data is dropped where a message has no body. Raises LocalProtocolError, as the codec of HTTP/1 does: a
        message that comes whole in one call is checked before anything changes.
        """
        stream = self._streams.get(stream_id)
        if stream is not None and not (stream.ended or self.failed):
            self._outbox.write(stream, events)
            self._finish(stream)

    def take(self, room: int = 256 * 1024) -> bytes:
        """The bytes to write now: at most about *room* of bodies, a frame of each stream in turn."""
        if not self.failed:
            for stream in self._outbox.fill(room):
                self._finish(stream)
        self._out.append(self._h2.data_to_send())
        out, self._out = b"".join(self._out), []
        return out

    @property
    def ready(self) -> bool:
        """There is more for `take`, which only its *room* has held back."""
        return bool(self._outbox.ready) and not self.failed

    # Streams and connection

    def consumed(self, stream_id: int, size: int) -> bool:
        """*size* bytes of body were taken, so the peer may send as many more; True if it is told so now."""
        self._unacknowledged += size
        if self.failed:
            return False
        told = False
        if self._unacknowledged >= CONNECTION_WINDOW // 4:
            self._h2.increment_flow_control_window(self._unacknowledged)
            self._unacknowledged = 0
            told = True
        stream = self._streams.get(stream_id)
        if stream and not stream.finished_reading:
            stream.unacknowledged += size
            if stream.unacknowledged >= STREAM_WINDOW // 2:
                self._h2.increment_flow_control_window(stream.unacknowledged, stream_id)
                stream.unacknowledged = 0
                told = True
        return told

    def reset(self, stream_id: int, code: int) -> None:
        """End a stream at once, and forget what was to be sent on it."""
        stream = self._streams.get(stream_id)
        if stream is None:
            return
        self._drop(stream)
        try:
            self._h2.reset_stream(stream_id, code)
        except H2Error:
            pass  # the connection is over, or h2 has reset it already

    def leave(self, stream_id: int) -> bool:
        """Nobody is interested in this stream any more: what was queued goes out, what arrives is dropped.

        A message of ours that has no end yet, and a request of ours with its answer, are broken off. False if
        the stream was over already.
        """
        stream = self._streams.get(stream_id)
        if stream is None:
            return False
        if not stream.ended or (self._client and stream.upgrade_key is None):
            self.reset(stream_id, ErrorCodes.CANCEL if self._client else ErrorCodes.INTERNAL_ERROR)
        else:
            stream.unwanted = True
            self._finish(stream)
        return True

    def ping(self) -> None:
        self._h2.ping(b"proxyfw.")

    def go_away(self, code: int = 0, reason: str = "") -> None:
        """Announce that no more streams are taken; those that exist may be completed if *code* is 0.

        h2's own way would forget them at once.
        """
        frame = GoAwayFrame(
            last_stream_id=self._h2.highest_inbound_stream_id,
            error_code=code,
            additional_data=reason.encode("utf-8", "replace"),
        )
        self._out += [self._h2.data_to_send(), frame.serialize()]

    def _finish(self, stream: StreamState) -> None:
        if not stream.finished_writing:
            return
        if stream.finished_reading:
            self._resets.earn()
            self._drop(stream)
        elif stream.unwanted:
            # stop sending, please. RFC 9113 section 8.1
            self.reset(stream.id, ErrorCodes.CANCEL if self._client else ErrorCodes.NO_ERROR)

    def _drop(self, stream: StreamState) -> None:
        if self._streams.pop(stream.id, None):
            stream.finished_reading = stream.finished_writing = True
            self.finished.append(stream.id)


_HANDLERS: dict[type[h2_events.Event], Callable[[Codec, Any], None]] = {
    h2_events.RequestReceived: Codec._request,
    h2_events.ResponseReceived: Codec._response,
    h2_events.InformationalResponseReceived: Codec._response,
    h2_events.TrailersReceived: Codec._trailers,
    h2_events.DataReceived: Codec._data,
    h2_events.StreamEnded: Codec._ended,
    h2_events.StreamReset: Codec._reset,
    h2_events.WindowUpdated: Codec._window_opened,
    h2_events.RemoteSettingsChanged: Codec._settings_changed,
    h2_events.PingAckReceived: Codec._ping_answered,
}
