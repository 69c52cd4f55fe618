"""View ``grpc``: the messages of a call, unpacked and read as protobuf; gRPC-Web, too."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from proxyfw.contentviews import Metadata
from proxyfw.http import HTTPFlow, Request

from .protobuf import shown

if TYPE_CHECKING:
    from .protobuf_types import Types

MOST_MESSAGES = 500
"""Messages that are shown."""
MOST_UNPACKED = 1024**2
"""Bytes that all messages of a body may have once unpacked."""
_COMPRESSED, _TRAILERS = 0x01, 0x80
_WINDOWS = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}


def prettify(data: bytes, metadata: Metadata, types: Types | None = None) -> str:
    """Service and method, then a message after the other. Raises ValueError if there is none."""
    if (metadata.content_type or "").startswith("application/grpc-web-text"):
        data = base64.b64decode(data + b"==")
    path, name = _method(metadata, types)
    parts = list(_messages(data, metadata, types, name))
    if path:
        service, _, method = path.strip("/").rpartition("/")
        parts.insert(0, f"service {service}, method {method}" if service else f"method {method}")
    return "\n\n".join(parts)


def _method(metadata: Metadata, types: Types | None) -> tuple[str, str | None]:
    if not isinstance(metadata.flow, HTTPFlow):
        return "", None
    path = metadata.flow.request.path.partition("?")[0]
    names = types.of_method(path) if types else None
    if names is None:
        return path, None
    return path, names[0] if isinstance(metadata.http_message, Request) else names[1]


def _messages(data: bytes, metadata: Metadata, types: Types | None, name: str | None) -> Iterator[str]:
    coding = metadata.http_message.headers.get("grpc-encoding", "gzip") if metadata.http_message else "gzip"
    at, room = 0, MOST_UNPACKED
    for number in range(1, MOST_MESSAGES + 1):
        if at >= len(data):
            return
        if len(data) - at < 5:
            raise ValueError(f"no gRPC: message {number} breaks off in its head")
        flags, length = struct.unpack_from(">BI", data, at)
        if flags & ~(_COMPRESSED | _TRAILERS):
            raise ValueError(f"no gRPC: message {number} has the flags {flags:#04x}")
        body = data[at + 5 : at + 5 + length]
        title = f"message {number} ({length} bytes{f', {coding}' if flags & _COMPRESSED else ''})"
        at += 5 + length
        if len(body) < length:
            yield f"{title}: it breaks off after {len(body)} bytes"
            return
        if flags & _TRAILERS:
            yield f"trailers\n{body.decode('utf-8', 'backslashreplace').strip()}"
            continue
        if flags & _COMPRESSED:
            body = _unpacked(body, coding, room)
        room -= len(body)
        yield f"{title}\n{_message(body, types, name)}".rstrip()
    if at < len(data):
        yield f"(only the first {MOST_MESSAGES} messages are shown)"


def _message(body: bytes, types: Types | None, name: str | None) -> str:
    try:
        return shown(body, types, name)
    except ValueError as problem:
        return f"0x{body.hex()}\n({problem})"


def _unpacked(body: bytes, coding: str, room: int) -> bytes:
    window = _WINDOWS.get(coding)
    if window is None:
        raise ValueError(f"messages in {coding} cannot be unpacked here")
    stream = zlib.decompressobj(window)
    try:
        unpacked = stream.decompress(body, max(room, 1))
    except zlib.error as problem:
        raise ValueError(f"a message is not valid {coding}: {problem}") from problem
    if stream.unconsumed_tail:
        raise ValueError(f"the messages are more than {MOST_UNPACKED} bytes once unpacked")
    return unpacked
