"""Strict reading and checking of HTTP/1 heads: request lines, status lines, fields, targets and framing.

Knows bytes only. Nothing here keeps the state of a connection; everything that could be read in two ways
is refused. RFC 9110 section 5, RFC 9112 sections 2 to 6.
"""

from __future__ import annotations

import re
from functools import lru_cache

from proxyfw.exceptions import LocalProtocolError, ProtocolError
from proxyfw.protocol.events import RawHeaders
from proxyfw.protocol.fields import OF_CONNECTIONS, KnownFields

CHUNKED = -1
"""Body length of a message in chunked coding."""
UNDECLARED = -2
"""Body length of a message that says nothing: none in a request, up to EOF in a response."""

TOKEN_CHARACTERS = b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
CONTROLS = bytes({*range(32), 127} - {9})

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_TEXT = rb"[^\x00-\x08\x0a-\x1f\x7f]*+"
_REQUEST_LINE = re.compile(rb"(" + _TOKEN + rb") ([^\x00-\x20\x7f]++) (HTTP/1\.[01])")
_OTHER_VERSION = re.compile(_TOKEN + rb" [^\x00-\x20\x7f]++ (HTTP/[0-9]+(?:\.[0-9]+)?)")
_STATUS_LINE = re.compile(rb"(HTTP/1\.[01]) ([1-9][0-9]{2})(?: (" + _TEXT + rb"))?")
_FIELD = re.compile(rb"^(" + _TOKEN + rb"):[ \t]*+(" + _TEXT + rb")\r\n", re.MULTILINE)
_ONE_TOKEN = re.compile(_TOKEN)
_ABSOLUTE = re.compile(rb"([A-Za-z][A-Za-z0-9+.\-]*+)://([^/?]*+)(.*+)", re.DOTALL)
_PATH = re.compile(rb"/[^\x00-\x20\x7f#]*+")
_AUTHORITY = re.compile(
    rb"(?:\[[0-9A-Za-z:.%_~\-]++\]|[^\x00-\x20\x7f\"#/:<>?@\[\\\]^`{|}]++)(?::([0-9]{1,5}))?"
)
_NOT_IN_TRAILERS = OF_CONNECTIONS | {b"trailer", b"content-encoding"}


def quote(data: bytes | bytearray) -> str:
    """Show the beginning of *data* (60 bytes) without control characters."""
    return repr(bytes(data[:60])) + ("..." if len(data) > 60 else "")


RequestLine = tuple[bytes, bytes, bytes, bytes, bytes]
"""Method, version, and of the target scheme, authority and path."""
StatusLine = tuple[bytes, int, bytes]
"""Version, status and reason."""


def parse_request_line(line: bytes) -> RequestLine:
    """Split a request line. Raises ProtocolError, 400 or 505."""
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        other = _OTHER_VERSION.fullmatch(line)
        if other is not None and other[1] != b"HTTP/0.9":
            raise ProtocolError(f"{other[1].decode()} is not spoken here, only HTTP/1.0 and HTTP/1.1", 505)
        raise ProtocolError(f"expected an HTTP/1 request line, received {quote(line)}")
    method, target, version = match.groups()
    return method, version, *split_target(method, target)


def parse_status_line(line: bytes) -> StatusLine:
    """Split a status line, in which the reason may be missing. Raises ProtocolError."""
    match = _STATUS_LINE.fullmatch(line)
    if match is None:
        raise ProtocolError(f"expected an HTTP/1 status line, received {quote(line)}", 502)
    return match[1], int(match[2]), match[3] or b""


def parse_fields(block: bytes) -> RawHeaders:
    """Split field lines, each ended by CRLF, into (name, value). Raises ProtocolError for a doubtful line."""
    fields: RawHeaders = _FIELD.findall(block)
    if len(fields) != block.count(b"\n"):
        raise ProtocolError(_fault(block))
    if b" \r\n" in block or b"\t\r\n" in block:
        return [(name, value.rstrip(b" \t")) for name, value in fields]
    return fields


def _fault(block: bytes) -> str:
    """Say what is wrong with the first line of *block* that is not a field."""
    line = next(line for line in block.split(b"\n") if not _FIELD.fullmatch(line + b"\n"))
    name, colon, _ = line.partition(b":")
    if not line.endswith(b"\r"):
        return f"header line ended by a bare line feed: {quote(line)}"
    if line[:1] in (b" ", b"\t"):
        return f"folded header line: {quote(line)}"
    if not colon:
        return f"header line without a colon: {quote(line)}"
    if not name:
        return f"header line without a name: {quote(line)}"
    if name.rstrip(b" \t") != name:
        return f"whitespace between header name and colon: {quote(line)}"
    if not _ONE_TOKEN.fullmatch(name):
        return f"header name with a character that is not allowed: {quote(name)}"
    return f"control character in the value of header {name.decode('ascii')}: {quote(line)}"


def check_host(headers: RawHeaders, known: dict[bytes, bytes]) -> None:
    """Refuse a second Host. RFC 9112 section 3.2."""
    # A repeated field is joined with a comma, so most messages need no second look.
    if b"," in known.get(b"host", b"") and sum(name.lower() == b"host" for name, _ in headers) > 1:
        raise ProtocolError("more than one Host header")


def has_token(value: bytes | None, token: bytes) -> bool:
    """Tell whether a comma-separated *value* contains *token* (lower case), whatever its case."""
    if not value:
        return False
    value = value.lower()
    return value == token or (token in value and token in [item.strip(b" \t") for item in value.split(b",")])


def keeps_alive(known: dict[bytes, bytes], version: bytes) -> bool:
    """Tell whether the sender of a head lets the connection persist. RFC 9112 section 9.3."""
    connection = known.get(b"connection")
    if has_token(connection, b"close"):
        return False
    return version == b"HTTP/1.1" or has_token(connection, b"keep-alive")


def body_length(known: dict[bytes, bytes], version: bytes = b"HTTP/1.1") -> int:
    """Return the declared length in bytes, CHUNKED or UNDECLARED. RFC 9112 section 6.3.

    Raises ProtocolError for everything that two readers could understand differently: both declarations,
    repeated or unusual numbers, any coding but one ``chunked``, and codings in HTTP/1.0.
    """
    length = known.get(b"content-length")
    coding = known.get(b"transfer-encoding")
    if coding is None:
        return UNDECLARED if length is None else _parse_length(length)
    if length is not None:
        raise ProtocolError("both Content-Length and Transfer-Encoding are present")
    if version != b"HTTP/1.1":
        raise ProtocolError("Transfer-Encoding is not allowed in HTTP/1.0")
    if coding.lower() != b"chunked":
        raise _coding_error(coding)
    return CHUNKED


def _parse_length(value: bytes) -> int:
    if not value.isdigit() or len(value) > 19:
        raise ProtocolError(
            f"Content-Length must be one decimal number of at most 19 digits, not {quote(value)}"
        )
    return int(value)


def _coding_error(coding: bytes) -> ProtocolError:
    names = [item.strip(b" \t") for item in coding.lower().split(b",")]
    if b"chunked" in names[:-1] or not all(_ONE_TOKEN.fullmatch(name) for name in names):
        return ProtocolError(f"Transfer-Encoding must be chunked, once and last, not {quote(coding)}")
    return ProtocolError(f"Transfer-Encoding {quote(coding)} is not supported, only chunked is", 501)


def split_target(method: bytes, target: bytes) -> tuple[bytes, bytes, bytes]:
    """Split a request target into scheme, authority and path, as `RequestHead` has them.

    Raises ProtocolError for a form that does not fit the method, user information and fragments.
    RFC 9112 section 3.2.
    """
    if b"#" in target:
        raise ProtocolError(f"fragment in the request target {quote(target)}")
    if method == b"CONNECT":
        _check_authority(target, port_needed=True)
        return b"", target, b""
    if target[0] == 0x2F or (target == b"*" and method == b"OPTIONS"):
        return b"", b"", target
    match = _ABSOLUTE.fullmatch(target)
    if match is None:
        raise ProtocolError(f"request target {quote(target)} does not fit {quote(method)}")
    scheme, authority, path = match.groups()
    _check_authority(authority)
    if not path:
        path = b"*" if method == b"OPTIONS" else b"/"
    elif path[0] != 0x2F:
        path = b"/" + path
    return scheme.lower(), authority, path


@lru_cache(maxsize=1024)  # the same few hosts, over and over
def _check_authority(authority: bytes, *, port_needed: bool = False) -> None:
    if b"@" in authority:
        # Not quoted: what stands before the @ may be a password.
        raise ProtocolError("user information in the request target is not allowed")
    match = _AUTHORITY.fullmatch(authority)
    if match is None or (port_needed and match[1] is None):
        raise ProtocolError(f"expected host{':port' if port_needed else ''}, received {quote(authority)}")
    if match[1] is not None and not 0 < int(match[1]) < 65536:
        raise ProtocolError(f"port out of range in {quote(authority)}")


def trailer_fields(headers: RawHeaders) -> RawHeaders:
    """Leave out fields that must not come after the body, because they frame or route it. RFC 9110 6.5.1."""
    return [field for field in headers if field[0].lower() not in _NOT_IN_TRAILERS]


def write_fields(headers: RawHeaders) -> bytes:
    """Return field lines as they stand. Raises LocalProtocolError that names the header at fault."""
    if type(headers) is KnownFields and headers.unchanged:
        return headers.block.text
    text = b"".join([value for _, value in headers])
    if not _are_names([name for name, _ in headers]) or len(text.translate(None, CONTROLS)) != len(text):
        raise _field_error(headers)
    return b"".join([b"%b: %b\r\n" % field for field in headers])


_names: set[bytes] = set()
"""Names that have been looked at: a look-up is cheaper than another look."""
_MEMORY = 4096


def _are_names(names: list[bytes]) -> bool:
    if _names.issuperset(names):
        return True
    if not all(map(is_token, names)):
        return False
    if len(_names) >= _MEMORY:
        _names.clear()
    _names.update(names)
    return True


def _field_error(headers: RawHeaders) -> LocalProtocolError:
    name, value = next(field for field in headers if not (is_token(field[0]) and is_text(field[1])))
    if not is_token(name):
        return LocalProtocolError(f"header name {quote(name)} is not allowed: use letters, digits and dashes")
    return LocalProtocolError(
        f"value of header {name.decode()} has a line break or control character: {quote(value)}"
    )


def is_token(data: bytes) -> bool:
    """Tell whether *data* can be a method or header name."""
    return bool(data) and not data.translate(None, TOKEN_CHARACTERS)


def is_text(data: bytes) -> bool:
    """Tell whether *data* can be a reason phrase or header value."""
    return len(data.translate(None, CONTROLS)) == len(data)


def check_target(method: bytes, target: bytes) -> None:
    """Refuse to send a *target* that cannot stand in a request line. Raises LocalProtocolError."""
    if _PATH.fullmatch(target) and method != b"CONNECT":
        return
    if not target or b" " in target or b"\t" in target or not is_text(target):
        raise LocalProtocolError(
            f"request target {quote(target)} is empty or has whitespace or a control character"
        )
    try:
        split_target(method, target)
    except ProtocolError as exc:
        raise LocalProtocolError(str(exc)) from None
