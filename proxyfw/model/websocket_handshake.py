"""The answer to the opening handshake of a WebSocket. RFC 6455 section 4.2.2."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha1

from proxyfw.model.headers import Headers

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def accept_value(key: bytes) -> bytes:
    """The Sec-WebSocket-Accept that belongs to a Sec-WebSocket-Key."""
    return b64encode(sha1(key + _GUID, usedforsecurity=False).digest())


def answer_to(asked: Headers, protocol: str | None) -> Headers | None:
    """The fields of the answer to those of a handshake; None if they are not.

    *protocol* is the subprotocol; if it is None, the first that is offered.
    """
    key = asked.get("sec-websocket-key")
    if asked.get("upgrade", "").lower() != "websocket" or not key:
        return None
    fields = Headers([(b"Upgrade", b"websocket"), (b"Connection", b"Upgrade")])
    fields["Sec-WebSocket-Accept"] = accept_value(key.encode())
    protocol = protocol or asked.get("sec-websocket-protocol", "").partition(",")[0].strip()
    if protocol:
        fields["Sec-WebSocket-Protocol"] = protocol
    return fields
