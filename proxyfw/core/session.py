"""One client connection, from its first byte to its last: requests, and what is inside their tunnels."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from proxyfw import flow as model
from proxyfw import hookspecs
from proxyfw.connection import Client, ConnectionState, Server
from proxyfw.exceptions import ConnectionProblem, PeerGone, ProtocolError
from proxyfw.http import HTTPFlow
from proxyfw.net.peer import Peer
from proxyfw.net.wire import Address, Lobby, Wire
from proxyfw.protocol.detect import Speech, detect
from proxyfw.protocol.events import RequestHead
from proxyfw.protocol.http1 import ServerCodec

from . import heads
from .answers import error_answer
from .connect import Connect
from .exchange import Exchange
from .heads import Route
from .house import House
from .intercept import intercept, read_hello, wants_interception
from .pool import OriginPeer, Pool, disconnected
from .tunnel import relay

log = logging.getLogger("proxyfw")

_LINGER = 2.0
"""Seconds a client may take to read our last answer while it is still sending. RFC 9112 section 9.6."""
_NOWHERE: Address = ("", 0)


class Session:
    """What happens on one connection of a client."""

    def __init__(self, house: House, pool: Pool, wire: Wire, mode: str) -> None:
        self.wire = wire
        self.idle = False
        """It waits for a request and may be closed without harm."""
        self.client = Client(
            peername=wire.peername or _NOWHERE,
            sockname=wire.sockname or _NOWHERE,
            timestamp_start=model.clock(),
            proxy_mode=mode,
        )
        self._task: asyncio.Task[Any]
        self._house = house
        self._pool = pool

    async def run(self) -> None:
        client, addons = self.client, self._house.addons
        self._task = current_task()
        try:
            await addons.calls.call(hookspecs.client_connected, client)
            if client.error:
                log.info("%s: refused: %s", client.peername, client.error)
                self.wire.abort()
            else:
                await self._serve(self.wire, None)
        except ConnectionProblem as e:
            log.info("%s: %s", client.peername, e)
        finally:
            self.wire.close()
            client.state = ConnectionState.CLOSED
            client.timestamp_end = model.clock()
            await addons.calls.call(hookspecs.client_disconnected, client)

    # Requests

    async def _serve(self, wire: Wire, route: Route | None) -> None:
        """Answer the requests on *wire* in order; all of them go to *route* if there is one."""
        house = self._house
        codec = ServerCodec(house.settings.max_head_size)
        peer = Peer(wire, codec, house.watch, house.patience_with_clients)
        while True:
            try:
                self.idle = not peer.unread
                head = await peer.receive()
                self.idle = False
                assert isinstance(head, RequestHead), head
                peer.busy = True
                if head.method == b"CONNECT" and route is None:
                    if await self._connect(peer, head):
                        return
                elif await self._exchange(peer, head, route):
                    return
            except ProtocolError as e:
                log.info("%s: bad request: %s", self.client.peername, e)
                peer.send(*error_answer(e.status, str(e)))
                return await _linger(peer)
            except PeerGone:
                return peer.close()
            if not codec.reusable:
                return await _linger(peer)
            peer.busy = False
            peer.next_cycle()

    async def _exchange(self, peer: Peer, head: RequestHead, route: Route | None) -> bool:
        """Answer one request; True if the connection speaks something else from now on."""
        request = heads.request_from(head, route, model.clock())
        server = Server(address=(request.host, request.port))
        if route:
            server.sni = route.sni
        flow = HTTPFlow(self.client, server)
        flow.request = request
        house = self._house
        exchange = Exchange(flow, peer, self._pool, house.addons.calls, house.settings, self._task)
        await exchange.run()
        if exchange.switched is None:
            return False
        origin = exchange.switched
        assert isinstance(origin, OriginPeer)
        await self._relay(peer.detach(), origin.detach().wire, origin.server)
        return True

    # Tunnels

    async def _connect(self, peer: Peer, head: RequestHead) -> bool:
        """Answer CONNECT; True if there was a tunnel, which is closed now."""
        connect = Connect(self._house, self._pool, self.client, peer, head)
        if not await connect.accept():
            return False
        try:
            await self._inside(peer.detach(), connect.route)
        finally:
            await connect.end()
        return True

    async def _inside(self, lobby: Lobby, route: Route) -> None:
        """Find out what is spoken in a tunnel, and serve it."""
        speech = await self._sniff(lobby)
        server = Server(address=(route.host, route.port))
        if speech is Speech.TLS:
            hello = await read_hello(self._house, lobby)
            names = [str(route)] + ([f"{hello.sni}:{route.port}"] if hello.sni else [])
            if await wants_interception(self._house, hello, self.client, server, names):
                wire = await intercept(self._house, lobby, self.client, server, route.host)
                if wire:
                    route = Route("https", route.host, route.port, hello.sni)
                    await self._serve_inside(wire, route)
                return
        elif speech is Speech.HTTP and not self._house.passes_through([str(route)]):
            return await self._serve(lobby.wire, route)
        await self._pass_through(lobby, server)

    async def _serve_inside(self, wire: Wire, route: Route) -> None:
        try:
            await self._serve(wire, route)
        finally:
            wire.close()

    async def _sniff(self, lobby: Lobby) -> Speech:
        """What the client speaks first; OTHER if it waits for the server to speak."""
        try:
            async with asyncio.timeout(self._house.settings.sniff_timeout):
                while (speech := detect(lobby.data)) is None:
                    if not await lobby.more():
                        raise PeerGone("the client closed the tunnel without using it")
        except TimeoutError:
            return Speech.OTHER
        return speech

    async def _pass_through(self, lobby: Lobby, server: Server) -> None:
        """Bytes to the destination and back, as they are."""
        try:
            server, wire = await self._pool.dial(server, self.client)
        except ConnectionProblem as e:
            log.info("%s: %s", self.client.peername, e)
            lobby.wire.abort()
            return
        await self._relay(lobby, wire, server)

    async def _relay(self, lobby: Lobby, wire: Wire, server: Server) -> None:
        try:
            await relay(lobby.wire, wire, self._house.watch, self._house.settings.idle_timeout)
        finally:
            disconnected(self._house, server, self.client)


def current_task() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task
    return task


async def _linger(peer: Peer) -> None:
    """Close *peer* so that it can still read our answer, though it may be in the middle of sending."""
    wire = peer.detach().wire
    if wire.closed:
        return
    sink = _Sink()
    wire.attach(sink)
    wire.write_eof()
    if not wire.eof:
        try:
            async with asyncio.timeout(_LINGER):
                await sink.ended
        except TimeoutError:
            pass
    wire.close()


class _Sink:
    """Takes bytes that nobody wants. A `proxyfw.net.wire.Receiver`."""

    def __init__(self) -> None:
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        pass

    def eof_received(self) -> None:
        self.connection_lost(None)

    def connection_lost(self, reason: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_result(None)

    def writable_changed(self) -> None:
        pass
