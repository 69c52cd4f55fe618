"""View ``urlencoded``: the fields of a form, decoded, in their order."""

from __future__ import annotations

from urllib.parse import parse_qsl

from proxyfw.contentviews import Metadata

from .lines import aligned


def prettify(data: bytes, metadata: Metadata) -> str:
    """A field a line."""
    return fields(data.decode("ascii", "backslashreplace"))


def fields(text: str) -> str:
    """The pairs of ``a=1&b=2``, a pair a line."""
    return aligned(parse_qsl(text, keep_blank_values=True, errors="backslashreplace"))
