"""View ``multipart``: the head of each part, and its body in the view that suits it. RFC 2046 section 5.1."""

from __future__ import annotations

import re

from proxyfw import contentviews
from proxyfw.contentviews import Metadata

MOST_PARTS = 200
"""Parts that are shown; the others are counted."""
_BOUNDARY = re.compile(r"""boundary\s{0,9}=\s{0,9}(?:"([^"]+)"|([^\s;"]+))""", re.IGNORECASE)
_TYPE = re.compile(rb"^content-type[ \t]{0,9}:[ \t]{0,9}([^\s;]+)", re.IGNORECASE | re.MULTILINE)


def prettify(data: bytes, metadata: Metadata) -> str:
    """The parts, one below the other. Raises ValueError if there is no boundary."""
    boundary = _boundary(data, metadata)
    sections = (b"\r\n" + data).replace(b"\r\n--" + boundary, b"\n--" + boundary).split(b"\n--" + boundary)
    parts = [section for section in sections[1:] if not section.startswith(b"--")]
    if not parts:
        raise ValueError(f"its boundary {boundary.decode('ascii', 'backslashreplace')!r} is not in it")
    shown = [_part(part) for part in parts[:MOST_PARTS]]
    if len(parts) > MOST_PARTS:
        shown.append(f"(and {len(parts) - MOST_PARTS} more parts)")
    return "\n\n--\n".join(shown)


def _boundary(data: bytes, metadata: Metadata) -> bytes:
    if metadata.http_message is not None:
        found = _BOUNDARY.search(metadata.http_message.headers.get("content-type", ""))
        if found:
            return (found[1] or found[2]).encode("utf-8", "surrogateescape")
    first = data[:80].lstrip().split(b"\n", 1)[0].rstrip()
    if first.startswith(b"--") and len(first) > 2:
        return first[2:]
    raise ValueError("no boundary is declared")


def _part(section: bytes) -> str:
    section = section.lstrip(b" \t")
    line_end = b"\r\n" if section.startswith(b"\r\n") else b"\n"
    head, blank, body = section.partition(line_end * 2)
    if not blank:
        head, body = b"", section
    kind = _TYPE.search(head)
    name = kind[1].decode("ascii", "replace").lower() if kind else "text/plain"
    return f"{head.decode('utf-8', 'backslashreplace').strip()}\n\n{_body(body, name)}".strip("\r\n")


def _body(body: bytes, kind: str) -> str:
    if kind.startswith("multipart/"):
        return body.decode("utf-8", "backslashreplace")
    shown = contentviews.registry.prettify(body, Metadata(content_type=kind))
    return f"({len(body)} bytes)" if shown.view_name == "hex" else str(shown.text)
