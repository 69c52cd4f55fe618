"""HTTP/2 to origins: which of them speak it, and who waits for whose connection."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import TYPE_CHECKING

from proxyfw.connection import Client, Server
from proxyfw.exceptions import ConnectError, ConnectionProblem, PeerGone
from proxyfw.http import Request
from proxyfw.net.wire import Wire
from proxyfw.protocol.http2_names import VERSION

from .heads import upgrades
from .house import House
from .upgrade import asks_for_websocket

if TYPE_CHECKING:
    from .http2_origin import OriginConnection, OriginStream

HTTP1 = (b"http/1.1",)
HTTP2 = (b"h2", b"http/1.1")
ONLY_HTTP2 = (b"h2",)
CLEARTEXT = (b"h2c",)
"""Speak HTTP/2 without TLS and without asking. RFC 9113 section 3.3."""

_TURN_PATIENCE = 10.0
"""Seconds a request waits where an origin limits their number, before there is another connection for it."""
_MEMORY = 4096
"""Origins whose version is remembered."""

Key = tuple[Hashable, ...]
Dialled = tuple[Server, Wire]


class NotCarried(ConnectionProblem):
    """The origin speaks HTTP/2, and does not take WebSockets over that."""


class Multiplex:
    """The HTTP/2 connections to origins. *lost* is told of each that is closed."""

    def __init__(self, house: House, lost: Callable[[House, Server, Client], None]) -> None:
        self.lost = lost
        self._house = house
        self._shared: dict[Key, OriginConnection] = {}
        self._dialling: dict[Key, asyncio.Future[None]] = {}
        self._speak_http1: OrderedDict[Key, None] = OrderedDict()
        self._want_http1: OrderedDict[Key, None] = OrderedDict()
        self._speak_only_http2: OrderedDict[Key, None] = OrderedDict()

    def offers(self, server: Server, request: Request, key: Key, fresh: bool) -> tuple[bytes, ...]:
        """The versions to be offered for *request*, the one we prefer first.

        Those that an addon or the session has put into ``server.alpn_offers``, if there are any. Otherwise
        what came in HTTP/1 goes on in it, as the very bytes, unless the origin speaks nothing but HTTP/2. A
        protocol can be changed to another in HTTP/1.1 only, unless that is WebSocket and the origin takes it
        in HTTP/2, too, or speaks nothing else. *fresh*: it has been tried already.
        """
        offers = tuple(server.alpn_offers)
        if upgrades(request):
            return self._offers_for_upgrade(offers, server, request, key, fresh)
        if not server.tls:
            return CLEARTEXT if offers == CLEARTEXT or _is_grpc(request) else HTTP1
        if not self._house.settings.http2 or key in self._want_http1:
            return HTTP1
        if key in self._speak_only_http2:
            return ONLY_HTTP2
        if offers and offers != CLEARTEXT:
            return offers
        return HTTP2 if request.version_bytes == VERSION else HTTP1

    def does_without_http2(self, key: Key) -> bool:
        """Whether the origin under *key* was offered HTTP/2, and took HTTP/1.1."""
        return key in self._speak_http1

    def _offers_for_upgrade(
        self, offers: tuple[bytes, ...], server: Server, request: Request, key: Key, fresh: bool
    ) -> tuple[bytes, ...]:
        if key in self._want_http1 or not self._may_carry(request):
            return HTTP1
        if server.tls and (offers == ONLY_HTTP2 or key in self._speak_only_http2):
            return ONLY_HTTP2
        connection = self._shared.get(key)
        if fresh or (connection and not connection.may_carry_websockets):
            return HTTP1
        if not server.tls:
            return CLEARTEXT if offers == CLEARTEXT else HTTP1
        return HTTP2 if connection else HTTP1

    def _may_carry(self, request: Request) -> bool:
        """Whether *request* is for a WebSocket, which may be had over HTTP/2 as far as we are concerned."""
        settings = self._house.settings
        return settings.http2 and settings.websocket and asks_for_websocket(request)

    def insist_on_http2(self, request: Request, key: Key) -> bool:
        """The origin does without HTTP/1.1; whether *request*, which came to nothing, can live with that."""
        can = self._may_carry(request) if upgrades(request) else self._house.settings.http2
        if may := can and key not in self._want_http1:
            _remember(self._speak_only_http2, key)
        return may

    async def open_websocket(self, key: Key) -> OriginStream | None:
        """As `open`, where the origin takes WebSockets. RFC 8441. Raises NotCarried."""
        connection = self._shared.get(key)
        if connection is None:
            return None
        await connection.introduced()
        if connection.codec.carries_websockets:
            return await self.open(key)
        if reason := connection.gone:
            raise NotCarried(f"{connection.server}: {reason}")
        raise NotCarried(f"{connection.server} speaks HTTP/2 and takes no WebSockets over it (RFC 8441)")

    async def open(self, key: Key) -> OriginStream | None:
        """A stream of the connection under *key*, perhaps after a while; None if there is none to be had."""
        connection = self._shared.get(key)
        if connection is None:
            return None
        try:
            if connection.full:
                async with asyncio.timeout(_TURN_PATIENCE):
                    return await connection.open()
            return await connection.open()
        except PeerGone:
            return None
        except TimeoutError:
            self.forget(connection)  # it goes on with what it has
            return None

    async def dial(self, key: Key, client: Client, dial: Callable[[], Awaitable[Dialled]]) -> Dialled | None:
        """Connect with *dial* for *client*; what came of it, or None if `open` may have something now.

        While it is not known that an origin does without HTTP/2, others wait for the first connection to it.
        Raises ConnectionProblem.
        """
        if key in self._speak_http1:
            return self._sort(key, client, *await dial())
        if under_way := self._dialling.get(key):
            await asyncio.shield(under_way)
            return None
        done = self._dialling[key] = asyncio.get_running_loop().create_future()
        try:
            return self._sort(key, client, *await dial())
        except ConnectionProblem as e:
            done.set_exception(ConnectError(str(e)))
            done.exception()  # there may be nobody to ask for it
            raise
        finally:
            del self._dialling[key]
            if not done.done():
                done.set_result(None)

    def _sort(self, key: Key, client: Client, server: Server, wire: Wire) -> Dialled | None:
        """Keep the connection here if HTTP/2 was agreed on, else give it back."""
        if server.alpn == b"h2" if server.tls else server.alpn_offers == CLEARTEXT:
            from .http2_origin import OriginConnection  # h2 is not light, and many do without

            before = self._shared.get(key)
            self._shared[key] = connection = OriginConnection(self._house, self, key, client, server, wire)
            connection.start()
            self._speak_http1.pop(key, None)
            if before:
                before.wind_up()
            return None
        _remember(self._speak_http1, key)
        self._speak_only_http2.pop(key, None)
        return server, wire

    def avoid(self, key: Key) -> None:
        """Ask the origin under *key* in HTTP/1.1 from now on."""
        _remember(self._want_http1, key)

    def forget(self, connection: OriginConnection) -> None:
        """*connection* takes no more requests."""
        if self._shared.get(connection.key) is connection:
            del self._shared[connection.key]

    def wind_up(self, is_outdated: Callable[[Key], bool]) -> None:
        """Have connections with such keys end when they have done what is under way."""
        for key, connection in list(self._shared.items()):
            if is_outdated(key):
                connection.wind_up()

    def close(self) -> None:
        for connection in list(self._shared.values()):
            connection.close()


def _is_grpc(request: Request) -> bool:
    """Whether nothing but HTTP/2 can carry *request*."""
    if request.version_bytes != VERSION:
        return False
    kind = request.headers.get("content-type", "")
    return kind == "application/grpc" or kind.startswith(("application/grpc+", "application/grpc;"))


def _remember(keys: OrderedDict[Key, None], key: Key) -> None:
    keys[key] = None
    keys.move_to_end(key)
    if len(keys) > _MEMORY:
        keys.popitem(last=False)
