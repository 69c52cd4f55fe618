"""One HTTP/2 connection over a wire: the codec that understands it, and its streams.

What all streams want to send in one step of the loop goes out in one write. A slow stream fills its own
window and its own outbox, and holds up no other.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from math import inf

from proxyfw.exceptions import ConnectionProblem, PeerGone, ProtocolError
from proxyfw.protocol.events import Event, RequestHead
from proxyfw.protocol.http2 import MAX_STREAMS, Codec, ErrorCodes, Fact, Failure, GoAway, Malformed, name_of

from .http2_stream import OUTBOX_LIMIT, Http2Stream
from .peer import Patience
from .watch import Watch
from .wire import Wire

log = logging.getLogger("proxyfw")

_PORTION = 256 * 1024
"""Bytes of bodies that go out in one step of the loop, after which others have their turn."""
_PING_PATIENCE = 15.0
"""Seconds that the answer to a PING may take."""


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
        self.codec.consumed(stream_id, size)
        self._schedule()

    def reset(self, stream: Http2Stream, code: int | None) -> None:
        self.codec.reset(stream.id, self._default_code if code is None else code)
        self._sweep()
        self._schedule()

    def release(self, stream: Http2Stream, unread: int) -> None:
        """The story of *stream* is over, with *unread* bytes of what has arrived."""
        if unread:
            self.codec.consumed(stream.id, unread)
        self.codec.leave(stream.id)
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
            log.error("internal error in reading from %s", self.wire.peername, exc_info=e)
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
                log.info("%s: goes away: %s %s", self.wire.peername, name_of(fact.code), fact.reason)
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


class ServerConnection(Http2Connection):
    """A connection of a client. *accept* is called with each new stream, whose story ends with `release`."""

    __slots__ = ("_accept", "_ended", "_stories")
    _default_code = ErrorCodes.INTERNAL_ERROR

    def __init__(
        self,
        wire: Wire,
        codec: Codec,
        watch: Watch,
        patience: Patience,
        accept: Callable[[Http2Stream], None],
    ) -> None:
        super().__init__(wire, codec, watch, patience)
        self._accept = accept
        self._ended: asyncio.Future[None] = self.loop.create_future()
        self._stories = 0

    async def ended(self) -> None:
        """Wait until there will be no more streams and no bytes."""
        await asyncio.shield(self._ended)

    def release(self, stream: Http2Stream, unread: int) -> None:
        self._stories -= 1
        super().release(stream, unread)

    @property
    def _busy(self) -> bool:
        return bool(self._stories or self.streams)

    def _new_stream(self, stream_id: int, event: Event | Fact) -> Http2Stream | None:
        if type(event) is Malformed:
            log.info("%s: bad request: %s", self.wire.peername, event.reason)
            if event.status != 431:
                return None
        elif type(event) is not RequestHead:
            return None
        # Stories that are being broken off count too, or resetting streams would be a way around the limit.
        if self.going_away or self._stories >= MAX_STREAMS:
            self.codec.reset(stream_id, ErrorCodes.REFUSED_STREAM)
            return None
        stream = self.streams[stream_id] = Http2Stream(self, stream_id)
        self._watch.add(stream)
        self._stories += 1
        self._accept(stream)
        return stream

    def _lose(self, reason: ConnectionProblem) -> None:
        super()._lose(reason)
        if not self._ended.done():
            self._ended.set_result(None)


class ClientConnection(Http2Connection):
    """A connection to an origin. Streams wait in line where the origin limits their number.

    *keepalive*: seconds of silence after which a PING asks whether the origin is still there while streams
    wait for it, 0 for never; *keep*: seconds that the connection stays open without streams.
    """

    __slots__ = ("_keep", "_keepalive", "_occupied", "_queue", "_served")
    _default_code = ErrorCodes.CANCEL

    def __init__(
        self, wire: Wire, codec: Codec, watch: Watch, patience: Patience, *, keepalive: float, keep: float
    ) -> None:
        super().__init__(wire, codec, watch, patience)
        self._keep = keep
        self._keepalive = keepalive
        self._occupied = 0
        self._queue: deque[asyncio.Future[None]] = deque()
        self._served = False

    @property
    def reusable(self) -> bool:
        """New streams may be opened, now or after a while."""
        return not (self.going_away or self.codec.exhausted)

    @property
    def full(self) -> bool:
        """A new stream would have to wait for its turn."""
        return bool(self._queue) or self._occupied >= self.codec.their_max_streams

    async def open(self) -> Http2Stream:
        """A stream, which begins with the first `send`; waits for its turn. Raises PeerGone (unprocessed)."""
        if self.reusable and not self.full:
            self._occupied += 1
        else:
            await self._wait_for_turn()
        stream = self._stream()
        self.touch(stream)
        return stream

    def _stream(self) -> Http2Stream:
        return Http2Stream(self, 0, self._served)

    async def _wait_for_turn(self) -> None:
        if not self.reusable:
            raise self._no_turn()
        turn = self.loop.create_future()
        self._queue.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and not turn.exception():
                self._vacate()
            raise

    def _no_turn(self) -> PeerGone:
        problem = "the origin takes no more requests on this connection"
        return PeerGone(problem, code=ErrorCodes.REFUSED_STREAM, unprocessed=True)

    def _vacate(self) -> None:
        self._occupied -= 1
        self._seat_waiting()

    def _seat_waiting(self) -> None:
        queue = self._queue
        while queue and self._occupied < self.codec.their_max_streams:
            turn = queue.popleft()
            if not turn.done():
                self._occupied += 1
                turn.set_result(None)

    def send(self, stream: Http2Stream, events: tuple[Event, ...]) -> None:
        if stream.id:
            super().send(stream, events)
            return
        if self.going_away:
            stream.lose(self._no_turn())
            return
        stream.id = self.codec.open(*events)
        self.streams[stream.id] = stream
        self._watch.add(stream)
        if len(self.streams) == 1:
            self.deadline = self.loop.time() + self._silence()
        self._schedule()

    def release(self, stream: Http2Stream, unread: int) -> None:
        super().release(stream, unread)
        if not stream.id:
            self._vacate()

    @property
    def _busy(self) -> bool:
        return bool(self._occupied)

    def _new_stream(self, stream_id: int, event: Event | Fact) -> Http2Stream | None:
        return None  # a late frame of one that is over

    def _left(self, stream: Http2Stream) -> None:
        self._served = True
        self._vacate()
        if not self.streams:
            self.deadline = self.loop.time() + self._silence()

    def _silence(self) -> float:
        if not self.streams:
            return self._keep
        if self._keepalive:
            return max(self._keepalive - self._watch.interval, self._keepalive / 2)  # the watch may be late
        return self._patience.idle

    def _keep_alive(self) -> None:
        if self._pinged:
            self._lose(PeerGone("no answer to a PING"))
            self.wire.abort()
        elif self._keepalive:
            self._pinged = True
            self.codec.ping()
            self._schedule()
            self.deadline = self.loop.time() + _PING_PATIENCE
        else:
            super()._keep_alive()

    def _gone_away(self, fact: GoAway) -> None:
        self._retire()
        problem = f"the origin is going away: {name_of(fact.code)} {fact.reason}".rstrip()
        for stream in [s for s in self.streams.values() if s.id > fact.last_stream_id]:
            self.codec.reset(stream.id, ErrorCodes.CANCEL)
            stream.lose(PeerGone(problem, code=ErrorCodes.REFUSED_STREAM, unprocessed=True))

    def _retire(self) -> None:
        super()._retire()
        self._turn_away()

    def _lose(self, reason: ConnectionProblem) -> None:
        super()._lose(reason)
        self._turn_away()

    def _turn_away(self) -> None:
        while self._queue:
            turn = self._queue.popleft()
            if not turn.done():
                turn.set_exception(self._no_turn())

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._queue:
            self._seat_waiting()  # the limit may be another now
