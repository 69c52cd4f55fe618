"""TLS facts: the ClientHello as plain data, and what TLS hooks are given."""

from __future__ import annotations

from proxyfw.connection import Client, Server
from proxyfw.tls import ClientHello, ClientHelloData, TlsData

BODY = b"\x03\x03" + b"r" * 40
HELLO = b"\x01" + len(BODY).to_bytes(3, "big") + BODY


def record(fragment: bytes) -> bytes:
    return b"\x16\x03\x01" + len(fragment).to_bytes(2, "big") + fragment


def sides() -> tuple[Client, Server]:
    client = Client(peername=("192.0.2.1", 50000), sockname=("127.0.0.1", 8080), timestamp_start=1.0)
    return client, Server(address=("example.com", 443))


def test_raw_bytes_of_a_hello_however_it_was_cut() -> None:
    """5.3.65: a hello split over records is one message."""
    for raw in (record(HELLO), record(HELLO[:3]) + record(HELLO[3:20]) + record(HELLO[20:])):
        hello = ClientHello(raw)
        assert hello.raw_bytes(wrap_in_record=False) == BODY
        assert hello.raw_bytes() == b"\x16\x03\x03" + len(HELLO).to_bytes(2, "big") + HELLO


def test_an_empty_hello_has_empty_lists() -> None:
    hello = ClientHello()
    assert hello.sni is None
    assert [hello.alpn_protocols, hello.cipher_suites, hello.extensions, hello.versions] == [[], [], [], []]
    assert hello.raw_bytes(wrap_in_record=False) == b""


def test_hook_data_leaves_the_connection_alone_unless_told() -> None:
    client, server = sides()
    data = ClientHelloData(ClientHello(), client, server)
    assert not data.ignore_connection
    assert not data.establish_server_tls_first
    assert data.context.client is client
    assert data.context.server is server


def test_tls_data_names_the_connection_it_is_about() -> None:
    client, server = sides()
    data = TlsData(server, client, server)
    assert data.conn is server
    assert data.ssl_conn is None
    assert not data.is_dtls
    assert data.context[:2] == (client, server)
