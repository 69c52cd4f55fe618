"""View ``hex``: offsets, bytes, and what of them is ASCII."""

from __future__ import annotations

from proxyfw.contentviews import Metadata


def prettify(data: bytes, metadata: Metadata) -> str:
    """Sixteen bytes a line, no more lines than are wanted."""
    rows = range(0, len(data) if metadata.lines is None else min(len(data), metadata.lines * 16), 16)
    return "\n".join(_row(offset, data[offset : offset + 16]) for offset in rows)


def _row(offset: int, data: bytes) -> str:
    readable = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in data)
    return f"{offset:08x}  {data.hex(' '):47}  {readable}"
