"""Reads a private key and its certificates from one PEM file, and says what is wrong with that file."""

from __future__ import annotations

import re
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from proxyfw.exceptions import CertificateError
from proxyfw.pki.authority import Leaf, PrivateKey
from proxyfw.pki.cert import Cert

# Only this block goes to the parser: `openssl ecparam` writes one of parameters before it.
_KEY = re.compile(rb"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.+?-----END \1-----\s*", re.DOTALL)


def read_identity(path: Path, passphrase: str | None = None) -> Leaf:
    """The key in *path*, the certificate made for it, and the other certificates in their order as its chain.

    A *passphrase* that is not needed is not used.

    Raises:
        CertificateError: the file cannot be read, or holds no key and certificate that fit each other.

    """
    pem = _read(path)
    key = _private_key(path, pem, passphrase)
    certs = _certificates(path, pem)
    for cert in certs:
        if cert.public_key() == key.public_key():
            return Leaf(cert, key, tuple(other for other in certs if other is not cert))
    raise CertificateError(
        f"the private key and the certificate in {path} do not belong together; put in the ones that do"
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise CertificateError(f"cannot read {path}: {exc.strerror}; check path and permissions") from exc


def _private_key(path: Path, pem: bytes, passphrase: str | None) -> PrivateKey:
    found = _KEY.search(pem)
    if not found:
        raise CertificateError(f"there is no private key in {path}; append its certificate's, in PEM form")
    password = passphrase.encode() if passphrase else None
    encrypted = b"ENCRYPTED" in found[0]
    if encrypted and password is None:
        raise CertificateError(f"the private key in {path} is encrypted; give its passphrase")
    try:
        key = load_pem_private_key(found[0], password if encrypted else None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as exc:
        fault = "the passphrase does not fit, or the key is damaged" if encrypted else str(exc)
        raise CertificateError(f"cannot read the private key in {path}: {fault}") from exc
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise CertificateError(f"the private key in {path} is neither RSA nor EC; clients accept no other")
    return key


def _certificates(path: Path, pem: bytes) -> list[Cert]:
    if b"-----BEGIN CERTIFICATE-----" not in pem:
        raise CertificateError(f"there is no certificate in {path}; append its private key's, in PEM form")
    try:
        return [Cert(cert) for cert in x509.load_pem_x509_certificates(pem)]
    except ValueError as exc:
        raise CertificateError(f"cannot read the certificates in {path}: {exc}") from exc
