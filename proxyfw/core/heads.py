"""From heads on the wire to requests and responses, and back: routing, hop-by-hop fields, framing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from proxyfw.exceptions import ProtocolError
from proxyfw.http import Headers, Message, Request, Response
from proxyfw.model.status import reason as reason_phrase
from proxyfw.protocol.events import END, Data, Event, RawHeaders, RequestHead, ResponseHead, Trailers
from proxyfw.protocol.fields import Block, KnownFields, notable
from proxyfw.protocol.http1_head import has_token
from proxyfw.protocol.permessage_deflate import understood

DEFAULT_PORTS = {"http": 80, "https": 443}

_HOP_BY_HOP = frozenset(
    {b"connection", b"proxy-connection", b"keep-alive", b"te", b"upgrade", b"proxy-authorization"}
)
"""Fields that speak to the next hop only. RFC 9110 section 7.6.1. Transfer-Encoding is framing, not here."""
_NEVER_FORWARDED = frozenset({b"expect"})
"""The 100 (Continue) that was asked for is ours to give."""
_REQUEST_STOPPERS = _HOP_BY_HOP | _NEVER_FORWARDED
_RESPONSE_STOPPERS = _HOP_BY_HOP - {b"proxy-authorization", b"te"}
_AUTHORITY = re.compile(
    rb"(?:\[(?P<ip6>[0-9A-Fa-f:.%]+)\]|(?P<name>[^\[\]@/:\s]+))(?::(?P<port>[0-9]{0,5}))?"
)
_ENDLESS = (b"text/event-stream", b"multipart/x-mixed-replace", b"application/grpc")
_NEVER_STOPPED = frozenset({b"transfer-encoding", b"content-length", b"host"})
"""What a Connection field may not take away: the message would mean something else."""
_BODILESS = frozenset({204, 304})


@dataclass(frozen=True, slots=True)
class Route:
    """Where the requests inside a tunnel go, whatever they say themselves."""

    scheme: str
    host: str
    port: int
    sni: str | None = None
    alpn_offers: Sequence[bytes] = ()
    """What is offered to speak there, if that is certain already."""

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def secured(self, sni: str | None) -> Route:
        """The route of requests that come inside TLS, for which *sni* was asked."""
        return Route("https", self.host, self.port, sni)

    def prepare(self, request: Request) -> str | None:
        """Fit *request*, which comes this way, to where it goes; the SNI for that, None for its host."""
        return self.sni


@lru_cache(1024)
def split_authority(authority: bytes, default_port: int | None) -> tuple[str, int]:
    """``host[:port]`` in two. Raises ProtocolError (400) if it is not that. RFC 3986 section 3.2."""
    match = _AUTHORITY.fullmatch(authority)
    if not match:
        raise ProtocolError(f"{authority[:100]!r} is not a host and port")
    host = (match["ip6"] or match["name"]).decode("ascii", "surrogateescape")
    port = int(match["port"]) if match["port"] else default_port
    if port is None:
        raise ProtocolError(f"{authority[:100]!r} does not name a port")
    if not 0 < port < 65536:
        raise ProtocolError(f"{port} is not a port")
    return host, port


def request_from(head: RequestHead, route: Route | None, now: float) -> Request:
    """The request that *head* begins. Raises ProtocolError (400) if it does not say where to."""
    if route:
        scheme, host, port = route.scheme, route.host, route.port
    else:
        scheme = (head.scheme or b"http").decode().lower()
        if scheme not in DEFAULT_PORTS:
            raise ProtocolError(f"the scheme {scheme[:40]!r} is not http or https")
        authority = head.authority or notable(head.headers).get(b"host")
        if not authority:
            raise ProtocolError("the request names no host: neither in its target nor in a Host header")
        host, port = split_authority(authority, DEFAULT_PORTS[scheme])
    return Request(
        host, port, head.method, scheme.encode(), head.authority, head.target, head.version,
        Headers.wrap(head.headers), b"", None, now, None,
    )  # fmt: skip


def response_from(head: ResponseHead, now: float) -> Response:
    return Response(head.version, head.status, head.reason, Headers.wrap(head.headers), b"", None, now, None)


def has_body(request: Request, response: Response) -> bool:
    """Whether a response to *request* has a body at all. RFC 9110 section 6.4.1."""
    return request.method_bytes != b"HEAD" and response.status_code not in _BODILESS


def request_head(request: Request, streamed: bool, websocket: bool = False) -> RequestHead:
    """*request* as it goes to the origin: its hop-by-hop fields stay here.

    *websocket*: a WebSocket will be read, so it is offered only extensions that can be.
    """
    fields = request.headers.fields
    found = notable(fields)
    fields = _end_to_end(fields, found, _REQUEST_STOPPERS, _upgrades(found))
    if websocket := websocket and found.get(b"upgrade", b"").lower() == b"websocket":
        fields = understood(fields)
    body = None if streamed else request.raw_content
    fields = _framed(fields, found, body, bool(body), streamed, request)
    if b"host" not in found and request.authority_bytes:
        fields = [(b"Host", request.authority_bytes), *fields]  # RFC 9113 section 8.3.1
    return RequestHead(
        request.method_bytes, request.path_bytes, fields, b"HTTP/1.1", request.scheme_bytes,
        request.authority_bytes, has_token(found.get(b"te"), b"trailers"),
        websocket and request.method_bytes == b"GET",
    )  # fmt: skip


def response_head(
    response: Response, request: Request, streamed: bool, close: bool, made: bool = False
) -> ResponseHead:
    """*response* as it goes to the client; *close* says that the connection ends with it.

    *made*: an addon makes all of its body, and knows how long that is if it says so.
    """
    status = response.status_code
    switching = status == 101
    fields = response.headers.fields
    found = notable(fields)
    fields = _end_to_end(fields, found, _RESPONSE_STOPPERS, switching)
    if not switching and has_body(request, response) and not (made and b"content-length" in found):
        body = None if streamed else response.raw_content
        fields = _framed(fields, found, body, not streamed, streamed, response)
    if close:
        fields = [*fields, (b"Connection", b"close")]
    reason = response.reason_bytes
    if not reason and _declares_nothing(response):
        reason = reason_phrase(status).encode()
    return ResponseHead(status, fields, reason)


def body_events(message: Message, with_body: bool) -> list[Event]:
    """What follows the head of a buffered *message*."""
    events: list[Event] = []
    if with_body and (content := message.raw_content):
        events.append(Data(content))
    if message.trailers:
        events.append(Trailers(message.trailers.fields))
    events.append(END)
    return events


def upgrades(request: Request) -> bool:
    """Whether *request* asks for another protocol that we can tunnel, or read."""
    return "upgrade" in request.headers and _upgrades(notable(request.headers.fields))


def _upgrades(found: dict[bytes, bytes]) -> bool:
    """Whether a request asks for another protocol that we can tunnel. RFC 9110 section 7.8."""
    return b"upgrade" in found and not has_token(found[b"upgrade"], b"h2c")


def _end_to_end(
    fields: RawHeaders, found: dict[bytes, bytes], stoppers: frozenset[bytes], upgrade: bool
) -> RawHeaders:
    """*fields* without those for this hop; the very list if there are none. *found*: the notable ones.

    It is not to be changed: messages whose fields are the same share it.
    """
    if stoppers.isdisjoint(found):
        return fields
    if type(fields) is not KnownFields or not fields.unchanged:
        return _kept(fields, found, stoppers, upgrade)
    derived, way = fields.block.derived, (stoppers, upgrade)
    if (kept := derived.get(way)) is None:
        kept = derived[way] = KnownFields.of(Block(_kept(fields, found, stoppers, upgrade)))
    return kept


def _kept(
    fields: RawHeaders, found: dict[bytes, bytes], stoppers: frozenset[bytes], upgrade: bool
) -> RawHeaders:
    stopped = stoppers.intersection(found)
    for name in (b"connection", b"proxy-connection"):
        if name in found:
            stopped |= {token.strip().lower() for token in found[name].split(b",")} - _NEVER_STOPPED
    kept = [field for field in fields if field[0].lower() not in stopped]
    if upgrade and b"upgrade" in found:
        kept += [(b"Upgrade", found[b"upgrade"]), (b"Connection", b"Upgrade")]
    return kept


def _framed(
    fields: RawHeaders,
    found: dict[bytes, bytes],
    body: bytes | None,
    needed: bool,
    streamed: bool,
    message: Message,
) -> RawHeaders:
    """*fields* with a Content-Length that is true. RFC 9112 section 6.

    A chunked message stays chunked. A length that a transforming stream makes unknowable is dropped, and
    the codec chooses the framing then.
    """
    if b"transfer-encoding" in found:
        return fields
    length = found.get(b"content-length")
    if streamed:
        known = length is not None and not callable(message.stream)
        if known or (length is None and not _declares_nothing(message)):
            return fields
        chunked = [(b"Transfer-Encoding", b"chunked")] if isinstance(message, Request) else []
        return _without_length(fields) + chunked
    if length is None and message.trailers:
        return [*fields, (b"Transfer-Encoding", b"chunked")]  # or there is no place for them in HTTP/1
    actual = b"%d" % len(body or b"")
    if length == actual or (length is None and not needed):
        return fields
    return [*_without_length(fields), (b"Content-Length", actual)]


def _declares_nothing(message: Message) -> bool:
    """Whether *message* came in a version that has no reason phrase, and frames bodies beneath its fields."""
    return not message.version_bytes.startswith(b"HTTP/1")


def _without_length(fields: RawHeaders) -> RawHeaders:
    return [field for field in fields if field[0].lower() != b"content-length"]


def is_endless(message: Message) -> bool:
    """Whether *message* is of a kind whose parts are wanted as they come."""
    kind = notable(message.headers.fields).get(b"content-type")
    return kind is not None and kind.lower().startswith(_ENDLESS)


def ends_with_connection(response: Response) -> bool:
    """Whether only the end of the connection tells where the body ends. RFC 9112 section 6.3."""
    return response.version_bytes.startswith(b"HTTP/1") and not is_chunked(response)


def is_chunked(message: Message) -> bool:
    return b"transfer-encoding" in notable(message.headers.fields)


def declared_length(message: Message) -> int | None:
    """The length that *message* says its body has."""
    value = notable(message.headers.fields).get(b"content-length")
    return int(value) if value and value.isdigit() else None
