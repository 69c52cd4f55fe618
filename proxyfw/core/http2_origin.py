"""One HTTP/2 connection to an origin, for the requests of all clients, and a request's part of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxyfw.connection import Client, Server
from proxyfw.exceptions import ConnectionProblem, PeerGone
from proxyfw.net.http2_roles import ClientConnection
from proxyfw.net.http2_stream import Http2Stream
from proxyfw.net.tls import TlsWire
from proxyfw.net.wire import Wire
from proxyfw.protocol.http2 import Codec, ErrorCodes

from .house import House

if TYPE_CHECKING:
    from .multiplex import Key, Multiplex


class OriginStream(Http2Stream):
    """One request's part of a connection to an origin; a `proxyfw.core.fetch.OriginStream`."""

    __slots__ = ("_origin",)

    def __init__(self, connection: OriginConnection, reused: bool) -> None:
        super().__init__(connection, 0, reused)
        self._origin = connection

    @property
    def server(self) -> Server:
        return self._origin.server

    def lose(self, reason: ConnectionProblem) -> None:
        if isinstance(reason, PeerGone) and reason.code == ErrorCodes.HTTP_1_1_REQUIRED:
            self._origin.insist_on_http1()
        super().lose(reason)


class OriginConnection(ClientConnection):
    """An HTTP/2 connection to *server*, found under *key*; *client* was the first to need it."""

    __slots__ = ("_client", "_house", "_of", "key", "server")

    def __init__(
        self, house: House, of: Multiplex, key: Key, client: Client, server: Server, wire: Wire
    ) -> None:
        self.key = key
        self.server = server
        self._client = client
        self._house = house
        self._of = of
        settings = house.settings
        super().__init__(
            wire,
            Codec(client=True, max_head_size=settings.max_head_size),
            house.watch,
            house.patience_with_origins,
            keepalive=settings.http2_ping_keepalive,
            keep=settings.pool_idle_timeout,
        )

    @property
    def may_carry_websockets(self) -> bool:
        """The origin has said that it takes them, or has not said anything yet."""
        return self.codec.carries_websockets or not self.codec.introduced

    def insist_on_http1(self) -> None:
        """The origin wants to be asked in HTTP/1.1, at least for some of what it has."""
        self._of.avoid(self.key)

    async def open(self) -> OriginStream:
        stream = await super().open()
        assert isinstance(stream, OriginStream)
        return stream

    def _stream(self) -> OriginStream:
        return OriginStream(self, self._served)

    def _left(self, stream: Http2Stream) -> None:
        if not self._served and isinstance(self.wire, TlsWire) and self.server.address:
            host, port = self.server.address
            self._house.origin_contexts.remember(self.wire.ssl, host, port, self.server.sni)
        super()._left(stream)

    def _retire(self) -> None:
        self._of.forget(self)
        super()._retire()

    def _lose(self, reason: ConnectionProblem) -> None:
        if not self.gone:
            self._of.forget(self)
            self._of.lost(self._house, self.server, self._client)
        super()._lose(reason)
