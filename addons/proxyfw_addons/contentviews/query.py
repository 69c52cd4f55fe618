"""View ``query``: what a request without a body asks for in its URL."""

from __future__ import annotations

from proxyfw.contentviews import Metadata
from proxyfw.http import Request

from .urlencoded import fields


def prettify(data: bytes, metadata: Metadata) -> str:
    """A field a line. Raises ValueError for anything but a request."""
    if not isinstance(metadata.http_message, Request):
        raise ValueError("only requests have a query")
    return fields(metadata.http_message.path.partition("?")[2].partition("#")[0])
