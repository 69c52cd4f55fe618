"""The authority's files: made once in the configuration directory, used by every start after that."""

from __future__ import annotations

import fcntl
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)

from proxyfw.exceptions import CertificateError
from proxyfw.pki.authority import Authority, Clock, moment
from proxyfw.pki.cert import Cert
from proxyfw.pki.pem import read_identity

logger = logging.getLogger(__name__)

BASENAME = "proxyfw-ca"
FORMATS = ("pem", "cer", "der", "p12")


def open_authority(confdir: Path, passphrase: str | None, clock: Clock) -> Authority:
    """The authority of *confdir*, made now if there is none, with fresh copies for clients to install.

    Raises:
        CertificateError: the directory cannot be written, or what is there cannot be used.

    """
    path = confdir / f"{BASENAME}.pem"
    try:
        confdir.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            _create(path, passphrase, clock)
    except OSError as exc:
        raise CertificateError(
            f"cannot make a certificate authority in {confdir}: {exc.strerror}; "
            "make the directory writable or choose another one"
        ) from exc
    authority = load_authority(path, passphrase, clock)
    try:
        _publish(confdir, authority, passphrase)
    except OSError as exc:
        logger.warning("cannot write copies of the CA certificate to %s: %s", confdir, exc.strerror)
    return authority


def load_authority(path: Path, passphrase: str | None, clock: Clock) -> Authority:
    """The authority in the PEM file *path*: private key, certificate and, for no root, those above it.

    Raises:
        CertificateError: the file cannot be read or holds nothing that may sign certificates today.

    """
    identity = read_identity(path, passphrase)
    _check(path, identity.cert, clock)
    if path.stat().st_mode & 0o077:
        logger.warning("other users may read the CA key in %s; run: chmod 600 %s", path, path)
    return Authority(identity.cert, identity.key, identity.chain, clock)


def export(cert: Cert, form: str) -> bytes:
    """*cert* as a file for clients: ``pem``, ``cer`` (PEM by the name Android asks for), ``der``, ``p12``."""
    if form in ("pem", "cer"):
        return cert.to_pem()
    if form == "der":
        return cert.to_der()
    if form == "p12":
        certs = [pkcs12.PKCS12Certificate(cert.to_cryptography(), BASENAME.encode())]
        return pkcs12.serialize_key_and_certificates(None, None, None, certs, NoEncryption())
    raise CertificateError(f"certificates are not exported as {form!r}; choose one of {', '.join(FORMATS)}")


def _check(path: Path, cert: Cert, clock: Clock) -> None:
    if not cert.is_ca:
        raise CertificateError(
            f"the certificate in {path} is not one of an authority; use one with basicConstraints CA:TRUE"
        )
    try:
        usage = cert.to_cryptography().extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        usage = None
    if usage is not None and not usage.key_cert_sign:
        raise CertificateError(
            f"the certificate in {path} may not sign others; use one with the key usage keyCertSign"
        )
    if cert.has_expired(moment(clock)):
        raise CertificateError(
            f"the authority in {path} expired on {cert.notafter:%Y-%m-%d}; "
            "replace it, or remove it to have a new one made, and let your clients trust that one"
        )


def _create(path: Path, passphrase: str | None, clock: Clock) -> None:
    """Make an authority, unless another process has just done so: all must agree on one."""
    with _locked(path.parent):
        if not path.exists():
            authority = Authority.create(organization="proxyfw", clock=clock)
            key = authority.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, _encryption(passphrase))
            _write(path, key + authority.cert.to_pem(), 0o600)


def _publish(confdir: Path, authority: Authority, passphrase: str | None) -> None:
    """Write the files for clients where one is missing, and all where they are of another authority."""
    certificate = confdir / f"{BASENAME}-cert.pem"
    pem = export(authority.cert, "pem")
    stale = not certificate.exists() or certificate.read_bytes() != pem
    for path in (certificate, *(confdir / f"{BASENAME}-cert.{form}" for form in ("cer", "p12"))):
        if stale or not path.exists():
            _write(path, export(authority.cert, path.suffix[1:]), 0o644)
    bundle = confdir / f"{BASENAME}.p12"
    if stale or not bundle.exists():
        _write(bundle, _bundle(authority, passphrase), 0o600)


def _bundle(authority: Authority, passphrase: str | None) -> bytes:
    """Key and certificate as PKCS#12, as well protected as the key file is."""
    chain = [cert.to_cryptography() for cert in authority.chain]
    cert = authority.cert.to_cryptography()
    return pkcs12.serialize_key_and_certificates(
        BASENAME.encode(), authority.key, cert, chain, _encryption(passphrase)
    )


def _encryption(passphrase: str | None) -> KeySerializationEncryption:
    return BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()


def _write(path: Path, data: bytes, mode: int) -> None:
    """Put *data* at *path* so that nobody ever sees half of it, or with more rights than *mode*."""
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with open(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Hold *directory* for this process; the lock goes with the process, so none is ever left behind."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
