"""The two roles on an HTTP/2 connection: streams of clients are handed out, those to origins asked for."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable

from proxyfw.connection import shown_address
from proxyfw.exceptions import ConnectionProblem, PeerGone
from proxyfw.protocol.events import Event, RequestHead
from proxyfw.protocol.http2 import (
    ANSWERABLE,
    MAX_STREAMS,
    Codec,
    ErrorCodes,
    Fact,
    GoAway,
    Malformed,
    name_of,
)

from .http2 import Http2Connection
from .http2_stream import Http2Stream
from .peer import Patience
from .watch import Watch
from .wire import Wire

log = logging.getLogger("proxyfw")

_PING_PATIENCE = 15.0
"""Seconds that the answer to a PING may take."""


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

    def start(self) -> None:
        self.data_received(b"")  # it may begin with a request that came in HTTP/1.1
        super().start()

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
            log.info("%s: bad request: %s", shown_address(self.wire.peername), event.reason)
            if event.status not in ANSWERABLE:
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

    __slots__ = ("_introduced", "_keep", "_keepalive", "_occupied", "_queue", "_served")
    _default_code = ErrorCodes.CANCEL

    def __init__(
        self, wire: Wire, codec: Codec, watch: Watch, patience: Patience, *, keepalive: float, keep: float
    ) -> None:
        super().__init__(wire, codec, watch, patience)
        self._introduced: asyncio.Future[None] = self.loop.create_future()
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

    async def introduced(self) -> None:
        """Wait until the origin has said what it allows, or is gone."""
        await asyncio.shield(self._introduced)

    def _note_introduction(self) -> None:
        if not self._introduced.done():
            self._introduced.set_result(None)

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
        if self.going_away or len(self.streams) >= self.codec.their_max_streams:
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
        self._note_introduction()
        self._turn_away()

    def _turn_away(self) -> None:
        while self._queue:
            turn = self._queue.popleft()
            if not turn.done():
                turn.set_exception(self._no_turn())

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.codec.introduced:
            self._note_introduction()
        if self._queue:
            self._seat_waiting()  # the limit may be another now
