"""Header lists of HTTP/2: what may stand in one, and how it becomes a head and back. RFC 9113 section 8.

Knows bytes only; the state of a stream is elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from proxyfw.exceptions import LocalProtocolError, ProtocolError
from proxyfw.protocol.events import Informational, RawHeaders, RequestHead, ResponseHead, Trailers
from proxyfw.protocol.http1_head import (
    CONTROLS,
    TOKEN_CHARACTERS,
    UNDECLARED,
    body_length,
    is_token,
    quote,
    split_target,
    trailer_fields,
    write_fields,
)
from proxyfw.protocol.http2_hpack import HIDDEN_LENGTH, Sensitive
from proxyfw.protocol.http2_names import VERSION
from proxyfw.protocol.http2_websocket import PROTOCOL, connect_fields

_REQUEST_PSEUDO = frozenset({b":method", b":scheme", b":authority", b":path"})
_EXTENDED = _REQUEST_PSEUDO | {b":protocol"}
"""What may be used where extended CONNECT was offered. RFC 8441 section 4."""
_RESPONSE_PSEUDO = frozenset({b":status"})
_FOR_ONE_CONNECTION = frozenset(
    {b"connection", b"proxy-connection", b"keep-alive", b"transfer-encoding", b"upgrade", b"http2-settings"}
)
"""RFC 9113 section 8.2.2."""
_FORBIDDEN = _FOR_ONE_CONNECTION - {b"http2-settings"}
_SPECIAL = _FORBIDDEN | {b"te", b"host", b"cookie", HIDDEN_LENGTH}
_NOT_INDEXED = frozenset({b"authorization", b"proxy-authorization"})
_SHORT_COOKIE = 20
"""Cookies below this length could be guessed from sizes on the wire. RFC 7541 section 7.1.3."""

_LOWER_TOKEN = TOKEN_CHARACTERS.translate(None, b"ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_NOT_IN_PATHS = bytes([*range(33), 127]) + b"#"
_ENTRY_OVERHEAD = 32
"""What each field counts beside its own length. RFC 9113 section 6.5.2."""

Block = Sequence[tuple[bytes, bytes]]


# Receiving


def read_request(block: Block, limit: int, websocket: bool = False) -> tuple[RequestHead, int]:
    """The head of a request and the body length that it declares.

    That of an extended CONNECT, which there may be if *websocket*, is marked ``websocket``.
    Raises ProtocolError: 400, 431, or 501.
    """
    pseudo, fields = _split(block, limit, _EXTENDED if websocket else _REQUEST_PSEUDO)
    headers, length, host = _settled(fields)
    method, authority = pseudo.get(b":method", b""), pseudo.get(b":authority", b"")
    if not is_token(method):
        raise ProtocolError(f":method is missing or not a method: {quote(method)}")
    if authority and not _is_authority(authority):
        raise ProtocolError(f":authority is not host[:port]: {quote(authority)}")
    if host is not None and authority and _entity(host) != _entity(authority):
        raise ProtocolError(f"Host {quote(host)} is another than :authority {quote(authority)}")
    protocol = pseudo.get(b":protocol")
    if protocol is not None and method != b"CONNECT":
        raise ProtocolError(f":protocol is for CONNECT, not for {quote(method)}")
    if method == b"CONNECT" and protocol is None:
        if set(pseudo) != {b":method", b":authority"}:
            raise ProtocolError("a CONNECT request has :method and :authority only")
        return RequestHead(method, b"", headers, VERSION, b"", authority), length
    scheme, path = pseudo.get(b":scheme", b""), pseudo.get(b":path", b"")
    if not (authority or host):
        raise ProtocolError("the request has neither :authority nor Host")
    if not scheme or not is_token(scheme):
        raise ProtocolError(f":scheme is missing or not a scheme: {quote(scheme)}")
    if (path[:1] != b"/" and (path, method) != (b"*", b"OPTIONS")) or path.translate(
        None, _NOT_IN_PATHS
    ) != path:
        raise ProtocolError(f":path is missing or not a path: {quote(path)}")
    if protocol is not None and protocol.lower() != PROTOCOL:
        raise ProtocolError(f":protocol {quote(protocol)} is not understood", 501)
    extended = protocol is not None
    return RequestHead(method, path, headers, VERSION, scheme.lower(), authority, websocket=extended), length


def read_response(block: Block, limit: int) -> tuple[ResponseHead | Informational, int]:
    """The head of a response and the body length that it declares. Raises ProtocolError."""
    pseudo, fields = _split(block, limit, _RESPONSE_PSEUDO)
    headers, length, _ = _settled(fields)
    status = pseudo.get(b":status", b"")
    if len(status) != 3 or not status.isdigit() or status[:1] == b"0" or status == b"101":
        raise ProtocolError(f":status is missing or not a status: {quote(status)}")
    kind = Informational if status[:1] == b"1" else ResponseHead
    return kind(int(status), headers, b"", VERSION), length


def read_trailers(block: Block, limit: int) -> Trailers:
    """Raises ProtocolError."""
    _, fields = _split(block, limit, frozenset())
    return Trailers(_settled(fields)[0])


def _split(block: Block, limit: int, allowed: frozenset[bytes]) -> tuple[dict[bytes, bytes], Block]:
    """Pseudo-header fields, which come first, and the others. RFC 9113 section 8.3."""
    size = sum([len(name) + len(value) for name, value in block]) + _ENTRY_OVERHEAD * len(block)
    if size > limit:
        raise ProtocolError(f"header list of {size} bytes, at most {limit} are allowed", 431)
    pseudo: dict[bytes, bytes] = {}
    for name, value in block:
        if name[:1] != b":":
            break
        if name in pseudo or name not in allowed:
            raise ProtocolError(f"pseudo-header field {quote(name)} is repeated or not allowed here")
        pseudo[name] = value
    return pseudo, block[len(pseudo) :]


def _settled(fields: Block) -> tuple[RawHeaders, int, bytes | None]:
    """*fields* if they are allowed, the length they declare, and Host. Raises ProtocolError."""
    headers = list(fields)
    names = [name for name, _ in headers]
    length, host = UNDECLARED, None
    if not _SPECIAL.isdisjoint(names):
        headers, length, host = _special(headers)
        names = [name for name, _ in headers]
    values = b"\n".join([value for _, value in headers])
    if (
        b"".join(names).translate(None, _LOWER_TOKEN)
        or b"" in names
        or len(values.translate(None, CONTROLS)) != len(values) - max(len(names) - 1, 0)
        or _has_padding(values)
    ):
        raise _field_fault(headers)
    return headers, length, host


def _special(fields: RawHeaders) -> tuple[RawHeaders, int, bytes | None]:
    """Look at the fields that mean something here; join Cookie crumbs where the first one stands.

    RFC 9113 sections 8.1.1, 8.2.2 and 8.2.3.
    """
    kept: RawHeaders = []
    length, host, cookie = UNDECLARED, None, -1
    for field in fields:
        name, value = field
        if name not in _SPECIAL:
            kept.append(field)
        elif name in _FORBIDDEN:
            raise ProtocolError(f"header {quote(name)} is not allowed in HTTP/2")
        elif name == b"cookie":
            if cookie < 0:
                cookie = len(kept)
                kept.append(field)
            else:
                kept[cookie] = Sensitive(b"cookie", kept[cookie][1] + b"; " + value)
        elif name is HIDDEN_LENGTH:
            if length != UNDECLARED:
                raise ProtocolError("more than one Content-Length")
            length = body_length({b"content-length": value})
            kept.append((b"content-length", value))
        elif name == b"te":
            if value.lower() != b"trailers":
                raise ProtocolError(f"te may only be trailers in HTTP/2, not {quote(value)}")
            kept.append(field)
        elif name == b"host":
            if host is not None:
                raise ProtocolError("more than one Host header")
            host = value
            kept.append(field)
        else:
            raise ProtocolError(f"header name with a capital letter: {quote(name)}")
    return kept, length, host


def _has_padding(values: bytes) -> bool:
    """Whether a value, of those joined by line feeds, begins or ends with whitespace. RFC 9113 8.2.1."""
    if values[:1] in (b" ", b"\t") or values[-1:] in (b" ", b"\t"):
        return True
    return b"\n " in values or b" \n" in values or b"\n\t" in values or b"\t\n" in values


def _field_fault(fields: RawHeaders) -> ProtocolError:
    for name, value in fields:
        if name[:1] == b":":
            return ProtocolError(f"pseudo-header field {quote(name)} is not allowed here")
        if not name or name.translate(None, _LOWER_TOKEN):
            return ProtocolError(f"header name with a character that is not allowed: {quote(name)}")
        if value.translate(None, CONTROLS) != value or value.strip(b" \t") != value:
            return ProtocolError(
                f"header {quote(name)} has a control character or outer whitespace: {quote(value)}"
            )
    raise AssertionError("no header is at fault")


def _entity(authority: bytes) -> bytes:
    """*authority* without what makes no difference."""
    return authority.lower().removesuffix(b":443").removesuffix(b":80")


@lru_cache(maxsize=1024)
def _is_authority(authority: bytes) -> bool:
    try:
        split_target(b"GET", b"http://%b/" % authority)
    except ProtocolError:
        return False
    return authority.translate(None, b"/?#") == authority


# Sending


def request_block(head: RequestHead) -> RawHeaders:
    """*head* as a header list: Host becomes ``:authority``, else what the head says. RFC 9113 section 8.3.1.

    Raises LocalProtocolError.
    """
    fields, host = _outgoing(connect_fields(head)[0] if head.websocket else head.headers)
    authority = head.authority if host is None else host
    if not is_token(head.method):
        raise LocalProtocolError(f"request method {quote(head.method)} is not allowed")
    if authority and not _is_authority(authority):
        raise LocalProtocolError(f"{quote(authority)} is not host[:port]")
    if head.accepts_trailers:
        fields.append((b"te", b"trailers"))
    if head.method == b"CONNECT":
        return [(b":method", b"CONNECT"), (b":authority", authority), *fields]
    target = head.target
    if not target or target.translate(None, _NOT_IN_PATHS) != target:
        raise LocalProtocolError(f"request target {quote(target)} is empty or not a path")
    first = [(b":method", head.method), (b":scheme", head.scheme or b"https")]
    if head.websocket:
        first = [(b":method", b"CONNECT"), (b":protocol", PROTOCOL), first[1]]
    if authority:
        first.append((b":authority", authority))
    return [*first, (b":path", target), *fields]


def response_block(head: ResponseHead | Informational) -> RawHeaders:
    """*head* as a header list, without its reason. Raises LocalProtocolError."""
    if not 100 <= head.status <= 999 or head.status == 101:
        raise LocalProtocolError(f"status {head.status} cannot be sent over HTTP/2")
    fields, _ = _outgoing(head.headers, None)
    return [(b":status", b"%d" % head.status), *fields]


def trailers_block(headers: RawHeaders) -> RawHeaders:
    """Raises LocalProtocolError."""
    return _outgoing(trailer_fields(headers), None)[0]


def block_size(block: Block) -> int:
    """The size of a header list as its receiver counts it. RFC 9113 section 6.5.2."""
    return sum([len(name) + len(value) for name, value in block]) + _ENTRY_OVERHEAD * len(block)


def _outgoing(fields: RawHeaders, apart: bytes | None = b"host") -> tuple[RawHeaders, bytes | None]:
    """*fields* in lower case without those that speak of an HTTP/1 connection; the value of *apart* apart."""
    host: bytes | None = None
    out: RawHeaders = []
    for field in fields:
        name, value = field
        lower = name.lower()
        if lower in _FOR_ONE_CONNECTION or lower == b"te":
            continue
        if lower == apart:
            host = value
        elif lower in _NOT_INDEXED or (lower == b"cookie" and len(value) < _SHORT_COOKIE):
            out.append(Sensitive(lower, value))
        else:
            out.append(field if lower == name else (lower, value))
    names = [name for name, _ in out]
    values = b"\n".join([value for _, value in out])
    if (
        b"".join(names).translate(None, _LOWER_TOKEN)
        or b"" in names
        or len(values.translate(None, CONTROLS)) != len(values) - max(len(names) - 1, 0)
    ):
        write_fields(fields)  # names the header at fault
    return ([(name, value.strip(b" \t")) for name, value in out] if _has_padding(values) else out), host
