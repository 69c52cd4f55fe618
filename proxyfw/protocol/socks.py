"""SOCKS 5 without a socket: what a client says (`Listening`), and what is said to a proxy (`Asking`).

RFC 1928, and RFC 1929 for user name and password. Only CONNECT is known; names stay names.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from proxyfw.exceptions import LocalProtocolError, ProtocolError

Address = tuple[str, int]

NO_LOGIN, LOGIN, NONE_ACCEPTABLE = 0, 2, 255
"""Methods of authentication. RFC 1928 section 3."""
CONNECT = 1
_VERSION, _LOGIN_VERSION = 5, 1
_IPV4, _NAME, _IPV6 = 1, 3, 4
_NOWHERE: Address = ("0.0.0.0", 0)


class Reply(IntEnum):
    """What a proxy answers. RFC 1928 section 6."""

    SUCCEEDED = 0
    FAILURE = 1
    NOT_ALLOWED = 2
    NETWORK_UNREACHABLE = 3
    HOST_UNREACHABLE = 4
    REFUSED = 5
    EXPIRED = 6
    COMMAND_UNKNOWN = 7
    ADDRESS_UNKNOWN = 8

    @property
    def meaning(self) -> str:
        """For people: ``connection refused``."""
        return _MEANINGS[self]


_MEANINGS = (
    "granted", "general failure", "not allowed by its rules", "network unreachable", "host unreachable",
    "connection refused", "time to live expired", "command not supported", "address type not supported",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Greeting:
    """The client names the methods of authentication that it can do."""

    methods: bytes


@dataclass(frozen=True, slots=True)
class Login:
    """The client says who it is. RFC 1929."""

    username: str
    password: str


@dataclass(frozen=True, slots=True)
class Request:
    """The client wants *command* done; *host* is a name or an address, as it was sent."""

    command: int
    host: str
    port: int


class Listening:
    """The proxy's side: give it bytes, take events, send what the answers return.

    Each event is answered before the next is read: `Greeting` by `choose`, `Login` by `judge`, `Request` by
    `reply`. A client that sends everything at once is understood.
    """

    def __init__(self) -> None:
        self.unread = b""
        """What follows the request, once that has come: the first bytes of the tunnel."""
        self._read: Callable[[bytes], tuple[Greeting | Login | Request, int] | None] | None = _greeting

    def receive(self, data: bytes) -> Greeting | Login | Request | None:
        """Take *data* (may be empty) and return what it completes. Raises ProtocolError."""
        self.unread += data
        found = self._read(self.unread) if self._read else None
        if found is None:
            return None
        event, size = found
        self.unread = self.unread[size:]
        self._read = None
        return event

    def choose(self, method: int) -> bytes:
        """Answer a `Greeting`. After NONE_ACCEPTABLE the connection is to be closed."""
        self._read = {NO_LOGIN: _request, LOGIN: _login}.get(method)
        return bytes((_VERSION, method))

    def judge(self, valid: bool) -> bytes:
        """Answer a `Login`. After a refusal the connection is to be closed."""
        self._read = _request if valid else None
        return bytes((_LOGIN_VERSION, 0 if valid else 1))

    def reply(self, reply: Reply, bound: Address = _NOWHERE) -> bytes:
        """Answer a `Request`; *bound* is where the proxy's own connection begins, as an IP address."""
        return bytes((_VERSION, reply, 0)) + _written(bound)


class Asking:
    """The client's side: ask a proxy for a connection to *address*.

    Send what `begin` and every `receive` return, until `done`.
    """

    def __init__(self, address: Address, login: tuple[str, str] | None = None) -> None:
        """Raises LocalProtocolError if *address* or *login* cannot be said in SOCKS."""
        self.done = False
        self.unread = b""
        """What follows the proxy's last answer, once `done`: the destination's first bytes."""
        self._request = bytes((_VERSION, CONNECT, 0)) + _written(address)
        self._login = _packed_login(*login) if login else b""
        self._read = self._method_chosen

    def begin(self) -> bytes:
        """The first bytes to send."""
        methods = bytes((NO_LOGIN, LOGIN)) if self._login else bytes((NO_LOGIN,))
        return bytes((_VERSION, len(methods))) + methods

    def receive(self, data: bytes) -> bytes:
        """Take *data*, return what is to be sent now. Raises ProtocolError (502) if the proxy refuses."""
        self.unread += data
        answers = b""
        while not self.done and (answer := self._read()) is not None:
            answers += answer
        return answers

    def _method_chosen(self) -> bytes | None:
        if len(self.unread) < 2:
            return None
        version, method = self._take(2)
        if version != _VERSION:
            raise ProtocolError("it does not speak SOCKS 5", 502)
        if method == NO_LOGIN:
            self._read = self._replied
            return self._request
        if method == LOGIN and self._login:
            self._read = self._judged
            return self._login
        raise ProtocolError(
            "it does not accept us as we are" if self._login else "it wants user name and password", 502
        )

    def _judged(self) -> bytes | None:
        if len(self.unread) < 2:
            return None
        if self._take(2)[1]:
            raise ProtocolError("it does not accept user name and password", 502)
        self._read = self._replied
        return self._request

    def _replied(self) -> bytes | None:
        if len(self.unread) < 2:
            return None
        version, code = self.unread[:2]
        if version != _VERSION:
            raise ProtocolError("it does not speak SOCKS 5", 502)
        if code:
            meaning = Reply(code).meaning if code < len(Reply) else f"error {code}"
            raise ProtocolError(f"it answered: {meaning}", 502)
        found = _address(self.unread, 3)
        if found is None:
            return None
        self._take(found[1])
        self.done = True
        return b""

    def _take(self, size: int) -> bytes:
        taken, self.unread = self.unread[:size], self.unread[size:]
        return taken


def _greeting(data: bytes) -> tuple[Greeting, int] | None:
    if data and data[0] != _VERSION:
        raise ProtocolError(_not_socks5(data))
    if len(data) < 2 or len(data) < 2 + data[1]:
        return None
    end = 2 + data[1]
    return Greeting(data[2:end]), end


def _not_socks5(data: bytes) -> str:
    if data[0] == 4:
        return "SOCKS 4 is not supported: set the client to SOCKS 5"
    if data[0] == 0x16:
        return "this is TLS, not SOCKS 5: the client may take the SOCKS port for that of an HTTPS proxy"
    if chr(data[0]) in "CDGHOPTU":
        return (
            "this looks like HTTP, not SOCKS 5: the client may take the SOCKS port for that of an HTTP proxy;"
            " set it to SOCKS 5, or listen in mode regular"
        )
    return f"the first byte is 0x{data[0]:02x}, not SOCKS version 5"


def _login(data: bytes) -> tuple[Login, int] | None:
    if data and data[0] != _LOGIN_VERSION:
        raise ProtocolError(f"login version {data[0]} instead of {_LOGIN_VERSION}")
    if len(data) < 2 or len(data) < 3 + data[1]:
        return None
    middle = 2 + data[1]
    end = middle + 1 + data[middle]
    if len(data) < end:
        return None
    return Login(_text(data[2:middle]), _text(data[middle + 1 : end])), end


def _request(data: bytes) -> tuple[Request, int] | None:
    if data and data[0] != _VERSION:
        raise ProtocolError(f"version {data[0]} in a SOCKS 5 request")
    found = _address(data, 3)
    if found is None:
        return None
    (host, port), end = found
    return Request(data[1], host, port), end


def _address(data: bytes, start: int) -> tuple[Address, int] | None:
    """The address at *start* and where it ends; None while it is not complete."""
    if len(data) < start + 2:
        return None
    kind, first = data[start], start + 1
    if kind == _NAME:
        first, size = first + 1, data[first]
    elif kind in (_IPV4, _IPV6):
        size = 4 if kind == _IPV4 else 16
    else:
        raise UnknownAddressType(f"address type {kind} is neither IPv4, IPv6 nor a name")
    end = first + size
    if len(data) < end + 2:
        return None
    raw = data[first:end]
    host = _name(raw) if kind == _NAME else str(ipaddress.ip_address(raw))
    return (host, struct.unpack("!H", data[end : end + 2])[0]), end + 2


class UnknownAddressType(ProtocolError):
    """To be answered with `Reply.ADDRESS_UNKNOWN`."""


def _name(raw: bytes) -> str:
    if not raw or not raw.isascii() or any(byte <= 32 or byte == 127 for byte in raw):
        raise ProtocolError(f"{raw!r} is not the name of a host")
    return raw.decode("ascii").strip("[]")  # some clients write an IPv6 address like a name


def _written(address: Address) -> bytes:
    host, port = address
    try:
        ip = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        try:
            name = host.encode("ascii") if host.isascii() else host.encode("idna")
        except UnicodeError:
            name = b""
        if not 0 < len(name) < 256:
            raise LocalProtocolError(f"{host!r} cannot be sent as a host name over SOCKS") from None
        return bytes((_NAME, len(name))) + name + struct.pack("!H", port)
    return bytes((_IPV4 if ip.version == 4 else _IPV6,)) + ip.packed + struct.pack("!H", port)


def _packed_login(username: str, password: str) -> bytes:
    name, word = username.encode(), password.encode()
    if not 0 < len(name) < 256 or not 0 < len(word) < 256:
        raise LocalProtocolError("SOCKS user name and password have 1 to 255 bytes each")
    return bytes((_LOGIN_VERSION, len(name))) + name + bytes((len(word),)) + word


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
