"""One exchange: a request, from its head to the last byte of its answer.

It knows neither sockets nor versions of HTTP: a `Stream` brings the request and takes the answer, a `Fetch`
stands for everything behind the proxy. Read `_story` from top to bottom.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from proxyfw import flow as model
from proxyfw import hookspecs
from proxyfw.addon.calls import Calls
from proxyfw.exceptions import ConnectionProblem, LocalProtocolError, PeerGone, ProtocolError
from proxyfw.flow import Line
from proxyfw.http import Headers, HTTPFlow, Message, Response
from proxyfw.net.peer import Stream
from proxyfw.protocol.events import (
    END,
    Data,
    End,
    Event,
    Informational,
    RawHeaders,
    RequestHead,
    ResponseHead,
    Trailers,
)

from . import heads, pace
from .body import Passage
from .ending import Ending, Failed
from .event_stream import EventPassage, shows
from .fetch import Fetch, OriginStream
from .hold import hold
from .settings import Settings
from .upgrade import websocket_codecs

if TYPE_CHECKING:
    from .upgrade import Codecs

log = logging.getLogger("proxyfw")

_REPEATABLE = frozenset({b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"})
"""Methods that may be sent twice if a kept connection turns out to be dead. RFC 9110 section 9.2.2."""

_MOST_REFUSALS = 5
"""Times that an origin may say that it has done nothing, before it is believed that it never will."""


class Exchange(Ending):
    """One request and what comes of it."""

    __slots__ = (
        "_accepted", "_closes", "_fetch", "_settings", "_upload", "switched", "websocket"
    )  # fmt: skip

    def __init__(
        self,
        flow: HTTPFlow,
        client: Stream,
        fetch: Fetch,
        calls: Calls,
        settings: Settings,
        task: asyncio.Task[Any],
    ) -> None:
        """*task* is the one that will `run` it."""
        super().__init__(flow, client, calls, task)
        self.switched: OriginStream | None = None
        """Set when the origin answered 101: what follows on both sides is not HTTP any more."""
        self.websocket: Codecs | None = None
        """What follows is this: the flow goes on, and who carries it ends it."""
        self._fetch = fetch
        self._settings = settings
        self._upload: asyncio.Task[None] | None = None
        self._accepted: RawHeaders = []
        """The fields of a 101 as the origin sent them."""
        self._closes = False
        """The client's connection ends with this exchange."""

    async def run(self) -> None:
        """Tell the story and see to it that it has an end: an answer, or a closed connection."""
        flow = self.flow
        flow.live, flow.control = True, self
        self._client.on_gone = self._client_gone
        if self._client.gone:
            self._client_gone(self._client.gone)
        try:
            await self._story()
        except Failed as e:
            await self._fail(str(e), e.status, getattr(e.__cause__, "code", None))
        except LocalProtocolError as e:  # an addon made of the message what cannot be said
            log.error("%s: %s", flow.request.pretty_url, e, exc_info=e.__cause__)
            await self._fail(str(e), 502)
        except ConnectionProblem as e:
            await self._fail(str(e), e.status if isinstance(e, ProtocolError) else None)
        except asyncio.CancelledError:
            await self._fail("the proxy is stopping", None)
            raise
        except Exception as e:
            log.exception("internal error in the exchange %s", flow.request.pretty_url)
            await self._fail(f"internal error: {type(e).__name__}: {e}", 502)
        finally:
            self._client.on_gone = None
            if ends := self.websocket is None:
                flow.live, flow.control = False, None
            try:
                if self._upload and not self._upload.done():
                    self._upload.cancel()
                    await asyncio.wait([self._upload])
                if self._origin:
                    self._origin.release()
            finally:
                if ends:
                    await self._calls.call(hookspecs.flow_end, flow)

    async def _story(self) -> None:
        flow, calls = self.flow, self._calls

        # The request arrives: whole, or so much of it that the rest has to be streamed.
        await calls.call(hookspecs.requestheaders, flow)
        if flow.intercepted:
            await hold(flow, calls, hookspecs.requestheaders)
        with self._scope:
            rest = await self._receive_request()
        await calls.call(hookspecs.request, flow)
        if flow.intercepted:
            await hold(flow, calls, hookspecs.request)

        # It is answered: by an addon, or by the origin.
        fetched = None
        if flow.response is None:
            with self._scope:
                flow.response = fetched = await self._fetch_response(rest)
        else:
            self._scope.check()
            self._closes = self._closes or rest is not None  # nobody wants the rest of its body
        await calls.call(hookspecs.responseheaders, flow)
        if flow.intercepted:
            await hold(flow, calls, hookspecs.responseheaders)

        # The answer goes out: as it comes, or when it is complete.
        streamed = False
        if fetched is not None and flow.response is fetched:
            with self._scope:
                streamed = await self._receive_response(fetched)
        else:
            self._scope.check()
            self._given_response()
        self._told = True
        await calls.call(hookspecs.response, flow)
        if flow.intercepted:
            await hold(flow, calls, hookspecs.response)
        with self._scope:
            await (self._end_answer(fetched) if streamed and fetched else self._answer())

    # The request

    async def _receive_request(self) -> list[bytes] | None:
        """Put its body into the flow; or return what has come of it if the rest is to be streamed."""
        request, client = self.flow.request, self._client
        length = heads.declared_length(request)
        if length is not None and length > self._settings.body_limit:
            raise Failed(f"the request body of {length} bytes exceeds body_size_limit", 413)
        if client.wants_continue:
            if self.flow.response is not None:
                self._closes = True  # refused before it was sent. RFC 9110 section 10.1.1
                return None
            client.send(Informational(100, [], b"Continue"))
        too_long = length is not None and length > self._settings.stream_above
        if request.stream or too_long or heads.is_endless(request):
            request.stream = request.stream or True
            return []
        return await self._receive(client, request)

    async def _receive(self, stream: Stream, message: Message) -> list[bytes] | None:
        """Put the body of *message* into it; or return the pieces so far if it is too long for that."""
        pieces: list[bytes] = []
        size, settings = 0, self._settings
        try:
            while type(event := stream.next() or await stream.receive()) is not End:
                if type(event) is Data:
                    pieces.append(event.data)
                    size += len(event.data)
                    if size > settings.body_limit:
                        raise self._too_large(message)
                    if size > settings.stream_above:
                        message.stream = True
                        return pieces
                elif type(event) is Trailers:
                    message.trailers = Headers.wrap(event.headers)
        except ConnectionProblem as e:  # of which an origin's is not to be mistaken for a client's
            if stream is self._client:
                raise
            raise Failed(str(e), 502) from e
        if pieces:
            message.raw_content = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        message.timestamp_end = model.clock()
        return None

    async def _next(self, stream: Stream) -> Event:
        """The next event of either side; an origin's failure is not mistaken for a client's."""
        try:
            return stream.next() or await stream.receive()
        except ConnectionProblem as e:
            if stream is self._client:
                raise
            raise Failed(str(e), 502) from e

    def _too_large(self, message: Message) -> Failed:
        kind, status = ("request", 413) if message is self.flow.request else ("response", 502)
        return Failed(f"the {kind} body exceeds body_size_limit", status)

    # The fetch

    async def _fetch_response(self, rest: list[bytes] | None) -> Response:
        """Send the request to the origin and wait for the head of the answer."""
        request = self.flow.request
        head = heads.request_head(request, rest is not None, self._settings.websocket)
        try:
            times = 0
            while (event := await self._ask(head, rest, times)) is None:
                times += 1
            while type(event) is Informational:
                if event.status != 100 and request.version_bytes != b"HTTP/1.0":
                    self._client.send(event)
                event = await self._next(self._origin)  # type: ignore[arg-type]  # _ask has set it
        except LocalProtocolError:
            raise
        except ConnectionProblem as e:
            raise Failed(str(e), 502) from e
        assert type(event) is ResponseHead, event
        if event.status == 101:
            self._accepted = list(event.headers)
        response = heads.response_from(event, model.clock())
        if event.status != 101 and heads.has_body(request, response):
            self._decide_streaming(response)
        return response

    async def _ask(self, head: RequestHead, rest: list[bytes] | None, times: int) -> Event | None:
        """The beginning of the answer; None if the origin is to be asked again, as it was *times* before."""
        self._origin = origin = await self._fetch.open(self.flow, fresh=times > 0)
        try:
            if self.flow.line is not None:
                await pace.wait(self.flow.line, False, 1)  # the latency of the request
            if rest is None:
                events = heads.body_events(self.flow.request, True)
                if self.flow.line is None:
                    origin.send(head, *events)
                else:
                    await pace.send(self.flow.line, origin, False, head, *events)
            else:
                origin.send(head)
                self._upload = asyncio.create_task(self._stream_request(origin, rest))
            return await origin.receive()
        except (PeerGone, ProtocolError) as e:
            if rest is not None or not self._may_ask_again(e, origin, times):
                raise
        self._origin = None
        origin.abort()
        origin.release()
        return None

    def _may_ask_again(self, error: PeerGone | ProtocolError, origin: OriginStream, times: int) -> bool:
        """Whether *origin* has not dealt with the request, or may be asked twice after a stale connection."""
        if (
            isinstance(error, PeerGone) and error.code is not None
        ):  # it has said what it thinks of this request
            return error.unprocessed and times < _MOST_REFUSALS and not self._client.can_say(error.code)
        return times == 0 and origin.reused and self.flow.request.method_bytes in _REPEATABLE

    async def _stream_request(self, origin: OriginStream, first: list[bytes]) -> None:
        """Pass the request's body on while the answer is awaited, which may come before its end."""
        request = self.flow.request
        try:
            passage = Passage(request, origin, self._settings.capture_limit, self.flow.line, False)
            await self._stream(self._client, request, passage, first)
            origin.send(*_end(request))
        except PeerGone:
            pass  # the story learns it from the side that left
        except (Failed, LocalProtocolError) as e:
            self._scope.interrupt(e)
        except ConnectionProblem as e:
            self._scope.interrupt(Failed(str(e), getattr(e, "status", 502)))
        except Exception as e:
            log.exception("internal error while streaming %s", request.pretty_url)
            self._scope.interrupt(Failed(f"internal error: {type(e).__name__}: {e}", 502))

    async def _stream(self, source: Stream, message: Message, passage: Passage, first: list[bytes]) -> None:
        """Pass the body of *message* on, up to its end, which the caller sends."""
        for piece in first:
            await passage.add(piece)
        while type(event := await self._next(source)) is not End:
            if type(event) is Data:
                await passage.add(event.data)
                if passage.received > self._settings.body_limit:
                    raise self._too_large(message)
            elif type(event) is Trailers:
                message.trailers = Headers.wrap(event.headers)
        await passage.end()
        message.timestamp_end = model.clock()

    # The answer

    def _decide_streaming(self, response: Response) -> None:
        length = heads.declared_length(response)
        if length is None:
            alone = self._origin is not None and self._origin.at_end  # as gRPC tells of errors
            response.stream = not alone and heads.is_endless(response)
            self._closes = self._closes or heads.ends_with_connection(response)
        elif length > self._settings.body_limit:
            raise Failed(f"the response body of {length} bytes exceeds body_size_limit", 502)
        else:
            response.stream = length > self._settings.stream_above or shows(response, self._calls)

    async def _receive_response(self, response: Response) -> bool:
        """Receive the origin's body, or relay it; True if all but its end has been sent to the client."""
        origin = self._origin
        assert origin
        if response.status_code == 101:
            return False
        first = [] if response.stream else await self._receive(origin, response)
        if first is None:
            return False
        passage = self._passage(response)
        head = heads.response_head(response, self.flow.request, True, self._closes)
        if self.flow.line is not None:
            await pace.wait(self.flow.line, True, 1)
        self._client.send(head)
        self._answered = True
        await self._stream(origin, response, passage, first)
        return True

    def _passage(self, response: Response) -> Passage:
        to, settings = self._client, self._settings
        if shows(response, self._calls):
            return EventPassage(self.flow, response, to, settings, self._calls, self._scope)
        return Passage(response, to, settings.capture_limit, self.flow.line)

    async def _answer(self) -> None:
        """Send the complete answer that is in the flow."""
        flow, client = self.flow, self._client
        response = self._given_response()
        if callable(response.stream) and response.raw_content is None:
            return await self._answer_in_pieces(response)
        head = heads.response_head(response, flow.request, False, self._closes or self._uploading)
        if response.status_code == 101:
            self._switch(head)
            client.send(head)
            self._answered = True
            return
        events = heads.body_events(response, heads.has_body(flow.request, response))
        if flow.line is not None:
            await pace.wait(flow.line, True, 1)
            client.send(head)
            self._answered = True
            return await self._pace_answer(flow.line, *events)
        client.send(head, *events)
        self._answered = True
        await client.drain()

    async def _answer_in_pieces(self, response: Response) -> None:
        """Send what the stream function of an addon's answer makes, as it makes it."""
        request, line = self.flow.request, self.flow.line
        head = heads.response_head(response, request, True, self._closes or self._uploading, True)
        if line is not None:
            await pace.wait(line, True, 1)
        self._client.send(head)
        self._answered = True
        if heads.has_body(request, response):
            await Passage(response, self._client, self._settings.capture_limit, line).end()
        await self._end_answer(response)

    def _switch(self, answer: ResponseHead) -> None:
        self.switched, self._origin = self._origin, None
        settings = self._settings
        accepted = self._accepted if self.switched else answer.headers
        if settings.websocket and (self.switched or self.flow.websocket_server):
            limit = settings.websocket_message_limit
            self.websocket = websocket_codecs(self.flow.request, accepted, answer.headers, limit)
        if not (self.switched or self.websocket):
            raise Failed("an addon has answered 101 (Switching Protocols), and nobody speaks another", 502)

    def _given_response(self) -> Response:
        if self.flow.response is None:
            raise Failed("an addon took the response away", 502)
        return self.flow.response

    async def _end_answer(self, response: Response) -> None:
        if self.flow.line is not None:
            return await self._pace_answer(self.flow.line, *_end(response))
        self._client.send(*_end(response))
        await self._client.drain()

    async def _pace_answer(self, line: Line, *events: Event) -> None:
        await pace.send(line, self._client, True, *events)
        await self._client.drain()
        await line.end(True)

    @property
    def _uploading(self) -> bool:
        return self._upload is not None and not self._upload.done()


def _end(message: Message) -> list[Event]:
    return [Trailers(message.trailers.fields), END] if message.trailers else [END]
