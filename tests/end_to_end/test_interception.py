"""HTTPS through the proxy as a browser sees it: its certificate, its requests, and what TLS remembers."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from ends import PATIENCE, Conversation, Field, Recorder, Tls, answer
from OpenSSL import SSL

from proxyfw import certs
from proxyfw.http import HTTPFlow, Response
from proxyfw.pki.confdir import open_authority
from proxyfw.proxy import Proxy
from proxyfw.tls import TlsData

pytestmark = pytest.mark.end_to_end


def shown(talk: Conversation) -> x509.Certificate:
    """The certificate that the proxy showed."""
    der = talk.ssl_object.getpeercert(binary_form=True)
    assert der
    return x509.load_der_x509_certificate(der)


def names_of(certificate: x509.Certificate) -> list[Any]:
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return [name.value for name in names]


class Change:
    """An addon that changes both directions."""

    def request(self, flow: HTTPFlow) -> None:
        flow.request.path = "/changed"

    def response(self, flow: HTTPFlow) -> None:
        assert flow.response
        flow.response.headers["X-Changed"] = "yes"


async def test_an_intercepted_request_is_seen_and_changed(field: Field) -> None:
    """The main job over HTTPS, with a client as strict as Python can be (5.3.58)."""
    recorder = Recorder()
    proxy = await field.proxy(Change(), recorder)
    origin = await field.origin()
    talk = await field.secure(proxy, origin.port)
    response = await talk.get("/asked?q=1")
    assert response.endswith(b"GET /changed HTTP/1.1")
    assert b"X-Changed: yes" in response
    flow: HTTPFlow = recorder.of("response")[0]
    assert flow.request.url == f"https://example.test:{origin.port}/changed"
    assert flow.request.scheme == "https"
    assert flow.client_conn.tls_established
    assert flow.server_conn.tls_established


async def test_hooks_come_in_order(field: Field) -> None:
    """One HTTPS request from the first byte to the last, lazily."""
    recorder = Recorder()
    proxy = await field.proxy(recorder)
    origin = await field.origin()
    talk = await field.secure(proxy, origin.port)
    await talk.get()
    talk.close()
    await recorder.saw("client_disconnected")
    names = [name for name in recorder.names if name not in ("flow_end", "http_connected")]
    assert names == [
        "client_connected", "http_connect", "tls_clienthello", "tls_start_client", "tls_established_client",
        "requestheaders", "request", "server_connect", "server_connected", "tls_start_server",
        "tls_established_server", "responseheaders", "response", "client_disconnected",
    ]  # fmt: skip


async def test_many_requests_share_one_connection_on_both_sides(field: Field) -> None:
    proxy = await field.proxy()
    origin = await field.origin()
    talk = await field.secure(proxy, origin.port)
    for number in range(5):
        assert (await talk.get(f"/{number}")).endswith(b"GET /%d HTTP/1.1" % number)
    assert origin.connections == 1


async def test_a_mock_for_a_host_that_does_not_exist(field: Field) -> None:
    """5.2.45: with default settings, over HTTPS, and nothing is resolved or dialled."""

    class Mock:
        def request(self, flow: HTTPFlow) -> None:
            flow.response = Response.make(200, b"mocked")

    proxy = await field.proxy(Mock())
    field.network.unknown.add("nowhere.invalid")
    talk = await field.secure(proxy, 443, "nowhere.invalid")
    assert (await talk.get(host="nowhere.invalid")).endswith(b"mocked")
    assert field.network.dialled == []


# The certificate


async def test_the_leaf_is_for_the_server_name(field: Field) -> None:
    """5.3.58: SAN and a lifetime that clients accept."""
    proxy = await field.proxy()
    talk = await field.tunnel(proxy, 443, "connect.test")
    await talk.start_tls(field.trust(proxy), "asked.test")
    leaf = shown(talk)
    assert names_of(leaf) == ["asked.test", "connect.test"]
    assert (leaf.not_valid_after_utc - leaf.not_valid_before_utc).days < 200


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", ipaddress.ip_address("127.0.0.1")),
        ("::1", ipaddress.ip_address("::1")),
        ("no-sni.test", "no-sni.test"),
    ],
)
async def test_without_a_server_name_the_leaf_is_for_the_connect_host(
    field: Field, host: str, expected: object
) -> None:
    """5.3.58 and 62: clients send none for addresses, and old ones never do."""
    proxy = await field.proxy()
    talk = await field.tunnel(proxy, 443, host)
    context = field.trust(proxy, check_hostname=False)
    await talk.start_tls(context)
    assert names_of(shown(talk)) == [expected]


async def test_an_address_is_verified_by_the_client(field: Field) -> None:
    """5.3.58: IP SANs of both families satisfy a client that checks them."""
    proxy = await field.proxy()
    for host in ("127.0.0.1", "::1"):
        talk = await field.tunnel(proxy, 443, host)
        await talk.start_tls(field.trust(proxy), host)


async def test_a_name_too_long_for_a_common_name(field: Field) -> None:
    """5.3.58: it stands in the SAN alone."""
    proxy = await field.proxy()
    host = ".".join(["a" * 60, "b" * 60, "test"])
    talk = await field.secure(proxy, 443, host)
    leaf = shown(talk)
    assert names_of(leaf) == [host]
    assert leaf.subject.rdns == []


async def test_the_chain_verifies_under_openssl_strict(field: Field, tmp_path: Path) -> None:
    """5.3.58 by ``openssl s_client -x509_strict``, against the proxy itself."""
    proxy = await field.proxy(tls_version_client_max="TLS1_2")
    host, port = proxy.address
    process = await asyncio.create_subprocess_exec(
        "openssl", "s_client", "-proxy", f"{host}:{port}", "-connect", "strict.test:443", "-servername",
        "strict.test", "-verify_hostname", "strict.test", "-CAfile", str(proxy.ca_cert_path), "-x509_strict",
        "-verify_return_error", "-no-CApath", "-no-CAstore",
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    async with asyncio.timeout(PATIENCE):
        output, _ = await process.communicate()
    assert b"Verify return code: 0 (ok)" in output, output.decode()
    assert process.returncode == 0


async def test_a_leaf_is_minted_once_however_many_ask(field: Field, monkeypatch: pytest.MonkeyPatch) -> None:
    """5.3.59: 50 concurrent handshakes for one new host, and the proxy serves on."""
    minted: list[Sequence[str]] = []
    issue = certs.Authority.issue

    def counted(self: certs.Authority, names: Any, **kwargs: Any) -> certs.Leaf:
        minted.append(list(names))
        return issue(self, minted[-1], **kwargs)

    proxy = await field.proxy()
    origin = await field.origin()
    monkeypatch.setattr(certs.Authority, "issue", counted)
    context = field.trust(proxy)
    talks = await asyncio.gather(*(field.secure(proxy, origin.port, context=context) for _ in range(50)))
    answers = await asyncio.gather(*(talk.get(f"/{n}") for n, talk in enumerate(talks)))
    assert [a.rpartition(b"\r\n")[2] for a in answers] == [b"GET /%d HTTP/1.1" % n for n in range(50)]
    assert minted == [["example.test"]]


async def test_own_certificates_by_domain_wildcard_and_default(field: Field) -> None:
    """5.3.61: the chain is sent as well, so a client that trusts only the root is satisfied."""
    middle = field.authority.subordinate("Middle")
    files = {
        domain: field.file(middle.issue([name]).to_pem())
        for domain, name in [("one.test", "one.test"), ("*.wild.test", "*.wild.test"), ("*", "default.test")]
    }
    proxy = await field.proxy(certs=[f"{domain}={path}" for domain, path in files.items()])
    context = field.distrust()
    for host in ("one.test", "a.wild.test", "default.test"):
        talk = await field.secure(proxy, 443, host, context)
        chain = shown(talk)
        assert "Middle" in chain.issuer.rfc4514_string()
    talk = await field.tunnel(proxy, 443, "other.test")
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        await talk.start_tls(context, "other.test")


async def test_an_authority_of_the_users_own(field: Field) -> None:
    """5.3.60: with an encrypted key, found in confdir and used as it is."""
    confdir = field.directory / "own"
    mine = open_authority(confdir, "secret", time.time)
    proxy = await field.proxy(confdir=str(confdir), cert_passphrase="secret")
    talk = await field.secure(proxy, 443, "own.test")
    assert shown(talk).issuer == mine.cert.to_cryptography().subject
    assert b"ENCRYPTED" in (confdir / "proxyfw-ca.pem").read_bytes()


# Facts for addons


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
async def test_facts_about_both_connections(field: Field, version: str) -> None:
    recorder = Recorder()
    proxy = await field.proxy(recorder)
    server_context = field.server_context()
    server_context.set_alpn_protocols(["http/1.1"])
    origin = await field.origin(context=server_context)
    wanted = ssl.TLSVersion.TLSv1_2 if version == "TLSv1.2" else ssl.TLSVersion.TLSv1_3
    server_context.minimum_version = server_context.maximum_version = wanted
    context = field.trust(proxy, minimum_version=wanted, maximum_version=wanted)
    context.set_alpn_protocols(["http/1.1", "other"])
    talk = await field.secure(proxy, origin.port, context=context)
    await talk.get()
    cipher = talk.ssl_object.cipher()
    assert cipher
    client = recorder.of("tls_established_client")[0].conn
    assert (client.tls_version, client.cipher, client.alpn) == (version, cipher[0], b"http/1.1")
    assert client.sni == "example.test"
    assert list(client.alpn_offers) == [b"http/1.1", b"other"]
    assert client.mitmcert.to_cryptography() == shown(talk)
    server = recorder.of("tls_established_server")[0].conn
    assert (server.tls_version, server.sni, server.alpn) == (version, "example.test", b"http/1.1")
    assert server.cipher
    assert [c.cn for c in server.certificate_list] == ["example.test", "Test Origins"]


async def test_a_client_without_alpn_gets_http1(field: Field) -> None:
    """5.3.64 as far as HTTP/1 goes: nothing is negotiated, and it works."""
    proxy = await field.proxy()
    origin = await field.origin()
    talk = await field.secure(proxy, origin.port)
    assert talk.ssl_object.selected_alpn_protocol() is None
    assert b"200 OK" in await talk.get()


@pytest.mark.parametrize(("http2", "agreed"), [(True, "h2"), (False, None)])
async def test_a_client_that_offers_only_h2_is_promised_it_if_it_can_be_served(
    field: Field, http2: bool, agreed: str | None
) -> None:
    """5.3.64."""
    proxy = await field.proxy(http2=http2)
    context = field.trust(proxy)
    context.set_alpn_protocols(["h2"])
    talk = await field.tunnel(proxy, 443)
    await talk.start_tls(context, "example.test")
    assert talk.ssl_object.selected_alpn_protocol() == agreed


async def test_an_addon_brings_its_own_connections(field: Field) -> None:
    """tls_start_client and tls_start_server may supply an `ssl_conn`; it is used as it is."""
    pem = field.file(field.authority.issue(["example.test"]).to_pem())
    other = certs.Authority.create("Elsewhere")

    class Own:
        def tls_start_client(self, data: TlsData) -> None:
            context = SSL.Context(SSL.TLS_SERVER_METHOD)
            context.use_certificate_chain_file(pem)
            context.use_privatekey_file(pem)
            data.ssl_conn = SSL.Connection(context)
            data.ssl_conn.set_accept_state()

        def tls_start_server(self, data: TlsData) -> None:
            data.ssl_conn = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD))
            data.ssl_conn.set_connect_state()

    proxy = await field.proxy(Own())
    origin = await field.origin(context=field.server_context(other.issue(["another.test"])))
    talk = await field.secure(proxy, origin.port, context=field.distrust())
    assert "Test Origins" in shown(talk).issuer.rfc4514_string()
    assert b"200 OK" in await talk.get()


# Sessions


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_client_resumes_its_session(field: Field, version: ssl.TLSVersion) -> None:
    proxy = await field.proxy()
    origin = await field.origin()
    context = field.trust(proxy, minimum_version=version, maximum_version=version)
    first = await field.secure(proxy, origin.port, context=context)
    await first.get()
    assert not first.ssl_object.session_reused
    second = await field.secure(proxy, origin.port, context=context, session=first.ssl_object.session)
    assert second.ssl_object.session_reused
    assert b"200 OK" in await second.get()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_sessions_with_origins_are_resumed(field: Field, version: ssl.TLSVersion) -> None:
    """The origin says so; and the verified certificate is still known."""

    async def once(talk: Conversation) -> None:
        await talk.message()
        await talk.send(answer(b"bye", headers="Connection: close\r\n"))
        await talk.tls.write_eof()

    recorder = Recorder()
    proxy = await field.proxy(recorder)
    context = field.server_context()
    context.minimum_version = context.maximum_version = version
    origin = await field.origin(once, context=context)
    talk = await field.secure(proxy, origin.port)
    for _ in range(3):
        assert (await talk.get()).endswith(b"bye")
    assert origin.resumed == [False, True, True]
    third = recorder.of("tls_established_server")[2].conn
    assert [c.cn for c in third.certificate_list] == ["example.test", "Test Origins"]


# A secure proxy


async def test_a_client_may_speak_tls_to_the_proxy_itself(field: Field) -> None:
    """5.3.69 and 62: TLS inside TLS; without a server name the certificate is for the local address."""
    recorder = Recorder()
    proxy = await field.proxy(recorder)
    origin = await field.origin()
    talk = await field.dial(proxy)
    await talk.start_tls(field.trust(proxy), "127.0.0.1")
    assert names_of(shown(talk)) == [ipaddress.ip_address("127.0.0.1")]
    assert b" 200 " in await talk.connect("example.test", origin.port)
    await talk.start_tls(field.trust(proxy), "example.test")
    assert isinstance(talk.tls.inner, Tls)
    assert (await talk.get("/deep")).endswith(b"GET /deep HTTP/1.1")


async def test_plain_requests_to_a_secure_proxy(field: Field) -> None:
    proxy = await field.proxy()
    origin = await field.plain_origin()
    talk = await field.dial(proxy)
    await talk.start_tls(field.trust(proxy), "127.0.0.1")
    response = await talk.get(f"http://example.test:{origin.port}/plain")
    assert response.endswith(b"GET /plain HTTP/1.1")


async def test_curl_through_a_secure_proxy(field: Field) -> None:
    proxy = await field.proxy()
    origin = await field.origin()
    host, port = proxy.address
    output = await curl(
        proxy, "--proxy", f"https://{host}:{port}", "--proxy-cacert", str(proxy.ca_cert_path),
        f"https://example.test:{origin.port}/by-curl",
    )  # fmt: skip
    assert output == b"GET /by-curl HTTP/1.1"


async def test_curl(field: Field) -> None:
    proxy = await field.proxy()
    origin = await field.origin()
    output = await curl(proxy, "--proxy", proxy.url, f"https://example.test:{origin.port}/by-curl")
    assert output == b"GET /by-curl HTTP/1.1"


async def curl(proxy: Proxy, *arguments: str) -> bytes:
    process = await asyncio.create_subprocess_exec(
        "curl", "-sS", "--cacert", str(proxy.ca_cert_path), "--http1.1", *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(PATIENCE):
        output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return output
