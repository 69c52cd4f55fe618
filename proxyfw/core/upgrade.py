"""What a 101 response leads to: how both sides speak from now on, as their heads agreed. RFC 6455.

Each side has its own agreement, since an addon may have changed either head on its way.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from proxyfw.exceptions import ProtocolError
from proxyfw.http import Request
from proxyfw.protocol.events import RawHeaders
from proxyfw.protocol.permessage_deflate import agreed

if TYPE_CHECKING:
    from proxyfw.protocol.websocket import WebSocketCodec

    Codecs = tuple[WebSocketCodec, WebSocketCodec]
    """Towards the client, and towards the origin."""

log = logging.getLogger("proxyfw")


def asks_for_websocket(request: Request) -> bool:
    """Whether *request* is the opening handshake of a WebSocket, which has no body. RFC 6455 section 4.1."""
    headers = request.headers
    has_body = "content-length" in headers or "transfer-encoding" in headers
    return (
        request.method_bytes == b"GET" and headers.get("upgrade", "").lower() == "websocket" and not has_body
    )


def websocket_codecs(
    request: Request, accepted: RawHeaders, answered: RawHeaders, limit: float
) -> Codecs | None:
    """The codecs of a WebSocket connection, or None if it is not one that can be read.

    *accepted* are the fields of the origin's answer, *answered* those that the client got; *limit* is that of
    a message in bytes.
    """
    if request.headers.get("upgrade", "").lower() != "websocket" or not _is_websocket(accepted):
        return None
    from proxyfw.protocol.websocket import WebSocketCodec  # wsproto is not light, and seldom needed

    try:
        return WebSocketCodec(False, agreed(answered), limit), WebSocketCodec(True, agreed(accepted), limit)
    except ProtocolError as e:
        log.warning("%s: passed through as raw bytes: %s", request.pretty_url, e)
        return None


def _is_websocket(fields: RawHeaders) -> bool:
    return any(name.lower() == b"upgrade" and value.lower() == b"websocket" for name, value in fields)
