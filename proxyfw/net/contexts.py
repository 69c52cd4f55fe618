"""TLS contexts: made once for each certificate or setting, then used by every connection."""

from __future__ import annotations

import re
import ssl
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from OpenSSL import SSL, crypto

from proxyfw.certs import Leaf
from proxyfw.exceptions import CertificateError, TlsError

from .network import is_ip
from .tls_errors import verify_failure

VERSIONS = {
    "UNBOUNDED": 0,
    "TLS1": SSL.TLS1_VERSION,
    "TLS1_1": SSL.TLS1_1_VERSION,
    "TLS1_2": SSL.TLS1_2_VERSION,
    "TLS1_3": SSL.TLS1_3_VERSION,
}
_MAX_CONTEXTS = 1024
_MAX_SESSIONS = 4096
_HASHED = re.compile(r"[0-9a-f]{8}\.[0-9]+")
"""File names by which OpenSSL looks authorities up in a directory."""
_LEGACY = "ALL:@SECLEVEL=0"
"""Versions before 1.2 need signatures that OpenSSL's default security level refuses."""

KeyLog = Callable[[bytes], None]


@dataclass(frozen=True, slots=True)
class Terms:
    """What one direction's TLS options say."""

    minimum: str = "TLS1_2"
    maximum: str = "UNBOUNDED"
    ciphers: str | None = None


def new_context(terms: Terms, key_log: KeyLog | None) -> SSL.Context:
    """A context for either role under *terms*. Raises TlsError if the ciphers are not OpenSSL's."""
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(VERSIONS[terms.minimum])
    context.set_max_proto_version(VERSIONS[terms.maximum])
    context.set_options(SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_COMPRESSION)
    ciphers = terms.ciphers or (_LEGACY if terms.minimum in ("TLS1", "TLS1_1", "UNBOUNDED") else None)
    if ciphers:
        try:
            context.set_cipher_list(ciphers.encode())
        except SSL.Error:
            raise TlsError(f"OpenSSL knows no cipher in {ciphers!r}") from None
    if key_log:
        context.set_keylog_callback(lambda _, line: key_log(line))
    return context


class LeafContexts:
    """Contexts that show a leaf certificate to clients."""

    def __init__(
        self, terms: Terms, key_log: KeyLog | None = None, request_client_cert: bool = False
    ) -> None:
        self._terms = terms
        self._key_log = key_log
        self._request_client_cert = request_client_cert
        self._cache: OrderedDict[tuple[Leaf, tuple[bytes, ...]], SSL.Context] = OrderedDict()

    def connection(self, leaf: Leaf, alpn: Sequence[bytes]) -> SSL.Connection:
        """A server-side TLS connection that shows *leaf* and prefers *alpn* in this order."""
        key = (leaf, tuple(alpn))
        context = self._cache.get(key)
        if context is None:
            context = self._cache[key] = self._make(leaf, list(alpn))
            if len(self._cache) > _MAX_CONTEXTS:
                self._cache.popitem(last=False)
        else:
            self._cache.move_to_end(key)
        connection = SSL.Connection(context)
        connection.set_accept_state()
        return connection

    def _make(self, leaf: Leaf, alpn: list[bytes]) -> SSL.Context:
        context = new_context(self._terms, self._key_log)
        context.use_certificate(leaf.cert.to_cryptography())
        context.use_privatekey(leaf.key)
        for issuer in leaf.chain:
            context.add_extra_chain_cert(issuer.to_cryptography())
        # tickets resume sessions without memory of ours; the cache would hold 20,000 sessions a context
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_session_id(b"proxyfw")

        def select(_: SSL.Connection, offered: list[bytes]) -> bytes | SSL._NoOverlappingProtocols:
            return next((p for p in alpn if p in offered), SSL.NO_OVERLAPPING_PROTOCOLS)

        context.set_alpn_select_callback(select)
        if self._request_client_cert:
            context.set_verify(SSL.VERIFY_PEER, lambda *_: True)
        return context


@dataclass(frozen=True, slots=True)
class Trust:
    """How origins are verified, and what is shown to those that ask who we are."""

    insecure: bool = False
    ca_file: str | None = None
    ca_directory: str | None = None
    client_certs: str | None = None
    """A PEM file with key and chain, or a directory of them named ``<host>.pem``."""


class OriginContexts:
    """Contexts and resumable sessions towards origins."""

    def __init__(self, terms: Terms, trust: Trust, key_log: KeyLog | None = None) -> None:
        self._terms = terms
        self._trust = trust
        self._client_certs = Path(trust.client_certs).expanduser() if trust.client_certs else None
        self._key_log = key_log
        self._contexts: dict[str | None, SSL.Context] = {}
        self._sessions: OrderedDict[tuple[str, int, str | None, SSL.Context], SSL.Session] = OrderedDict()
        self._accepted: set[tuple[x509.Certificate, str]] = set()

    def connection(self, host: str, port: int, sni: str | None, alpn: Sequence[bytes]) -> SSL.Connection:
        """A client-side TLS connection to *host*, resuming the last session with it if there is one.

        Raises TlsError or CertificateError if the settings cannot be used.
        """
        context = self._context(host)
        connection = SSL.Connection(context)
        connection.set_connect_state()
        if sni and not is_ip(sni):
            connection.set_tlsext_host_name(_ascii(sni))
        if alpn:
            connection.set_alpn_protos(list(alpn))
        if session := self._sessions.get((host, port, sni, context)):
            connection.set_session(session)
        return connection

    def check(self) -> None:
        """Try the settings that all origins share. Raises TlsError, CertificateError."""
        path = self._client_certs
        self._make(None if path is None or path.is_dir() else str(path))

    def explain(self, connection: SSL.Connection) -> str | None:
        """Why the origin's certificate was not accepted, if that is what made the handshake fail."""
        number = connection.get_app_data()
        return verify_failure(number) if isinstance(number, int) else None

    def check_name(self, connection: SSL.Connection, name: str) -> None:
        """Hold the origin's certificate against *name*. RFC 9110 section 4.3.4. Raises TlsError."""
        if self._trust.insecure:
            return
        cert = connection.get_peer_certificate(as_cryptography=True)
        if cert is None:
            raise TlsError("it showed no certificate")
        if (cert, name) in self._accepted:
            return
        import service_identity  # not light, and its time comes with the first origin
        from service_identity import cryptography as identity

        try:
            if is_ip(name):
                identity.verify_certificate_ip_address(cert, name)
            else:
                identity.verify_certificate_hostname(cert, _ascii(name).decode())
        except (service_identity.VerificationError, service_identity.CertificateError) as e:
            raise TlsError(f"its certificate is for another host, not for {name!r}{_valid_for(cert)}") from e
        if len(self._accepted) < _MAX_SESSIONS:
            self._accepted.add((cert, name))

    def remember(self, connection: SSL.Connection, host: str, port: int, sni: str | None) -> None:
        """Keep the session of *connection*, whose tickets have arrived by now, for the next one."""
        if session := connection.get_session():
            key = (host, port, sni, connection.get_context())
            self._sessions[key] = session
            self._sessions.move_to_end(key)
            if len(self._sessions) > _MAX_SESSIONS:
                self._sessions.popitem(last=False)

    def _context(self, host: str) -> SSL.Context:
        pem = self._client_cert(host)
        context = self._contexts.get(pem)
        if context is None:
            context = self._contexts[pem] = self._make(pem)
        return context

    def _client_cert(self, host: str) -> str | None:
        path = self._client_certs
        if path is None:
            return None
        if path.is_dir():
            path = path / f"{host}.pem"
            return str(path) if path.is_file() else None
        return str(path)

    def _make(self, pem: str | None) -> SSL.Context:
        context = new_context(self._terms, self._key_log)
        context.set_session_cache_mode(SSL.SESS_CACHE_CLIENT)
        if self._trust.insecure:
            context.set_verify(SSL.VERIFY_NONE)
        else:
            self._trust_roots(context)
            context.set_verify(SSL.VERIFY_PEER, _note_failure)
        if pem:
            try:
                context.use_certificate_chain_file(pem)
                context.use_privatekey_file(pem)
                context.check_privatekey()
            except SSL.Error as e:
                raise CertificateError(
                    f"client_certs: {pem} does not hold a certificate and its key: {e}"
                ) from e
        return context

    def _trust_roots(self, context: SSL.Context) -> None:
        file, directory = _own_roots(self._trust)
        if not file and not directory:
            system = ssl.get_default_verify_paths()
            file, directory = system.cafile or _bundled_roots(), system.capath
        try:
            context.load_verify_locations(file, directory)
        except SSL.Error as e:
            raise CertificateError(f"{file} holds no certificates in PEM form") from e
        if self._trust.ca_file and b"BEGIN X509 CRL" in Path(self._trust.ca_file).expanduser().read_bytes():
            store = context.get_cert_store()
            assert store
            store.set_flags(crypto.X509StoreFlags.CRL_CHECK)


def _bundled_roots() -> str:
    import certifi  # most systems have their own

    return certifi.where()


def _own_roots(trust: Trust) -> tuple[str | None, str | None]:
    """Paths of the user's file and directory of authorities. Raises CertificateError if they are not."""
    file = trust.ca_file and str(Path(trust.ca_file).expanduser())
    directory = trust.ca_directory and str(Path(trust.ca_directory).expanduser())
    if file:
        try:
            open(file, "rb").close()
        except OSError as e:
            raise CertificateError(f"ssl_verify_upstream_trusted_ca: cannot read {file}: {e.strerror}") from e
    if directory and not any(_HASHED.fullmatch(name.name) for name in Path(directory).glob("*.*")):
        raise CertificateError(
            f"ssl_verify_upstream_trusted_confdir: {directory} holds no certificates by names that OpenSSL"
            f" looks for; run: openssl rehash {directory}"
        )
    return file, directory


def _note_failure(connection: SSL.Connection, cert: object, number: int, depth: int, ok: int) -> bool:
    if not ok and connection.get_app_data() is None:
        connection.set_app_data(number)
    return bool(ok)


def _ascii(name: str) -> bytes:
    return name.rstrip(".").encode("idna") if not name.isascii() else name.rstrip(".").encode()


def _valid_for(cert: x509.Certificate) -> str:
    try:
        names = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return ""
    known = [str(getattr(n, "value", "")) for n in names][:5]
    return f" (it is valid for {', '.join(known)})" if known else ""
