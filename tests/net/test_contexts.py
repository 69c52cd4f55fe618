"""TLS contexts: cached, resumable, verified; what is wrong with a setting is said at once."""

from __future__ import annotations

import contextlib
import ssl
import warnings
from pathlib import Path

import pytest
from OpenSSL import SSL

from proxyfw.certs import Authority
from proxyfw.exceptions import CertificateError, TlsError
from proxyfw.net.contexts import LeafContexts, OriginContexts, Terms, Trust, new_context
from proxyfw.net.tls_errors import readable, verify_failure

AUTHORITY = Authority.create("context tests")
LEAF = AUTHORITY.issue(["example.test", "*.wild.test", "192.0.2.1", "::1"])


def shake(client: SSL.Connection, server: SSL.Connection) -> None:
    """Move bytes until both sides are done. Raises SSL.Error of the one that fails first."""
    done: set[SSL.Connection] = set()
    while len(done) < 2:
        for one, other in ((client, server), (server, client)):
            try:
                one.do_handshake()
                done.add(one)
            except SSL.WantReadError:
                pass
            finally:
                try:
                    other.bio_write(one.bio_read(1 << 16))
                except SSL.WantReadError:
                    pass


@pytest.fixture
def ca_file(tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    path.write_bytes(AUTHORITY.cert.to_pem())
    return str(path)


@pytest.fixture
def own_file(tmp_path: Path) -> str:
    path = tmp_path / "leaf.pem"
    path.write_bytes(LEAF.to_pem())
    return str(path)


def test_a_context_is_made_once_for_a_leaf_and_its_protocols() -> None:
    contexts = LeafContexts(Terms())
    first = contexts.connection(LEAF, [b"http/1.1"]).get_context()
    assert contexts.connection(LEAF, [b"http/1.1"]).get_context() is first
    assert contexts.connection(LEAF, [b"h2"]).get_context() is not first
    assert contexts.connection(AUTHORITY.issue(["b.test"]), [b"http/1.1"]).get_context() is not first


def test_a_context_is_made_once_for_all_origins(ca_file: str) -> None:
    contexts = OriginContexts(Terms(), Trust(ca_file=ca_file))
    one, two = (contexts.connection(host, 443, host, []).get_context() for host in ("a.test", "b.test"))
    assert one is two


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [([b"http/1.1"], b"http/1.1"), ([b"h2", b"http/1.1"], b"http/1.1"), ([b"h2"], b""), ([], b"")],
)
def test_alpn_is_ours_to_choose(ca_file: str, offered: list[bytes], chosen: bytes) -> None:
    """5.3.64."""
    client = OriginContexts(Terms(), Trust(ca_file=ca_file)).connection("a", 443, "example.test", offered)
    shake(client, LeafContexts(Terms()).connection(LEAF, [b"http/1.1"]))
    assert client.get_alpn_proto_negotiated() == chosen


@pytest.mark.parametrize("version", ["TLS1_2", "TLS1_3"])
def test_sessions_are_kept_by_destination_and_name(ca_file: str, own_file: str, version: str) -> None:
    origins = OriginContexts(Terms(version, version), Trust(ca_file=ca_file))
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(own_file)

    def meet(host: str, port: int, sni: str) -> bool | None:
        """Whether a session was resumed, as the server sees it."""
        client = origins.connection(host, port, sni, [])
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        server = server_context.wrap_bio(incoming, outgoing, server_side=True)
        for step in (client.do_handshake, server.do_handshake) * 3:
            with contextlib.suppress(SSL.WantReadError, ssl.SSLWantReadError):
                step()
            with contextlib.suppress(SSL.WantReadError):
                incoming.write(client.bio_read(1 << 16))
            if outgoing.pending:
                client.bio_write(outgoing.read())
        server.write(b"x")
        client.bio_write(outgoing.read())
        assert client.recv(1) == b"x"
        origins.remember(client, host, port, sni)
        client.shutdown()  # OpenSSL forgets sessions of connections that were just dropped
        return server.session_reused

    assert not meet("a", 443, "example.test")
    assert meet("a", 443, "example.test")
    assert not meet("a", 444, "example.test")
    assert not meet("a", 443, "other.wild.test")


@pytest.mark.parametrize(
    "name", ["example.test", "EXAMPLE.test", "example.test.", "a.wild.test", "192.0.2.1", "::1"]
)
def test_names_that_the_certificate_is_for(ca_file: str, name: str) -> None:
    origins = OriginContexts(Terms(), Trust(ca_file=ca_file))
    client = origins.connection("a", 443, None, [])
    shake(client, LeafContexts(Terms()).connection(LEAF, []))
    for _ in range(2):  # the second time it is known already
        origins.check_name(client, name)


@pytest.mark.parametrize(
    "name", ["other.test", "wild.test", "a.b.wild.test", "192.0.2.2", "::2", "x.example.test"]
)
def test_names_that_it_is_not_for(ca_file: str, name: str) -> None:
    """5.3.56."""
    origins = OriginContexts(Terms(), Trust(ca_file=ca_file))
    client = origins.connection("a", 443, None, [])
    shake(client, LeafContexts(Terms()).connection(LEAF, []))
    with pytest.raises(TlsError, match="for another host") as caught:
        origins.check_name(client, name)
    assert "valid for example.test, *.wild.test, 192.0.2.1, ::1" in str(caught.value)


def test_an_unknown_authority_is_explained(ca_file: str) -> None:
    origins = OriginContexts(Terms(), Trust(ca_file=ca_file))
    client = origins.connection("a", 443, "example.test", [])
    server = LeafContexts(Terms()).connection(Authority.create("Else").issue(["example.test"]), [])
    with pytest.raises(SSL.Error):
        shake(client, server)
    assert "unknown authority" in (origins.explain(client) or "")


@pytest.mark.parametrize("trust", [Trust(), Trust(insecure=True)])
def test_settings_that_are_fine(trust: Trust) -> None:
    OriginContexts(Terms(), trust).check()


def test_a_client_certificate_that_is_none(ca_file: str, tmp_path: Path) -> None:
    for trust in (Trust(client_certs=ca_file), Trust(client_certs=str(tmp_path / "none.pem"))):
        with pytest.raises(CertificateError, match="does not hold a certificate and its key"):
            OriginContexts(Terms(), trust).check()
    OriginContexts(Terms(), Trust(client_certs=str(tmp_path))).check()


def test_authorities_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").touch()
    for trust, reason in [
        (Trust(ca_file=str(tmp_path / "none.pem")), "cannot read"),
        (Trust(ca_file=str(tmp_path)), "Is a directory"),
        (Trust(ca_file=str(tmp_path / "empty.pem")), "holds no certificates"),
        (Trust(ca_directory=str(tmp_path)), "openssl rehash"),
    ]:
        with pytest.raises(CertificateError, match=reason):
            OriginContexts(Terms(), trust).check()


def test_ciphers_that_openssl_does_not_know() -> None:
    with pytest.raises(TlsError, match="OpenSSL knows no cipher in 'NONSENSE'"):
        new_context(Terms(ciphers="NONSENSE"), None)


@pytest.mark.parametrize("minimum", ["TLS1", "TLS1_1", "UNBOUNDED"])
def test_old_versions_bring_the_signatures_they_need(minimum: str) -> None:
    client, server = new_context(Terms(minimum, "TLS1_1"), None), LeafContexts(Terms(minimum, "TLS1_1"))
    connection = SSL.Connection(client)
    connection.set_connect_state()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        shake(connection, server.connection(LEAF, []))
    assert connection.get_protocol_version_name() == "TLSv1.1"


def test_secrets_are_logged_when_asked(ca_file: str) -> None:
    """5.3.70."""
    lines: list[bytes] = []
    origins = OriginContexts(Terms(), Trust(ca_file=ca_file), lines.append)
    shake(origins.connection("a", 443, None, []), LeafContexts(Terms()).connection(LEAF, []))
    assert {line.split()[0] for line in lines} >= {b"CLIENT_TRAFFIC_SECRET_0", b"SERVER_TRAFFIC_SECRET_0"}


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("ssl/tls alert bad certificate", "it sent the TLS alert 'bad_certificate'"),
        ("tlsv1 alert unknown ca", "it sent the TLS alert 'unknown_ca'"),
        ("http request", "it spoke plain HTTP where TLS was expected"),
        ("something new", "something new"),
    ],
)
def test_errors_are_put_into_words(reason: str, told: str) -> None:
    assert readable(SSL.Error([("SSL routines", "", reason)])) == told


def test_errors_without_words() -> None:
    assert readable(SSL.Error()) == "the TLS handshake failed"
    assert "closed the connection" in readable(SSL.SysCallError(-1, "Unexpected EOF"))
    assert "verify error 999" in verify_failure(999)
