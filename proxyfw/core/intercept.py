"""TLS towards a client: read its hello, decide, and show it a certificate that it can trust."""

from __future__ import annotations

import asyncio
import logging

from proxyfw import hookspecs
from proxyfw.connection import Client, Server
from proxyfw.exceptions import ConnectionProblem, PeerGone, TlsError
from proxyfw.net.tls import TlsWire
from proxyfw.net.wire import Lobby
from proxyfw.protocol.tls import read_client_hello
from proxyfw.tls import ClientHello, ClientHelloData, TlsData

from .house import House
from .origin_tls import note_facts

log = logging.getLogger("proxyfw")

ALPN = (b"http/1.1",)


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


async def wants_interception(
    house: House, hello: ClientHello, client: Client, server: Server, names: list[str]
) -> bool:
    """Ask options and addons whether this connection is to be opened, or passed through as it is."""
    client.sni = hello.sni
    client.alpn_offers = hello.alpn_protocols
    client.cipher_list = [str(c) for c in hello.cipher_suites]
    data = ClientHelloData(hello, client, server)
    data.ignore_connection = house.passes_through(names)
    await house.addons.calls.call(hookspecs.tls_clienthello, data)
    return not data.ignore_connection


async def intercept(house: House, lobby: Lobby, client: Client, server: Server, host: str) -> TlsWire | None:
    """Do the handshake with a client that asked for *host*; None if it does not want us."""
    calls = house.addons.calls
    data = TlsData(client, client, server)
    client.tls = True
    name = client.sni or host
    try:
        await calls.call(hookspecs.tls_start_client, data)
        if data.ssl_conn is None:
            leaf = house.certs.get(name, () if name == host else (host,))
            client.mitmcert = leaf.cert
            data.ssl_conn = house.leaf_contexts.connection(leaf, ALPN)
        wire = TlsWire(lobby.wire, data.ssl_conn)
        await wire.handshake(house.settings.connect_timeout)
    except ConnectionProblem as e:
        client.error = f"TLS with the client failed: {e}"
        log.warning("%s", _advice(client, name, e))
        await calls.call(hookspecs.tls_failed_client, data)
        return None
    note_facts(client, data.ssl_conn)
    await calls.call(hookspecs.tls_established_client, data)
    return wire


def _advice(client: Client, name: str, error: ConnectionProblem) -> str:
    where = client.peername[0] if client.peername else "a client"
    text = f"{where}: TLS handshake for {name} failed: {error}"
    if isinstance(error, TlsError) and ("certificate" in text or "unknown_ca" in text):
        text += (
            "\n  The client does not trust the proxy's authority: install it there (see `proxyfw cert`),"
            f"\n  or let this host pass through: --set ignore_hosts='{name}'"
        )
    return text
