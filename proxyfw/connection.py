"""Client and server connections as addons see them: addresses, TLS facts, times.

Records only: nothing here opens, closes or owns a socket.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Flag
from typing import TYPE_CHECKING, Any, Literal, Self

if TYPE_CHECKING:
    from proxyfw.certs import Cert
    from proxyfw.flow import Line
    from proxyfw.http import HTTPFlow

Address = tuple[str, int]
TransportProtocol = Literal["tcp", "udp"]

new_id: Callable[[], str] = lambda: str(uuid.uuid4())  # noqa: E731  # a value that tests replace
"""Makes the ids of connections."""

read_certificate: Callable[[bytes], Cert] | None = None
"""Reads a PEM certificate of a saved connection; set by `proxyfw.certs` when it is imported."""


class ConnectionState(Flag):
    """Which directions of a connection still work."""

    CLOSED = 0
    CAN_READ = 1
    CAN_WRITE = 2
    OPEN = CAN_READ | CAN_WRITE


class ModeSpec(str):
    """The mode by which a client came, as the option ``mode`` says it: ``reverse:http://example.com@8081``."""

    __slots__ = ()

    @property
    def full_spec(self) -> str:
        """All of it."""
        return str(self)

    @property
    def type_name(self) -> str:
        """What kind of mode it is: ``reverse``."""
        return self.partition("@")[0].partition(":")[0]


class ServerSpec(tuple[str, Address]):
    """An upstream proxy: ``ServerSpec("http", ("proxy.example", 3128))``; a pair of scheme and address.

    Schemes are http, https, socks5 (names are resolved here) and socks5h (there). *credentials* are
    ``user:password`` for that proxy alone; they are neither part of the pair nor saved with flows.
    """

    credentials: str | None

    def __new__(
        cls, scheme: str | tuple[str, Address], address: Address | None = None, credentials: str | None = None
    ) -> Self:
        if isinstance(scheme, tuple):
            scheme, address = scheme
        if address is None:
            raise TypeError("an upstream proxy has a scheme and an address")
        self = super().__new__(cls, (scheme, address))
        self.credentials = credentials
        return self

    @property
    def scheme(self) -> str:
        """http, https, socks5 or socks5h."""
        return self[0]

    @property
    def address(self) -> Address:
        """``(host, port)`` of the proxy."""
        return self[1]

    def __repr__(self) -> str:
        return f"ServerSpec({self.scheme!r}, {self.address!r})"


@dataclass(frozen=True, slots=True)
class StoredCertificate:
    """A certificate of which only the PEM text is known, because `proxyfw.certs` was not there to read it."""

    pem: bytes

    def to_pem(self) -> bytes:
        """The certificate as PEM."""
        return self.pem


class Connection:
    """What client and server connections have in common.

    Addresses are ``(host, port)``; times are seconds since 1970. TLS facts (`alpn`, `cipher`,
    `tls_version`, `sni`, `certificate_list`: the other side's chain, leaf first) are None or empty until
    the handshake. `error` says why the connection failed, or, set by an addon, why it is refused.
    """

    __slots__ = (
        "__weakref__",
        "_id",
        "alpn",
        "alpn_offers",
        "certificate_list",
        "cipher",
        "cipher_list",
        "error",
        "peername",
        "sni",
        "sockname",
        "state",
        "timestamp_end",
        "timestamp_start",
        "timestamp_tls_setup",
        "tls",
        "tls_version",
        "transport_protocol",
    )
    _facts: tuple[str, ...] = (
        "alpn",
        "cipher",
        "error",
        "sni",
        "timestamp_end",
        "timestamp_start",
        "timestamp_tls_setup",
        "tls",
        "tls_version",
        "transport_protocol",
    )
    timestamp_start: float | None

    def __init__(self) -> None:
        self._id: str | None = None
        self.peername: Address | None = None
        self.sockname: Address | None = None
        self.state = CLOSED
        self.transport_protocol = "tcp"
        self.tls = False
        self.certificate_list: tuple[Cert, ...] = ()
        self.alpn: bytes | None = None
        self.alpn_offers: Sequence[bytes] = ()
        self.cipher: str | None = None
        self.cipher_list: Sequence[str] = ()
        self.tls_version: str | None = None
        self.sni: str | None = None
        self.error: str | None = None
        self.timestamp_start = None
        self.timestamp_tls_setup: float | None = None
        self.timestamp_end: float | None = None

    @property
    def id(self) -> str:
        """Names this connection for as long as it is remembered."""
        if self._id is None:
            self._id = new_id()
        return self._id

    @id.setter
    def id(self, value: str) -> None:
        self._id = value

    @property
    def connected(self) -> bool:
        """Both directions work."""
        return self.state is OPEN

    @property
    def tls_established(self) -> bool:
        """The TLS handshake is complete."""
        return self.timestamp_tls_setup is not None

    @property
    def cipher_name(self) -> str | None:
        """An old name for `cipher`."""
        return self.cipher

    @property
    def alpn_proto_negotiated(self) -> bytes | None:
        """An old name for `alpn`."""
        return self.alpn

    def copy(self) -> Self:
        """The same facts, id included, in a record of its own."""
        new = type(self).__new__(type(self))
        new._assign(self)
        return new

    def get_state(self) -> dict[str, Any]:
        """The facts as plain data; certificates as PEM."""
        state: dict[str, Any] = {name: getattr(self, name) for name in self._facts}
        state["id"] = self.id
        state["peername"] = _plain_address(self.peername)
        state["sockname"] = _plain_address(self.sockname)
        state["state"] = self.state.value
        state["certificate_list"] = [certificate.to_pem() for certificate in self.certificate_list]
        state["alpn_offers"] = list(self.alpn_offers)
        state["cipher_list"] = list(self.cipher_list)
        return state

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Take over what `get_state` gave."""
        for name in self._facts:
            setattr(self, name, state[name])
        self._id = state["id"]
        self.peername = _address(state["peername"])
        self.sockname = _address(state["sockname"])
        self.state = ConnectionState(state["state"])
        self.certificate_list = tuple(_certificate(pem) for pem in state["certificate_list"])
        self.alpn_offers = tuple(state["alpn_offers"])
        self.cipher_list = tuple(state["cipher_list"])

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """A connection from what `get_state` gave."""
        connection = cls.__new__(cls)
        connection.set_state(state)
        return connection

    def __repr__(self) -> str:
        tls = f", {self.tls_version or 'tls'}" if self.tls else ""
        return f"<{type(self).__name__} {self._where()}{tls}, {(self.state.name or '').lower()}>"

    def __str__(self) -> str:
        return self._where()

    def _where(self) -> str:
        return shown_address(self.peername)

    def _assign(self, other: Connection) -> None:
        self._id = other.id
        self.peername = other.peername
        self.sockname = other.sockname
        self.state = other.state
        self.certificate_list = other.certificate_list
        self.alpn_offers = other.alpn_offers
        self.cipher_list = other.cipher_list
        for name in self._facts:
            setattr(self, name, getattr(other, name))


class Client(Connection):
    """A connection that a client made to the proxy.

    `peername` is the client, `sockname` the proxy's end, `mitmcert` the certificate the client was shown,
    `line` what paces raw tunnels of this client, or None.
    """

    __slots__ = ("_proxy_mode", "line", "mitmcert")
    _facts = (*Connection._facts, "proxy_mode")
    timestamp_start: float

    def __init__(
        self,
        *,
        peername: Address,
        sockname: Address,
        timestamp_start: float,
        proxy_mode: str = "regular",
        state: ConnectionState = ConnectionState.OPEN,
        transport_protocol: str = "tcp",
    ) -> None:
        super().__init__()
        self.peername = peername
        self.sockname = sockname
        self.timestamp_start = timestamp_start
        self.proxy_mode = proxy_mode
        self.state = state
        self.transport_protocol = transport_protocol
        self.mitmcert: Cert | None = None
        self.line: Line | None = None

    @property
    def proxy_mode(self) -> ModeSpec:
        """The mode of the port that the client came to, as text."""
        return self._proxy_mode

    @proxy_mode.setter
    def proxy_mode(self, spec: str) -> None:
        self._proxy_mode = ModeSpec(spec)

    @property
    def address(self) -> Address | None:
        """The client's address; another name for `peername`."""
        return self.peername

    @property
    def clientcert(self) -> Cert | None:
        """An old name for the first of `certificate_list`, or None."""
        return self.certificate_list[0] if self.certificate_list else None

    def get_state(self) -> dict[str, Any]:
        """The facts as plain data; certificates as PEM."""
        state = super().get_state()
        state["mitmcert"] = self.mitmcert.to_pem() if self.mitmcert else None
        return state

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Take over what `get_state` gave."""
        super().set_state(state)
        self.mitmcert = _certificate(state["mitmcert"]) if state["mitmcert"] else None
        self.line = None

    def _assign(self, other: Connection) -> None:
        super()._assign(other)
        assert isinstance(other, Client)
        self.mitmcert = other.mitmcert
        self.line = None


class Server(Connection):
    """A connection that the proxy made, or may make, to an origin.

    `address` is the destination by name, `peername` the address that was dialled in the end, `via` the
    upstream proxy in between. ``Server(address=None)`` is a destination that is not known yet.
    """

    __slots__ = ("address", "timestamp_tcp_setup", "via")
    _facts = (*Connection._facts, "timestamp_tcp_setup")

    def __init__(self, *, address: Address | None, transport_protocol: str = "tcp") -> None:
        # Written out although it repeats Connection: one is made for each request.
        self._id = None
        self.address = address
        self.via: ServerSpec | None = None
        self.peername = None
        self.sockname = None
        self.state = CLOSED
        self.transport_protocol = transport_protocol
        self.tls = False
        self.certificate_list = ()
        self.alpn = None
        self.alpn_offers = ()
        self.cipher = None
        self.cipher_list = ()
        self.tls_version = None
        self.sni = None
        self.error = None
        self.timestamp_start = None
        self.timestamp_tcp_setup: float | None = None
        self.timestamp_tls_setup = None
        self.timestamp_end = None

    @property
    def ip_address(self) -> Address | None:
        """An old name for `peername`."""
        return self.peername

    @property
    def cert(self) -> Cert | None:
        """An old name for the first of `certificate_list`, or None."""
        return self.certificate_list[0] if self.certificate_list else None

    def get_state(self) -> dict[str, Any]:
        """The facts as plain data; certificates as PEM."""
        state = super().get_state()
        state["address"] = _plain_address(self.address)
        state["via"] = [self.via.scheme, list(self.via.address)] if self.via else None
        return state

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Take over what `get_state` gave."""
        super().set_state(state)
        self.address = _address(state["address"])
        via = state["via"]
        self.via = ServerSpec(via[0], (via[1][0], via[1][1])) if via else None

    def _where(self) -> str:
        return shown_address(self.address or self.peername)

    def _assign(self, other: Connection) -> None:
        super()._assign(other)
        assert isinstance(other, Server)
        self.address = other.address
        self.via = other.via


@dataclass(slots=True)
class ServerConnectionHookData:
    """What the ``server_connect`` hooks are given: the connection to be made, and for which client.

    `addresses`, set in ``server_connect``, are IP addresses and ports to dial instead of those that the name
    resolves to. Name, SNI, Host and the check of the certificate stay as they are. Through an upstream proxy
    the first of them is asked for; a proxy that is given plain HTTP requests still resolves names itself.
    `flow` is the request that needs the connection, which later ones may use too; None for tunnels, datagrams
    and what is connected ahead.
    """

    server: Server
    client: Client
    addresses: Sequence[Address] | None = None
    flow: HTTPFlow | None = None


CLOSED = ConnectionState.CLOSED
OPEN = ConnectionState.OPEN


def _plain_address(address: Address | None) -> list[str | int] | None:
    return list(address) if address else None


def _address(state: Sequence[Any] | None) -> Address | None:
    return (state[0], state[1]) if state else None


def shown_address(address: Address | None) -> str:
    """*address* for people: ``127.0.0.1:8080``, ``[::1]:8080``, ``?`` if there is none."""
    if not address:
        return "?"
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _certificate(pem: bytes) -> Any:
    return read_certificate(pem) if read_certificate else StoredCertificate(pem)
