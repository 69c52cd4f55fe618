"""View ``javascript``."""

from __future__ import annotations

from proxyfw.contentviews import Metadata

from .braces import JAVASCRIPT, lay_out


def prettify(data: bytes, metadata: Metadata) -> str:
    """A statement a line."""
    return lay_out(metadata.decode(data), JAVASCRIPT)
