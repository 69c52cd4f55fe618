"""View ``socket.io``: the packets of Engine.IO 3 and 4, and what Socket.IO says in them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from proxyfw.contentviews import Metadata

from .json import laid_out

_ENGINE = ("open", "close", "ping", "pong", "message", "upgrade", "noop")
_SOCKET = ("connect", "disconnect", "event", "ack", "connect_error", "binary_event", "binary_ack")
_PACKET = re.compile(r"([0-6])(?:(\d{1,9})-)?(?:(/[^,]{0,999}),?)?(\d{0,18})")
_LENGTH = re.compile(r"(\d{1,9}):")


def prettify(data: bytes, metadata: Metadata) -> str:
    """A packet after the other. Raises ValueError if it is none."""
    text = metadata.decode(data)
    return "\n".join(_packet(packet) for packet in _packets(text))


def _packets(text: str) -> Iterator[str]:
    """Packets of a polled body: separated by a control character, or (version 3) after their lengths."""
    if not _LENGTH.match(text):
        yield from text.split("\x1e")
        return
    at = 0
    while at < len(text):
        length = _LENGTH.match(text, at)
        if length is None:
            raise ValueError(f"no Engine.IO: a length is missing at character {at}")
        at = length.end() + int(length[1])
        yield text[length.end() : at]


def _packet(packet: str) -> str:
    if packet.startswith("b"):
        return f"binary {packet[1:]}"
    if not packet[:1].isdecimal() or int(packet[0]) >= len(_ENGINE):
        raise ValueError(f"no Engine.IO: there is no packet {packet[:1]!r}")
    kind, rest = _ENGINE[int(packet[0])], packet[1:]
    if kind != "message":
        return _said(kind, rest)
    head = _PACKET.match(rest)
    if head is None:
        return _said(kind, rest)
    attachments = f" ({head[2]} attachments)" if head[2] else ""
    place = f" {head[3]}" if head[3] else ""
    number = f" #{head[4]}" if head[4] else ""
    return _said(f"{_SOCKET[int(head[1])]}{place}{number}{attachments}", rest[head.end() :])


def _said(title: str, text: str) -> str:
    if not text:
        return title
    try:
        return f"{title} {laid_out(text)}"
    except ValueError:
        return f"{title} {text}"
