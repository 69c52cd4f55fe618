"""A WebSocket connection: messages both ways, shown to the addons one at a time, until both sides are closed.

It knows two wires and the codec that belongs to each, not how they came to speak WebSocket. Read `run` first.
"""

from __future__ import annotations

import asyncio
import logging

from proxyfw import flow as model
from proxyfw import hookspecs
from proxyfw.addon.calls import DONE, Calls
from proxyfw.exceptions import LocalProtocolError, ProxyfwError, WebSocketError
from proxyfw.flow import Error
from proxyfw.http import HTTPFlow
from proxyfw.net.wire import Wire
from proxyfw.protocol.websocket import ABNORMAL, Close, Event, Fragment, Ping, Pong, WebSocketCodec, whole
from proxyfw.websocket import Opcode, WebSocketData, WebSocketMessage

from .hold import Holder, hold
from .house import House
from .websocket_side import Side

log = logging.getLogger("proxyfw")

_CLOSE_PATIENCE = 10.0
"""Seconds for the rest of a closing handshake after its first frame. RFC 6455 section 7.1.1."""
_LINGER = 2.0
"""Seconds a side that we closed may take to read why while it is still sending."""
_MOST_FRAGMENTS = 4096
"""Of one message that keep their boundaries; further ones become one."""
_GOING_AWAY, _UNEXPECTED = 1001, 1011


class WebSocket(Holder[HTTPFlow]):
    """One connection; a `proxyfw.flow.Control`, `proxyfw.websocket.Injector`, `proxyfw.net.watch.Watched`.

    Message hooks run one at a time over both directions, so that ``flow.websocket.messages[-1]`` is what the
    hook is about in every addon, however long another one took.
    """

    __slots__ = ("_calls", "_client", "_data", "_held", "_house", "_lingers", "_server", "deadline")

    def __init__(
        self,
        house: House,
        calls: Calls,
        flow: HTTPFlow,
        client: tuple[Wire, WebSocketCodec],
        server: tuple[Wire, WebSocketCodec],
    ) -> None:
        super().__init__(flow)
        self._house = house
        self._calls = calls
        self._data = WebSocketData()
        self._client = Side(*client, self)
        self._server = Side(*server, self)
        self._client.other, self._server.other = self._server, self._client
        self._held: asyncio.Future[None] | None = None
        """Done when the message that an addon takes its time for has passed."""
        self._lingers = False
        self.touch()

    async def run(self) -> None:
        """Tell the story, up to the end of the flow; both wires are closed then."""
        flow, data = self.flow, self._data
        flow.websocket, flow.control, data.injector = data, self, self
        self._house.watch.add(self)
        try:
            await self._calls.call(hookspecs.websocket_start, flow)
            if flow.intercepted:
                await hold(flow, self._calls, hookspecs.websocket_start)
            if not self.over:
                self._client.attach()
                self._server.attach()
                await asyncio.gather(
                    self._carry(self._client, self._server), self._carry(self._server, self._client)
                )
        except asyncio.CancelledError:
            self._break_off(None, _GOING_AWAY, "the proxy is stopping")
            self._lingers = False
            raise
        finally:
            self._house.watch.discard(self)
            try:
                await self._tell_end()
            finally:
                await self._leave()

    async def _tell_end(self) -> None:
        flow, data = self.flow, self._data
        if not self._lingers:
            self._client.wire.close()
            self._server.wire.close()
        self._note_close(None, ABNORMAL, "")
        self.let_go()
        data.timestamp_end = model.clock()
        flow.live, flow.control, data.injector = False, None, None
        flow.websocket = data
        try:
            await self._calls.call(hookspecs.websocket_end, flow)
        finally:
            await self._calls.call(hookspecs.flow_end, flow)

    async def _leave(self) -> None:
        """Close both wires, leaving those who still send a moment to read why."""
        try:
            if self._lingers:
                async with asyncio.timeout(_LINGER):
                    await self._client.ended()
                    await self._server.ended()
        except TimeoutError:
            pass
        finally:
            self._client.wire.close()
            self._server.wire.close()

    # One direction

    async def _carry(self, source: Side, sink: Side) -> None:
        """Bring everything from *source* to *sink*, up to the closing frame."""
        fragments = _Fragments()
        try:
            while (item := await source.next()) is not None:
                if type(item) is Fragment:
                    if message := fragments.add(item):
                        await self._pass(message, source, sink)
                elif type(item) is WebSocketMessage:
                    if await self._show(item):
                        await self._send(sink, whole(item.content, item.is_text, True))
                elif isinstance(item, (Ping, Pong)):
                    sink.send(item)
                elif isinstance(item, (Close, WebSocketError)):
                    return self._end(item, source, sink)
                if not sink.wire.writable:
                    await sink.drain()
        except LocalProtocolError as e:  # an addon made of a message what cannot be said
            log.error("%s: %s", self.flow.request.pretty_url, e)
            self._break_off(None, _UNEXPECTED, str(e))
        except Exception as e:
            log.exception("internal error in the WebSocket %s", self.flow.request.pretty_url)
            self._break_off(None, _UNEXPECTED, f"internal error: {type(e).__name__}: {e}")

    async def _pass(self, fragments: list[Fragment], source: Side, sink: Side) -> None:
        """Show a message to the addons, and send what has become of it: its very fragments if nothing has."""
        first = fragments[0]
        content = first.data if len(fragments) == 1 else b"".join([part.data for part in fragments])
        kind = Opcode.TEXT if first.is_text else Opcode.BINARY
        message = WebSocketMessage(kind, source is self._client, content)
        if not await self._show(message):
            return
        if message.content is content and message.type is kind:
            await self._send(sink, *fragments)
        else:
            await self._send(sink, whole(message.content, message.is_text, first.compressed))

    async def _show(self, message: WebSocketMessage) -> bool:
        """Let the addons see *message*; whether it is to be sent on."""
        while self._held:
            await asyncio.wait([self._held])
        if self.over:
            return False
        flow = self.flow
        flow.websocket = self._data  # an addon may have reverted the flow
        self._data.keep(message, self._house.settings.keep_messages)
        pending = self._calls.call(hookspecs.websocket_message, flow)
        if pending is not DONE or flow.intercepted:
            self._held = self._house.watch.loop.create_future()
            try:
                await pending
                if flow.intercepted:
                    await hold(flow, self._calls, hookspecs.websocket_message)
            finally:
                self._held.set_result(None)
                self._held = None
            self.touch()
        return not (self.over or message.dropped)

    async def _send(self, sink: Side, *frames: Event) -> None:
        line = self.flow.line
        if line is None:
            sink.send(*frames)
        else:
            await sink.say(line, sink is self._client, *frames)

    # The end

    def _end(self, reason: Close | WebSocketError, source: Side, sink: Side) -> None:
        """Nothing more comes from *source*."""
        source.done = True
        by_client = source is self._client
        who = "client" if by_client else "server"
        if isinstance(reason, WebSocketError):
            self._break_off(source, reason.code, f"the {who} broke the WebSocket protocol: {reason}")
        elif reason.code != ABNORMAL:
            self._note_close(by_client, reason.code, reason.reason)
            sink.send(reason)
        else:
            if self._data.close_code is None:
                lost = f": {source.wire.failure}" if source.wire.failure else ""
                self._fail(f"the {who} left the WebSocket without closing it{lost}")
            self._note_close(by_client, ABNORMAL, "")
            sink.wire.close()
            self._stop()

    def _break_off(self, culprit: Side | None, code: int, reason: str) -> None:
        """Tell both sides that it is over: with *code*, but for the one that did nothing wrong."""
        if self.over:
            return
        self._fail(reason)
        self._note_close(None if culprit is None else culprit is self._client, code, reason)
        for side in (self._client, self._server):
            innocent = culprit is not None and side is not culprit
            side.send(Close(_UNEXPECTED if innocent else code, reason))
            if not side.wire.closed:
                side.wire.write_eof()
        self._lingers = True
        self._stop()

    def _fail(self, reason: str) -> None:
        self.flow.error = self.flow.error or Error(reason)

    def _note_close(self, by_client: bool | None, code: int, reason: str) -> None:
        data = self._data
        if data.close_code is None:
            data.closed_by_client, data.close_code, data.close_reason = by_client, code, reason
            self.deadline = self._house.watch.loop.time() + _CLOSE_PATIENCE

    def _stop(self) -> None:
        self.let_go()
        self._client.wake()
        self._server.wake()

    # What sides, flows, addons and the watch call

    @property
    def over(self) -> bool:
        """Nothing is carried any more."""
        return self._over

    @property
    def holding(self) -> bool:
        """Messages wait for an addon."""
        return self._held is not None

    def touch(self) -> None:
        """One side has sent something: count the silence from now on."""
        if self._data.close_code is None:
            self.deadline = self._house.watch.loop.time() + self._house.settings.idle_timeout

    def break_off(self, reset: bool) -> None:
        """Break off both sides now, whatever is under way."""
        if reset:
            self._client.wire.abort()
        else:
            self._client.wire.close()
        self._server.wire.abort()
        self._stop()

    def inject(self, message: WebSocketMessage) -> None:
        """Send *message* after what has arrived from the side that it seems to come from."""
        if self.over or self._data.close_code is not None:
            raise ProxyfwError("nothing can be injected: the WebSocket connection is closing")
        (self._client if message.from_client else self._server).put(message, len(message.content))

    def expired(self) -> None:
        if self._held:
            self.touch()
        elif self._data.close_code is None:
            seconds = self._house.settings.idle_timeout
            self._break_off(None, _GOING_AWAY, f"nothing was sent for {seconds:g} s")
        else:
            self._stop()


class _Fragments:
    """The message of one direction whose end has not come."""

    __slots__ = ("_parts", "_tail")

    def __init__(self) -> None:
        self._parts: list[Fragment] = []
        self._tail = bytearray()

    def add(self, fragment: Fragment) -> list[Fragment] | None:
        """The fragments of the message that *fragment* completes, if it does."""
        parts = self._parts
        if fragment.final and not parts:
            return [fragment]
        if len(parts) < _MOST_FRAGMENTS:
            parts.append(fragment)
        else:
            self._tail += fragment.data
        if not fragment.final:
            return None
        if len(parts) == _MOST_FRAGMENTS and not parts[-1].final:
            parts.append(Fragment(bytes(self._tail), fragment.is_text, True, fragment.compressed))
        self._parts, self._tail = [], bytearray()
        return parts
