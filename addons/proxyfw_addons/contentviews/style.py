"""View ``css``."""

from __future__ import annotations

from proxyfw.contentviews import Metadata

from .braces import CSS, lay_out


def prettify(data: bytes, metadata: Metadata) -> str:
    """A declaration a line."""
    return lay_out(metadata.decode(data), CSS)
