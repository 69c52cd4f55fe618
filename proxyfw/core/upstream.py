"""The way to an origin through another proxy: CONNECT through an HTTP proxy, or SOCKS 5."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence

from proxyfw import flow as model
from proxyfw import hookspecs
from proxyfw.connection import Client, Server, ServerSpec, shown_address
from proxyfw.exceptions import ConnectError, ConnectionProblem
from proxyfw.http import Headers, HTTPFlow, Request
from proxyfw.net.peer import Peer
from proxyfw.net.wire import Address, Lobby, Wire
from proxyfw.protocol.events import END, Event, Informational, ResponseHead
from proxyfw.protocol.http1 import ClientCodec
from proxyfw.protocol.socks import Asking

from . import heads
from .house import House
from .origin_tls import secure

SCHEMES = ("http", "https", "socks5", "socks5h")
_HTTP = ("http", "https")
_HINT = "set user and password with upstream_auth, in the mode, or in http_connect_upstream"


def takes_requests(via: ServerSpec | None) -> bool:
    """Whether *via* is given plain HTTP requests as they are, rather than asked for a tunnel."""
    return via is not None and via.scheme in _HTTP


def name_of(via: ServerSpec) -> str:
    """For people; without credentials."""
    return f"{via.scheme}://{shown_address(via.address)}"


def authorization(house: House, via: ServerSpec) -> list[tuple[bytes, bytes]]:
    """The header field that says to *via* who we are, if we are to say so. RFC 7617."""
    credentials = via.credentials or house.settings.upstream_auth
    return [(b"Proxy-Authorization", basic(credentials))] if credentials else []


def basic(credentials: str) -> bytes:
    """``user:password`` as the value of an Authorization field."""
    return b"Basic " + base64.b64encode(credentials.encode())


def refuse_407(via: ServerSpec, event: Event) -> None:
    """Raise ConnectError if *event* is the upstream proxy's 407, which is about us and not for the client."""
    if type(event) is ResponseHead and event.status == 407:
        raise ConnectError(
            f"the upstream proxy {name_of(via)} wants to know who we are"
            f" (407 Proxy Authentication Required): {_HINT}"
        )


async def enter(
    house: House,
    wire: Wire,
    server: Server,
    client: Client,
    tunnel: bool,
    addresses: Sequence[Address] | None = None,
) -> Wire:
    """Go on from *wire*, which leads to ``server.via``, to *server*; the wire that leads there.

    *addresses*: where its name leads, if an addon has resolved it.
    Without *tunnel* an HTTP proxy is only made ready for requests. Raises ConnectError naming the proxy.
    """
    via = server.via
    assert via
    try:
        async with asyncio.timeout(house.settings.connect_timeout):
            if via.scheme == "https":
                wire = await _secure(house, wire, via, client)
            if via.scheme not in _HTTP:
                return await _socks(house, wire, server, addresses)
            return await _connect(house, wire, server, client, addresses) if tunnel else wire
    except TimeoutError:
        wire.abort()
        raise ConnectError(f"the upstream proxy {name_of(via)} gave no answer in time") from None
    except ConnectionProblem as e:
        wire.abort()
        if isinstance(e, ConnectError):
            raise
        raise ConnectError(f"the upstream proxy {name_of(via)} failed: {e}") from e


async def _secure(house: House, wire: Wire, via: ServerSpec, client: Client) -> Wire:
    """TLS to the proxy itself, verified as an origin's is."""
    proxy = Server(address=via.address)
    proxy.tls, proxy.sni = True, via.address[0]
    return await secure(house, wire, proxy, client)


async def _connect(
    house: House, wire: Wire, server: Server, client: Client, addresses: Sequence[Address] | None
) -> Wire:
    """Ask an HTTP proxy for a tunnel. RFC 9110 section 9.3.6."""
    via, address = server.via, addresses[0] if addresses else server.address
    assert via
    assert address
    flow = HTTPFlow(client, server)
    flow.request = _connect_request(address, authorization(house, via))
    await house.addons.calls.call(hookspecs.http_connect_upstream, flow)
    head = heads.request_head(flow.request, False)
    head.headers = flow.request.headers.fields
    head.authority = flow.request.authority_bytes
    codec = ClientCodec(house.settings.max_head_size, house.settings.http1_engine)
    peer = Peer(wire, codec, house.watch, house.patience_with_origins)
    peer.send(head, END)
    event = await peer.receive()
    while type(event) is Informational:
        event = await peer.receive()
    refuse_407(via, event)
    assert type(event) is ResponseHead, event
    if not 200 <= event.status < 300:
        reason = event.reason.decode("latin-1")
        raise ConnectError(
            f"the upstream proxy {name_of(via)} gives no tunnel to {shown_address(address)}:"
            f" {event.status} {reason}"
        )
    return peer.detach().wire


def authority_of(address: Address) -> bytes:
    """``host:port`` as it is written in a request."""
    host, port = address
    name = host.encode() if host.isascii() else host.encode("idna")
    return b"[%b]:%d" % (name, port) if b":" in name else b"%b:%d" % (name, port)


def _connect_request(address: Address, fields: list[tuple[bytes, bytes]]) -> Request:
    host, port = address
    authority = authority_of(address)
    return Request(
        host, port, b"CONNECT", b"", authority, b"", b"HTTP/1.1",
        Headers([(b"Host", authority), *fields]), b"", None, model.clock(), None,
    )  # fmt: skip


async def _socks(house: House, wire: Wire, server: Server, addresses: Sequence[Address] | None) -> Wire:
    """Ask a SOCKS 5 proxy for a connection; ``socks5`` resolves names here, ``socks5h`` there."""
    via, address = server.via, addresses[0] if addresses else server.address
    assert via
    assert address
    if via.scheme == "socks5" and not addresses:
        address = (await house.network.resolve(*address))[0]
    elif via.scheme not in ("socks5", "socks5h"):
        raise ConnectError(f"{via.scheme!r} is no kind of upstream proxy; there are {', '.join(SCHEMES)}")
    credentials = via.credentials or house.settings.upstream_auth
    user, _, password = credentials.partition(":") if credentials else ("", "", "")
    codec = Asking(address, (user, password) if credentials else None)
    lobby = wire.receiver
    assert isinstance(lobby, Lobby)
    wire.write(codec.begin())
    while not codec.done:
        if not await lobby.more():
            raise ConnectError(f"the upstream proxy {name_of(via)} closed the connection")
        if answer := codec.receive(lobby.take()):
            wire.write(answer)
    lobby.put_back(codec.unread)
    return wire
