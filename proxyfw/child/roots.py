"""The authorities that a child process trusts: those it would trust anyway, and ours, in files of its own."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

PASSWORD = "changeit"
"""Of the trust store for Java; a trust store holds nothing secret, but Java wants one to read it."""
_GIVEN = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


class Roots(NamedTuple):
    """The files."""

    authority: Path
    """Ours alone, for programs that add it to their own."""
    bundle: Path
    """All, as PEM, for programs that take one file instead of their own."""
    java: Path
    """All, as a trust store for Java."""


def write_roots(folder: Path, authority: Path, environment: Mapping[str, str]) -> Roots:
    """Write the files into *folder*; *environment* may name a bundle that is trusted already.

    Raises OSError if *authority* cannot be read or *folder* not be written.
    """
    from proxyfw.certs import java_trust_store

    pem = authority.read_bytes() + b"\n" + _present(environment)
    roots = Roots(authority, folder / "ca-bundle.pem", folder / "ca-bundle.p12")
    roots.bundle.write_bytes(pem)
    roots.java.write_bytes(java_trust_store(pem, PASSWORD))
    return roots


def _present(environment: Mapping[str, str]) -> bytes:
    """What programs trust without us: as the user has set, else the system's, else Mozilla's by certifi."""
    default = ssl.get_default_verify_paths().cafile
    for place in (*map(environment.get, _GIVEN), default):
        if place and Path(place).is_file():
            return Path(place).read_bytes()
    import certifi

    return Path(certifi.where()).read_bytes()
