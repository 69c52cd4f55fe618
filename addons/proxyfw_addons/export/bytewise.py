"""Literals of languages whose strings are bytes: printable ASCII, and ``\\xNN`` for all else."""

from __future__ import annotations

_SPECIAL = {0x0A: "\\n", 0x0D: "\\r", 0x09: "\\t", 0x22: '\\"', 0x5C: "\\\\"}
_TABLE = [_SPECIAL.get(byte, chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02x}") for byte in range(256)]


def quoted(data: bytes) -> str:
    """*data* in double quotes, as Go reads it, and Rust after a ``b``."""
    return '"' + "".join([_TABLE[byte] for byte in data]) + '"'
