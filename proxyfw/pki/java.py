"""Trust stores for Java."""

from __future__ import annotations

import re
import warnings

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import PrivateFormat, pkcs12

_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_ROUNDS = 1000
"""There is nothing secret in a trust store."""


def trust_store(pem: bytes, password: str) -> bytes:
    """The certificates in *pem*, as a PKCS #12 file that Java (8u301 and later) takes for a trust store.

    Those that cannot be read are left out.
    """
    encryption = (
        PrivateFormat.PKCS12.encryption_builder()
        .kdf_rounds(_ROUNDS)
        .key_cert_algorithm(pkcs12.PBES.PBESv2SHA256AndAES256CBC)
        .hmac_hash(SHA256())
        .build(password.encode())
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # old roots with odd serial numbers are trusted nevertheless
        certs = [cert for block in _CERTIFICATE.findall(pem) if (cert := _read(block)) is not None]
    entries = [pkcs12.PKCS12Certificate(cert, b"%d" % number) for number, cert in enumerate(certs)]
    return pkcs12.serialize_java_truststore(entries, encryption)


def _read(block: bytes) -> x509.Certificate | None:
    try:
        return x509.load_pem_x509_certificate(block)
    except ValueError:
        return None
