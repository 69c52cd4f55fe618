"""The WebSocket extension permessage-deflate: offers, what was agreed upon, compressing, inflating. RFC 7692.

It speaks about messages and pieces of them; frames are the codec's.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from proxyfw.exceptions import ProtocolError
from proxyfw.protocol.events import RawHeaders

NAME = b"permessage-deflate"
FIELD = b"sec-websocket-extensions"

_TAIL = b"\x00\x00\xff\xff"
"""What a sender takes off the end of each compressed message. RFC 7692 section 7.2.1."""
_EMPTY = b"\x00"
"""A compressed message of no bytes. RFC 7692 section 7.2.3.6."""
_MEMORY_LEVEL = 5
"""Of zlib's compressor: 16 KiB beside its window, an eighth of the usual; sockets are many and live long."""
_ITEM = re.compile(rb'(?:[^,"]|"(?:\\.|[^"\\])*")+')


@dataclass(frozen=True, slots=True)
class Deflate:
    """What both ends of one connection agreed upon. RFC 7692 section 7.1."""

    server_no_context_takeover: bool = False
    client_no_context_takeover: bool = False
    server_max_window_bits: int = 15
    client_max_window_bits: int = 15


def understood(fields: RawHeaders) -> RawHeaders:
    """*fields* of a request, offering no extension but this one; the very list if nothing has to go."""
    offers = [offer for name, value in fields if name.lower() == FIELD for offer in _items(value)]
    kept = [offer for offer in offers if _name(offer) == NAME]
    if len(kept) == len(offers):
        return fields
    others = [field for field in fields if field[0].lower() != FIELD]
    return [*others, (b"Sec-WebSocket-Extensions", b", ".join(kept))] if kept else others


def agreed(fields: RawHeaders) -> Deflate | None:
    """What the *fields* of a 101 response agree upon; None is no extension at all.

    Raises ProtocolError (502) if it is anything else: the frames that follow cannot be understood then.
    """
    items = [item for name, value in fields if name.lower() == FIELD for item in _items(value)]
    if not items:
        return None
    if len(items) > 1 or _name(items[0]) != NAME:
        raise _not_understood(b", ".join(items))
    parameters: dict[str, bool | int] = {}
    for parameter in items[0].split(b";")[1:]:
        name, value = _parameter(parameter)
        if name in parameters or value is None:
            raise _not_understood(items[0])
        parameters[name] = value
    return Deflate(**parameters)  # type: ignore[arg-type]  # _parameter gives each name its type


def _items(value: bytes) -> Iterator[bytes]:
    return (item for part in _ITEM.findall(value) if (item := part.strip()))


def _name(item: bytes) -> bytes:
    return item.partition(b";")[0].strip().lower()


def _parameter(text: bytes) -> tuple[str, bool | int | None]:
    """One parameter of an agreement; the value is None if it has no meaning there."""
    name, equals, raw = text.partition(b"=")
    name, value = name.strip().lower(), raw.strip().strip(b'"')
    if name in (b"server_no_context_takeover", b"client_no_context_takeover"):
        return name.decode(), None if equals else True
    if name in (b"server_max_window_bits", b"client_max_window_bits"):
        bits = int(value) if value.isdigit() and len(value) < 3 else 0
        return name.decode(), bits if 8 <= bits <= 15 else None
    return name.decode("latin-1"), None


def _not_understood(item: bytes) -> ProtocolError:
    return ProtocolError(f"the WebSocket extension {item[:100]!r} is not understood", 502)


class Deflater:
    """Compresses the messages that go one way."""

    __slots__ = ("_bits", "_stream", "_takeover")

    def __init__(self, bits: int, takeover: bool) -> None:
        self._bits = bits
        self._takeover = takeover
        self._stream: zlib._Compress | None = None

    def fragment(self, data: bytes, final: bool) -> bytes:
        """The payload of the next frame of a message."""
        stream = self._stream
        if stream is None:
            stream = self._stream = zlib.compressobj(
                zlib.Z_DEFAULT_COMPRESSION, zlib.DEFLATED, -self._bits, _MEMORY_LEVEL
            )
        out = stream.compress(data)
        if not final:
            return out
        out += stream.flush(zlib.Z_SYNC_FLUSH)
        if not self._takeover:
            self._stream = None
        return out[:-4] or _EMPTY


class Inflater:
    """Inflates the messages that come one way. Raises zlib.error for what is not compressed."""

    __slots__ = ("_stream", "_takeover")

    def __init__(self, takeover: bool) -> None:
        self._takeover = takeover
        self._stream: zlib._Decompress | None = None

    def piece(self, data: bytes, room: int) -> bytes:
        """What *data* amounts to, cut off after *room* + 1 bytes; *room* below zero is without limit."""
        out = b""
        while data:
            # The largest window reads what was written with any: some senders exceed the one agreed upon.
            stream = self._stream or zlib.decompressobj(-15, zdict=out[-32768:])
            self._stream = stream
            out += stream.decompress(data, 0 if room < 0 else room + 1 - len(out))
            if not stream.eof or (0 <= room < len(out)):
                break
            self._stream, data = None, stream.unused_data  # a final block within: RFC 7692 section 7.2.3.4
        return out

    def end(self, room: int) -> bytes:
        """The rest of the message."""
        out = self.piece(_TAIL, room)
        if not self._takeover:
            self._stream = None
        return out
