"""Reads HAR files of browsers and other tools: what can be read is delivered, the rest is reported.

Known peculiarities: a byte order mark (Fiddler), pseudo header fields and ``h2`` (Chrome), names of headers
as pairs in a list (Slack), bodies that are left out (Playwright), base64 in requests (Charles).
"""

from __future__ import annotations

import json
import logging
import zlib
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from proxyfw.exceptions import FlowReadException
from proxyfw.flow import Flow

from .flows import flow_of

log = logging.getLogger("proxyfw")

_MARK = b"\xef\xbb\xbf"
_PACKED = (b"x\x01", b"x\x5e", b"x\x9c", b"x\xda")
Report = Callable[[int, str], None]


def begins(start: bytes) -> bool:
    """Whether a file that begins with *start* may be a HAR file: JSON, or that compressed with zlib."""
    return start.removeprefix(_MARK).lstrip()[:1] == b"{" or start.startswith(_PACKED)


def read(file: BinaryIO, name: str) -> Iterator[Flow]:
    """The flows of *file*; what cannot be read is logged. Raises FlowReadException if it is no HAR."""

    def report(index: int, reason: str) -> None:
        log.error("%s: entry %d cannot be read: %s", name, index, reason)

    entries = entries_of(document(file.read(), name), name)
    for index, entry in enumerate(entries):
        entries[index] = None  # a body that has been read is not needed twice
        flow = read_entry(index, entry, report)
        if flow is not None:
            yield flow


def read_entry(index: int, entry: object, report: Report) -> Flow | None:
    """The flow of *entry*; None, after a *report*, if it cannot be read."""
    try:
        return flow_of(entry)
    except KeyError as problem:
        report(index, f"{problem.args[0]} is missing")
    except (ValueError, TypeError, AttributeError, OverflowError) as problem:
        report(index, str(problem))
    return None


def document(data: bytes, name: str) -> object:
    """The JSON in *data*. Raises FlowReadException."""
    try:
        if data.startswith(_PACKED):
            data = zlib.decompress(data)
        return json.loads(data.removeprefix(_MARK))
    except zlib.error as problem:
        raise FlowReadException(f"{name}: it cannot be decompressed: {problem}") from None
    except json.JSONDecodeError as problem:
        place = f"{problem.lineno}:{problem.colno}"
        raise FlowReadException(f"{name}:{place}: this is not JSON: {problem.msg}") from None
    except (UnicodeDecodeError, RecursionError) as problem:
        raise FlowReadException(f"{name}: this is not JSON: {problem}") from None


def entries_of(found: object, name: str) -> list[Any]:
    """The entries of a document. Raises FlowReadException if it is no HAR."""
    root = found.get("log") if isinstance(found, dict) else None
    entries = root.get("entries") if isinstance(root, dict) else None
    if not isinstance(entries, list):
        raise FlowReadException(f"{name}: this is JSON, but no HAR: there is no list log.entries")
    return entries
