"""The key of an opening handshake of WebSocket, and what answers it. RFC 6455 section 4.2.2."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha1

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def accept_value(key: bytes) -> bytes:
    """The Sec-WebSocket-Accept that belongs to a Sec-WebSocket-Key."""
    return b64encode(sha1(key + _GUID, usedforsecurity=False).digest())
