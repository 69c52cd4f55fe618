"""One HTTP/2 connection over a wire: the codec that understands it, and its streams.

What all streams want to send in one step of the loop goes out in one write. A slow stream fills its own
window and its own outbox, and holds up no other.
"""

from __future__ import annotations

import logging
from math import inf

from proxyfw.connection import shown_address
from proxyfw.exceptions import ConnectionProblem, PeerGone, ProtocolError
from proxyfw.protocol.events import Event
from proxyfw.protocol.http2 import Codec, ErrorCodes, Fact, Failure, GoAway, name_of

from .http2_stream import OUTBOX_LIMIT, Http2Stream
from .peer import Patience
from .watch import Watch
from .wire import Wire

log = logging.getLogger("proxyfw")

_PORTION = 256 * 1024
"""Bytes of bodies that go out in one step of the loop, after which others have their turn."""


class Http2Connection:
    """One connection, either role; a `proxyfw.net.wire.Receiver`.

    The memory that a peer can make it hold is bounded by `CONNECTION_WINDOW` for what it has sent, and by
    `OUTBOX_LIMIT` and one message for each stream for what it does not take.
    """

    __slots__ = (
        "_closing", "_patience", "_pinged", "_scheduled", "_watch", "codec", "deadline", "draining",
        "going_away", "gone", "loop", "streams", "wire",
    )  # fmt: skip
    _default_code: ErrorCodes
    """What an abort says if it has nothing to say."""

    def __init__(self, wire: Wire, codec: Codec, watch: Watch, patience: Patience) -> None:
        self.wire = wire
        self.codec = codec
        self.loop = watch.loop
        self.streams: dict[int, Http2Stream] = {}
        """Those that are not complete, by id."""
        self.draining: set[Http2Stream] = set()
        """Those whose senders wait."""
        self.gone: ConnectionProblem | None = None
        self.going_away = False
        """There will be no new streams."""
        self.deadline = inf
        self._closing = False
        self._patience = patience
        self._pinged = False
        self._scheduled = False
        self._watch = watch

    def start(self) -> None:
        """Begin to talk."""
        self.deadline = self.loop.time() + self._patience.head
        self._watch.add(self)
        self._schedule()
        self.wire.attach(self)

    # What streams ask for

    def send(self, stream: Http2Stream, events: tuple[Event, ...]) -> None:
        self.codec.send(stream.id, *events)
        self.touch(stream)
        self._schedule()

    def consumed(self, stream_id: int, size: int) -> None:
        if self.codec.consumed(stream_id, size):
            self._schedule()

    def reset(self, stream: Http2Stream, code: int | None) -> None:
        self.codec.reset(stream.id, self._default_code if code is None else code)
        self._sweep()
        self._schedule()

    def release(self, stream: Http2Stream, unread: int) -> None:
        """The story of *stream* is over, with *unread* bytes of what has arrived."""
        told = bool(unread) and self.codec.consumed(stream.id, unread)
        if self.codec.leave(stream.id) or told or self._closing:
            self._sweep()
            self._schedule()

    def touch(self, stream: Http2Stream) -> None:
        """Something happened on *stream*: count its silence from now on."""
        stream.deadline = self.loop.time() + self._patience.idle

    # Its end

    def wind_up(self) -> None:
        """Announce that no new streams are taken, and close when the last one is complete."""
        if not (self.gone or self._closing):
            self.codec.go_away()
            self._retire()

    def close(self) -> None:
        """Send what can be sent, then close."""
        if not self.gone:
            if not (self._closing or self.codec.failed):
                self.codec.go_away()
            self._flush()
            self._lose(PeerGone("the proxy closed the connection"))
            self.wire.close()

    def _retire(self) -> None:
        """There will be no new streams."""
        self._closing = self.going_away = True
        self._schedule()

    def _lose(self, reason: ConnectionProblem) -> None:
        if self.gone:
            return
        self.gone = reason
        self.going_away = True
        self._watch.discard(self)
        streams, self.streams = list(self.streams.values()), {}
        for stream in streams:
            self._watch.discard(stream)
            stream.lose(reason)

    # What differs between the roles

    @property
    def _busy(self) -> bool:
        """Somebody still tells the story of a stream, or one is not complete."""
        raise NotImplementedError

    def _new_stream(self, stream_id: int, event: Event | Fact) -> Http2Stream | None:
        """A stream for *event*, whose stream is not known; None if there is to be none."""
        raise NotImplementedError

    def _left(self, stream: Http2Stream) -> None:
        """*stream* is complete or was reset."""

    def _silence(self) -> float:
        """Seconds without a word after which we do something about it."""
        return self._patience.idle

    def _gone_away(self, fact: GoAway) -> None:
        self._retire()

    # What the wire and the watch call

    def data_received(self, data: bytes) -> None:
        if self.gone:
            return
        self._pinged = False
        self.deadline = self.loop.time() + self._silence()
        try:
            found = self.codec.receive(data)
        except Exception as e:
            log.error("internal error in reading from %s", shown_address(self.wire.peername), exc_info=e)
            self._lose(ProtocolError(f"internal error: {type(e).__name__}: {e}", 502))
            self.wire.abort()
            return
        for stream_id, event in found:
            if not stream_id:
                self._note(event)
            elif stream := self.streams.get(stream_id) or self._new_stream(stream_id, event):
                stream.deadline = self.deadline
                stream.take(event)  # type: ignore[arg-type]  # facts have stream id 0
        self._sweep()
        self._schedule()

    def eof_received(self) -> None:
        self._lose(PeerGone("the other side closed the connection"))
        self.wire.close()

    def connection_lost(self, reason: Exception | None) -> None:
        self._lose(PeerGone(f"the connection was lost: {reason}" if reason else "the connection was closed"))

    def writable_changed(self) -> None:
        if self.wire.writable:
            self._schedule()

    def expired(self) -> None:
        if not self.wire.writable:
            self._lose(PeerGone("nothing was taken in time"))
            self.wire.abort()
        elif self._busy:
            self._keep_alive()
        else:
            self.close()

    def _keep_alive(self) -> None:
        """There are streams, each with a deadline of its own."""
        self.deadline = self.loop.time() + self._silence()

    def _note(self, fact: Event | Fact) -> None:
        if type(fact) is GoAway:
            if fact.code:
                where = shown_address(self.wire.peername)
                log.info("%s: goes away: %s %s", where, name_of(fact.code), fact.reason)
            self._gone_away(fact)
        elif type(fact) is Failure:
            self._flush()  # the GOAWAY that says why
            self._lose(ProtocolError(f"HTTP/2 {name_of(fact.code)}: {fact.reason}", 502))
            self.wire.close()

    def _sweep(self) -> None:
        """Let go of streams that are complete."""
        finished = self.codec.finished
        if finished:
            for stream_id in finished:
                if stream := self.streams.pop(stream_id, None):
                    self._watch.discard(stream)
                    self._left(stream)
            finished.clear()

    def _schedule(self) -> None:
        """Write at the end of this step of the loop what will have come together by then."""
        if not self._scheduled and not self.gone:
            self._scheduled = True
            self.loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._scheduled = False
        if self.gone or self.wire.closed:
            return
        if data := self.codec.take(_PORTION if self.wire.writable else 0):
            self.wire.write(data)
        self._sweep()
        if self.draining:
            self._wake_senders()
        if self.wire.writable and self.codec.ready:
            self._schedule()
        elif self._closing and not self._busy and not self._scheduled:
            self._lose(PeerGone("the connection was closed in good order"))
            self.wire.close()

    def _wake_senders(self) -> None:
        for stream in [s for s in self.draining if s.gone or s.pending <= OUTBOX_LIMIT // 2]:
            self.draining.discard(stream)
            stream.wake_sender()
