"""One client connection: the requests on it, and what is inside their tunnels."""

from __future__ import annotations

import asyncio
import logging
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from proxyfw import flow as model
from proxyfw import hookspecs
from proxyfw.connection import Client, ConnectionState, Server
from proxyfw.exceptions import ConnectionProblem, PeerGone, ProtocolError
from proxyfw.hookspecs import NextLayer
from proxyfw.http import HTTPFlow
from proxyfw.net.peer import Peer, Stream
from proxyfw.net.tls import TlsWire
from proxyfw.net.wire import Address, Lobby, Wire
from proxyfw.protocol.detect import Speech
from proxyfw.protocol.events import RequestHead
from proxyfw.protocol.http1 import ServerCodec
from proxyfw.protocol.http2_upgrade import requested_settings

from . import heads, ways_in
from .answers import error_answer
from .connect import Connect
from .detect import Layer, next_layer
from .exchange import Exchange
from .heads import Route
from .house import House
from .intercept import consider, intercept, read_hello
from .linger import linger
from .modes import Mode
from .multiplex import CLEARTEXT
from .origin_peer import OriginPeer
from .pool import Pool, disconnected
from .reverse import ReverseRoute
from .sniff import sniff, speaks_http2
from .tcp import Record, join, not_reached

if TYPE_CHECKING:
    from proxyfw.net.http2_stream import Http2Stream
    from proxyfw.protocol.http2 import Codec

    from .parallel import Parallel

log = logging.getLogger("proxyfw")

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
        self._parallel: Parallel | None = None
        self._task: asyncio.Task[Any]
        self._tunnels: set[Session] = set()
        """Those that are streams of this connection."""
        self.house = house
        self.mode = mode
        self.pool = pool

    def stop(self) -> None:
        """Take no more requests: close now, or after the exchange that is under way."""
        self._stopping = True
        for inner in self._tunnels:
            inner.stop()
        if self._parallel:
            self._parallel.stop()
        elif self.idle:
            self.wire.close()

    async def run(self) -> None:
        client, addons = self.client, self.house.addons
        self._task = current_task()
        try:
            await addons.calls.call(hookspecs.client_connected, client)
            if client.error:
                log.info("%s: refused: %s", client, client.error)
                self.wire.abort()
            else:
                await ways_in.enter(self, self.mode)
        except ConnectionProblem as e:
            log.info("%s: %s", client, e)
        finally:
            self.wire.close()
            client.state = ConnectionState.CLOSED
            client.timestamp_end = model.clock()
            await addons.calls.call(hookspecs.client_disconnected, client)

    def lobby(self) -> Lobby:
        """Where the bytes of the client are that nobody has claimed."""
        lobby = self.wire.receiver
        assert isinstance(lobby, Lobby)
        return lobby

    # Requests

    async def serve(self, wire: Wire, route: Route | None) -> None:
        """Answer the requests on *wire*; all of them go to *route* if there is one."""
        if await speaks_http2(self.house, self.client, wire):
            return await self._serve_in_parallel(wire, route)
        house = self.house
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
                elif codec.asks_for_upgrade and await self._upgrade(peer, head, route):
                    return  # it goes on in HTTP/2
                elif await self._tell(self._new_exchange(peer, head, route, self._task), peer):
                    return
            except ProtocolError as e:
                log.info("%s: bad request: %s", self.client, e)
                peer.send(*error_answer(e.status, str(e)))
                return await linger(peer)
            except PeerGone:
                return peer.close()
            if self._stopping:
                return peer.close()
            if not codec.reusable or peer.unread:
                return await linger(peer)
            peer.busy = False
            peer.next_cycle()

    async def _upgrade(self, peer: Peer, head: RequestHead, route: Route | None) -> bool:
        """Go on in HTTP/2 if the request *head* asks for that; False if it is to be answered in HTTP/1.1."""
        settings = requested_settings(head)
        if settings is None or isinstance(peer.wire, TlsWire) or not self.house.settings.http2:
            return False
        from .parallel import switch

        codec = await switch(self.house, peer, head, settings)
        if codec is None:
            return False
        await self._serve_in_parallel(peer.detach().wire, route, codec)
        return True

    async def _serve_in_parallel(self, wire: Wire, route: Route | None, codec: Codec | None = None) -> None:
        """As `_serve`, in HTTP/2; *codec* if the client has come to it by an upgrade."""
        from .parallel import (
            Parallel,
            new_codec,
        )  # h2 is not light, and there may be nobody who speaks HTTP/2

        if codec is None and route and not isinstance(wire, TlsWire) and not isinstance(route, ReverseRoute):
            route = replace(route, alpn_offers=CLEARTEXT)  # who knew beforehand, knew it of the origin

        async def answer(stream: Http2Stream, head: RequestHead) -> None:
            if head.method == b"CONNECT":
                if route:
                    raise ProtocolError("CONNECT is for a proxy, and here is none", 501)
                return await self._tunnel(stream, head)
            await self._tell(self._new_exchange(stream, head, route, current_task()), stream)

        self._parallel = Parallel(self.house, wire, answer, codec or new_codec(self.house))
        if self._stopping:
            self._parallel.stop()
        await self._parallel.run()

    async def _tell(self, exchange: Exchange, client: Peer | Http2Stream) -> bool:
        """The story of *exchange*, and of what follows it; whether something did."""
        live, flow = self.house.live, exchange.flow
        live.add(flow)
        try:
            await exchange.run()
            if exchange.switched is None:
                return exchange.websocket is not None and await self._serve_websocket(exchange, client)
            return await self._go_on(exchange, exchange.switched, client)
        finally:
            live.discard(flow)

    async def _serve_websocket(self, exchange: Exchange, client: Peer | Http2Stream) -> bool:
        """Carry a WebSocket that an addon serves."""
        from .websocket import WebSocket
        from .websocket_server import WebSocketServer

        flow, codecs = exchange.flow, exchange.websocket
        assert codecs
        assert flow.websocket_server
        server = WebSocketServer(flow.websocket_server, flow.request.pretty_url)
        sides = (client.detach().wire, codecs[0]), (server.wire, codecs[1])
        try:
            await WebSocket(self.house, self.house.addons.calls, flow, *sides).run()
        finally:
            await server.stop()
        return True

    async def _go_on(self, exchange: Exchange, origin: Stream, client: Peer | Http2Stream) -> bool:
        """Carry what follows a 101 of *origin*, which is not HTTP any more."""
        house = self.house
        if not isinstance(origin, OriginPeer):
            from .http2_origin import OriginStream

            assert isinstance(origin, OriginStream)
        one, other = client.detach().wire, origin.detach().wire
        try:
            if exchange.websocket is None:
                await join(house, one, other, origin.server, self.client)
            else:
                from .websocket import WebSocket  # as its codecs, only now

                ours, theirs = exchange.websocket
                calls = house.addons.calls
                await WebSocket(house, calls, exchange.flow, (one, ours), (other, theirs)).run()
        finally:
            if isinstance(origin, OriginPeer):
                disconnected(house, origin.server, self.client)
            else:
                origin.release()
        return True

    def _new_exchange(
        self, stream: Stream, head: RequestHead, route: Route | None, task: asyncio.Task[Any]
    ) -> Exchange:
        request = heads.request_from(head, route, model.clock())
        server = self.house.server(self.client, (request.host, request.port))
        if route:
            server.sni = route.prepare(request)
            server.alpn_offers = route.alpn_offers
        flow = HTTPFlow(self.client, server)
        flow.request = request
        house = self.house
        return Exchange(flow, stream, self.pool, house.addons.calls, house.settings, task)

    # Tunnels

    async def _tunnel(self, stream: Http2Stream, head: RequestHead) -> None:
        """Answer CONNECT on one of many streams: what is inside is a connection of its own."""
        inner = Session(self.house, self.pool, self.wire, self.mode)
        inner.client = copy(self.client)
        inner._task = current_task()
        self._tunnels.add(inner)
        try:
            if await inner._connect(stream, head):
                inner.wire.close()
        finally:
            self._tunnels.discard(inner)

    async def _connect(self, peer: Peer | Http2Stream, head: RequestHead) -> bool:
        """Answer CONNECT; True if there was a tunnel, which is closed now."""
        connect = Connect(self.house, self.pool, self.client, peer, head)
        try:
            if not await connect.accept():
                return False
            lobby = peer.detach()
            self.wire = lobby.wire
            await self.inside(lobby, connect.route)
        except ConnectionProblem as e:
            log.info("%s: tunnel to %s: %s", self.client, connect.route, e)
        finally:
            await connect.end()
        return True

    async def inside(self, lobby: Lobby, route: Route) -> None:
        """Find out what is spoken in a tunnel, and serve it."""
        server = self.house.server(self.client, (route.host, route.port))
        try:
            await self._serve_inside(lobby, route, server, ())
        finally:
            self.pool.abandon(self.client, server)

    async def _serve_inside(
        self, lobby: Lobby, route: Route, server: Server, layers: tuple[str, ...]
    ) -> None:
        """Serve what is spoken, and what is inside of that; *layers* are around it."""
        house, client = self.house, self.client
        names = [str(route)] + ([f"{route.sni}:{route.port}"] if route.sni else [])
        self.idle = True
        layer = await next_layer(house, self.pool, lobby, NextLayer(client, server, layers), names)
        self.idle = False
        if layer is Layer.HTTP:
            await self.serve(lobby.wire, route)
        elif layer is Layer.TLS:
            hello = await read_hello(house, lobby)
            if hello.sni:
                names.append(f"{hello.sni}:{route.port}")
            data = await consider(house, hello, client, server, names)
            if data.ignore_connection:
                return await self.pass_through(lobby, server, True, data.record_tunnel)
            asked = await self.establish(server, hello.sni) if data.establish_server_tls_first else server
            if await self.intercept(lobby, asked, route.host):
                server.tls, server.sni = True, hello.sni or route.host
                await self._serve_inside(self.lobby(), route.secured(hello.sni), server, (*layers, "tls"))
        else:
            await self.pass_through(lobby, server, ignored=layer is Layer.IGNORED)

    async def intercept(self, lobby: Lobby, server: Server | None, host: str) -> bool:
        """Do TLS with the client, and talk to it through that; False if there will be no talking."""
        self.idle = True
        wire = await intercept(self.house, lobby, self.client, server, host)
        self.idle = False
        self.wire = wire or self.wire
        return wire is not None

    async def establish(self, server: Server, sni: str | None) -> Server:
        """Do TLS with the origin before the client; if that fails, the first request will say so.

        The origin is offered what the client offers, of what we speak; the connection shows what it took.
        """
        assert server.address
        server.tls, server.sni = True, sni or server.address[0]
        server.alpn_offers = [p for p in self.house.alpn if p in self.client.alpn_offers]
        try:
            await self.pool.dial_ahead(server, self.client)
        except ConnectionProblem as e:
            log.debug("%s: %s", self.client, e)
        return self.pool.ahead(server, self.client)

    async def sniff(self, lobby: Lobby, server: Server) -> Speech:
        """What the client speaks, or *server* if that comes first. Raises PeerGone."""
        self.idle = True
        speech = await sniff(self.house, self.pool, lobby, server, self.client)
        self.idle = False
        return speech

    async def pass_through(
        self, lobby: Lobby, server: Server, ignored: bool = False, counted: bool = False
    ) -> None:
        """Bytes to the destination and back; a flow, unless it is *ignored* on purpose.

        *counted*: if it is ignored, then a flow that says how many bytes went through.
        """
        house, client = self.house, self.client
        if client.alpn:
            server.alpn_offers = (client.alpn,)
        record = Record.COUNTS if counted else Record.NOTHING
        if not ignored or house.settings.show_ignored_hosts:
            record = Record.MESSAGES
        if not (ignored or house.settings.rawtcp):
            log.warning("%s: closed: neither TLS nor HTTP, and rawtcp is off: %s", client, server)
            lobby.wire.abort()
            return
        try:
            server, wire = self.pool.claim(server, client) or await self.pool.dial(server, client)
        except ConnectionProblem as e:
            log.info("%s: %s", client, e)
            lobby.wire.abort()
            if record is not Record.NOTHING:
                await not_reached(house, server, client, str(e))
            return
        await self._relay(lobby, wire, server, record)

    async def _relay(self, lobby: Lobby, wire: Wire, server: Server, record: Record) -> None:
        try:
            await join(self.house, lobby.wire, wire, server, self.client, record)
        finally:
            disconnected(self.house, server, self.client)


def current_task() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task
    return task
