"""The view of a certificate: names, times, keys and fingerprints of any that exists."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.x509.oid import NameOID

from proxyfw.certs import Authority, Cert
from proxyfw.exceptions import CertificateError


def openssl(*arguments: str | Path, stdin: bytes = b"") -> str:
    done = subprocess.run(["openssl", *arguments], input=stdin, capture_output=True, check=False)
    return (done.stdout + done.stderr).decode()


def test_cert_survives_pem_der_and_state() -> None:
    cert = Authority.create("Root", organization="Org").cert
    for copy in (
        Cert.from_pem(cert.to_pem()),
        Cert.from_der(cert.to_der()),
        Cert.from_state(cert.get_state()),
    ):
        assert copy == cert
        assert hash(copy) == hash(cert)
    assert Cert.from_cryptography(cert.to_cryptography()) == cert
    assert cert != Authority.create("Root").cert
    assert cert != "something else"
    assert (cert.cn, cert.organization, cert.is_ca) == ("Root", "Org", True)
    assert cert.subject == [("CN", "Root"), ("O", "Org")]
    assert "Root" in repr(cert)


@pytest.mark.parametrize("read", [Cert.from_pem, Cert.from_der])
def test_cert_refuses_what_is_none(read: Callable[[bytes], Cert]) -> None:
    with pytest.raises(CertificateError, match="not a certificate"):
        read(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")


def test_fingerprints_are_those_of_openssl() -> None:
    cert = Authority.create().cert
    assert cert.fingerprint_text() in openssl(
        "x509", "-noout", "-fingerprint", "-sha256", stdin=cert.to_pem()
    )
    key = openssl("x509", "-noout", "-pubkey", stdin=cert.to_pem()).encode()
    der = subprocess.run(
        ["openssl", "pkey", "-pubin", "-outform", "der"], input=key, capture_output=True, check=True
    )
    digest = subprocess.run(
        ["openssl", "dgst", "-sha256", "-binary"], input=der.stdout, capture_output=True, check=True
    )
    assert cert.spki_fingerprint() in openssl("base64", stdin=digest.stdout)


def test_expiry_is_judged_by_the_time_given() -> None:
    cert = Authority.create().cert
    assert not cert.has_expired()
    assert cert.has_expired(cert.notafter + timedelta(seconds=1))
    assert not cert.has_expired(cert.notafter)


def unusual(key: ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey, extensions: list[x509.ExtensionType]) -> Cert:
    name = x509.Name(
        [x509.NameAttribute(NameOID.X500_UNIQUE_IDENTIFIER, b"\x0f", x509.name._ASN1Type.BitString)]
    )
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = (
        builder.serial_number(1).not_valid_before(datetime(2020, 1, 1)).not_valid_after(datetime(2021, 1, 1))
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return Cert(builder.sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()))


def test_any_certificate_can_be_looked_at() -> None:
    names = [
        x509.RFC822Name("me@a.test"),
        x509.UniformResourceIdentifier("https://a.test/"),
        x509.RegisteredID(x509.ObjectIdentifier("1.2.3")),
        x509.DirectoryName(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])),
    ]
    cert = unusual(ed25519.Ed25519PrivateKey.generate(), [x509.SubjectAlternativeName(names)])
    assert cert.altnames == ["me@a.test", "https://a.test/", "1.2.3", "CN=x"]
    assert cert.keyinfo == ("Ed25519", 256)
    assert cert.subject == [("2.5.4.45", "0f")]
    assert (cert.cn, cert.organization, cert.is_ca) == (None, None, False)
    assert cert.has_expired()


def test_rsa_key_is_named() -> None:
    cert = unusual(rsa.generate_private_key(65537, 2048), [])
    assert cert.keyinfo == ("RSA", 2048)
    assert cert.altnames == []
