"""Connections: cheap records of facts, with a plain state that round-trips."""

from __future__ import annotations

import pytest

from proxyfw import connection
from proxyfw.connection import (
    Client,
    Connection,
    ConnectionState,
    ModeSpec,
    Server,
    ServerConnectionHookData,
    ServerSpec,
    StoredCertificate,
    shown_address,
)

PEM = b"-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"


class Certificate:
    """Stands for a certificate; counts how often it is written out."""

    written = 0

    def to_pem(self) -> bytes:
        self.written += 1
        return PEM


def a_client() -> Client:
    return Client(peername=("192.0.2.1", 50000), sockname=("127.0.0.1", 8080), timestamp_start=1.0)


def a_full_server() -> Server:
    server = Server(address=("example.com", 443))
    server.peername, server.sockname = ("192.0.2.2", 443), ("192.0.2.1", 40000)
    server.via = ServerSpec("http", ("proxy.test", 3128))
    server.state = ConnectionState.CAN_WRITE
    server.tls, server.tls_version, server.cipher = True, "TLSv1.3", "TLS_AES_128_GCM_SHA256"
    server.alpn, server.alpn_offers = b"h2", (b"h2", b"http/1.1")
    server.cipher_list, server.sni, server.error = ("a", "b"), "example.com", "reset"
    server.timestamp_start, server.timestamp_tcp_setup = 1.0, 2.0
    server.timestamp_tls_setup, server.timestamp_end = 3.0, 4.0
    return server


def test_a_new_client_is_open_and_a_new_server_closed() -> None:
    client, server = a_client(), Server(address=None)
    assert client.connected
    assert not server.connected
    assert client.address == client.peername == ("192.0.2.1", 50000)
    assert client.proxy_mode == "regular"
    assert [server.address, server.via, server.peername, server.alpn] == [None, None, None, None]
    assert server.certificate_list == ()
    assert client.transport_protocol == server.transport_protocol == "tcp"


def test_the_mode_of_a_client_is_text_that_can_be_taken_apart() -> None:
    client = a_client()
    client.proxy_mode = "reverse:http://origin.example:81@8090"
    assert client.proxy_mode.full_spec == client.proxy_mode == "reverse:http://origin.example:81@8090"
    assert client.proxy_mode.type_name == "reverse"
    assert ModeSpec("dns@53").type_name == "dns"


def test_half_closed_is_not_connected() -> None:
    client = a_client()
    client.state = ConnectionState.CAN_READ
    assert not client.connected


def test_tls_is_established_with_its_time() -> None:
    server = a_full_server()
    assert server.tls_established
    server.timestamp_tls_setup = None
    assert not server.tls_established


def test_ids_are_made_when_first_read(monkeypatch: pytest.MonkeyPatch) -> None:
    made = iter("abc")
    monkeypatch.setattr(connection, "new_id", lambda: next(made))
    first, second = a_client(), Server(address=None)
    assert (second.id, first.id, second.id) == ("a", "b", "a")
    first.id = "mine"
    assert first.id == "mine"


@pytest.mark.parametrize("conn", [a_client(), Server(address=None), a_full_server()])
def test_state_round_trip(conn: Connection) -> None:
    state = conn.get_state()
    again = type(conn).from_state(state)
    assert again.get_state() == state
    assert again.id == conn.id
    assert again.state is conn.state


def test_restored_addresses_are_tuples() -> None:
    server = Server.from_state(a_full_server().get_state())
    assert server.address == ("example.com", 443)
    assert server.peername == ("192.0.2.2", 443)
    assert server.via == ServerSpec("http", ("proxy.test", 3128))
    assert server.alpn_offers == (b"h2", b"http/1.1")


def test_certificates_are_saved_as_pem_and_read_by_the_certificate_module(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = a_client()
    client.mitmcert = Certificate()  # type: ignore[assignment]
    client.certificate_list = (Certificate(),)  # type: ignore[assignment]
    state = client.get_state()
    assert state["mitmcert"] == PEM
    assert state["certificate_list"] == [PEM]
    monkeypatch.setattr(connection, "read_certificate", lambda pem: ("read", pem))
    again = Client.from_state(state)
    assert again.mitmcert == ("read", PEM)
    assert list(again.certificate_list) == [("read", PEM)]


def test_without_the_certificate_module_the_pem_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "read_certificate", None)
    client = a_client()
    client.mitmcert = Certificate()  # type: ignore[assignment]
    state = client.get_state()
    again = Client.from_state(state)
    assert again.mitmcert == StoredCertificate(PEM)
    assert again.get_state() == state


def test_copy_has_the_same_facts_and_does_no_certificate_work() -> None:
    server = a_full_server()
    certificate = Certificate()
    server.certificate_list = (certificate,)  # type: ignore[assignment]
    twin = server.copy()
    assert certificate.written == 0
    assert twin.get_state() == server.get_state()
    twin.address = ("other", 1)
    assert server.address == ("example.com", 443)
    client = a_client()
    assert client.copy().get_state() == client.get_state()


def test_repr_says_where_and_how() -> None:
    assert repr(a_full_server()) == "<Server example.com:443, TLSv1.3, can_write>"
    assert repr(a_client()) == "<Client 192.0.2.1:50000, open>"
    assert repr(Server(address=None)) == "<Server ?, closed>"


def test_hook_data_holds_both_sides() -> None:
    client, server = a_client(), Server(address=None)
    data = ServerConnectionHookData(server, client)
    assert data.server is server
    assert data.client is client


def test_connections_take_no_stray_attributes() -> None:
    with pytest.raises(AttributeError):
        Server(address=None).adress = None  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        (("127.0.0.1", 80), "127.0.0.1:80"),
        (("::1", 80), "[::1]:80"),
        (("a.example", 1), "a.example:1"),
        (None, "?"),
    ],
)
def test_an_address_for_people(address: tuple[str, int] | None, shown: str) -> None:
    assert shown_address(address) == shown
    assert str(Server(address=address)) == shown
