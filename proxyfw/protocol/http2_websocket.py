"""WebSocket over HTTP/2, told as the upgrade of HTTP/1.1 that it stands for. RFC 8441.

An extended CONNECT reads as ``GET`` with ``Upgrade: websocket``, a 2xx answer to it as 101, and the reverse
when they are sent. So nobody above the codec has to know which version a WebSocket came in.
"""

from __future__ import annotations

import base64
import os

from proxyfw.model.websocket_handshake import accept_value
from proxyfw.protocol.events import RawHeaders, RequestHead, ResponseHead

PROTOCOL = b"websocket"
"""The value of ``:protocol``."""

_KEY, _ACCEPT = b"sec-websocket-key", b"sec-websocket-accept"
_UPGRADE: RawHeaders = [(b"Upgrade", b"websocket"), (b"Connection", b"Upgrade")]
_LENGTH = b"content-length"


def upgrade_fields(fields: RawHeaders) -> tuple[RawHeaders, bytes]:
    """The *fields* of an extended CONNECT as those of an upgrade, with a key of ours, and that key.

    There is no key in HTTP/2, and none that came anyway is of use. RFC 8441 section 5.
    """
    key = base64.b64encode(os.urandom(16))
    kept = [field for field in fields if field[0] not in (_KEY, _LENGTH)]
    return [*kept, *_UPGRADE, (b"Sec-WebSocket-Key", key)], key


def connect_fields(head: RequestHead) -> tuple[RawHeaders, bytes]:
    """The fields of an upgrade as those of an extended CONNECT, and the key that they had."""
    kept: RawHeaders = []
    key = b""
    for field in head.headers:
        name = field[0].lower()
        if name == _KEY:
            key = field[1]
        elif name != _LENGTH:
            kept.append(field)
    return kept, key


def switching(answer: ResponseHead, key: bytes) -> ResponseHead:
    """The *answer* to an extended CONNECT as that to the upgrade with *key*: 101 if it is accepted."""
    if not 200 <= answer.status < 300:
        return answer
    kept = [field for field in answer.headers if field[0] not in (_ACCEPT, _LENGTH)]
    fields = [*kept, *_UPGRADE, (b"Sec-WebSocket-Accept", accept_value(key))]
    return ResponseHead(101, fields, b"", answer.version)


def accepting(answer: ResponseHead) -> ResponseHead:
    """The *answer* to an upgrade as that to an extended CONNECT: 200 if the protocol is switched.

    Any other 2xx is 502: the client would take it for a WebSocket. RFC 8441 section 5.
    """
    if answer.status == 101:
        kept = [field for field in answer.headers if field[0].lower() not in (_ACCEPT, _LENGTH)]
        return ResponseHead(200, kept)
    if 200 <= answer.status < 300:
        return ResponseHead(502, answer.headers)
    return answer
