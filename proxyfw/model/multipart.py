"""multipart/form-data bodies as ``(name, value)`` byte pairs. RFC 7578, RFC 2046 section 5.1.

Editing keeps what a pair does not show: file names, content types and the order of part headers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple
from uuid import uuid4

from proxyfw.model.charset import parse_media_type

Pair = tuple[bytes, bytes]
# The name parameter, wherever it stands and whatever a file name in quotes before it looks like.
_NAME = re.compile(
    rb"""^content-disposition[ \t]*:[^;\r\n]*
    (?:;[ \t]*(?!name[ \t]*=)[^=;"\r\n]*(?:=(?:[ \t]*"[^"\r\n]*"[ \t]*|[^;"\r\n]*))?)*
    ;[ \t]*name[ \t]*=[ \t]*(?:"([^"\r\n]*)"|([^;"\s]+))""",
    re.IGNORECASE | re.MULTILINE | re.VERBOSE,
)


class Part(NamedTuple):
    """One field: its name, its header lines as they stand, its value."""

    name: bytes
    head: bytes
    value: bytes


def boundary_of(content_type: str) -> bytes | None:
    """The boundary of a multipart/form-data *content_type*, or None for any other."""
    kind, parameters = parse_media_type(content_type)
    boundary = parameters.get("boundary") if kind == "multipart/form-data" else None
    return boundary.encode("utf-8", "surrogateescape") if boundary else None


def new_boundary() -> bytes:
    """A boundary that no body contains."""
    return uuid4().hex.encode()


def parse(content: bytes, boundary: bytes) -> list[Part]:
    """The parts of *content* that have a name; text before the first and after the last is skipped."""
    parts: list[Part] = []
    for section in _sections(content, b"\r\n--" + boundary):
        head, blank, value = section.partition(b"\r\n\r\n")
        name = _NAME.search(head)
        if blank and name:
            parts.append(Part(_unquoted(name), head, value))
    return parts


def edit(content: bytes, boundary: bytes, pairs: Sequence[Pair]) -> bytes:
    """*content* changed to say *pairs*: a field whose name was there keeps that part's headers."""
    old = parse(content, boundary)
    out = []
    for name, value in pairs:
        if not isinstance(name, bytes) or not isinstance(value, bytes):
            raise TypeError(f"multipart form fields are pairs of bytes, not ({name!r}, {value!r})")
        match = next((part for part in old if part.name == name), None)
        if match:
            old.remove(match)
        head = match.head if match else b'Content-Disposition: form-data; name="%b"' % _quoted(name)
        out.append(b"--%b\r\n%b\r\n\r\n%b\r\n" % (boundary, head, value))
    return b"".join([*out, b"--%b--\r\n" % boundary])


def _sections(content: bytes, delimiter: bytes) -> list[bytes]:
    sections: list[bytes] = []
    for section in (b"\r\n" + content).split(delimiter)[1:]:
        if section.startswith(b"--"):
            break
        padding, line_break, rest = section.partition(b"\r\n")
        if line_break and not padding.strip(b" \t"):
            sections.append(rest)
        elif sections:  # a longer line that only begins like the delimiter
            sections[-1] += delimiter + section
    return sections


def _quoted(name: bytes) -> bytes:
    return name.replace(b'"', b"%22").replace(b"\r", b"%0D").replace(b"\n", b"%0A")


def _unquoted(match: re.Match[bytes]) -> bytes:
    if match[1] is None:
        return match[2]
    return match[1].replace(b"%22", b'"').replace(b"%0D", b"\r").replace(b"%0A", b"\n")
