"""What can be read of TLS without a key: the ClientHello, record boundaries and plain alerts.

Pure functions over bytes, called again with more bytes while they answer None. Nothing here decrypts, does a
handshake or touches a socket.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from proxyfw.exceptions import ProtocolError
from proxyfw.tls import ClientHello

MAX_HELLO = 65536
"""Largest ClientHello accepted, in bytes with its record headers. Post-quantum ones have about 2 KiB."""

_HEADER = 5
_MAX_FRAGMENT = 1 << 14  # RFC 8446 section 5.1
_MAX_CIPHERTEXT = _MAX_FRAGMENT + 2048  # RFC 5246 section 6.2.3; TLS 1.3 allows 256 more than plaintext
_FIRST_TYPE, _ALERT, _HANDSHAKE, _LAST_TYPE = 20, 21, 22, 24
_CLIENT_HELLO = 1
_SERVER_NAME, _ALPN, _SUPPORTED_VERSIONS = 0, 16, 43

_ALERTS = {
    0: "close_notify",
    10: "unexpected_message",
    20: "bad_record_mac",
    21: "decryption_failed",
    22: "record_overflow",
    30: "decompression_failure",
    40: "handshake_failure",
    41: "no_certificate",
    42: "bad_certificate",
    43: "unsupported_certificate",
    44: "certificate_revoked",
    45: "certificate_expired",
    46: "certificate_unknown",
    47: "illegal_parameter",
    48: "unknown_ca",
    49: "access_denied",
    50: "decode_error",
    51: "decrypt_error",
    60: "export_restriction",
    70: "protocol_version",
    71: "insufficient_security",
    80: "internal_error",
    86: "inappropriate_fallback",
    90: "user_canceled",
    100: "no_renegotiation",
    109: "missing_extension",
    110: "unsupported_extension",
    111: "certificate_unobtainable",
    112: "unrecognized_name",
    113: "bad_certificate_status_response",
    114: "bad_certificate_hash_value",
    115: "unknown_psk_identity",
    116: "certificate_required",
    120: "no_application_protocol",
    121: "ech_required",
}
"""Alert descriptions by number: the IANA registry "TLS Alerts"."""
_NAMES = frozenset(_ALERTS.values())

REJECTIONS = frozenset(
    {"bad_certificate", "unsupported_certificate", "certificate_expired", "certificate_unknown", "unknown_ca"}
)
"""Alerts by which a client says that it does not trust the certificate it was shown."""


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert by its registered name (``unknown_ca``), or ``alert_`` and its number."""

    name: str
    fatal: bool = True

    @property
    def rejects_certificate(self) -> bool:
        """The sender does not trust our certificate (rather than our version, ciphers or bytes)."""
        return self.name in REJECTIONS


def alert_description(code: int) -> str:
    """The registered name of alert number *code*."""
    return _ALERTS.get(code) or f"alert_{code}"


def read_alert(data: bytes | bytearray) -> Alert | None:
    """The plain alert record at the start of *data*; None where there is none, or it is encrypted.

    An encrypted alert of TLS 1.2 has the same record type but is never two bytes long (RFC 5246 section 7.2).
    """
    if len(data) < _HEADER + 2 or data[0] != _ALERT or data[3:5] != b"\x00\x02":
        return None
    return Alert(alert_description(data[6]), fatal=data[5] == 2)


def alert_from_openssl(reason: str) -> Alert | None:
    """The alert that an OpenSSL error speaks of: ``tlsv1 alert unknown ca``, ``TLSV1_ALERT_UNKNOWN_CA``.

    None for other errors.

    This is the only way to learn of an alert that came encrypted, as all do in TLS 1.3 once keys are agreed.
    """
    name = reason.lower().replace(" ", "_").partition("alert_")[2]
    return Alert(name) if name in _NAMES else None


def starts_like_tls(data: bytes | bytearray) -> bool | None:
    """Whether *data* begins with a TLS handshake record; None while there are too few bytes to tell.

    An SSLv2-compatible hello is none: nobody sends one any more, nor could it carry a server name.
    """
    if not data:
        return None
    if data[0] != _HANDSHAKE or data[1:2] not in (b"", b"\x03"):
        return False
    return None if len(data) < 3 else data[2] <= 4


class Records:
    """Counts the TLS records that a stream of bytes completes, whatever pieces it comes in.

    What is no record is counted somehow and refused by who decrypts it.
    """

    __slots__ = ("_header", "_left")

    def __init__(self) -> None:
        self._header = b""
        """The beginning of a record header that is not complete."""
        self._left = 0
        """Bytes that the present record still lacks."""

    def completed_by(self, data: bytes) -> int:
        """How many records end within *data*, the next piece of the stream."""
        if self._header:
            data = self._header + data
            self._header = b""
        size = len(data)
        if self._left > size:
            self._left -= size
            return 0
        position, count = self._left, int(self._left > 0)
        while position + _HEADER <= size:
            position += _HEADER + (data[position + 3] << 8 | data[position + 4])
            if position <= size:
                count += 1
        if position > size:
            self._left = position - size
        else:
            self._left = 0
            self._header = data[position:]
        return count


def read_client_hello(data: bytes | bytearray) -> ClientHello | None:
    """The ClientHello at the start of *data*, or None while it is incomplete.

    The message may be spread over any number of records (RFC 8446 section 5.1). ``raw`` of the result is
    those records, so ``len(raw)`` bytes are consumed; what follows (early data) is left alone. Extensions
    nobody knows and GREASE values (RFC 8701) are kept as they came.

    Raises:
        ProtocolError: this is no ClientHello, it is malformed, or it is larger than `MAX_HELLO`.

    """
    message = bytearray()
    end = 0
    while len(data) - end >= _HEADER:
        length = _hello_fragment_length(data, end)
        message += data[end + _HEADER : end + _HEADER + length]
        size = _message_size(message)
        end += _HEADER + length
        if end > MAX_HELLO:
            raise ProtocolError(f"the ClientHello is larger than {MAX_HELLO} bytes")
        if end > len(data):
            break
        if len(message) > size:
            raise ProtocolError("there are stray bytes behind the ClientHello, in its own record")
        if len(message) == size:
            return _parse(_Reader(bytes(message), 4), bytes(data[:end]))
    return None


def _fragment_length(data: bytes | bytearray, at: int) -> int:
    """What the record header at *at* says of the length of its fragment."""
    if not _FIRST_TYPE <= data[at] <= _LAST_TYPE or data[at + 1] != 3:
        raise ProtocolError(f"not a TLS record: it begins with {bytes(data[at : at + _HEADER]).hex(' ')}")
    length = data[at + 3] << 8 | data[at + 4]
    if length > _MAX_CIPHERTEXT:
        raise ProtocolError(f"a TLS record of {length} bytes; {_MAX_CIPHERTEXT} are allowed")
    return length


def _hello_fragment_length(data: bytes | bytearray, at: int) -> int:
    length = _fragment_length(data, at)
    if data[at] != _HANDSHAKE:
        raise ProtocolError(f"a TLS record of type {data[at]} where the ClientHello belongs")
    if not 0 < length <= _MAX_FRAGMENT:
        raise ProtocolError(f"a TLS handshake record of {length} bytes; 1 to {_MAX_FRAGMENT} are allowed")
    return length


def _message_size(message: bytearray) -> int:
    """Size of the handshake message, its header included; larger than any message while that is unknown."""
    if message and message[0] != _CLIENT_HELLO:
        raise ProtocolError(f"a TLS handshake message of type {message[0]} where the ClientHello belongs")
    if len(message) < 4:
        return MAX_HELLO
    size = 4 + int.from_bytes(message[1:4], "big")
    if size > MAX_HELLO:
        raise ProtocolError(f"the ClientHello is larger than {MAX_HELLO} bytes")
    return size


class _Reader:
    """A cursor over one vector of the presentation language (RFC 8446 section 3)."""

    __slots__ = ("at", "data", "end")

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data = data
        self.at = at
        self.end = len(data)

    @property
    def more(self) -> bool:
        return self.at < self.end

    def take(self, size: int, what: str) -> bytes:
        start, self.at = self.at, self.at + size
        if self.at > self.end:
            raise ProtocolError(f"malformed ClientHello: it ends within {what}")
        return self.data[start : self.at]

    def number(self, width: int, what: str) -> int:
        return int.from_bytes(self.take(width, what), "big")

    def vector(self, width: int, what: str, least: int = 0) -> bytes:
        """Bytes after their length in *width* bytes."""
        size = self.number(width, what)
        if size < least:
            raise ProtocolError(f"malformed ClientHello: {what} of {size} bytes")
        return self.take(size, what)

    def finish(self, what: str) -> None:
        if self.more:
            raise ProtocolError(f"malformed ClientHello: {self.end - self.at} stray bytes after {what}")


def _parse(hello: _Reader, raw: bytes) -> ClientHello:
    """RFC 8446 section 4.1.2; a hello without extensions is one of old TLS 1.2 clients."""
    legacy_version = hello.number(2, "the version")
    hello.take(32, "the random")
    if len(hello.vector(1, "the session id")) > 32:
        raise ProtocolError("malformed ClientHello: a session id of more than 32 bytes")
    cipher_suites = _numbers(hello.vector(2, "the cipher suites", least=2), "the cipher suites")
    hello.vector(1, "the compression methods", least=1)
    extensions = _extensions(hello.vector(2, "the extensions")) if hello.more else []
    hello.finish("the extensions")
    bodies = dict(extensions)
    versions = bodies.get(_SUPPORTED_VERSIONS)
    if len(bodies) < len(extensions):
        raise ProtocolError("malformed ClientHello: an extension is sent twice")
    return ClientHello(
        raw=raw,
        sni=_server_name(bodies[_SERVER_NAME]) if _SERVER_NAME in bodies else None,
        alpn_protocols=_alpn(bodies[_ALPN]) if _ALPN in bodies else [],
        cipher_suites=cipher_suites,
        extensions=extensions,
        versions=[legacy_version] if versions is None else _versions(versions),
    )


def _extensions(data: bytes) -> list[tuple[int, bytes]]:
    reader = _Reader(data)
    found: list[tuple[int, bytes]] = []
    while reader.more:
        found.append((reader.number(2, "an extension type"), reader.vector(2, "an extension")))
    return found


def _server_name(data: bytes) -> str | None:
    """The first host name, lower case and without a trailing dot (RFC 6066 section 3)."""
    reader = _Reader(data)
    names = _Reader(reader.vector(2, "the server name", least=1))
    reader.finish("the server name")
    found: str | None = None
    while names.more:
        kind = names.number(1, "the server name")
        name = names.vector(2, "the server name", least=1)
        if kind == 0 and found is None:
            found = _host_name(name)
    return found


def _host_name(name: bytes) -> str:
    # IP literals are forbidden here, but sent by some clients and harmless.
    host = name[:-1] if name.endswith(b".") else name
    if not 0 < len(host) <= 255 or not all(33 <= byte <= 126 for byte in host):
        raise ProtocolError(f"malformed ClientHello: {name[:255]!r} is not a host name")
    return host.decode("ascii").lower()


def _alpn(data: bytes) -> list[bytes]:
    """The protocols offered, best first (RFC 7301 section 3.1)."""
    reader = _Reader(data)
    names = _Reader(reader.vector(2, "the ALPN list", least=2))
    reader.finish("the ALPN list")
    protocols: list[bytes] = []
    while names.more:
        protocols.append(names.vector(1, "an ALPN protocol", least=1))
    return protocols


def _versions(data: bytes) -> list[int]:
    """The versions offered, best first (RFC 8446 section 4.2.1)."""
    reader = _Reader(data)
    versions = _numbers(reader.vector(1, "the supported versions", least=2), "the supported versions")
    reader.finish("the supported versions")
    return versions


def _numbers(data: bytes, what: str) -> list[int]:
    if len(data) % 2:
        raise ProtocolError(f"malformed ClientHello: {what} are cut in half")
    return list(struct.unpack(f">{len(data) // 2}H", data))
