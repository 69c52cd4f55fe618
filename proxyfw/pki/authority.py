"""Makes keys and certificates: authorities, and the leaves they sign. Nothing here touches a file."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from proxyfw.exceptions import CertificateError
from proxyfw.pki.cert import Cert
from proxyfw.pki.names import common_name, general_names

Clock = Callable[[], float]
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

BACKDATING = timedelta(days=2)
"""How far in the past certificates begin, for clients whose clock is slow."""
AUTHORITY_LIFETIME = timedelta(days=3650)
LEAF_LIFETIME = timedelta(days=197)
"""With the back-dating 199 days: clients begin to refuse leaves that live for more than 200."""

_EXTENSION_OF_USE = {
    False: x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]),
    True: x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]),
}


@dataclass(frozen=True, slots=True, eq=False)
class Leaf:
    """What a server shows: a certificate, its private key, and the certificates to send behind it.

    Compared and hashed by identity, so that whatever is built of a leaf (a TLS context) can be cached by it.
    """

    cert: Cert
    key: PrivateKey
    chain: tuple[Cert, ...] = ()

    def to_pem(self) -> bytes:
        """Private key, certificate and chain: one file for ``ssl.SSLContext.load_cert_chain``."""
        return key_pem(self.key) + b"".join(cert.to_pem() for cert in (self.cert, *self.chain))


@dataclass(frozen=True, slots=True, eq=False)
class Authority:
    """A certificate authority: signs leaves in its own name.

    *chain* holds the certificates above this one, if it is no root itself.
    """

    cert: Cert
    key: PrivateKey
    chain: tuple[Cert, ...] = ()
    clock: Clock = time.time

    @classmethod
    def create(
        cls,
        common_name: str = "proxyfw",
        clock: Clock = time.time,
        *,
        organization: str | None = None,
        path_length: int = 0,
    ) -> Authority:
        """A new root with a key of its own, valid for ten years from two days ago.

        *path_length* is how many authorities may follow below it.
        """
        # P-256: every client of the last ten years takes it, it signs some twenty times faster than RSA-2048,
        # and makes handshakes a kilobyte smaller. Who needs RSA brings an authority of their own.
        key = new_key()
        name = _name(common_name, organization)
        cert = _authority_certificate(name, key, name, key, path_length, clock)
        return cls(cert, key, clock=clock)

    def subordinate(self, common_name: str) -> Authority:
        """A new authority that this one vouches for. Its leaves carry it in their chain."""
        key = new_key()
        subject, issuer = _name(common_name), self.cert.to_cryptography().subject
        cert = _authority_certificate(subject, key, issuer, self.key, 0, self.clock)
        return replace(self, cert=cert, key=key, chain=self.sent)

    @property
    def sent(self) -> tuple[Cert, ...]:
        """What is sent behind a leaf: this certificate, then the chain.

        The root is sent too, though clients must have it to trust it: Chromium can be told by
        ``--ignore-certificate-errors-spki-list`` to trust a key for one process, but looks for it only among
        the certificates it was sent. That costs some 450 bytes of a full handshake.
        """
        return (self.cert, *self.chain)

    def issue(
        self,
        names: Iterable[str],
        *,
        not_before: datetime | None = None,
        not_after: datetime | None = None,
        organization: str | None = None,
        key: PrivateKey | None = None,
        client: bool = False,
    ) -> Leaf:
        """A leaf for *names*: host names, wildcards and IP addresses as text.

        Valid from two days ago for 199 days, and not beyond this authority, unless *not_before* and
        *not_after* (aware) say otherwise. *key* is made new when not given. With *client* it is one for a
        TLS client.

        Raises:
            CertificateError: this authority has expired, or a name cannot stand in a certificate.

        """
        now = moment(self.clock)
        if not_after is None:
            if self.cert.has_expired(now):
                raise CertificateError(
                    f"the authority {self.cert.cn!r} expired on {self.cert.notafter:%Y-%m-%d}; replace it"
                )
            not_after = min(now + LEAF_LIFETIME, self.cert.notafter)
        key = key or new_key()
        issuer = self.cert.to_cryptography()
        builder = _leaf_builder(general_names(names), organization, key, client)
        builder = builder.not_valid_before(not_before or now - BACKDATING).not_valid_after(not_after)
        builder = builder.issuer_name(issuer.subject).add_extension(
            _authority_key_identifier(issuer), critical=False
        )
        return Leaf(_sign(builder, self.key), key, self.sent)


def self_signed(
    names: Iterable[str], *, not_before: datetime | None = None, not_after: datetime | None = None
) -> Leaf:
    """A leaf that vouches for itself, as test servers and routers have them."""
    now = moment(time.time)
    key = new_key()
    found = general_names(names)
    builder = _leaf_builder(found, None, key, client=False).issuer_name(_name(common_name(found)))
    builder = builder.not_valid_before(not_before or now - BACKDATING)
    return Leaf(_sign(builder.not_valid_after(not_after or now + LEAF_LIFETIME), key), key)


def new_key() -> ec.EllipticCurvePrivateKey:
    """A fresh P-256 key."""
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key: PrivateKey) -> bytes:
    """*key* in PEM form, not encrypted."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def moment(clock: Clock) -> datetime:
    """The time *clock* tells, in UTC and whole seconds as certificates have it."""
    return datetime.fromtimestamp(int(clock()), UTC)


def _authority_certificate(
    subject: x509.Name,
    key: PrivateKey,
    issuer: x509.Name,
    issuer_key: PrivateKey,
    path_length: int,
    clock: Clock,
) -> Cert:
    now = moment(clock)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATING)
        .not_valid_after(now + AUTHORITY_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(_key_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if key is not issuer_key:
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
        builder = builder.add_extension(identifier, critical=False)
    return _sign(builder, issuer_key)


def _leaf_builder(
    names: list[x509.GeneralName], organization: str | None, key: PrivateKey, client: bool
) -> x509.CertificateBuilder:
    subject = _name(common_name(names), organization)
    public_key = key.public_key()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        # Critical where the subject is empty: RFC 5280 section 4.2.1.6.
        .add_extension(x509.SubjectAlternativeName(names), critical=not subject.rdns)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(digital_signature=True), critical=True)
        .add_extension(_EXTENSION_OF_USE[client], critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _name(common_name: str | None, organization: str | None = None) -> x509.Name:
    attributes = []
    if common_name:
        attributes.append(x509.NameAttribute(NameOID.COMMON_NAME, common_name))
    if organization:
        # ub-organization-name is 64 characters: RFC 5280 appendix A.1.
        attributes.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization[:64]))
    return x509.Name(attributes)


def _key_usage(
    digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )


def _authority_key_identifier(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    try:
        subject_key = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    except x509.ExtensionNotFound:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key())  # type: ignore[arg-type]
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(subject_key.value)


def _sign(builder: x509.CertificateBuilder, key: PrivateKey) -> Cert:
    return Cert(builder.sign(key, _digest(key)))


def _digest(key: PrivateKey) -> hashes.SHA256 | hashes.SHA384 | hashes.SHA512:
    """A digest as strong as the key: RFC 5480 section 4."""
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.key_size <= 256:
        return hashes.SHA256()
    return hashes.SHA384() if key.key_size <= 384 else hashes.SHA512()
