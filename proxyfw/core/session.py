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
from proxyfw.protocol.detect import Speech
from proxyfw.protocol.events import RequestHead
from proxyfw.protocol.http1 import ServerCodec
from proxyfw.protocol.tls import starts_like_tls

from . import heads
from .answers import error_answer
from .connect import Connect
from .exchange import Exchange
from .heads import Route
from .house import House
from .intercept import consider, intercept, read_hello
from .modes import Mode
from .pool import OriginPeer, Pool, disconnected
from .sniff import sniff
from .tcp import join, not_reached

log = logging.getLogger("proxyfw")

_LINGER = 2.0
"""Seconds a client may take to read our last answer while it is still sending. RFC 9112 section 9.6."""
_NOWHERE: Address = ("", 0)


class Session:
    """What happens on one connection of a client."""

    def __init__(self, house: House, pool: Pool, wire: Wire, mode: Mode) -> None:
        self.wire = wire
        self.idle = False
        """It waits for a request and may be closed without harm."""
        self.client = Client(
            peername=wire.peername or _NOWHERE,
            sockname=wire.sockname or _NOWHERE,
            timestamp_start=model.clock(),
            proxy_mode=str(mode),
        )
        self._stopping = False
        self._task: asyncio.Task[Any]
        self._house = house
        self._mode = mode
        self._pool = pool

    def stop(self) -> None:
        """Take no more requests: close now, or after the exchange that is under way."""
        self._stopping = True
        if self.idle:
            self.wire.close()

    async def run(self) -> None:
        client, addons = self.client, self._house.addons
        self._task = current_task()
        try:
            await addons.calls.call(hookspecs.client_connected, client)
            if client.error:
                log.info("%s: refused: %s", client.peername, client.error)
                self.wire.abort()
            else:
                await self._begin()
        except ConnectionProblem as e:
            log.info("%s: %s", client.peername, e)
        finally:
            self.wire.close()
            client.state = ConnectionState.CLOSED
            client.timestamp_end = model.clock()
            await addons.calls.call(hookspecs.client_disconnected, client)

    async def _begin(self) -> None:
        """Serve a client that speaks HTTP to the proxy, or HTTP inside TLS to a secure proxy."""
        lobby = self.wire.receiver
        assert isinstance(lobby, Lobby)
        self.idle = True
        try:
            async with asyncio.timeout(self._house.settings.idle_timeout):
                while (tls := starts_like_tls(lobby.data)) is None:
                    if not await lobby.more():
                        return
        except TimeoutError:
            return
        self.idle = False
        if tls:
            hello = await read_hello(self._house, lobby)
            await consider(self._house, hello, self.client, None, [])  # there is nowhere to pass it on to
            if not await self._intercept(lobby, None, (self.client.sockname or _NOWHERE)[0]):
                return
        await self._serve(self.wire, None)

    # Requests

    async def _serve(self, wire: Wire, route: Route | None) -> None:
        """Answer the requests on *wire* in order; all of them go to *route* if there is one."""
        house = self._house
        codec = ServerCodec(house.settings.max_head_size, house.settings.http1_engine)
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
            if self._stopping:
                return peer.close()
            if not codec.reusable or peer.unread:
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
        await self._relay(peer.detach(), origin.detach().wire, origin.server, True)
        return True

    # Tunnels

    async def _connect(self, peer: Peer, head: RequestHead) -> bool:
        """Answer CONNECT; True if there was a tunnel, which is closed now."""
        connect = Connect(self._house, self._pool, self.client, peer, head)
        try:
            if not await connect.accept():
                return False
            await self._inside(peer.detach(), connect.route)
        except ConnectionProblem as e:
            log.info("%s: tunnel to %s: %s", self.client.peername, connect.route, e)
        finally:
            await connect.end()
        return True

    async def _inside(self, lobby: Lobby, route: Route) -> None:
        """Find out what is spoken in a tunnel, and serve it."""
        server = Server(address=(route.host, route.port))
        try:
            await self._serve_inside(lobby, route, server)
        finally:
            self._pool.abandon(self.client, server)

    async def _serve_inside(self, lobby: Lobby, route: Route, server: Server) -> None:
        names = [str(route)]
        speech = await self._sniff(lobby, server)
        if speech is Speech.TLS:
            hello = await read_hello(self._house, lobby)
            if hello.sni:
                names.append(f"{hello.sni}:{route.port}")
            data = await consider(self._house, hello, self.client, server, names)
            if not data.ignore_connection:
                if data.establish_server_tls_first:
                    await self._establish(server, hello.sni)
                if await self._intercept(lobby, server, route.host):
                    await self._decrypted(Route("https", route.host, route.port, hello.sni), server, names)
                return
            await self._pass_through(lobby, server, ignored=True)
        elif self._house.passes_through(names):
            await self._pass_through(lobby, server, ignored=True)
        elif speech is Speech.HTTP and not self._house.is_raw(names):
            await self._serve(lobby.wire, route)
        else:
            await self._pass_through(lobby, server)

    async def _decrypted(self, route: Route, server: Server, names: list[str]) -> None:
        """Serve what is spoken inside of TLS; raw bytes go on in TLS as well."""
        lobby = self.wire.receiver
        assert isinstance(lobby, Lobby)
        server.tls, server.sni = True, route.sni or route.host
        raw = self._house.is_raw(names)
        if not raw and (self.client.alpn or await self._sniff(lobby, server) is Speech.HTTP):
            await self._serve(self.wire, route)
        else:
            await self._pass_through(lobby, server)

    async def _intercept(self, lobby: Lobby, server: Server | None, host: str) -> bool:
        """Do TLS with the client, and talk to it through that; False if there will be no talking."""
        self.idle = True
        wire = await intercept(self._house, lobby, self.client, server, host)
        self.idle = False
        self.wire = wire or self.wire
        return wire is not None

    async def _establish(self, server: Server, sni: str | None) -> None:
        """Do TLS with the origin before the client; if that fails, the first request will say so."""
        assert server.address
        server.tls, server.sni = True, sni or server.address[0]
        try:
            await self._pool.dial_ahead(server, self.client)
        except ConnectionProblem as e:
            log.debug("%s: %s", self.client.peername, e)

    async def _sniff(self, lobby: Lobby, server: Server) -> Speech:
        self.idle = True
        speech = await sniff(self._house, self._pool, lobby, server, self.client)
        self.idle = False
        return speech

    async def _pass_through(self, lobby: Lobby, server: Server, ignored: bool = False) -> None:
        """Bytes to the destination and back; a flow, unless it is *ignored* on purpose."""
        house, client = self._house, self.client
        shown = not ignored or house.settings.show_ignored_hosts
        if not (ignored or house.settings.rawtcp):
            log.warning("%s: closed: neither TLS nor HTTP, and rawtcp is off: %s", client.peername, server)
            lobby.wire.abort()
            return
        try:
            server, wire = self._pool.claim(server, client) or await self._pool.dial(server, client)
        except ConnectionProblem as e:
            log.info("%s: %s", client.peername, e)
            lobby.wire.abort()
            if shown:
                await not_reached(house, server, client, str(e))
            return
        await self._relay(lobby, wire, server, shown)

    async def _relay(self, lobby: Lobby, wire: Wire, server: Server, shown: bool) -> None:
        try:
            await join(self._house, lobby.wire, wire, server, self.client, shown)
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
