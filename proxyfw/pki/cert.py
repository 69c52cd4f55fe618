"""A certificate as addons see it: an immutable view with short names over `cryptography`'s X.509 objects."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from proxyfw.exceptions import CertificateError


class Cert:
    """One X.509 certificate. Equal to any other with the same SHA-256 fingerprint."""

    __slots__ = ("_cert",)

    def __init__(self, cert: x509.Certificate) -> None:
        self._cert = cert

    @classmethod
    def from_pem(cls, pem: bytes) -> Cert:
        """The first certificate in *pem*. Raises `CertificateError` when there is none."""
        try:
            return cls(x509.load_pem_x509_certificate(pem))
        except ValueError as exc:
            raise CertificateError(f"not a certificate in PEM form: {exc}") from exc

    @classmethod
    def from_der(cls, der: bytes) -> Cert:
        """The certificate *der*, as TLS sends it. Raises `CertificateError` when it is none."""
        try:
            return cls(x509.load_der_x509_certificate(der))
        except ValueError as exc:
            raise CertificateError(f"not a certificate in DER form: {exc}") from exc

    @classmethod
    def from_cryptography(cls, cert: x509.Certificate) -> Cert:
        """Wrap a certificate of the ``cryptography`` package."""
        return cls(cert)

    @classmethod
    def from_state(cls, state: bytes) -> Cert:
        """The inverse of `get_state`."""
        return cls.from_pem(state)

    def get_state(self) -> bytes:
        """The certificate as plain data: PEM."""
        return self.to_pem()

    def to_pem(self) -> bytes:
        """The certificate in PEM form."""
        return self._cert.public_bytes(Encoding.PEM)

    def to_der(self) -> bytes:
        """The certificate in DER form."""
        return self._cert.public_bytes(Encoding.DER)

    def to_cryptography(self) -> x509.Certificate:
        """The same certificate as an object of the ``cryptography`` package."""
        return self._cert

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Cert) and self.fingerprint() == other.fingerprint()

    def __hash__(self) -> int:
        return hash(self.fingerprint())

    def __repr__(self) -> str:
        return f"<Cert(cn={self.cn!r}, altnames={self.altnames!r})>"

    def fingerprint(self) -> bytes:
        """SHA-256 over the DER form: 32 bytes."""
        return self._cert.fingerprint(hashes.SHA256())

    def fingerprint_text(self) -> str:
        """The fingerprint as browsers and ``openssl x509 -fingerprint`` print it: ``AB:CD:…``."""
        return self.fingerprint().hex(":").upper()

    def spki_fingerprint(self) -> str:
        """SHA-256 of the public key in base64: Chromium's ``--ignore-certificate-errors-spki-list``."""
        digest = hashes.Hash(hashes.SHA256())
        digest.update(self.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
        return base64.b64encode(digest.finalize()).decode("ascii")

    def public_key(self) -> CertificatePublicKeyTypes:
        """The public key as an object of the ``cryptography`` package."""
        return self._cert.public_key()

    @property
    def subject(self) -> list[tuple[str, str]]:
        """The subject as (short name or OID, value) pairs: ``[("CN", "example.com")]``."""
        return _attributes(self._cert.subject)

    @property
    def issuer(self) -> list[tuple[str, str]]:
        """The issuer, in the form of `subject`."""
        return _attributes(self._cert.issuer)

    @property
    def cn(self) -> str | None:
        """The subject's first common name."""
        return _first(self._cert.subject, x509.NameOID.COMMON_NAME)

    @property
    def organization(self) -> str | None:
        """The subject's first organization."""
        return _first(self._cert.subject, x509.NameOID.ORGANIZATION_NAME)

    @property
    def serial(self) -> int:
        """The serial number."""
        return self._cert.serial_number

    @property
    def notbefore(self) -> datetime:
        """The first moment of validity, in UTC."""
        return self._cert.not_valid_before_utc

    @property
    def notafter(self) -> datetime:
        """The last moment of validity, in UTC."""
        return self._cert.not_valid_after_utc

    def has_expired(self, now: datetime | None = None) -> bool:
        """Whether the validity is over at *now* (aware; the present by default)."""
        return (now or datetime.now(UTC)) > self.notafter

    @property
    def altnames(self) -> list[str]:
        """The subject alternative names as text: host names, wildcards, IP addresses, others by their value.

        Empty where the extension is absent or unreadable.
        """
        try:
            names = self._cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except (x509.ExtensionNotFound, ValueError):
            return []
        return [_general_name(name) for name in names]

    @property
    def is_ca(self) -> bool:
        """Whether basicConstraints let this certificate sign others."""
        try:
            return self._cert.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        except (x509.ExtensionNotFound, ValueError):
            return False

    @property
    def is_self_issued(self) -> bool:
        """Whether subject and issuer are the same: a root, or a self-signed leaf."""
        return self._cert.subject == self._cert.issuer

    @property
    def keyinfo(self) -> tuple[str, int]:
        """The kind of the public key and its size in bits: ``("RSA", 2048)``, ``("EC (secp256r1)", 256)``.

        A key of an algorithm nobody here knows is named by its OID and has 0 bits.
        """
        try:
            key = self._cert.public_key()
        except (UnsupportedAlgorithm, ValueError):
            return self._cert.public_key_algorithm_oid.dotted_string, 0
        if isinstance(key, rsa.RSAPublicKey):
            return "RSA", key.key_size
        if isinstance(key, dsa.DSAPublicKey):
            return "DSA", key.key_size
        if isinstance(key, ec.EllipticCurvePublicKey):
            return f"EC ({key.curve.name})", key.key_size
        return type(key).__name__.strip("_").removesuffix("PublicKey"), 8 * len(_raw(key))


def _raw(key: CertificatePublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def _attributes(name: x509.Name) -> list[tuple[str, str]]:
    return [(attribute.rfc4514_attribute_name, _text(attribute.value)) for attribute in name]


def _first(name: x509.Name, oid: x509.ObjectIdentifier) -> str | None:
    attributes = name.get_attributes_for_oid(oid)
    return _text(attributes[0].value) if attributes else None


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.hex()


def _general_name(name: x509.GeneralName) -> str:
    value = name.value
    if isinstance(value, x509.Name):
        return value.rfc4514_string()
    if isinstance(value, x509.ObjectIdentifier):
        return value.dotted_string
    return str(value)
