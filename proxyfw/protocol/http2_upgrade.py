"""``Upgrade: h2c``: a request of HTTP/1.1 that is answered as stream 1 of HTTP/2. RFC 7540 section 3.2.

RFC 9113 has it no more, but clients ask for it still. What is not asked for exactly as it has to be is no
fault: it is answered in HTTP/1.1. Knows heads only.
"""

from __future__ import annotations

from binascii import a2b_base64
from string import ascii_letters, digits

from proxyfw.protocol.events import RequestHead, ResponseHead
from proxyfw.protocol.fields import notable
from proxyfw.protocol.http1_head import has_token

PROTOCOL = b"h2c"
SWITCHING = ResponseHead(101, [(b"Connection", b"Upgrade"), (b"Upgrade", PROTOCOL)], b"Switching Protocols")
_SETTINGS = b"http2-settings"
_URL_SAFE = (ascii_letters + digits + "-_").encode()


def requested_settings(head: RequestHead) -> bytes | None:
    """The payload of the SETTINGS that *head* brings if it asks for HTTP/2; None if it does not.

    Nor does it in absolute-form: curl would put whole URLs into ``:path`` for the rest of the connection.
    """
    known = notable(head.headers)
    if not has_token(known.get(b"upgrade"), PROTOCOL) or head.version != b"HTTP/1.1":
        return None
    if head.scheme or head.method == b"CONNECT":
        return None
    connection = known.get(b"connection")
    if not (has_token(connection, b"upgrade") and has_token(connection, _SETTINGS)):
        return None
    values = [value for name, value in head.headers if name.lower() == _SETTINGS]
    return _decoded(values[0]) if len(values) == 1 else None


def _decoded(value: bytes) -> bytes | None:
    """*value* of base64url without padding, or None if it is not that. RFC 4648 section 5."""
    if value.translate(None, _URL_SAFE) or len(value) % 4 == 1:
        return None
    return a2b_base64(value.translate(bytes.maketrans(b"-_", b"+/")) + b"=" * (-len(value) % 4))
