"""``mitmproxy.utils.strutils``: bytes and text for people."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from proxyfw.alias import names_of

_LINE = 16


def always_bytes(str_or_bytes: str | bytes | None, *encode_args: str) -> bytes | None:
    """Text as bytes; bytes and None as they are. Raises TypeError for anything else."""
    if str_or_bytes is None or isinstance(str_or_bytes, bytes):
        return str_or_bytes
    if isinstance(str_or_bytes, str):
        return str_or_bytes.encode(*encode_args)
    raise TypeError(f"Expected str or bytes, but got {type(str_or_bytes).__name__}.")


def always_str(str_or_bytes: str | bytes | None, *decode_args: str) -> str | None:
    """Bytes as text; text and None as they are. Raises TypeError for anything else."""
    if str_or_bytes is None or isinstance(str_or_bytes, str):
        return str_or_bytes
    if isinstance(str_or_bytes, bytes):
        return str_or_bytes.decode(*decode_args)
    raise TypeError(f"Expected str or bytes, but got {type(str_or_bytes).__name__}.")


def bytes_to_escaped_str(data: bytes, keep_spacing: bool = False, escape_single_quotes: bool = False) -> str:
    """*data* as inside a bytes literal; with *keep_spacing*, tabs and newlines stay themselves."""
    text = repr(b'"' + data)[3:-1]
    if keep_spacing:
        text = re.sub(r"(?<!\\)((?:\\\\)*)\\([nrt])", _spacing, text)
    text = text.replace("\\'", "'")
    return text.replace("'", "\\'") if escape_single_quotes else text


def escaped_str_to_bytes(data: str) -> bytes:
    """The inverse of `bytes_to_escaped_str`."""
    if not isinstance(data, str):
        raise ValueError(f"data must be str, but is {type(data).__name__}")
    return codecs.escape_decode(data.encode())[0]


def escape_control_characters(text: str, keep_spacing: bool = True) -> str:
    """*text* with a dot for each control character; with *keep_spacing*, not for tabs and newlines."""
    kept = "\t\n\r" if keep_spacing else ""
    return "".join("." if _is_control(char) and char not in kept else char for char in text)


def is_mostly_bin(s: bytes) -> bool:
    """Whether *s* is rather data than text, going by its first hundred bytes."""
    start = s[:100]
    try:
        start.decode("utf-8")
    except UnicodeDecodeError as problem:
        if problem.start < len(start) - 4:
            return sum(byte in b"\t\n\r" or 32 <= byte < 127 for byte in start) / len(start) < 0.7
    odd = sum(byte < 9 or 13 < byte < 32 for byte in start)
    return bool(start) and odd / len(start) > 0.3


def is_xml(s: bytes) -> bool:
    """Whether *s* begins with a tag."""
    return s.lstrip()[:1] == b"<"


def clean_hanging_newline(t: str) -> str:
    """*t* without a newline at its end."""
    return t.removesuffix("\n")


def hexdump(s: bytes) -> Iterator[tuple[str, str, str]]:
    """Lines of offset, bytes in hexadecimal, and characters."""
    for at in range(0, len(s), _LINE):
        part = s[at : at + _LINE]
        shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        yield f"{at:0=10x}", part.hex(" ").ljust(_LINE * 3 - 1), shown


def _is_control(char: str) -> bool:
    return ord(char) < 32 or 127 <= ord(char) < 160


def _spacing(match: re.Match[str]) -> str:
    return match[1] + {"n": "\n", "r": "\r", "t": "\t"}[match[2]]


__getattr__ = names_of("utils.strutils")
