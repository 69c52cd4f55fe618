"""What a client must send so that the origin gets a request again; what none can send is refused here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address

from proxyfw.exceptions import CommandError
from proxyfw.http import HTTPFlow, Request

_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HOST = re.compile(r"[0-9A-Za-z._-]+|[0-9A-Fa-f:.]+")
_PLAIN = re.compile(r"/[0-9A-Za-z._~!$&'()*+,;=:@/?%-]*")
"""Targets that every client sends as they stand, unless there is a segment of dots."""
_CLIENTS_OWN = frozenset(
    b"connection proxy-connection keep-alive te trailer transfer-encoding upgrade proxy-authorization"
    b" content-length expect host http2-settings".split()
)
"""Fields of a connection, or that clients write themselves. RFC 9110 section 7.6.1."""

Field = tuple[str, bytes]


@dataclass(frozen=True, slots=True)
class Sent:
    """A request as a client is told to send it.

    *url* is ASCII without controls, spaces and quotes of any kind but ``'``; *target* is what stood in the
    request line, escaped only where it must be. *host* is the Host field if the URL does not say the same.
    *fields* are all others, in order. *body* is None if none is sent, and as it was on the wire: encoded, if
    Content-Encoding says so. *address* is where to go, if not where the name leads to.
    """

    method: str
    url: str
    target: str
    host: bytes | None
    fields: tuple[Field, ...]
    body: bytes | None
    version: str
    address: str | None = None

    @classmethod
    def of(cls, flow: HTTPFlow, keep_address: bool = False) -> Sent:
        """The request of *flow*. Raises CommandError if it cannot be sent again."""
        request = flow.request
        reason = _obstacle(flow)
        if reason is not None:
            raise CommandError(f"flow {flow.id}: {reason}")
        name = _name(flow)
        authority = f"[{name}]" if ":" in name else name
        if request.port != {"http": 80, "https": 443}[request.scheme]:
            authority = f"{authority}:{request.port}"
        named = (request.host_header or authority).encode("utf-8", "surrogateescape")
        target = _ascii(request.path_bytes, keep=rb'"<>\^`{|}#')
        path = "/" if target == "*" else _ascii(request.path_bytes, keep=b"")
        return cls(
            request.method_bytes.decode("ascii"),
            f"{request.scheme}://{authority}{path}",
            target,
            named if named != authority.encode() else None,
            tuple(_fields(request)),
            _body(request),
            request.http_version,
            _address(flow, name) if keep_address else None,
        )

    @property
    def plain(self) -> bool:
        """Every client sends the target of the URL as it is."""
        return bool(_PLAIN.fullmatch(self.target)) and "/." not in self.target

    @property
    def text(self) -> str | None:
        """The body, if it is text that can be shown and pasted: printable, lines, tabs."""
        try:
            text = (self.body or b"").decode()
        except UnicodeDecodeError:
            return None
        return text if all(char.isprintable() or char in "\n\t" for char in text) else None

    @property
    def joined(self) -> list[Field]:
        """The fields, each name once, for clients that have a mapping; Host among them if it must be."""
        found: dict[str, Field] = {}
        for name, value in self.all_fields:
            key = name.lower()
            comma = b"; " if key == "cookie" else b", "
            found[key] = (found[key][0], found[key][1] + comma + value) if key in found else (name, value)
        return list(found.values())

    @property
    def all_fields(self) -> list[Field]:
        """The fields, with Host as the first if it must be said."""
        return [*([("Host", self.host)] if self.host is not None else []), *self.fields]

    def lacks(self, name: str) -> bool:
        """Whether there is no field *name* (in lower case)."""
        return all(each.lower() != name for each, _ in self.fields)


def _obstacle(flow: HTTPFlow) -> str | None:
    """Why it cannot be sent again, if so."""
    request = flow.request
    if request.method_bytes == b"CONNECT":
        return "CONNECT is for proxies; export the flows inside of the tunnel"
    if not _TOKEN.fullmatch(request.method_bytes):
        return f"{request.method_bytes!r} is no method"
    if request.scheme not in ("http", "https") or not _HOST.fullmatch(request.host):
        return f"{request.scheme}://{request.host} is nothing that clients can ask"
    if flow.websocket is not None or request.headers.get("upgrade", "").lower() == "websocket":
        return "it opens a WebSocket, which these clients do not; the format raw_request shows it"
    if not request.path_bytes.startswith(b"/") and request.path_bytes != b"*":
        return f"{request.path_bytes!r} is no path"  # after the host of a URL it would be part of that
    for name, value in request.headers.fields:
        if not _TOKEN.fullmatch(name) or not {0, 10, 13}.isdisjoint(value):
            return f"the field {name!r}: {value!r} cannot be sent"
    named = request.host_header
    if named is not None and not {"\0", "\r", "\n"}.isdisjoint(named):
        return f"the host {named!r} cannot be sent"
    return _missing_body(request)


def _missing_body(message: Request) -> str | None:
    """Why the body cannot be had, if so."""
    if message.raw_content is None:
        return "its body was not kept (streamed bodies are not)"
    if message.truncated:
        return "the record of its body was cut; limits on what is recorded are options"
    return None


def _name(flow: HTTPFlow) -> str:
    """The host of the URL: for TLS with an address the name that it was asked under, to be verified."""
    request, sni = flow.request, flow.server_conn.sni
    if request.scheme == "https" and sni and _HOST.fullmatch(sni) and _is_address(request.host):
        return sni
    return request.host


def _address(flow: HTTPFlow, name: str) -> str | None:
    """Where the request for *name* went, if that is known and no proxy; an IPv6 address in brackets."""
    server = flow.server_conn
    peer = server.peername
    address = peer[0] if peer is not None and server.via is None else flow.request.host
    if _is_address(name) or not _is_address(address):
        return None
    return f"[{address}]" if ":" in address else address


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _fields(request: Request) -> list[Field]:
    named = {
        word.strip().lower().encode("utf-8", "surrogateescape")
        for value in request.headers.get_all("connection")
        for word in value.split(",")
    }
    fields = [
        (name.decode("ascii"), value.strip(b" \t"))
        for name, value in request.headers.fields
        if name.lower() not in _CLIENTS_OWN | named
    ]
    crumbs = [value for name, value in fields if name.lower() == "cookie"]
    if len(crumbs) < 2 or not (request.is_http2 or request.is_http3):
        return fields
    rest = [field for field in fields if field[0].lower() != "cookie"]
    return [*rest, ("cookie", b"; ".join(crumbs))]  # RFC 9113 section 8.2.3


def _body(request: Request) -> bytes | None:
    announced = any(name in request.headers for name in ("content-length", "transfer-encoding"))
    return request.raw_content if request.raw_content or announced else None


def _ascii(target: bytes, keep: bytes) -> str:
    """*target* with percent signs for what cannot stand in a URL, those in *keep* excepted."""
    escaped = frozenset(rb'"<>\^`{|}#') - frozenset(keep)
    return "".join(
        chr(byte) if 0x20 < byte < 0x7F and byte not in escaped else f"%{byte:02X}" for byte in target
    )
