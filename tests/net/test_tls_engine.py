"""Both ways of working with a TLS connection do the same, whatever becomes of it."""

from __future__ import annotations

import pytest
from OpenSSL import SSL

from proxyfw.certs import Authority
from proxyfw.net.contexts import LeafContexts, Terms
from proxyfw.net.tls_engine import DirectEngine, Engine, PublicEngine, engine

LEAF = Authority.create("engine tests").issue(["a.example"])
LARGE = bytes(range(256)) * 400


def carry(sender: Engine, receiver: Engine) -> bytes:
    """Bring what *sender* has to say to *receiver*."""
    if data := sender.produced(100):
        receiver.receive(data)
    return data


class Pair:
    """A client and a server after their handshake."""

    def __init__(self, kind: type[PublicEngine] | type[DirectEngine]) -> None:
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        self.client_ssl = SSL.Connection(context)
        self.client_ssl.set_connect_state()
        self.server_ssl = LeafContexts(Terms()).connection(LEAF, [b"http/1.1"])
        self.client, self.server = kind(self.client_ssl), kind(self.server_ssl)
        for _ in range(3):
            for ssl, one, other in (
                (self.client_ssl, self.client, self.server),
                (self.server_ssl, self.server, self.client),
            ):
                try:
                    ssl.do_handshake()
                except SSL.WantReadError:
                    pass
                carry(one, other)


@pytest.fixture(params=[PublicEngine, DirectEngine])
def pair(request: pytest.FixtureRequest) -> Pair:
    return Pair(request.param)


def test_the_installed_pyopenssl_is_as_it_is_known() -> None:
    assert engine is DirectEngine


def test_text_arrives(pair: Pair) -> None:
    pair.client.encrypt(b"GET /")
    assert b"GET" not in carry(pair.client, pair.server)
    assert pair.server.decrypt() == b"GET /"
    pair.server.encrypt(b"200")
    carry(pair.server, pair.client)
    assert pair.client.decrypt() == b"200"


def test_of_much_text_each_record_is_read_on_its_own(pair: Pair) -> None:
    pair.client.encrypt(LARGE)
    assert len(carry(pair.client, pair.server)) > len(LARGE)
    assert pair.client.produced(100) == b""
    assert b"".join(pair.server.decrypt() for _ in range(7)) == LARGE


def test_a_record_that_has_not_come_is_asked_for(pair: Pair) -> None:
    with pytest.raises(SSL.WantReadError):
        pair.server.decrypt()


def test_the_other_side_says_goodbye(pair: Pair) -> None:
    pair.client_ssl.shutdown()
    carry(pair.client, pair.server)
    with pytest.raises(SSL.ZeroReturnError):
        pair.server.decrypt()
    with pytest.raises(SSL.Error):
        pair.client.encrypt(b"and yet")


def test_what_is_no_tls_is_refused(pair: Pair) -> None:
    pair.server.receive(b"\x17\x03\x03\x00\x20" + bytes(32))
    with pytest.raises(SSL.Error) as refused:
        pair.server.decrypt()
    assert refused.value.args[0], "it says what is wrong"
    assert pair.server.produced(100), "and tells the other side"
