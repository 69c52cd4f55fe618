"""View ``json``: laid out token by token; numbers, escapes, order and repeated names stay as they are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import islice

from proxyfw.contentviews import Metadata

from .lines import indent

_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[{}\[\],:]|[^\s{}\[\],:"]++')
_PIECES = 5
"""A line has no more: its indent, a name, a colon, a value, and the comma with the next indent."""
# Long numbers take long to compute, and nobody looks at them here.
_CHECKER = json.JSONDecoder(parse_int=len, parse_float=len)
_LINE = re.compile("[\n\x1e]")


def prettify(data: bytes, metadata: Metadata) -> str:
    """One value, or one a line (ndjson, json-seq). Raises ValueError if it is neither."""
    text = metadata.decode(data).removeprefix("\ufeff")
    try:
        return laid_out(text, metadata.lines)
    except json.JSONDecodeError as problem:
        lines = [line for line in _LINE.split(text) if line.strip()]
        if len(lines) < 2 or (not problem.msg.startswith("Extra data") and "\x1e" not in text):
            raise
        return "\n".join(laid_out(line) for line in lines)


def laid_out(text: str, lines: int | None = None) -> str:
    """The JSON *text*, a member a line, and not many more than *lines*.

    Raises ValueError (or RecursionError) if it is not JSON.
    """
    _CHECKER.decode(text)
    return "".join(islice(_pieces(text), None if lines is None else (lines + 1) * _PIECES))


def _pieces(text: str) -> Iterator[str]:
    depth, is_fresh = 0, False
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token in "}]":
            depth -= 1
            yield token if is_fresh else f"\n{indent(depth)}{token}"
            is_fresh = False
            continue
        if is_fresh:
            yield f"\n{indent(depth)}"
            is_fresh = False
        if token in "{[":
            depth += 1
            is_fresh = True
            yield token
        elif token == ",":
            yield f",\n{indent(depth)}"
        else:
            yield ": " if token == ":" else token
