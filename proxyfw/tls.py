"""TLS facts that hooks are given: the ClientHello as it was read, and handshakes before and after.

Plain data; the handshakes themselves are made elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from proxyfw.connection import Client, Connection, Server

if TYPE_CHECKING:
    from OpenSSL import SSL

_RECORD_HEADER = 5
_HANDSHAKE_HEADER = 4


class Context(NamedTuple):
    """The two connections an event is about; in ``next_layer``, also the protocols already in place."""

    client: Client
    server: Server | None
    layers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ClientHello:
    """A ClientHello. RFC 8446 section 4.1.2.

    `raw` are the TLS records that carried it; `sni` the host name asked for; `alpn_protocols` the offers,
    best first; `cipher_suites` and `extensions` (type and body) in wire order, GREASE included; `versions`
    the protocol versions offered, ``0x0304`` being TLS 1.3.
    """

    raw: bytes = b""
    sni: str | None = None
    alpn_protocols: list[bytes] = field(default_factory=list)
    cipher_suites: list[int] = field(default_factory=list)
    extensions: list[tuple[int, bytes]] = field(default_factory=list)
    versions: list[int] = field(default_factory=list)

    def raw_bytes(self, wrap_in_record: bool = True) -> bytes:
        """The hello as one synthetic TLS record, however many carried it, or without any header."""
        hello = _joined(self.raw)[_HANDSHAKE_HEADER:]
        if not wrap_in_record:
            return hello
        message = b"\x01" + len(hello).to_bytes(3, "big") + hello
        return b"\x16\x03\x03" + len(message).to_bytes(2, "big") + message


@dataclass(slots=True)
class ClientHelloData:
    """What ``tls_clienthello`` is given, before anything was answered.

    Set `ignore_connection` to pass the bytes through untouched, and with it `record_tunnel` for a TCP flow
    that says how many went through, and none of them. `establish_server_tls_first` is to shake hands with the
    server before the client. `server` is None while no destination is known.
    """

    client_hello: ClientHello
    client: Client
    server: Server | None
    ignore_connection: bool = False
    establish_server_tls_first: bool = False
    record_tunnel: bool = False

    @property
    def context(self) -> Context:
        """Both connections."""
        return Context(self.client, self.server)


@dataclass(slots=True)
class TlsData:
    """What the other TLS hooks are given.

    `conn` is the connection the handshake is on: `client` or `server`. An addon that sets `ssl_conn` in a
    ``tls_start`` hook brings its own pyOpenSSL connection.
    """

    conn: Connection
    client: Client
    server: Server | None
    ssl_conn: SSL.Connection | None = None
    is_dtls: bool = False

    @property
    def context(self) -> Context:
        """Both connections."""
        return Context(self.client, self.server)


def _joined(records: bytes) -> bytes:
    out, at = [], 0
    while at < len(records):
        start = at + _RECORD_HEADER
        at = start + int.from_bytes(records[at + 3 : start], "big")
        out.append(records[start:at])
    return b"".join(out)
