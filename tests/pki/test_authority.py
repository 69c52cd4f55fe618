"""What is minted is accepted by OpenSSL, Python, NSS and cryptography, and faulty on request only."""

from __future__ import annotations

import ipaddress
import shutil
import ssl
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from cryptography.x509.verification import PolicyBuilder, Store

from proxyfw import certs
from proxyfw.certs import Authority, Cert, Leaf
from proxyfw.exceptions import CertificateError

LONG = "a" * 60 + ".example.com"


NAMES = [
    "example.com",
    "*.example.com",
    "127.0.0.1",
    "[2001:db8::1]",
    "::1",
    LONG,
    "bücher.example",
    "EXAMPLE.org.",
]


def rsa_authority() -> Authority:
    """What a user may bring: a root that an old tool made, without key usage or key identifiers."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Old Root")])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=900))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    )
    return Authority(Cert(builder.sign(key, hashes.SHA256())), key)


def intermediate() -> Authority:
    return Authority.create("Root", path_length=1).subordinate("Below")


AUTHORITIES: dict[str, Callable[[], Authority]] = {
    "generated": Authority.create,
    "intermediate": intermediate,
    "rsa": rsa_authority,
}


@pytest.fixture(params=AUTHORITIES)
def authority(request: pytest.FixtureRequest) -> Authority:
    return AUTHORITIES[request.param]()


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    assert isinstance(request.param, str)
    return request.param


def root(authority: Authority) -> Cert:
    return authority.sent[-1]


def visited(name: str) -> str:
    """A host that a certificate for *name* is good for, as a client would have it in its URL."""
    return name.strip("[]").rstrip(".").lower().replace("*", "www").replace("bücher", "xn--bcher-kva")


def handshake(
    client: ssl.SSLObject, server: ssl.SSLObject, pipes: list[tuple[ssl.MemoryBIO, ssl.MemoryBIO]]
) -> None:
    waiting = [client, server]
    while waiting:
        for side in list(waiting):
            try:
                side.do_handshake()
                waiting.remove(side)
            except ssl.SSLWantReadError:
                pass
            for source, target in pipes:
                target.write(source.read())


def connect(leaf: Leaf, trusted: Cert, host: str, directory: Path, *, strict: bool = True) -> ssl.SSLObject:
    """Let Python's TLS client meet a server that shows *leaf*; returns the client's side."""
    (directory / "leaf.pem").write_bytes(leaf.to_pem())
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(directory / "leaf.pem")
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(cadata=trusted.to_pem().decode())
    if strict:
        client.verify_flags |= ssl.VERIFY_X509_STRICT
    bios = [ssl.MemoryBIO() for _ in range(4)]
    there = client.wrap_bio(bios[0], bios[1], server_hostname=host)
    here = server.wrap_bio(bios[2], bios[3], server_side=True)
    handshake(there, here, [(bios[1], bios[2]), (bios[3], bios[0])])
    return there


def openssl(*arguments: str | Path, stdin: bytes = b"") -> str:
    done = subprocess.run(["openssl", *arguments], input=stdin, capture_output=True, check=False)
    return (done.stdout + done.stderr).decode()


def test_openssl_accepts_a_leaf_strictly(name: str, tmp_path: Path) -> None:
    """5.3.58"""
    for kind in ("generated", "intermediate"):
        authority = AUTHORITIES[kind]()
        (tmp_path / "root.pem").write_bytes(root(authority).to_pem())
        (tmp_path / "sent.pem").write_bytes(b"".join(cert.to_pem() for cert in authority.sent))
        (tmp_path / "leaf.pem").write_bytes(authority.issue([name]).cert.to_pem())
        host = visited(name)
        option = "-verify_ip" if ":" in host or host[0].isdigit() else "-verify_hostname"
        said = openssl(
            "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", tmp_path / "root.pem",
            "-untrusted", tmp_path / "sent.pem", option, host, tmp_path / "leaf.pem",
        )  # fmt: skip
        assert said.endswith("leaf.pem: OK\n"), said


def test_python_accepts_a_leaf_strictly(authority: Authority, name: str, tmp_path: Path) -> None:
    """5.3.58"""
    # An authority without key usage and SKI is itself against RFC 5280: nothing can make it strict.
    strict = authority.cert.cn != "Old Root"
    leaf = authority.issue([name])
    assert connect(leaf, root(authority), visited(name), tmp_path, strict=strict).version() == "TLSv1.3"


def test_cryptography_accepts_a_leaf(name: str) -> None:
    """5.3.58"""
    host = visited(name)
    try:
        subject: x509.DNSName | x509.IPAddress = x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        subject = x509.DNSName(host)
    for kind in ("generated", "intermediate"):
        authority = AUTHORITIES[kind]()
        builder = PolicyBuilder().store(Store([root(authority).to_cryptography()]))
        leaf = authority.issue([name])
        chain = [cert.to_cryptography() for cert in leaf.chain]
        verified = builder.build_server_verifier(subject).verify(leaf.cert.to_cryptography(), chain)
        assert verified[0] == leaf.cert.to_cryptography()


@pytest.mark.skipif(not shutil.which("certutil"), reason="certutil of NSS (libnss3-tools) is not installed")
def test_nss_accepts_a_leaf(authority: Authority, tmp_path: Path) -> None:
    """5.3.58: NSS is what Firefox verifies with, and Chromium on Linux stores its roots in."""
    database = f"sql:{tmp_path}"

    def certutil(*arguments: str) -> str:
        done = subprocess.run(
            ["certutil", *arguments, "-d", database], capture_output=True, text=True, check=False
        )
        return done.stdout + done.stderr

    certutil("-N", "--empty-password")
    for number, cert in enumerate(authority.sent):
        (tmp_path / "ca.pem").write_bytes(cert.to_pem())
        trust = "C,," if cert == root(authority) else ",,"
        certutil("-A", "-n", f"ca{number}", "-t", trust, "-a", "-i", str(tmp_path / "ca.pem"))
    for number, name in enumerate(NAMES):
        (tmp_path / "leaf.pem").write_bytes(authority.issue([name]).cert.to_pem())
        certutil("-A", "-n", f"leaf{number}", "-t", ",,", "-a", "-i", str(tmp_path / "leaf.pem"))
        assert "certificate is valid" in certutil("-V", "-n", f"leaf{number}", "-u", "V", "-e", "-l")


def test_leaf_has_the_shape_clients_ask_for() -> None:
    """5.3.58, features 46."""
    authority = Authority.create(clock=lambda: 1_800_000_000.7)
    cert = authority.issue(["Example.COM.", "*.example.com", "127.0.0.1", "[::1]", "example.com"]).cert
    assert cert.altnames == ["example.com", "*.example.com", "127.0.0.1", "::1"]
    assert cert.subject == [("CN", "example.com")]
    assert cert.issuer == authority.cert.subject
    assert cert.notafter - cert.notbefore < timedelta(days=200)
    assert cert.notbefore == datetime.fromtimestamp(1_800_000_000, UTC) - timedelta(days=2)
    assert cert.keyinfo == ("EC (secp256r1)", 256)
    assert not cert.is_ca
    raw = cert.to_cryptography()
    usage = raw.extensions.get_extension_for_class(x509.KeyUsage)
    assert (usage.critical, usage.value.digital_signature, usage.value.key_cert_sign) == (True, True, False)
    purposes = raw.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(purposes) == [ExtendedKeyUsageOID.SERVER_AUTH]
    issuer = raw.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    signer = authority.cert.to_cryptography().extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    assert issuer == signer.value.digest


@pytest.mark.parametrize(("name", "critical"), [("example.com", False), (LONG, True), ("10.0.0.1", True)])
def test_an_empty_subject_makes_the_alternative_names_critical(name: str, critical: bool) -> None:
    """5.3.58: no common name for an address, nor for a name of more than 64 characters."""
    cert = Authority.create().issue([name]).cert
    names = cert.to_cryptography().extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert names.critical is critical
    assert (cert.subject == []) is critical


def test_ipv6_zone_is_left_out() -> None:
    assert Authority.create().issue(["fe80::1%eth0"]).cert.altnames == ["fe80::1"]


@pytest.mark.parametrize("name", ["", ".", "a b", "line\nbreak", "ü" * 80, "a..ü", "a.test:443"])
def test_a_name_that_no_certificate_can_hold_is_refused(name: str) -> None:
    with pytest.raises(CertificateError):
        Authority.create().issue([name])


def test_organization_is_copied_and_cut() -> None:
    authority = Authority.create()
    assert authority.issue(["a.test"], organization="Example Ltd").cert.organization == "Example Ltd"
    assert authority.issue(["a.test"], organization="x" * 90).cert.organization == "x" * 64


def test_a_leaf_does_not_outlive_its_authority() -> None:
    authority = Authority.create()
    end = authority.cert.notafter.timestamp()
    late = replace(authority, clock=lambda: end - 60)
    assert late.issue(["a.test"]).cert.notafter == authority.cert.notafter
    with pytest.raises(CertificateError, match="expired on"):
        replace(authority, clock=lambda: end + 60).issue(["a.test"])


@pytest.mark.parametrize(
    ("curve", "digest"),
    [(ec.SECP384R1(), hashes.SHA384), (ec.SECP521R1(), hashes.SHA512)],
    ids=["p384", "p521"],
)
def test_the_digest_is_as_strong_as_the_key(
    curve: ec.EllipticCurve, digest: type[hashes.HashAlgorithm]
) -> None:
    made = Authority.create()
    leaf = Authority(made.cert, ec.generate_private_key(curve)).issue(["a.test"])
    assert isinstance(leaf.cert.to_cryptography().signature_hash_algorithm, digest)


def test_faults_of_origins_can_be_made_and_are_told_apart(tmp_path: Path) -> None:
    """5.3.56: what the certificates are for that these tools make."""
    authority = Authority.create("Test Root")
    now = datetime.now(UTC)
    expired = authority.issue(
        ["a.test"], not_before=now - timedelta(days=9), not_after=now - timedelta(days=1)
    )
    early = authority.issue(["a.test"], not_before=now + timedelta(days=1), not_after=now + timedelta(days=9))
    faults = {
        "certificate has expired": expired,
        "certificate is not yet valid": early,
        "Hostname mismatch": authority.issue(["b.test"]),
        "self-signed certificate": certs.self_signed(["a.test"]),
        "unable to get local issuer certificate": Leaf(authority.issue(["a.test"]).cert, expired.key),
    }
    for reason, leaf in faults.items():
        trusted = Authority.create("Another Root").cert if "issuer" in reason else authority.cert
        shown = authority.issue(["a.test"]) if "issuer" in reason else leaf
        shown = Leaf(shown.cert, shown.key)
        with pytest.raises(ssl.SSLCertVerificationError, match=reason):
            connect(shown, trusted, "a.test", tmp_path)


def test_client_leaf_is_for_clients() -> None:
    """5.3.68"""
    cert = Authority.create().issue(["user.test"], client=True).cert.to_cryptography()
    assert list(cert.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [
        ExtendedKeyUsageOID.CLIENT_AUTH
    ]
