"""As much of WebSocket as a benchmark needs: unfragmented binary messages. RFC 6455 section 5.2."""

from __future__ import annotations

import struct

BINARY, CLOSE = 2, 8
_FINAL, _MASKED = 0x80, 0x80


def frame(payload: bytes, mask: bytes = b"", opcode: int = BINARY) -> bytes:
    """One message; *mask*, of 4 bytes, is what clients have to use."""
    size, masked = len(payload), _MASKED if mask else 0
    if size < 126:
        head = struct.pack("!BB", _FINAL | opcode, masked | size)
    elif size < 1 << 16:
        head = struct.pack("!BBH", _FINAL | opcode, masked | 126, size)
    else:
        head = struct.pack("!BBQ", _FINAL | opcode, masked | 127, size)
    return head + mask + (xor(payload, mask) if mask else payload)


def read_frame(data: bytes | bytearray) -> tuple[int, bytes, int] | None:
    """Opcode, payload and length of the first frame in *data*; None while it is not complete.

    Raises ValueError for a fragment.
    """
    if len(data) < 2:
        return None
    if not data[0] & _FINAL:
        raise ValueError("a fragmented message")
    form, position = data[1] & 0x7F, 2
    if form > 125:
        position = 4 if form == 126 else 10
        if len(data) < position:
            return None
    size = form if form < 126 else int.from_bytes(data[2:position], "big")
    mask = bytes(data[position : position + 4]) if data[1] & _MASKED else b""
    start = position + (4 if data[1] & _MASKED else 0)
    if len(data) < start + size:
        return None
    payload = bytes(data[start : start + size])
    return data[0] & 0x0F, xor(payload, mask) if mask else payload, start + size


def xor(data: bytes, mask: bytes) -> bytes:
    size = len(data)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(data, "little") ^ int.from_bytes(key, "little")).to_bytes(size, "little")
