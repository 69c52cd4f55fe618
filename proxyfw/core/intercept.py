"""TLS towards a client: read its hello, decide, and show it a certificate that it can trust."""

from __future__ import annotations

import asyncio
import logging
import re

from proxyfw import hookspecs
from proxyfw.connection import Client, Server
from proxyfw.exceptions import CertificateError, ConnectionProblem, PeerGone, TlsError
from proxyfw.net.tls import TlsWire
from proxyfw.net.wire import Lobby
from proxyfw.protocol.tls import REJECTIONS, read_client_hello
from proxyfw.tls import ClientHello, ClientHelloData, TlsData

from .house import House
from .origin_tls import note_facts

log = logging.getLogger("proxyfw")

_CLIENT_FIRST = (b"http/1.1", b"h2")
"""Where the server says nothing before the client does; in other protocols it may greet."""


async def read_hello(house: House, lobby: Lobby) -> ClientHello:
    """Wait for the whole ClientHello, and leave it where it is. Raises ProtocolError, PeerGone."""
    try:
        async with asyncio.timeout(house.settings.head_timeout):
            while (hello := read_client_hello(lobby.data)) is None:
                if not await lobby.more():
                    raise PeerGone("the client closed the connection within its TLS ClientHello")
    except TimeoutError:
        raise PeerGone("the client did not complete its TLS ClientHello in time") from None
    return hello


async def consider(
    house: House, hello: ClientHello, client: Client, server: Server | None, names: list[str]
) -> ClientHelloData:
    """Ask options and addons what is to become of a connection: opened, or passed through as it is.

    *names*: what the options know its destination by; none if the proxy itself is meant.
    """
    client.sni = hello.sni
    client.alpn_offers = hello.alpn_protocols
    client.cipher_list = [str(c) for c in hello.cipher_suites]
    data = ClientHelloData(hello, client, server)
    data.ignore_connection = bool(names) and house.passes_through(names)
    data.establish_server_tls_first = house.settings.eager
    await house.addons.calls.call(hookspecs.tls_clienthello, data)
    return data


async def intercept(
    house: House, lobby: Lobby, client: Client, server: Server | None, host: str
) -> TlsWire | None:
    """Do the handshake with a client that asked for *host*; None if it does not want us."""
    calls = house.addons.calls
    data = TlsData(client, client, server)
    client.tls = True
    name = client.sni or host
    try:
        await calls.call(hookspecs.tls_start_client, data)
        if data.ssl_conn is None:
            leaf = house.certs.get(name, (host,) if host and host != name else ())
            client.mitmcert = leaf.cert
            data.ssl_conn = house.leaf_contexts.connection(leaf, _alpn(house, server))
        wire = TlsWire(lobby.wire, data.ssl_conn)
        await wire.handshake(house.settings.connect_timeout)
        knows_who_speaks = data.ssl_conn.get_alpn_proto_negotiated() in _CLIENT_FIRST
        patience = house.settings.idle_timeout if knows_who_speaks else house.settings.sniff_timeout
        await _first_word(wire, patience)
    except (ConnectionProblem, CertificateError) as e:
        client.error = f"TLS with the client failed: {e}"
        log.warning("%s", _advice(client, name, e))
        await calls.call(hookspecs.tls_failed_client, data)
        return None
    note_facts(client, data.ssl_conn)
    await calls.call(hookspecs.tls_established_client, data)
    return wire


def _alpn(house: House, server: Server | None) -> tuple[bytes, ...]:
    """What we offer to speak: all that we can, unless *server* has been asked already and speaks HTTP/1.

    None stands for the proxy itself.
    """
    if server and server.tls_established and server.alpn != b"h2":
        return (b"http/1.1",)
    return house.alpn


async def _first_word(wire: TlsWire, patience: float) -> None:
    """Wait until the client says something: only then it is certain that it trusts us.

    Clients that look at the certificate when the handshake is over send their alert then. Raises TlsError.
    """
    lobby = wire.receiver
    assert isinstance(lobby, Lobby)
    try:
        async with asyncio.timeout(patience):
            while not lobby.data and await lobby.more():
                pass
    except TimeoutError:
        return
    if not lobby.data and isinstance(wire.failure, TlsError):
        raise wire.failure


_REJECTIONS = tuple(f"alert {name!r}" for name in REJECTIONS)


def _advice(client: Client, name: str, error: Exception) -> str:
    where = client.peername[0] if client.peername else "a client"
    text = f"{where}: TLS handshake for {name} failed: {error}"
    if text.endswith(_REJECTIONS):
        text += "\n  The client does not trust the proxy's authority: install it there (see `proxyfw cert`),"
    elif isinstance(error, TlsError) and "closed the connection" in text:
        text += "\n  It may not trust the proxy's authority: install it there (see `proxyfw cert`),"
    else:
        return text
    return f"{text}\n  or let this host pass through: --set ignore_hosts='{re.escape(name)}'"
