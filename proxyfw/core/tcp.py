"""A raw stream: bytes both ways that are no protocol the proxy knows, each read a message for the addons.

Where no addon has a TCP hook, `relay` moves the bytes unseen, and only a flow's start and end are told.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from enum import Enum

from proxyfw import flow as model
from proxyfw import hookspecs
from proxyfw.addon.calls import Calls
from proxyfw.connection import Client, Server
from proxyfw.exceptions import ConnectionProblem, ProxyfwError
from proxyfw.flow import Error
from proxyfw.net.wire import Wire
from proxyfw.tcp import TCPFlow, TCPMessage

from .hold import Holder, hold
from .house import House
from .tunnel import Tally, relay

log = logging.getLogger("proxyfw")

_INBOX_LIMIT = 64 * 1024
"""Bytes of one side that wait for a hook, or for the other side to read, above which it is paused."""
_HOOKS = (hookspecs.tcp_start, hookspecs.tcp_message, hookspecs.tcp_end, hookspecs.tcp_error)


class Record(Enum):
    """What addons are told of a raw stream."""

    NOTHING = 0
    COUNTS = 1
    """That it was there, and how many bytes it had; at its end, by ``flow_end`` alone."""
    MESSAGES = 2


async def join(
    house: House, one: Wire, other: Wire, server: Server, client: Client, record: Record = Record.MESSAGES
) -> None:
    """Carry bytes between the client's wire *one* and the server's *other* until both are closed.

    *record* is what addons are told, if any wants to know of it.
    """
    calls = house.addons.calls
    shown = record is Record.MESSAGES
    if client.line is not None or (shown and any(calls.wants(hook) for hook in _HOOKS)):
        stream = RawStream(house, one, other, server, client, calls if shown else Calls({}))
        try:
            await stream.run()
        finally:
            if record is Record.COUNTS:
                stream.flow.messages.clear()
                await calls.call(hookspecs.flow_end, stream.flow)
        return
    facts = TCPFlow(client, server)
    tally = Tally()
    try:
        await relay(one, other, house.watch, house.settings.idle_timeout, tally)
    finally:
        if record is not Record.NOTHING and calls.wants(hookspecs.flow_end):
            facts.bytes_from_client, facts.bytes_from_server = tally.from_one, tally.from_other
            facts.error = Error(tally.failure) if tally.failure else None
            facts.timestamp_end = model.clock()
            await calls.call(hookspecs.flow_end, facts)


async def not_reached(house: House, server: Server, client: Client, reason: str) -> None:
    """Tell of a raw stream that has never begun, as the server cannot be reached."""
    calls = house.addons.calls
    flow = TCPFlow(client, server)
    flow.error = Error(reason)
    await calls.call(hookspecs.tcp_error, flow)
    await calls.call(hookspecs.flow_end, flow)


class RawStream(Holder[TCPFlow]):
    """One raw stream and its flow; a `proxyfw.model.chunks.Injector` and a `proxyfw.net.watch.Watched`.

    Message hooks run one at a time over both directions, so that ``flow.messages[-1]`` is what the hook is
    about in every addon, however long another one took.
    """

    __slots__ = ("_calls", "_client", "_house", "_server", "_turn", "deadline")

    def __init__(
        self, house: House, one: Wire, other: Wire, server: Server, client: Client, calls: Calls
    ) -> None:
        super().__init__(TCPFlow(client, server, live=True))
        self.flow.line = client.line
        self._house = house
        self._calls = calls
        self._client = _Side(self, one, True)
        self._server = _Side(self, other, False)
        self._turn = asyncio.Lock()
        self.touch()

    async def run(self) -> None:
        flow, calls = self.flow, self._calls
        flow.control = self
        self._house.watch.add(self)
        self._house.live.add(flow)
        try:
            await calls.call(hookspecs.tcp_start, flow)
            if flow.intercepted:
                await hold(flow, self._calls, hookspecs.tcp_start)
            if not self.over:
                self._client.wire.attach(self._client)
                self._server.wire.attach(self._server)
                await asyncio.gather(
                    self._carry(self._client, self._server), self._carry(self._server, self._client)
                )
        except asyncio.CancelledError:
            self.fail("the proxy is stopping")
            raise
        finally:
            self._house.watch.discard(self)
            self._client.wire.close()
            self._server.wire.close()
            flow.live, flow.control = False, None
            self._house.live.discard(flow)
            flow.timestamp_end = model.clock()
            await self._tell_end()

    async def _tell_end(self) -> None:
        try:
            await self._calls.call(hookspecs.tcp_error if self.flow.error else hookspecs.tcp_end, self.flow)
        finally:
            await self._calls.call(hookspecs.flow_end, self.flow)

    async def _carry(self, source: _Side, sink: _Side) -> None:
        """Bring everything from *source* to *sink*, and then that there is no more."""
        try:
            while message := await source.next():
                async with self._turn:
                    if not self.over:
                        await self._show(message)
                if self.over:
                    return
                await self._pass(message.content, sink)
        except ConnectionProblem as e:  # the line was lost
            self.fail(str(e))
        except Exception as e:
            log.exception("internal error in a raw stream to %s", self.flow.server_conn)
            self.fail(f"internal error: {type(e).__name__}: {e}")
        source.ended = True
        sink.finish()

    async def _pass(self, data: bytes, sink: _Side) -> None:
        line, rest = self.flow.line, memoryview(data)
        while line is not None and rest and not self.over:
            allowed = max(1, await line.take(sink is self._client, len(rest)))
            sink.write(bytes(rest[:allowed]))
            await sink.drain()
            self.touch()
            rest = rest[allowed:]
        if line is None:
            sink.write(data)
            await sink.drain()

    async def _show(self, message: TCPMessage) -> None:
        flow = self.flow
        flow.keep(message, self._house.settings.keep_messages)
        await self._calls.call(hookspecs.tcp_message, flow)
        if flow.intercepted:
            await hold(flow, self._calls, hookspecs.tcp_message)
        self.touch()
        content: object = message.content
        if not isinstance(content, bytes):
            kind = type(content).__name__
            message.content, unusable = b"", f"an addon set the content of a message to {kind}, not bytes"
            log.error("%s: %s", flow.server_conn, unusable)
            self.fail(unusable)

    @property
    def over(self) -> bool:
        """Broken off: there is nothing left to carry."""
        return self._over

    def fail(self, reason: str) -> None:
        """Break off both sides because of *reason*."""
        if not self._over:
            self.flow.error = self.flow.error or Error(reason)
            self.break_off(reset=True)

    def touch(self) -> None:
        self.deadline = self._house.watch.loop.time() + self._house.settings.idle_timeout

    # What others call: a `Control`, an `Injector`, a `Watched`

    def break_off(self, reset: bool) -> None:
        """Break off both sides now, whatever is under way."""
        self.let_go()
        if reset:
            self._client.wire.abort()
        else:
            self._client.wire.close()
        self._server.wire.abort()
        self._client.wake()
        self._server.wake()

    def inject(self, to_client: bool, data: bytes) -> None:
        source = self._server if to_client else self._client
        if source.ended or self._over:
            whom = "client" if to_client else "server"
            raise ProxyfwError(f"nothing can be injected: the {whom} has been told that no more comes")
        source.put(TCPMessage(not to_client, data, injected=True))

    def expired(self) -> None:
        if self._turn.locked():  # an addon takes its time
            self.touch()
        else:
            self.fail(f"no byte in either direction for {self._house.settings.idle_timeout:g} s")


class _Side:
    """One end of the stream: what has come from it and has not been carried on. A `Receiver`."""

    __slots__ = ("_from_client", "_inbox", "_paused", "_size", "_stream", "_waiters", "ended", "wire")

    def __init__(self, stream: RawStream, wire: Wire, from_client: bool) -> None:
        self.wire = wire
        self.ended = False
        """The other end has been told that no more comes from here."""
        self._stream = stream
        self._from_client = from_client
        self._inbox: deque[TCPMessage] = deque()
        self._size = 0
        self._paused = False
        self._waiters: list[asyncio.Future[None]] = []

    async def next(self) -> TCPMessage | None:
        """The next bytes; None if no more will come."""
        while not self._inbox:
            if self.wire.eof or self.wire.closed or self._stream.over:
                return None
            await self._change()
        message = self._inbox.popleft()
        self._size -= len(message.content)
        if self._paused and self._size <= _INBOX_LIMIT // 2:
            self._paused = False
            self.wire.resume()
        return message

    def put(self, message: TCPMessage) -> None:
        self._inbox.append(message)
        self._size += len(message.content)
        self.wake()

    def write(self, data: bytes) -> None:
        if data and not self.wire.closed:
            self.wire.write(data)

    async def drain(self) -> None:
        """Wait until this end has read enough of what was written to it."""
        while not (self.wire.writable or self.wire.closed or self._stream.over):
            await self._change()

    def finish(self) -> None:
        if not (self.wire.closed or self._stream.over):
            self.wire.write_eof()

    def wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def _change(self) -> None:
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        await waiter

    # What the wire calls

    def data_received(self, data: bytes) -> None:
        flow = self._stream.flow
        if self._from_client:
            flow.bytes_from_client += len(data)
        else:
            flow.bytes_from_server += len(data)
        self._stream.touch()
        self.put(TCPMessage(self._from_client, data))
        if self._size > _INBOX_LIMIT and not self._paused:
            self._paused = True
            self.wire.pause()

    def eof_received(self) -> None:
        self.wake()

    def connection_lost(self, reason: Exception | None) -> None:
        if reason is not None:
            who = "client" if self._from_client else "server"
            self._stream.fail(f"the connection to the {who} was lost: {reason}")
        self.wake()

    def writable_changed(self) -> None:
        self._stream.touch()
        self.wake()
