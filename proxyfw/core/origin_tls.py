"""TLS towards an origin: who we say we are, whom we believe it to be."""

from __future__ import annotations

from OpenSSL import SSL

from proxyfw import flow as model
from proxyfw import hookspecs
from proxyfw.certs import Cert
from proxyfw.connection import Client, Connection, Server
from proxyfw.exceptions import CertificateError, ConnectionProblem, TlsError
from proxyfw.net.tls import TlsWire
from proxyfw.net.wire import Wire
from proxyfw.tls import TlsData

from .house import House


async def secure(house: House, wire: Wire, server: Server, client: Client) -> TlsWire:
    """Do the handshake over *wire* and verify the origin. Raises TlsError naming what is wrong."""
    calls = house.addons.calls
    assert server.address
    data = TlsData(server, client, server)
    host, port = server.address
    server.timestamp_tls_setup = None
    try:
        await calls.call(hookspecs.tls_start_server, data)
        ours = data.ssl_conn is None  # an addon that brings its own verifies as it likes
        if data.ssl_conn is None:
            server.alpn_offers = server.alpn_offers or (b"http/1.1",)
            data.ssl_conn = house.origin_contexts.connection(host, port, server.sni, server.alpn_offers)
        ssl = data.ssl_conn
        secured = TlsWire(wire, ssl)
        try:
            await secured.handshake(house.settings.connect_timeout)
        except TlsError as e:
            raise TlsError(house.origin_contexts.explain(ssl) or str(e)) from e
        if ours:
            house.origin_contexts.check_name(ssl, server.sni or host)
    except (ConnectionProblem, CertificateError) as e:
        server.error = f"TLS with {host}:{port} failed: {e}{_remedy(str(e))}"
        await calls.call(hookspecs.tls_failed_server, data)
        raise TlsError(server.error) from e
    note_facts(server, ssl)
    await calls.call(hookspecs.tls_established_server, data)
    return secured


def _remedy(problem: str) -> str:
    if problem.startswith("its certificate"):
        return (
            " (ssl_verify_upstream_trusted_ca names other authorities, ssl_insecure turns verification off)"
        )
    if "handshake_failure" in problem:
        return " (it accepts none of our ciphers, or insists on a client certificate: see client_certs)"
    return ""


def note_facts(connection: Connection, ssl: SSL.Connection) -> None:
    """Put what the handshake brought about into *connection*."""
    connection.timestamp_tls_setup = model.clock()
    connection.tls_version = ssl.get_protocol_version_name()
    connection.cipher = ssl.get_cipher_name()
    connection.alpn = ssl.get_alpn_proto_negotiated() or None
    chain = ssl.get_peer_cert_chain(as_cryptography=True) or []
    leaf = ssl.get_peer_certificate(as_cryptography=True)
    if leaf and leaf not in chain[:1]:  # OpenSSL leaves a client's own certificate out of its chain
        chain = [leaf, *chain]
    connection.certificate_list = tuple(Cert(c) for c in chain)
