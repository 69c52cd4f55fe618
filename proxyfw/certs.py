"""Certificates: what one says (`Cert`), who signs it (`Authority`), which one a host is shown (`CertStore`).

Built on `cryptography` alone; no sockets and no TLS library.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import OrderedDict
from datetime import timedelta
from pathlib import Path

from proxyfw import connection
from proxyfw.exceptions import CertificateError
from proxyfw.pki.authority import Authority, Clock, Leaf, moment, new_key, self_signed
from proxyfw.pki.cert import Cert
from proxyfw.pki.confdir import FORMATS, export, load_authority, open_authority
from proxyfw.pki.names import canonical
from proxyfw.pki.pem import read_identity

__all__ = ["FORMATS", "Authority", "Cert", "CertStore", "Clock", "Leaf", "java_trust_store", "self_signed"]

logger = logging.getLogger(__name__)

# The model may not import cryptography, yet is to give saved certificates back as what they were.
connection.read_certificate = Cert.from_state

_RENEWAL = timedelta(days=1)

_Request = tuple[str | None, tuple[str, ...], str | None]


class CertStore:
    """The certificates a proxy shows: the user's own where there is one for the host, else a generated one.

    Generated leaves are kept for reuse (the *capacity* most recently used ones), made again a day before they
    expire, and share one private key that is not the authority's and never leaves memory. Safe to call from
    several threads.
    """

    def __init__(self, ca: Authority, *, capacity: int = 1024) -> None:
        self.ca = ca
        self._clock = ca.clock
        self._capacity = capacity
        self._key = new_key()
        self._custom: dict[str, Leaf] = {}
        self._leaves: OrderedDict[_Request, tuple[Leaf, float]] = OrderedDict()
        self._lock = threading.Lock()

    @classmethod
    def from_confdir(
        cls,
        path: str | os.PathLike[str],
        *,
        passphrase: str | None = None,
        clock: Clock = time.time,
        capacity: int = 1024,
    ) -> CertStore:
        """A store over the authority in the directory *path*, which is made on the first run.

        ``proxyfw-ca.pem`` there holds key and certificate, and may be the user's own; ``proxyfw-ca-cert.*``
        are for clients to install. A new key is encrypted when there is a *passphrase*.

        Raises:
            CertificateError: the directory cannot be written, or its authority cannot be used.

        """
        ca = open_authority(Path(path).expanduser(), passphrase, clock)
        return cls(ca, capacity=capacity)

    @classmethod
    def from_file(
        cls,
        path: str | os.PathLike[str],
        *,
        passphrase: str | None = None,
        clock: Clock = time.time,
        capacity: int = 1024,
    ) -> CertStore:
        """A store over the authority in the PEM file *path* (key, certificate, those above); writes nothing.

        Raises:
            CertificateError: the file cannot be read, or holds nothing that may sign certificates today.

        """
        ca = load_authority(Path(path).expanduser(), passphrase, clock)
        return cls(ca, capacity=capacity)

    def get(
        self, host: str | None, extra_names: tuple[str, ...] = (), organization: str | None = None
    ) -> Leaf:
        """The leaf to show to a client that asks for *host*; the same object until it is renewed.

        The user's own is chosen by *host* (else the first of *extra_names*): exact name, then wildcards from
        the longest on, then ``*``. A generated one is valid for *host* and all *extra_names*; with neither,
        for ``localhost``.

        Raises:
            CertificateError: a name cannot stand in a certificate, or the authority has expired meanwhile.

        """
        request = (host, extra_names, organization)
        with self._lock:
            known = self._leaves.get(request)
            if known is not None and self._clock() < known[1]:
                self._leaves.move_to_end(request)
                return known[0]
            return self._remember(request)

    def add_custom(self, spec: str, passphrase: str | None = None) -> Leaf:
        """Show the user's own certificate: *spec* is ``path``, or ``domain=path`` for one host.

        The PEM file holds private key, certificate and chain. The domain is a host name or IP address, a
        wildcard (``*.example.com``: every name below, at any depth) or ``*``, which is also the default.

        Raises:
            CertificateError: the domain is none, or the file holds no key with its certificate.

        """
        domain, path = _split(spec)
        leaf = read_identity(path, passphrase)
        if leaf.cert.is_ca:
            logger.warning(
                "%s holds an authority's certificate; clients may refuse it as that of a host", path
            )
        if leaf.cert.has_expired(moment(self._clock)):
            logger.warning("the certificate in %s expired on %s", path, f"{leaf.cert.notafter:%Y-%m-%d}")
        with self._lock:
            self._custom[domain] = leaf
            self._leaves.clear()
        return leaf

    def export(self, form: str = "pem") -> bytes:
        """The authority's certificate for clients to install, in one of `FORMATS`; never the key.

        Raises:
            CertificateError: there is no such format.

        """
        return export(self.ca.cert, form)

    def _remember(self, request: _Request) -> Leaf:
        leaf, expiry = self._choose(*request)
        self._leaves[request] = leaf, expiry
        self._leaves.move_to_end(request)
        if len(self._leaves) > self._capacity:
            self._leaves.popitem(last=False)
        return leaf

    def _choose(
        self, host: str | None, extra_names: tuple[str, ...], organization: str | None
    ) -> tuple[Leaf, float]:
        names = (host, *extra_names) if host else extra_names or ("localhost",)
        custom = self._custom and _match(self._custom, canonical(names[0]))
        if custom:
            return custom, float("inf")
        leaf = self.ca.issue(names, organization=organization, key=self._key)
        renewal = leaf.cert.notafter - _RENEWAL
        if renewal <= moment(self._clock):
            # The authority itself is about to expire: no later leaf can be had.
            renewal = leaf.cert.notafter
        return leaf, renewal.timestamp()


def _split(spec: str) -> tuple[str, Path]:
    domain, separator, path = spec.partition("=")
    if not separator or os.sep in domain:
        domain, path = "*", spec
    if not path:
        raise CertificateError(f"{spec!r} names no certificate file; write [domain=]path")
    if domain != "*":
        domain = canonical(domain)
        if "*" in domain.removeprefix("*."):
            raise CertificateError(f"{domain!r} is no wildcard; write *.example.com or *")
    return domain, Path(path).expanduser()


def _match(custom: dict[str, Leaf], host: str) -> Leaf | None:
    found = custom.get(host)
    rest = host
    while found is None and rest:
        _, _, rest = rest.partition(".")
        found = custom.get(f"*.{rest}")
    return found or custom.get("*")


def java_trust_store(pem: bytes, password: str) -> bytes:
    """The certificates in *pem* as a trust store for Java (8u301 and later); unreadable ones are left out."""
    from proxyfw.pki import java  # for few, and it takes time to import

    return java.trust_store(pem, password)
