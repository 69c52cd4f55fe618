"""A request that nobody sends but ourselves: the exchange of a recorded flow, with no client behind it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace

from proxyfw import flow as model
from proxyfw.connection import Client, ConnectionState, Server
from proxyfw.exceptions import ConnectionProblem, PeerGone
from proxyfw.http import HTTPFlow, Request
from proxyfw.protocol.events import Event

from . import heads
from .exchange import Exchange
from .house import House
from .modes import Mode
from .pool import Pool
from .reverse import ReverseRoute


class Nobody:
    """In the place of a client: has sent the request, and does not listen. A `proxyfw.net.peer.Stream`."""

    __slots__ = ("_events", "gone", "on_gone")

    def __init__(self) -> None:
        self.gone: ConnectionProblem | None = None
        self.on_gone: Callable[[ConnectionProblem], None] | None = None
        self._events: deque[Event] = deque()

    def load(self, request: Request) -> None:
        """This is what has been sent."""
        self._events.extend(heads.body_events(request, True))

    @property
    def wants_continue(self) -> bool:
        return False

    @property
    def at_end(self) -> bool:
        return len(self._events) == 1

    async def receive(self) -> Event:
        if event := self.next():
            return event
        raise self.gone or PeerGone("there is nothing more of a replayed request")

    def next(self) -> Event | None:
        return self._events.popleft() if self._events and not self.gone else None

    def send(self, *events: Event) -> None:
        """Nobody listens."""

    async def drain(self) -> None:
        if self.gone:
            raise self.gone

    def abort(self, code: int | None = None) -> None:
        self.gone = self.gone or PeerGone("the replay was broken off")

    cut = close = abort

    def write(self, data: bytes) -> None:
        """Nobody listens."""

    def can_say(self, code: int | None) -> bool:
        return False


class ReplayedExchange(Exchange):
    """An exchange whose request has been there before its story begins."""

    __slots__ = ()

    async def _receive_request(self) -> list[bytes] | None:
        assert isinstance(self._client, Nobody)
        self._client.load(self.flow.request)  # with what addons have changed in requestheaders
        return await super()._receive_request()


class Replay:
    """One flow that is sent again; among the stories of a server what a `Session` is."""

    def __init__(self, house: House, pool: Pool, flow: HTTPFlow, modes: Sequence[Mode]) -> None:
        """*modes* are those of the proxy: the flow goes the way of the one by which it once came."""
        self._house = house
        self._pool = pool
        self._flow = flow
        before, request = flow.client_conn, flow.request
        names = [str(mode) for mode in modes]
        self._client = flow.client_conn = Client(
            peername=before.peername or ("", 0),
            sockname=before.sockname or ("", 0),
            timestamp_start=model.clock(),
            proxy_mode=before.proxy_mode if before.proxy_mode in names else names[0],
        )
        flow.server_conn = self._server(flow.server_conn, (request.host, request.port))

    def _server(self, before: Server, address: tuple[str, int]) -> Server:
        server = self._house.server(self._client, address)
        if before.address == address:
            server.sni, server.alpn_offers = before.sni, before.alpn_offers
        return server

    def stop(self) -> None:
        """It may finish."""

    async def run(self) -> None:
        """Send it, and wait for the answer; how it ended is in the flow."""
        house, flow = self._house, self._flow
        task = asyncio.current_task()
        assert task
        settings = replace(house.settings, websocket=False)
        exchange = ReplayedExchange(flow, Nobody(), self._pool, house.addons.calls, settings, task)
        house.live.add(flow)
        try:
            await exchange.run()
        finally:
            house.live.discard(flow)
            self._client.state = ConnectionState.CLOSED
            self._client.timestamp_end = model.clock()
            if origin := exchange.switched:  # to something that nobody here can speak
                origin.abort()
                origin.release()


def retarget(flow: HTTPFlow, modes: Sequence[Mode], house: House) -> None:
    """Address a request that came elsewhere to the server that a reverse proxy stands for, if this is one."""
    mode = modes[0]
    if mode.name != "reverse" or not mode.target or mode.target.scheme not in heads.DEFAULT_PORTS:
        return
    if flow.client_conn.proxy_mode in map(str, modes):
        return
    request, route = flow.request, ReverseRoute.to(mode.target, house.settings)
    said = request.host_header
    request.scheme, request.host, request.port = route.scheme, route.host, route.port
    request.host_header = said
    flow.server_conn = Server(address=(route.host, route.port))
    flow.server_conn.sni = route.prepare(request)
