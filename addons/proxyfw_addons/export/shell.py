"""Words and input of commands for a POSIX shell; nothing in them is ever anything but that word."""

from __future__ import annotations

import base64
import shlex

from .sent import Sent

_AS_THEY_ARE = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 :;,./_-=")
_LONGEST = 100_000
"""Bytes of one word; Linux has a limit of 128 KiB."""


def word(data: bytes) -> str:
    """One word, whatever is in it but NUL and line ends at its end."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = "\0"
    if text.isprintable():
        return shlex.quote(text)
    escaped = "".join(chr(byte) if byte in _AS_THEY_ARE else f"\\0{byte:03o}" for byte in data)
    return f"\"$(printf %b '{escaped}')\""


def piped(sent: Sent) -> str | None:
    """What to put before a command that cannot have the body as a word: it writes it to standard output."""
    if not sent.body or (sent.text is not None and len(sent.body) <= _LONGEST):
        return None
    if sent.text is not None:
        return f"printf %s {shlex.quote(sent.text)} | "
    return f"printf %s {base64.b64encode(sent.body).decode()} | base64 -d | "
