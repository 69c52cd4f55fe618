"""Origins that cannot be trusted, or that cannot do TLS: each is refused with a reason of its own."""

from __future__ import annotations

import asyncio
import ssl
import warnings
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from ends import Conversation, Field, Handler, Origin, Recorder, answer

from proxyfw.certs import Authority, Leaf, self_signed
from proxyfw.exceptions import CertificateError, OptionsError, ProxyfwError

pytestmark = pytest.mark.end_to_end

NAMES = ["example.test"]
NOW = datetime.now(UTC)
DAY = timedelta(days=1)


def unknown(_: Authority) -> Leaf:
    return Authority.create("Nobody Knows").issue(NAMES)


def without_root(_: Authority) -> Leaf:
    leaf = Authority.create("Nobody Knows").issue(NAMES)
    return Leaf(leaf.cert, leaf.key)


def without_middle(authority: Authority) -> Leaf:
    leaf = authority.subordinate("Middle").issue(NAMES)
    return Leaf(leaf.cert, leaf.key)


BAD: dict[str, tuple[Callable[[Authority], Leaf], str]] = {
    "expired": (
        lambda a: a.issue(NAMES, not_before=NOW - 9 * DAY, not_after=NOW - DAY),
        "its certificate has expired",
    ),
    "not yet valid": (
        lambda a: a.issue(NAMES, not_before=NOW + DAY, not_after=NOW + 9 * DAY),
        "its certificate is not valid yet",
    ),
    "self-signed": (lambda _: self_signed(NAMES), "its certificate is self-signed"),
    "unknown authority": (unknown, "signed by an unknown authority (a self-signed one is in the chain)"),
    "unknown authority, not sent": (without_root, "its certificate is signed by an unknown authority ("),
    "chain incomplete": (without_middle, "its certificate is signed by an unknown authority ("),
    "another host": (
        lambda a: a.issue(["other.test", "*.more.test"]),
        "its certificate is for another host, not for 'example.test' (it is valid for other.test, *.more",
    ),
    "for a client": (lambda a: a.issue(NAMES, client=True), "its certificate is not meant for servers"),
}


async def refused(field: Field, origin: Origin, host: str = "example.test", **options: object) -> str:
    """The reason in the 502; the one in the flow is the same, and the hooks were told."""
    recorder = Recorder()
    proxy = await field.proxy(recorder, **options)
    talk = await field.secure(proxy, origin.port, host)
    response = await talk.get()
    assert response.startswith(b"HTTP/1.1 502 "), response
    flow = await recorder.saw("error")
    assert flow.response is None
    assert flow.error.msg in response.decode()
    failed = recorder.of("tls_failed_server")
    assert [data.conn.error for data in failed] == [flow.error.msg]
    assert failed[0].conn is flow.server_conn
    assert "tls_established_server" not in recorder.names
    assert f"{host}:{origin.port}" in flow.error.msg
    return str(flow.error.msg)


@pytest.mark.parametrize("fault", BAD)
async def test_a_bad_certificate_is_refused_with_its_reason(field: Field, fault: str) -> None:
    """5.3.56, features 47."""
    make, reason = BAD[fault]
    origin = await field.origin(context=field.server_context(make(field.authority)))
    told = await refused(field, origin)
    assert reason in told
    assert "ssl_insecure" in told
    assert origin.requests == []


@pytest.mark.parametrize("fault", BAD)
async def test_ssl_insecure_lets_a_bad_certificate_pass(field: Field, fault: str) -> None:
    """5.3.57, features 47."""
    origin = await field.origin(context=field.server_context(BAD[fault][0](field.authority)))
    proxy = await field.proxy(ssl_insecure=True)
    talk = await field.secure(proxy, origin.port)
    assert b"200 OK" in await talk.get()


async def test_a_wrong_address(field: Field) -> None:
    """5.3.56: an IP literal is held against IP SANs only."""
    origin = await field.origin(context=field.server_context(None, "127.0.0.2", "localhost"))
    told = await refused(field, origin, "127.0.0.1")
    assert "not for '127.0.0.1' (it is valid for 127.0.0.2, localhost)" in told


async def test_a_good_address(field: Field) -> None:
    origin = await field.origin()
    proxy = await field.proxy()
    talk = await field.secure(proxy, origin.port, "127.0.0.1")
    assert b"200 OK" in await talk.get()


async def test_a_revoked_certificate(field: Field) -> None:
    """5.3.56: where the authorities' file has a revocation list, it counts."""
    leaf, good = field.authority.issue(NAMES), field.authority.issue(NAMES)
    entry = x509.RevokedCertificateBuilder().serial_number(leaf.cert.serial).revocation_date(NOW - DAY)
    crl = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(field.authority.cert.to_cryptography().subject)
        .last_update(NOW - DAY)
        .next_update(NOW + DAY)
        .add_revoked_certificate(entry.build())
        .sign(field.authority.key, hashes.SHA256())
    )
    trusted = field.file(field.authority.cert.to_pem() + crl.public_bytes(Encoding.PEM))
    origin = await field.origin(context=field.server_context(leaf))
    told = await refused(field, origin, ssl_verify_upstream_trusted_ca=trusted)
    assert "its certificate has been revoked" in told
    proxy = await field.proxy(ssl_verify_upstream_trusted_ca=trusted)
    fine = await field.origin(context=field.server_context(good))
    talk = await field.secure(proxy, fine.port)
    assert b"200 OK" in await talk.get()


async def test_the_systems_authorities_do_not_know_ours(field: Field) -> None:
    """5.3.56: verification is on by default, against the authorities of the system or certifi."""
    origin = await field.origin()
    told = await refused(field, origin, ssl_verify_upstream_trusted_ca=None)
    assert "unknown authority" in told


async def test_a_directory_of_authorities(field: Field) -> None:
    directory = field.directory / "trusted"
    directory.mkdir()
    (directory / "ca.pem").write_bytes(field.authority.cert.to_pem())
    rehash = await asyncio.create_subprocess_exec("openssl", "rehash", str(directory))
    assert await rehash.wait() == 0
    origin = await field.origin()
    proxy = await field.proxy(ssl_verify_upstream_trusted_confdir=str(directory))
    talk = await field.secure(proxy, origin.port)
    assert b"200 OK" in await talk.get()


# Origins that cannot do TLS, or not ours


def only(field: Field, version: ssl.TLSVersion) -> ssl.SSLContext:
    context = field.server_context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.maximum_version = context.minimum_version = version
    return context


async def test_an_origin_below_the_floor(field: Field) -> None:
    """5.3.69."""
    origin = await field.origin(context=only(field, ssl.TLSVersion.TLSv1_2))
    told = await refused(field, origin, tls_version_server_min="TLS1_3")
    assert "it allows no TLS version that we offer" in told
    assert "tls_version_" in told


async def test_an_origin_of_the_last_century(field: Field) -> None:
    """5.3.69: TLS 1.1 is refused by default, in either side's words."""
    origin = await field.origin(context=only(field, ssl.TLSVersion.TLSv1_1))
    assert "TLS version that we" in await refused(field, origin)


async def test_an_origin_above_the_ceiling(field: Field) -> None:
    """5.3.69."""
    origin = await field.origin(context=only(field, ssl.TLSVersion.TLSv1_3))
    told = await refused(field, origin, tls_version_server_max="TLS1_2")
    assert "it allows no TLS version that we offer" in told


async def test_no_common_cipher(field: Field) -> None:
    context = only(field, ssl.TLSVersion.TLSv1_2)
    context.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
    origin = await field.origin(context=context)
    told = await refused(field, origin, ciphers_server="ECDHE-ECDSA-AES256-GCM-SHA384")
    assert "'handshake_failure'" in told


async def plain_http(talk: Conversation) -> None:
    await talk.layer.read()
    await talk.send(answer(b"You are speaking TLS to a plain port", "400 Bad Request"))


async def closes(talk: Conversation) -> None:
    await talk.layer.read()


async def resets(talk: Conversation) -> None:
    await talk.layer.read()
    talk.plain.abort()


async def never_answers(talk: Conversation) -> None:
    await talk.rest()


@pytest.mark.parametrize(
    ("handler", "reason"),
    [
        (plain_http, "what it sent is not TLS"),
        (closes, "the other side closed the connection during the TLS handshake"),
        (resets, "the connection was lost during the TLS handshake"),
        (never_answers, "the TLS handshake was not complete within 0.2 s"),
    ],
)
async def test_an_origin_that_does_no_tls(field: Field, handler: Handler, reason: str) -> None:
    """5.3.56: none of them hangs, and each is told apart."""
    origin = await field.plain_origin(handler)
    told = await refused(field, origin, connect_timeout=0.2)
    assert reason in told
    assert "ssl_insecure" not in told


async def test_the_proxy_serves_on_after_each_failure(field: Field) -> None:
    """And the client's connection too where the answer allows it."""
    good = await field.origin()
    bad = [await field.plain_origin(handler) for handler in (plain_http, closes, resets)]
    proxy = await field.proxy()
    for origin in bad * 3:
        talk = await field.secure(proxy, origin.port)
        assert (await talk.get()).startswith(b"HTTP/1.1 502 ")
    talk = await field.secure(proxy, good.port)
    assert b"200 OK" in await talk.get()


# Settings that cannot be used


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"ssl_verify_upstream_trusted_ca": "/nowhere/ca.pem"}, "cannot read /nowhere/ca.pem: No such file"),
        ({"ssl_verify_upstream_trusted_ca": __file__}, f"{__file__} holds no certificates"),
        ({"ssl_verify_upstream_trusted_confdir": "/nowhere"}, "/nowhere holds no certificates"),
        ({"client_certs": "/nowhere/me.pem"}, "/nowhere/me.pem does not hold a certificate and its key"),
        ({"client_certs": __file__}, f"{__file__} does not hold a certificate and its key"),
        ({"ciphers_server": "NO-SUCH"}, "ciphers_server: OpenSSL knows no cipher in 'NO-SUCH'"),
        ({"ciphers_client": "NO-SUCH"}, "ciphers_client: OpenSSL knows no cipher in 'NO-SUCH'"),
        (
            {"tls_version_server_min": "TLS1_3", "tls_version_server_max": "TLS1_2"},
            "tls_version_server_min: TLS1_3 is above tls_version_server_max, which is TLS1_2",
        ),
        ({"certs": ["example.test=/nowhere/leaf.pem"]}, "cannot read /nowhere/leaf.pem"),
    ],
)
async def test_bad_settings_are_errors_at_the_start(
    field: Field, options: dict[str, object], reason: str
) -> None:
    """Not at the first request, which might come at night."""
    with pytest.raises(ProxyfwError) as caught:
        await field.proxy(**options)
    assert reason in str(caught.value)
    assert isinstance(caught.value, CertificateError | OptionsError)


async def test_bad_settings_are_refused_while_it_runs(field: Field) -> None:
    """And the old ones go on to work."""
    origin = await field.origin()
    proxy = await field.proxy()
    with pytest.raises(OptionsError, match="cannot read /nowhere"):
        proxy.options.update(ssl_verify_upstream_trusted_ca="/nowhere", connect_timeout=1.0)
    assert proxy.options.connect_timeout == 30.0
    talk = await field.secure(proxy, origin.port)
    assert b"200 OK" in await talk.get()


async def test_verification_can_be_turned_on_and_off_while_it_runs(field: Field) -> None:
    """A connection that was not verified is not used any more when it has to be."""
    origin = await field.origin(context=field.server_context(self_signed(NAMES)))
    proxy = await field.proxy(ssl_insecure=True)
    talk = await field.secure(proxy, origin.port)
    assert b"200 OK" in await talk.get()
    proxy.options.update(ssl_insecure=False)
    assert b"502 " in await talk.get()


# Certificates of ours


@pytest.mark.parametrize("by_directory", [False, True])
async def test_a_client_certificate_for_origins_that_ask(field: Field, by_directory: bool) -> None:
    """5.3.68: one for all origins, or one for each host."""
    mine = field.authority.issue(["me.test"], client=True).to_pem()
    directory = field.directory / "mine"
    directory.mkdir()
    (directory / "example.test.pem").write_bytes(mine)
    path = str(directory) if by_directory else field.file(mine)
    context = field.server_context()
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(field.ca_file)
    origin = await field.origin(context=context)
    proxy = await field.proxy(client_certs=path)
    for host in ("example.test", "127.0.0.1"):
        talk = await field.secure(proxy, origin.port, host)
        assert b"200 OK" in await talk.get()
    shown = [bool(certificate) for certificate in origin.client_certificates]
    assert shown == [True, not by_directory]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_an_origin_that_insists_on_a_certificate(field: Field, version: ssl.TLSVersion) -> None:
    """In TLS 1.3 its alert comes when our side of the handshake is complete."""
    context = only(field, version)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(field.ca_file)
    origin = await field.origin(context=context)
    recorder = Recorder()
    proxy = await field.proxy(recorder)
    talk = await field.secure(proxy, origin.port)
    response = await talk.get()
    assert response.startswith(b"HTTP/1.1 502 "), response
    assert b"client_certs" in response, response
    assert recorder.of("error")[0].error.msg in response.decode()


async def test_a_broken_certificate_for_one_host(field: Field) -> None:
    """Its requests are answered with what is wrong, other hosts are served."""
    directory = field.directory / "mine"
    directory.mkdir()
    (directory / "example.test.pem").write_text("nonsense")
    origin = await field.origin()
    proxy = await field.proxy(client_certs=str(directory))
    talk = await field.secure(proxy, origin.port)
    response = await talk.get()
    assert b"502" in response
    assert b"example.test.pem does not hold a certificate and its key" in response
    other = await field.secure(proxy, origin.port, "127.0.0.1")
    assert b"200 OK" in await other.get()


async def test_concurrent_failures_do_not_disturb_each_other(field: Field) -> None:
    good = await field.origin()
    bad = await field.origin(context=field.server_context(self_signed(NAMES)))
    proxy = await field.proxy()
    context = field.trust(proxy)

    async def ask(port: int) -> bytes:
        talk = await field.secure(proxy, port, context=context)
        return (await talk.get())[9:12]

    answers = await asyncio.gather(*(ask(port) for _ in range(10) for port in (good.port, bad.port)))
    assert answers == [b"200", b"502"] * 10
