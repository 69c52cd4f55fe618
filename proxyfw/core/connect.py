"""CONNECT: a client asks for a tunnel, and gets one unless an addon or the origin is against it."""

from __future__ import annotations

import logging

from proxyfw import flow as model
from proxyfw import hookspecs
from proxyfw.connection import Client
from proxyfw.exceptions import ConnectionProblem, LocalProtocolError
from proxyfw.flow import Error
from proxyfw.http import HTTPFlow, Response
from proxyfw.net.peer import Stream
from proxyfw.protocol.events import End, RequestHead, ResponseHead

from . import heads
from .answers import error_answer
from .heads import Route
from .hold import Holder, hold
from .house import House
from .pool import Pool

log = logging.getLogger("proxyfw")


class Connect(Holder[HTTPFlow]):
    """One CONNECT request and its flow, which lasts as long as the tunnel."""

    __slots__ = ("_calls", "_house", "_peer", "_pool", "route")

    def __init__(self, house: House, pool: Pool, client: Client, peer: Stream, head: RequestHead) -> None:
        host, port = heads.split_authority(head.authority, None)
        self.route = Route("http", host, port)
        self._house = house
        self._pool = pool
        self._peer = peer
        self._calls = house.addons.calls
        flow = HTTPFlow(client, house.server(client, (host, port)), live=True)
        flow.request = heads.request_from(head, self.route, model.clock())
        flow.control = self
        super().__init__(flow)
        house.live.add(flow)

    async def accept(self) -> bool:
        """Answer; True if the tunnel is open. A refusal leaves the connection as good as any answer does."""
        flow = self.flow
        while type(await self._peer.receive()) is not End:
            pass
        self._peer.on_gone = self._client_gone
        await self._calls.call(hookspecs.http_connect, flow)
        if flow.intercepted:
            await hold(flow, self._calls, hookspecs.http_connect)
        self._peer.on_gone = None
        if flow.error:
            self._peer.abort()
        elif flow.response and not 200 <= flow.response.status_code < 300:
            self._refuse(flow.response)
        elif not self._house.settings.eager or await self._dial_ahead():
            flow.response = flow.response or Response.make(200, b"", {})
            self._peer.send(ResponseHead(flow.response.status_code, [], b"Connection established"))
            await self._calls.call(hookspecs.http_connected, flow)
            return True
        await self._calls.call(hookspecs.http_connect_error, flow)
        return False

    async def end(self) -> None:
        """The tunnel is closed, or was never opened."""
        flow = self.flow
        self._pool.abandon(flow.client_conn, flow.server_conn)
        flow.live, flow.control = False, None
        self._house.live.discard(flow)
        await self._calls.call(hookspecs.flow_end, flow)

    def break_off(self, reset: bool) -> None:
        """Break the tunnel off now."""
        if reset:
            self._peer.abort()
        else:
            self._peer.close()
        self.let_go()

    def _client_gone(self, reason: ConnectionProblem) -> None:
        self.flow.error = self.flow.error or Error("client disconnected")
        self.let_go()

    def _refuse(self, response: Response) -> None:
        head = heads.response_head(response, self.flow.request, False, False)
        try:
            self._peer.send(head, *heads.body_events(response, True))
        except LocalProtocolError as e:
            log.error("CONNECT %s: %s", self.route, e)
            self.flow.error = Error(str(e))
            self._peer.send(*error_answer(502, str(e), self.flow.request.headers))

    async def _dial_ahead(self) -> bool:
        """Connect before the client is answered, so that it learns at once if that fails."""
        flow = self.flow
        try:
            await self._pool.dial_ahead(flow.server_conn, flow.client_conn)
        except ConnectionProblem as e:
            flow.error = Error(str(e))
            self._peer.send(*error_answer(502, str(e), flow.request.headers))
            return False
        return True
