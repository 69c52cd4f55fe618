"""The body of an event stream on its way to the client, each event shown to the addons before it goes on."""

from __future__ import annotations

import logging

from proxyfw import hookspecs
from proxyfw.addon.calls import DONE, Calls
from proxyfw.exceptions import ProtocolError
from proxyfw.http import HTTPFlow, Response
from proxyfw.model.encoding import decoder
from proxyfw.net.peer import Stream
from proxyfw.protocol.sse import Block, EventStreamParser

from .body import Passage
from .hold import hold
from .scope import Scope
from .settings import Settings

log = logging.getLogger("proxyfw")


class EventPassage(Passage):
    """The body of *response*, see `shows`; an event larger than ``stream_large_bodies`` passes unseen.

    A stream function of the response gets what the events have become. The client gets it without
    Content-Encoding, as it may be edited.
    """

    __slots__ = ("_calls", "_decode", "_flow", "_parser", "_scope")

    def __init__(
        self,
        flow: HTTPFlow,
        response: Response,
        to: Stream,
        settings: Settings,
        calls: Calls,
        scope: Scope,
    ) -> None:
        """*scope* is what all this happens in, except for the hooks."""
        super().__init__(response, to, settings.capture_limit, flow.line)
        self._scope = scope
        self._flow = flow
        self._calls = calls
        self._parser = EventStreamParser(settings.stream_above)
        self._decode = decoder(response.headers.pop("content-encoding", ""))
        response.headers.pop("content-length", "")

    async def add(self, piece: bytes) -> None:
        self.received += len(piece)
        try:
            decoded = self._decode(piece)
        except ValueError as e:
            raise ProtocolError(f"the event stream cannot be read: {e}", 502) from e
        for block in self._parser.feed(decoded):
            await self._pass(block)

    async def end(self) -> None:
        if rest := self._parser.end():
            await self._transform(rest)
        await super().end()

    async def _pass(self, block: Block) -> None:
        if block.event is not None:
            pending = self._calls.call(hookspecs.sse_event, self._flow, block.event)
            if pending is not DONE:
                await self._scope.outside(pending)
            if self._flow.intercepted:
                await hold(self._flow, self._calls, hookspecs.sse_event)
        if written := block.written():
            await self._transform(written)


def shows(response: Response, calls: Calls) -> bool:
    """Whether *response* is a stream of events that somebody wants to see and that can be read."""
    if not calls.wants(hookspecs.sse_event) or not is_event_stream(response):
        return False
    try:
        decoder(response.headers.get("content-encoding", ""))
    except ValueError as e:
        log.warning("sse_event is not called: %s", e)
        return False
    return True


def is_event_stream(response: Response) -> bool:
    kind = response.headers.get("content-type", "").partition(";")[0]
    return kind.strip().lower() == "text/event-stream"
