"""Connections to origins: dialled when one is needed, shared by all clients, kept while they are good."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from proxyfw import flow as model
from proxyfw import hookspecs
from proxyfw.connection import Client, ConnectionState, Server, ServerConnectionHookData
from proxyfw.exceptions import ConnectError, ConnectionProblem, TlsError
from proxyfw.http import HTTPFlow
from proxyfw.net.wire import Address, Lobby, Wire

from .heads import upgrades
from .house import House, same_way
from .multiplex import CLEARTEXT, HTTP1, ONLY_HTTP2, Key, Multiplex, NotCarried
from .origin_peer import ForwardingPeer, OriginPeer
from .origin_tls import secure
from .upstream import enter, takes_requests

if TYPE_CHECKING:
    from .http2_origin import OriginStream

_MAX_IDLE_PER_HOST = 64
_MOST_DIALS = 4
_MOST_RENEWED = 4096
"""Hosts of which it is remembered when their connections were to be made anew."""
_NO_COMMON_VERSION = "no_application_protocol"
"""What an origin says that speaks nothing of what it was offered. RFC 7301 section 3.2."""


class Pool:
    """A `proxyfw.core.fetch.Fetch` over the network."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._idle: dict[Key, list[OriginPeer]] = {}
        self._binds = False
        """There have been clients with connections of their own, because of how they have logged in."""
        self._multiplex = Multiplex(house, disconnected)
        self._ahead: dict[tuple[Client, Address | None], tuple[Server, Wire]] = {}
        self._renewals = 0
        self._renewed: dict[str, int] = {}
        self._all_renewed = 0

    async def open(self, flow: HTTPFlow, *, fresh: bool = False) -> OriginPeer | OriginStream:
        """A connection to where *flow* is addressed, or a part of one. Raises ConnectionProblem."""
        request, client = flow.request, flow.client_conn
        address = (request.host, request.port)
        server = flow.server_conn
        if server.address != address or server.timestamp_start:
            before = server
            flow.server_conn = server = self._house.server(client, address, before)
            if before.address == address:
                server.sni, server.alpn_offers = before.sni, before.alpn_offers
        server.tls = request.scheme_bytes == b"https"
        server.sni = (server.sni or request.host) if server.tls else None
        contexts = self._house.origin_contexts if server.tls else None  # others since the options changed
        key: Key = (self._age(request.host), contexts, *address, server.sni)
        tunnel = server.tls or tuple(server.alpn_offers) == CLEARTEXT
        if via := server.via:
            tunnel = tunnel or "upgrade" in request.headers
            key = (*key, via, via.credentials, tunnel)
        server.alpn_offers = offers = self._multiplex.offers(server, request, key, fresh)
        tunnel = tunnel or offers == CLEARTEXT  # it is for the origin, not for an upstream proxy
        if offers != HTTP1:
            try:
                return await self._open_either(flow, key, tunnel, fresh)
            except NotCarried:
                if offers == ONLY_HTTP2:
                    raise
            self._offer(flow, HTTP1)
        try:
            return await self._open_http1(flow, key, tunnel, fresh)
        except TlsError as e:
            if _NO_COMMON_VERSION not in str(e) or not self._multiplex.insist_on_http2(request, key):
                raise
        self._offer(flow, ONLY_HTTP2)
        return await self._open_either(flow, key, tunnel, fresh)

    def _offer(self, flow: HTTPFlow, offers: Sequence[bytes]) -> None:
        """Make another connection for *flow* than the one that has come to nothing."""
        flow.server_conn = self._like(flow.server_conn, flow.client_conn)
        flow.server_conn.alpn_offers = offers

    async def _open_http1(self, flow: HTTPFlow, key: Key, tunnel: bool, fresh: bool) -> OriginPeer:
        """A connection that is not shared."""
        client, server = flow.client_conn, flow.server_conn
        peer = None if fresh else self._take_for(client, key)
        if peer is None:
            ready, wire = await self.dial(server, client, tunnel, flow)
            plain = not tunnel and ready is server and takes_requests(server.via)
            kind = ForwardingPeer if plain else OriginPeer
            peer = kind(wire, self._house, self, key, ready, client)
        return _lent(peer, flow)

    async def _open_either(
        self, flow: HTTPFlow, key: Key, tunnel: bool, fresh: bool
    ) -> OriginPeer | OriginStream:
        """A stream, or a connection if the origin turns out to do without HTTP/2. Raises NotCarried."""
        client = flow.client_conn
        open_stream = self._multiplex.open_websocket if upgrades(flow.request) else self._multiplex.open
        for _ in range(_MOST_DIALS):
            if stream := await open_stream(key):
                flow.server_conn = stream.server
                return stream
            server = flow.server_conn
            takes = not fresh and self._multiplex.does_without_http2(key)
            if takes and (peer := self._take_for(client, key)):
                return _lent(peer, flow)
            if server.timestamp_start:
                flow.server_conn = server = self._like(server, client)
            dial = partial(self.dial, server, client, tunnel, flow)
            dialled = await self._multiplex.dial(key, client, dial)
            if dialled:
                return _lent(OriginPeer(dialled[1], self._house, self, key, dialled[0], client), flow)
        raise ConnectError(f"{server}: every HTTP/2 connection was closed before it took a request")

    def _like(self, server: Server, client: Client) -> Server:
        """A connection that may be made instead of *server*, which has had its time."""
        assert server.address
        new = self._house.server(client, server.address, server)
        new.tls, new.sni, new.alpn_offers = server.tls, server.sni, server.alpn_offers
        return new

    async def dial(
        self, server: Server, client: Client, tunnel: bool = True, flow: HTTPFlow | None = None
    ) -> tuple[Server, Wire]:
        """A new connection to *server*, with TLS if it is to have it. Raises ConnectionProblem.

        Without *tunnel* it may end at an upstream HTTP proxy that passes requests on. *flow* is the request
        that needs it.
        """
        house = self._house
        ready, wire = self._take_ahead(server, client)
        if wire and ready.tls_established:
            return ready, wire
        if wire is None:
            wire = await connect(house, server, client, tunnel, flow)
        ready.tls, ready.sni, ready.alpn_offers = server.tls, server.sni, server.alpn_offers
        if not ready.tls:
            return ready, wire
        try:
            return ready, await secure(house, wire, ready, client)
        except BaseException:
            wire.abort()
            disconnected(house, ready, client)
            raise

    async def dial_ahead(self, server: Server, client: Client) -> Wire:
        """Connect to *server* for what *client* will want of it soon. Raises ConnectionProblem."""
        self._ahead[client, server.address] = ahead = await self.dial(server, client)
        return ahead[1]

    def ahead(self, server: Server, client: Client) -> Server:
        """What was dialled ahead for *client* to where *server* leads, else *server* itself."""
        return self._ahead.get((client, server.address), (server, None))[0]

    def claim(self, server: Server, client: Client) -> tuple[Server, Wire] | None:
        """A connection that was dialled ahead and that the server has spoken on, though it may be over."""
        ready, wire = self._ahead.get((client, server.address), (server, None))
        if wire is None or not isinstance(wire.receiver, Lobby) or not wire.receiver.data:
            return None
        del self._ahead[client, server.address]
        return ready, wire

    def _take_ahead(self, server: Server, client: Client) -> tuple[Server, Wire | None]:
        """What was dialled ahead and does for *server*, if there is something."""
        ready, wire = self._ahead.pop((client, server.address), (server, None))
        if wire is None:
            return server, None
        unfit = ready.tls_established and (ready.tls, ready.sni) != (server.tls, server.sni)
        unfit = unfit or (ready.alpn == b"h2" and b"h2" not in server.alpn_offers)
        unfit = unfit or not same_way(ready.via, server.via)
        if unfit or wire.closed or wire.eof:
            wire.close()
            disconnected(self._house, ready, client)
            return server, None
        return ready, wire

    def abandon(self, client: Client, server: Server) -> None:
        """*client* has no use any more for a connection to *server* that was dialled ahead."""
        unused, wire = self._ahead.pop((client, server.address), (server, None))
        if wire:
            wire.close()
            disconnected(self._house, unused, client)

    def _take_for(self, client: Client, key: Key) -> OriginPeer | None:
        """An idle connection under *key*; one that is bound to *client*, if there is one."""
        bound = self._take((*key, client)) if self._binds else None
        return bound or self._take(key)

    def _take(self, key: Key) -> OriginPeer | None:
        idle = self._idle.get(key)
        while idle:
            peer = idle.pop()
            if peer.fresh:
                peer.touch()
                return peer
            peer.close()
        return None

    def bind(self, peer: OriginPeer, client: Client) -> None:
        """*peer* serves *client* alone from now on."""
        self.forget(peer)
        peer.key = (*peer.key, client)
        self._binds = True

    def renew(self, hosts: Sequence[str]) -> None:
        """Have no request that begins from now on use a connection to *hosts*, or to any, made before."""
        self._renewals += 1
        if not hosts or len(self._renewed) >= _MOST_RENEWED:
            self._renewed.clear()
            self._all_renewed = self._renewals
        self._renewed.update(dict.fromkeys(hosts, self._renewals))
        for key in [key for key in self._idle if self._is_outdated(key)]:
            for peer in list(self._idle[key]):
                peer.close()
        self._multiplex.wind_up(self._is_outdated)
        for client, address in list(self._ahead):
            if address and (not hosts or address[0] in hosts):
                self.abandon(client, self._ahead[client, address][0])

    def _age(self, host: str) -> int:
        return self._renewed.get(host, self._all_renewed)

    def _is_outdated(self, key: Key) -> bool:
        age, _, host = key[:3]
        return age != self._age(str(host))

    def keep(self, peer: OriginPeer) -> None:
        if self._is_outdated(peer.key):
            peer.close()
            return
        idle = self._idle.get(peer.key)
        if idle is None:
            idle = self._idle[peer.key] = []
        if len(idle) >= _MAX_IDLE_PER_HOST:
            idle.pop(0).close()
        peer.touch(self._house.settings.pool_idle_timeout)
        idle.append(peer)

    def ask_in_http2(self, peer: OriginPeer) -> bool:
        """*peer* turned out to speak HTTP/2 only; whether what it was asked may be asked so."""
        assert peer.flow
        return peer.server.tls and self._multiplex.insist_on_http2(peer.flow.request, peer.key)

    def lost(self, peer: OriginPeer) -> None:
        """*peer* is gone."""
        self.forget(peer)
        disconnected(self._house, peer.server, peer.client)

    def forget(self, peer: OriginPeer) -> None:
        """*peer* is not to be found under its key any more."""
        idle = self._idle.get(peer.key)
        if idle is None:
            return
        if peer in idle:
            idle.remove(peer)
        if not idle:
            del self._idle[peer.key]

    def close(self) -> None:
        for idle in list(self._idle.values()):
            for peer in list(idle):
                peer.close()
        self._idle.clear()
        self._multiplex.close()


def _lent(peer: OriginPeer, flow: HTTPFlow) -> OriginPeer:
    flow.server_conn, peer.flow = peer.server, flow
    return peer


async def connect(
    house: House, server: Server, client: Client, tunnel: bool = True, flow: HTTPFlow | None = None
) -> Wire:
    """Connect to *server*, telling the addons; *tunnel* and *flow* as in `Pool.dial`. Raises ConnectError."""
    calls = house.addons.calls
    data = ServerConnectionHookData(server, client, flow=flow)
    await calls.call(hookspecs.server_connect, data)
    try:
        wire = await _connect(house, data, tunnel)
    except ConnectionProblem as e:
        server.error = server.error or str(e)
        await calls.call(hookspecs.server_connect_error, data)
        raise
    server.peername, server.sockname = wire.peername, wire.sockname
    server.state = ConnectionState.OPEN
    await calls.call(hookspecs.server_connected, data)
    return wire


async def _connect(house: House, data: ServerConnectionHookData, tunnel: bool) -> Wire:
    server = data.server
    addresses = await addresses_of(house, data)
    if any(house.is_own(address) for address in addresses):
        host, port = server.via.address if server.via else server.address or addresses[0]
        raise ConnectError(f"{host}:{port} is this proxy itself: the request would go round in a loop")
    wire = await house.network.connect(addresses, house.settings.connect_timeout)
    server.timestamp_tcp_setup = model.clock()
    if not server.via:
        return wire
    return await enter(house, wire, server, data.client, tunnel, data.addresses)


async def addresses_of(house: House, data: ServerConnectionHookData) -> Sequence[Address]:
    """What to dial, now that the addons have been asked. Raises ConnectError."""
    server = data.server
    if server.error:
        raise ConnectError(server.error)
    if not server.address:
        raise ConnectError("no destination is known")
    server.timestamp_start = model.clock()
    if server.via:
        return await house.network.resolve(*server.via.address)
    if data.addresses is None:
        return await house.network.resolve(*server.address)
    if not data.addresses:
        raise ConnectError(f"an addon left no address for {server.address[0]}:{server.address[1]}")
    return data.addresses


def disconnected(house: House, server: Server, client: Client) -> None:
    """*server* is closed; tell the addons, once."""
    if server.state is ConnectionState.CLOSED:
        return
    server.state = ConnectionState.CLOSED
    server.timestamp_end = model.clock()
    if house.addons.calls.wants(hookspecs.server_disconnected):
        house.spawn(_tell_disconnected(house, ServerConnectionHookData(server, client)))


async def _tell_disconnected(house: House, data: ServerConnectionHookData) -> None:
    await house.addons.calls.call(hookspecs.server_disconnected, data)
