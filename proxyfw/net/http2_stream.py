"""One stream of an HTTP/2 connection, to whoever tells its story: the `proxyfw.net.peer.Stream` of HTTP/2."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING

from proxyfw.exceptions import ConnectionProblem, PeerGone, ProtocolError
from proxyfw.protocol.events import Data, End, Event, RequestHead, Reset
from proxyfw.protocol.fields import notable
from proxyfw.protocol.http1_head import has_token
from proxyfw.protocol.http2 import ANSWERABLE, ErrorCodes, Malformed

from .http2_wire import Http2Wire
from .wire import Lobby

if TYPE_CHECKING:
    from .http2 import Http2Connection

OUTBOX_LIMIT = 256 * 1024
"""Bytes of one stream that wait to be sent, above which `Http2Stream.drain` waits."""
_CRUMB = 4096
"""Bodies that come in smaller pieces are joined up to this size, for every piece costs memory of its own."""
_UNPROCESSED = frozenset({ErrorCodes.REFUSED_STREAM, ErrorCodes.HTTP_1_1_REQUIRED})
_RELAYED = frozenset(
    {
        ErrorCodes.NO_ERROR, ErrorCodes.INTERNAL_ERROR, ErrorCodes.REFUSED_STREAM, ErrorCodes.CANCEL,
        ErrorCodes.ENHANCE_YOUR_CALM, ErrorCodes.INADEQUATE_SECURITY, ErrorCodes.HTTP_1_1_REQUIRED,
    }
)  # fmt: skip
"""Codes that mean the same on the next hop; the others speak of the frames on one connection."""


class Http2Stream:
    """One exchange's part of *connection*. *id* is 0 until our request has been sent.

    It holds at most the stream's window of received bytes, and its sender waits above `OUTBOX_LIMIT`.
    """

    __slots__ = (
        "_connection", "_draining", "_head", "_inbox", "_released", "_waiter", "_wire", "deadline", "gone",
        "id", "on_gone", "reused",
    )  # fmt: skip

    def __init__(self, connection: Http2Connection, stream_id: int, reused: bool = False) -> None:
        self.id = stream_id
        self.gone: ConnectionProblem | None = None
        self.on_gone: Callable[[ConnectionProblem], None] | None = None
        self.reused = reused
        """The connection has served before, so the other side may have closed it meanwhile."""
        self.deadline = inf
        self._connection = connection
        self._inbox: deque[Event | ProtocolError] = deque()
        self._head: RequestHead | None = None
        self._released = False
        self._waiter: asyncio.Future[None] | None = None
        self._draining: asyncio.Future[None] | None = None
        self._wire: Http2Wire | None = None

    # What a story calls

    async def receive(self) -> Event:
        while (event := self.next()) is None:
            if self.gone:
                raise self.gone
            self._waiter = self._connection.loop.create_future()
            await self._waiter
        return event

    def next(self) -> Event | None:
        """What `receive` gives, if it has come already."""
        if not self._inbox:
            return None
        event = self._inbox.popleft()
        if isinstance(event, ProtocolError):
            raise event
        if type(event) is Data:
            self._connection.consumed(self.id, len(event.data))
        return event

    @property
    def at_end(self) -> bool:
        """Nothing is left to receive of a message but its end, which has arrived."""
        return bool(self._inbox) and type(self._inbox[0]) is End

    def send(self, *events: Event) -> None:
        if not self.gone:
            self._connection.send(self, events)

    async def drain(self) -> None:
        while self.pending > OUTBOX_LIMIT:
            if self.gone:
                raise self.gone
            self._draining = self._connection.loop.create_future()
            self._connection.draining.add(self)
            await self._draining

    def abort(self, code: int | None = None) -> None:
        """Reset the stream, with *code* if it means something to the other side."""
        if not self.gone:
            self._connection.reset(self, code if code in _RELAYED else None)
            self.lose(PeerGone("the proxy broke off the exchange"))

    def cut(self, code: int | None = None) -> None:
        """Reset the stream: a reset does not overtake what was sent before it."""
        self.abort(code)

    def write(self, data: bytes) -> None:
        """Break off: what is not HTTP/2 would be the end of all streams."""
        self.abort()

    def close(self) -> None:
        """Break off: a stream has no end without an answer but a reset."""
        self.abort()

    def can_say(self, code: int | None) -> bool:
        """Whether an abort with *code* tells the other side more than an answer could."""
        return code == ErrorCodes.HTTP_1_1_REQUIRED

    def release(self) -> None:
        """The story is over: what it has sent still goes out, what it has not received is not wanted."""
        if self._released:
            return
        self._released = True
        self.on_gone = None
        unread = sum([len(event.data) for event in self._inbox if type(event) is Data])
        self._inbox.clear()
        self._connection.release(self, unread)

    def detach(self) -> Lobby:
        """What follows an accepted extended CONNECT, as a wire; `release` this when the wire is closed."""
        wire = self._wire = Http2Wire(self, self._connection.wire)
        lobby = wire.receiver
        assert isinstance(lobby, Lobby)
        wire.pull()
        if self.gone:
            wire.lost(self.gone)
        return lobby

    @property
    def wants_continue(self) -> bool:
        """A client waits for 100 (Continue) before it sends the body."""
        head = self._head
        return head is not None and has_token(notable(head.headers).get(b"expect"), b"100-continue")

    @property
    def pending(self) -> int:
        """Bytes that wait to be sent."""
        return self._connection.codec.pending(self.id)

    # What its wire calls

    def await_room(self) -> None:
        """Have `Http2Wire.room` called when enough has been sent."""
        self._connection.draining.add(self)

    def schedule(self, action: Callable[[], None]) -> None:
        self._connection.loop.call_soon(action)

    # What the connection and the watch call

    def take(self, event: Event | Malformed) -> None:
        """Something has arrived."""
        inbox = self._inbox
        if type(event) is Data:
            self._head = None
            last = inbox[-1] if inbox else None
            if type(last) is Data and len(last.data) + len(event.data) <= _CRUMB:
                inbox[-1] = Data(last.data + event.data)
            else:
                inbox.append(event)
        elif type(event) is Reset:
            self.lose(PeerGone(event.reason, code=event.code, unprocessed=event.code in _UNPROCESSED))
            return
        elif type(event) is Malformed:
            problem = ProtocolError(event.reason, event.status)
            if event.status not in ANSWERABLE:
                self.lose(problem)
                return
            inbox.append(problem)  # which can be answered
        else:
            if type(event) is RequestHead:
                self._head = event
            elif type(event) is End:
                self._head = None
            inbox.append(event)  # type: ignore[arg-type]  # Malformed has been dealt with
        if self._wire:
            self._wire.pull()
        elif self._waiter and not self._waiter.done():
            self._waiter.set_result(None)

    def lose(self, reason: ConnectionProblem) -> None:
        """Nothing more will come."""
        if self.gone:
            return
        self.gone = reason
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)
        self.wake_sender()
        if self.on_gone:
            self.on_gone(reason)
        if self._wire:
            self._wire.lost(reason)

    def wake_sender(self) -> None:
        if self._draining and not self._draining.done():
            self._draining.set_result(None)
        if self._wire:
            self._wire.room()

    def expired(self) -> None:
        """There was silence for too long; it matters only if somebody waits for the other side."""
        if self.pending or (self._waiter and not self._waiter.done()):
            self._connection.reset(self, ErrorCodes.CANCEL)
            self.lose(PeerGone("nothing was received in time"))
        else:
            self._connection.touch(self)
