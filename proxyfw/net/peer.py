"""A peer is one HTTP/1 connection: a wire, the codec that understands it, and a bounded inbox of events.

The wire pushes bytes, the codec turns them into events, the inbox holds them until a story takes them; when
it is full the wire is paused, which is the back-pressure. Nobody else reads the wire.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Protocol

from proxyfw.connection import shown_address
from proxyfw.exceptions import ConnectionProblem, PeerGone, ProtocolError
from proxyfw.protocol.events import Data, End, Event
from proxyfw.protocol.http1 import Codec, ServerCodec

from .watch import Watch
from .wire import Lobby, Wire

log = logging.getLogger("proxyfw")

INBOX_LIMIT = 256 * 1024
"""Bytes that nobody has asked for yet, of bodies or of later requests, above which the wire is paused."""


class Stream(Protocol):
    """One exchange's part of a connection: all of an HTTP/1 connection, or one stream of HTTP/2."""

    gone: ConnectionProblem | None
    """Why the other side cannot be heard any more."""
    on_gone: Callable[[ConnectionProblem], None] | None
    """Called once when that comes about."""

    @property
    def wants_continue(self) -> bool:
        """A client waits for 100 (Continue) before it sends the body. RFC 9110 section 10.1.1."""

    @property
    def at_end(self) -> bool:
        """Nothing is left to receive of a message but its end, which has arrived."""

    async def receive(self) -> Event:
        """The next event. Raises ProtocolError for what the other side did, PeerGone when it left."""

    def next(self) -> Event | None:
        """What `receive` gives, if it has come already: asking costs less than waiting."""

    def send(self, *events: Event) -> None:
        """Write *events*. Raises LocalProtocolError if they cannot be said."""

    async def drain(self) -> None:
        """Wait until the other side has taken enough of what was sent. Raises PeerGone."""

    def abort(self, code: int | None = None) -> None:
        """Break off, so that the other side sees that the message is not complete.

        *code* is an HTTP/2 error code that says why, for a wire that has words for it.
        """

    def cut(self, code: int | None = None) -> None:
        """As `abort`, in the middle of a message whose beginning is still to arrive if it can."""

    def can_say(self, code: int | None) -> bool:
        """Whether an abort with *code* tells the other side more than an answer of ours could."""

    def write(self, data: bytes) -> None:
        """Write what need not be HTTP, if this wire can carry it; else break off."""

    def close(self) -> None:
        """Send nothing more, and end in an orderly way, if this wire knows one."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a peer is waited for, in seconds."""

    idle: float = 600
    """Without any byte in either direction."""
    head: float = 60
    """From the first byte of a head to its last."""
    half_closed: float = 0
    """For our answer, after it has said that it will send no more; then it counts as gone."""


class Peer:
    """One HTTP/1 connection, either role; a `Stream` and a `proxyfw.net.wire.Receiver`."""

    __slots__ = (
        "_draining", "_inbox", "_inbox_size", "_now", "_partial", "_patience", "_paused", "_usual", "_waiter",
        "_watch", "busy", "codec", "deadline", "gone", "on_gone", "wire",
    )  # fmt: skip

    def __init__(self, wire: Wire, codec: Codec, watch: Watch, patience: Patience) -> None:
        self.wire = wire
        self.codec = codec
        self.gone: ConnectionProblem | None = None
        self.on_gone: Callable[[ConnectionProblem], None] | None = None
        self.busy = False
        """It waits for us: its silence is no reason to lose patience, unless a story waits to `receive`."""
        self.deadline = inf
        self._inbox: deque[Event] = deque()
        self._inbox_size = 0
        self._partial = False
        self._paused = False
        self._waiter: asyncio.Future[None] | None = None
        self._draining: asyncio.Future[None] | None = None
        self._patience = patience
        self._usual = patience.idle
        self._now = watch.loop.time
        self._watch = watch
        self.touch()
        watch.add(self)
        wire.attach(self)

    # What a story calls

    async def receive(self) -> Event:
        while (event := self.next()) is None:
            if self.gone:
                raise self.gone
            if self.wire.eof:
                raise PeerGone("the other side closed the connection")
            self._waiter = self._watch.loop.create_future()
            await self._waiter
        return event

    def next(self) -> Event | None:
        """What `receive` gives, if it has come already."""
        if not self._inbox:
            return None
        event = self._inbox.popleft()
        if type(event) is Data:
            self._inbox_size -= len(event.data)
            if self._paused and self._inbox_size < INBOX_LIMIT // 2:
                self._paused = False
                self.wire.resume()
        return event

    @property
    def at_end(self) -> bool:
        """Nothing is left to receive of a message but its end, which has arrived."""
        return bool(self._inbox) and type(self._inbox[0]) is End

    def send(self, *events: Event) -> None:
        data = self.codec.send(*events)
        if data and not self.wire.closed:
            self.wire.write(data)
            if not self._partial:
                self.touch()

    async def drain(self) -> None:
        while not self.wire.writable:
            if self.gone:
                raise self.gone
            self._draining = self._watch.loop.create_future()
            await self._draining

    def next_cycle(self) -> None:
        """Begin the next message on this connection with what has been received of it."""
        self._partial = False
        try:
            self._store(self.codec.next_cycle())
        except ProtocolError as e:
            self._fail(e)
        if self._paused and self._inbox_size < INBOX_LIMIT and self.codec.backlog < INBOX_LIMIT:
            self._paused = False
            self.wire.resume()

    def detach(self) -> Lobby:
        """Give up the wire, and with it every byte that was not part of a message."""
        self._watch.discard(self)
        return self.wire.detach(self.codec.detach())

    def abort(self, code: int | None = None) -> None:
        """Break off, so that the other side sees that the message is not complete."""
        self._lose(PeerGone("the proxy broke off the connection"))
        self.wire.abort()

    def cut(self, code: int | None = None) -> None:
        """As `abort`, in the middle of a message whose beginning is still to arrive if it can."""
        self._lose(PeerGone("the proxy broke off the connection"))
        self.wire.cut()

    def can_say(self, code: int | None) -> bool:
        """Whether an abort with *code* tells the other side more than an answer could: never, in HTTP/1."""
        return False

    def write(self, data: bytes) -> None:
        """Write what need not be HTTP."""
        if not self.wire.closed:
            self.wire.write(data)

    def close(self) -> None:
        """Send what is queued, then close."""
        self._lose(PeerGone("the proxy closed the connection"))
        self.wire.close()

    def touch(self, patience: float | None = None) -> None:
        """Something happened: count its silence from now on. *patience*: seconds, if not the usual."""
        self.deadline = self._now() + (patience or self._usual)

    @property
    def wants_continue(self) -> bool:
        """A client waits for 100 (Continue) before it sends the body."""
        return isinstance(self.codec, ServerCodec) and self.codec.wants_continue

    @property
    def unread(self) -> bool:
        """Something has been received that nobody has asked for."""
        return bool(self._inbox)

    # What the wire and the watch call

    def data_received(self, data: bytes) -> None:
        events = self._read(data)
        if events:
            self._partial = False
            self.touch()
            self._store(events)
        elif not self._partial:
            self._partial = True
            self.touch(self._patience.head)
        if self.codec.backlog > INBOX_LIMIT and not self._paused:
            self._paused = True  # somebody pipelines faster than we answer
            self.wire.pause()

    def eof_received(self) -> None:
        if self.wire.truncated and not isinstance(self.codec, ServerCodec):
            # a body that only EOF ends could have been cut here by anybody on the way. RFC 8446 section 6.1
            self._lose(PeerGone("the TLS connection was cut off: there was no close_notify before its end"))
            return
        self._store(self._read(b""))
        if not self._patience.half_closed:
            self._lose(PeerGone("the other side closed the connection"))
        elif not self.gone:
            self._wake()
            self._watch.loop.call_later(
                self._patience.half_closed, self._lose, PeerGone("client disconnected")
            )

    def connection_lost(self, reason: Exception | None) -> None:
        self._lose(PeerGone(f"the connection was lost: {reason}" if reason else "the connection was closed"))

    def writable_changed(self) -> None:
        if self._draining and self.wire.writable and not self._draining.done():
            self.touch()
            self._draining.set_result(None)

    def expired(self) -> None:
        waited_for = self._waiter and not self._waiter.done()
        if self.busy and not waited_for and self.wire.writable:
            self.touch()
            return
        self._lose(PeerGone("nothing was received in time"))
        self.wire.abort()

    def _read(self, data: bytes) -> list[Event]:
        try:
            return self.codec.receive(data)
        except Exception as e:
            self._fail(e)
            return []

    def _fail(self, error: Exception) -> None:
        """Hand out what came before *error*, then lose the peer with it."""
        if self.gone:
            return
        if isinstance(error, ProtocolError):
            self._store(self.codec.read_before_failure)
            self._lose(error)
        else:
            log.error("internal error in reading from %s", shown_address(self.wire.peername), exc_info=error)
            self._lose(ProtocolError(f"internal error: {type(error).__name__}: {error}", 502))

    def _store(self, events: list[Event]) -> None:
        if not events:
            return
        inbox = self._inbox
        for event in events:
            inbox.append(event)
            if type(event) is Data:
                self._inbox_size += len(event.data)
        if self._inbox_size > INBOX_LIMIT and not self._paused:
            self._paused = True
            self.wire.pause()
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)

    def _lose(self, reason: ConnectionProblem) -> None:
        if self.gone:
            return
        self.gone = reason
        self._watch.discard(self)
        self._wake()
        if self._draining and not self._draining.done():
            self._draining.set_result(None)
        if self.on_gone:
            self.on_gone(reason)

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)
