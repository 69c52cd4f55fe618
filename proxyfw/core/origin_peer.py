"""A connection to an origin in HTTP/1.1, which the pool lends to one exchange after the other."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING

from proxyfw.connection import Client, Server
from proxyfw.exceptions import ConnectionProblem, PeerGone
from proxyfw.http import HTTPFlow
from proxyfw.model.own_code import own_code
from proxyfw.net.peer import Peer
from proxyfw.net.tls import TlsWire
from proxyfw.net.wire import Wire
from proxyfw.protocol.events import Event, RequestHead
from proxyfw.protocol.fields import notable
from proxyfw.protocol.http1 import ClientCodec, OtherVersion
from proxyfw.protocol.http2_names import REFUSED_STREAM

from .house import House
from .upstream import authority_of, authorization, refuse_407

if TYPE_CHECKING:
    from .multiplex import Key
    from .pool import Pool

_BOUND_TO_CONNECTION = (b"ntlm", b"negotiate")
"""Schemes that authenticate the connection, so it must not serve other clients. RFC 4559 section 6."""


@own_code
class OriginPeer(Peer):
    """A connection to an origin that serves one exchange after the other."""

    __slots__ = ("_house", "_pool", "_uses", "client", "flow", "key", "server")

    def __init__(
        self, wire: Wire, house: House, pool: Pool, key: Key, server: Server, client: Client
    ) -> None:
        self.key = key
        self.server = server
        self.client = client
        self._house = house
        self._pool = pool
        self._uses = 0
        self.flow: HTTPFlow | None = None
        super().__init__(wire, self._new_codec(house), house.watch, house.patience_with_origins)

    def _new_codec(self, house: House) -> ClientCodec:
        return ClientCodec(house.settings.max_head_size, house.settings.http1_engine)

    @property
    def reused(self) -> bool:
        return self._uses > 0

    @property
    def fresh(self) -> bool:
        """Nothing has come from the origin since its last answer, not even its leave."""
        return not self.gone and not self.unread and not self.wire.eof

    def release(self) -> None:
        flow, self.flow = self.flow, None
        if self._uses == 0:
            self._remember_session()
        if self.gone or self.unread or not self.codec.reusable:
            self.close()
            return
        if flow and _authenticates_connection(flow) and self.key[-1] is not flow.client_conn:
            self._pool.bind(self, flow.client_conn)
        self._uses += 1
        self.next_cycle()
        self._pool.keep(self)

    def _remember_session(self) -> None:
        if self.server.tls and isinstance(self.wire, TlsWire) and self.server.address:
            host, port = self.server.address
            self._house.origin_contexts.remember(self.wire.ssl, host, port, self.server.sni)

    def _lose(self, reason: ConnectionProblem) -> None:
        if not self.gone:
            if isinstance(reason, OtherVersion) and self.flow and self._pool.ask_in_http2(self):
                reason = PeerGone(str(reason), code=REFUSED_STREAM, unprocessed=True)
            self._pool.lost(self)
            if self.flow is None:  # idle: nobody else would close it
                self.wire.close()
        super()._lose(reason)


class ForwardingPeer(OriginPeer):
    """A connection to an upstream proxy that passes plain HTTP requests on. RFC 9112 section 3.2.2."""

    __slots__ = ()

    def _new_codec(self, house: House) -> ClientCodec:
        settings = house.settings
        return ClientCodec(settings.max_head_size, settings.http1_engine, absolute_form=True)

    def send(self, *events: Event) -> None:
        super().send(*(self._addressed(event) if type(event) is RequestHead else event for event in events))

    def _addressed(self, head: RequestHead) -> RequestHead:
        """*head* as the proxy wants it; it stays as it is for the case that it has to be sent again."""
        assert self.server.via
        assert self.server.address
        head = copy(head)
        head.scheme, head.authority = b"http", authority_of(self.server.address)
        if head.authority.endswith(b":80"):
            head.authority = head.authority[:-3]
        head.headers = head.headers + authorization(self._house, self.server.via)
        return head

    def next(self) -> Event | None:
        event = super().next()
        if event:
            assert self.server.via
            refuse_407(self.server.via, event)
        return event


def _authenticates_connection(flow: HTTPFlow) -> bool:
    """Whether *flow* is part of a login that is bound to its connection."""
    said = notable(flow.request.headers.fields).get(b"authorization")
    if said and said.lower().startswith(_BOUND_TO_CONNECTION):
        return True
    response = flow.response
    if response is None or response.status_code != 401:
        return False
    fields = response.headers.fields
    challenges = [value for name, value in fields if name.lower() == b"www-authenticate"]
    return any(challenge.lower().startswith(_BOUND_TO_CONNECTION) for challenge in challenges)
