"""The hooks while something is recorded: hands over what happens to the writer, and waits for nothing.

All that takes time happens in the writer's thread; a flow that is over does not change any more.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

from proxyfw import hookimpl
from proxyfw.exceptions import CommandError, OptionsError
from proxyfw.flow import Flow, clock
from proxyfw.http import HTTPFlow
from proxyfw.redaction import redacted
from proxyfw.sse import ServerSentEvent
from proxyfw.tcp import TCPFlow
from proxyfw.udp import UDPFlow

from . import sessions
from .batch import Annotation, Item, Note
from .database import is_there, opened, transaction
from .library import Library
from .record import flow_message, message_row, recorded
from .retention import Limits
from .tables import Tables
from .writer import Writer

logger = logging.getLogger("proxyfw.storage")
T = TypeVar("T")

_OVERHEAD = 2000
"""What a flow takes besides bodies, about, in bytes."""
_last = hookimpl(trylast=True, optionalhook=True)  # what other addons make of it is what is recorded


def check(place: str, session: str | None) -> None:
    """See that *place* can be opened, or made, and that *session* is a name. Raises OptionsError."""
    if is_there(place):
        opened(place).database.close()
    if session is not None:
        try:
            sessions.check(session)
        except CommandError as problem:
            raise OptionsError(f"store_session: {problem}") from None


class Recorder:
    """Records the traffic of one proxy, *master*. Raises OptionsError if the database cannot be opened."""

    def __init__(self, master: Any, **queue: Any) -> None:
        self._loop = asyncio.get_running_loop()
        self._room: asyncio.Event | None = None
        self._open: dict[str, int] = {}
        """Numbers of the messages of flows that are recorded while they last."""
        self._library: Library | None = None
        self._place: str = master.options.store
        self._limits = Limits()
        self._limit: float = math.inf
        self.limit(master.options)
        self._noted: dict[str, Annotation] = {}
        """What has been noted about flows that are not recorded yet."""
        begin = partial(_begin, session=master.options.store_session)
        self.writer = Writer(self._place, self._limits, self._relieved, begin, **queue)
        self.writer.start()

    def limit(self, options: Any) -> None:
        """Take over the limits that *options* say."""
        self._limit = int(options.store_body_limit)
        self._limits.age, self._limits.size = options.store_max_age, options.store_max_size
        self._limits.flows = options.store_max_flows
        self._drops = options.store_when_slow == "drop_bodies"

    # Hooks

    @_last
    def flow_end(self, flow: Flow) -> Awaitable[None] | None:
        """Record *flow*."""
        known = self._open.pop(flow.id, None) is not None if self._open else False
        if self.writer.full and (waiting := self._overflowing(flow)) is not None:
            return waiting
        self.writer.put(partial(self._record, flow, without_messages=known), _size(flow))
        if self._noted and (note := self._noted.pop(flow.id, None)) is not None:
            self.writer.put(partial(_same, note))
        return None

    @_last
    def websocket_start(self, flow: HTTPFlow) -> None:
        """Record the handshake."""
        self._begin(flow)

    @_last
    def tcp_start(self, flow: TCPFlow) -> None:
        """Record that it begins."""
        self._begin(flow)

    @_last
    def udp_start(self, flow: UDPFlow) -> None:
        """Record that it begins."""
        self._begin(flow)

    @_last
    def websocket_message(self, flow: HTTPFlow) -> Awaitable[None] | None:
        """Record the latest message."""
        return self._message(flow)

    @_last
    def tcp_message(self, flow: TCPFlow) -> Awaitable[None] | None:
        """Record the latest message."""
        return self._message(flow)

    @_last
    def udp_message(self, flow: UDPFlow) -> Awaitable[None] | None:
        """Record the latest message."""
        return self._message(flow)

    @_last
    def sse_event(self, flow: HTTPFlow, event: ServerSentEvent) -> Awaitable[None] | None:
        """Record *event*, and the flow with the first."""
        if flow.id not in self._open:
            self._begin(flow)
        facts = {name: getattr(event, name) for name in ("event", "data", "id", "retry")}
        if redacted(flow) is not flow:
            facts = {"event": event.event}  # nobody can say which of its data is a secret
        content = json.dumps(facts, ensure_ascii=False).encode("utf-8", "surrogatepass")
        row = message_row(self._next(flow), "sse", False, clock(), content, self._limit, event.dropped)
        return self._put_message(flow, row)

    def _begin(self, flow: Flow) -> None:
        """Record *flow* as it is now: it goes on while the writer is at it."""
        self._open[flow.id] = 0
        if self.writer.full:
            self.writer.lost.flows += 1
            return
        made = recorded(redacted(flow), self._limit, open=True)
        self.writer.put(partial(_same, made), made.size)

    def _message(self, flow: Any) -> Awaitable[None] | None:
        if flow.id not in self._open:
            self._begin(flow)
        shown = redacted(flow)
        messages = (
            shown.websocket.messages if isinstance(shown, HTTPFlow) and shown.websocket else shown.messages
        )
        row = flow_message(shown, self._next(flow), messages[-1], self._limit)
        return self._put_message(flow, row)

    def _next(self, flow: Flow) -> int:
        number = self._open[flow.id]
        self._open[flow.id] = number + 1
        return number

    def _put_message(self, flow: Flow, row: Any) -> Awaitable[None] | None:
        if self.writer.full and (self._drops or self.writer.failing):
            self.writer.lost.flows += 1
            return None
        note = Note(flow.id, [row])
        self.writer.put(partial(_same, note), len(row[-1]) + 200)
        return self._wait() if self.writer.full else None

    def _record(self, flow: Flow, bodies: bool = True, without_messages: bool = False) -> Item:
        made = recorded(redacted(flow), self._limit, bodies=bodies)
        return made._replace(messages=[]) if without_messages else made

    # When the disk is slow

    def _overflowing(self, flow: Flow) -> Awaitable[None] | None:
        """What is to be done about *flow*; None: record it all the same."""
        if self.writer.failing or (self._drops and self.writer.waiting >= 2 * self.writer.most):
            self._lose(flows=1)
            return _nothing()
        if self._drops:
            self._lose(bodies=1)
            made = self._record(flow, bodies=False)
            self.writer.put(partial(_same, made), _OVERHEAD)
            return _nothing()
        self.writer.put(partial(self._record, flow), _size(flow))
        return self._wait()

    def _lose(self, flows: int = 0, bodies: int = 0) -> None:
        lost = self.writer.lost
        if not self.writer.failing and not lost:
            logger.warning("the disk is slower than the traffic: not all of it is recorded (store_when_slow)")
        lost.flows += flows
        lost.bodies += bodies

    async def _wait(self) -> None:
        if self._room is None:
            self._room = asyncio.Event()
        room = self._room
        if self.writer.full and not self.writer.failing:
            await room.wait()

    def _relieved(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._let_go)
        except RuntimeError:
            pass  # the loop is over, and with it all who waited

    def _let_go(self) -> None:
        room, self._room = self._room, None
        if room is not None:
            room.set()

    # For commands

    async def do(self, work: Callable[[Tables], T]) -> T:
        """Have *work* done after all that has happened so far is recorded. Raises what it raises."""
        return await asyncio.wrap_future(self.writer.do(work))

    def annotate(self, flows: Sequence[Flow], note: str, colour: str, tags: list[str]) -> None:
        """Note something about *flows*, stored or not yet."""
        for flow in flows:
            made = Annotation(flow.id, note, colour, tags)
            if flow.live:
                self._noted[flow.id] = made
            else:
                self.writer.put(partial(_same, made))

    def status(self) -> dict[str, Any]:
        """How recording goes."""
        writer = self.writer
        return {
            "written": writer.written, "waiting": writer.waiting, "lost_flows": writer.lost.flows,
            "lost_bodies": writer.lost.bodies, "problem": writer.failing,
        }  # fmt: skip

    def flows(self) -> Iterator[Flow]:
        """Those of the active session."""
        library = self._reader()
        return library.flows(library.session(None))

    def flow(self, id: str) -> Flow | None:
        """The one with this id."""
        return self._reader().flow(id)

    def _reader(self) -> Library:
        if self._library is None:
            self._library = Library.at(self._place)
        return self._library

    async def close(self) -> None:
        """Write all that is left."""
        self._let_go()
        await asyncio.to_thread(self.writer.stop)
        self._ended()

    def close_now(self) -> None:
        """The same, at once."""
        self._let_go()
        self.writer.stop()
        self._ended()

    def _ended(self) -> None:
        if self._library is not None:
            self._library.close()
        if self.writer.lost:
            logger.warning("not recorded: %s", self.writer.lost)


def _size(flow: Flow) -> int:
    """What *flow* takes while it waits, about."""
    size = _OVERHEAD
    if isinstance(flow, HTTPFlow):
        for message in (flow.request, flow.response):
            if message is not None and message.raw_content:
                size += len(message.raw_content)
    elif isinstance(flow, (TCPFlow, UDPFlow)):
        size += sum(len(message.content) for message in flow.messages)
    return size


def _begin(made: Tables, session: str | None) -> None:
    with transaction(made.database):
        if session is not None:
            sessions.use(made, session, new=True)
        sessions.active(made)


def _same(item: Item) -> Item:
    return item


async def _nothing() -> None:
    """Nothing is to be waited for."""
