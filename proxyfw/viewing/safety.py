"""Text made safe for terminals, whatever it was made from."""

from __future__ import annotations

import re

# Control characters, marks that turn the direction of writing, separators that some terminals break lines at,
# and halves of characters, among them bytes that could not be decoded.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def printable(text: str) -> str:
    """*text* with everything that could steer a terminal made visible; line ends and tabs stay."""
    return _UNSAFE.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code == 13:
        return "\\r"
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def one_line(text: str) -> str:
    """*text* as one printable line of at most 200 characters."""
    line = " ".join(printable(text[:400]).split())
    return line if len(line) <= 200 else f"{line[:199]}…"
