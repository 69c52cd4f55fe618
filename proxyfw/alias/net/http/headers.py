"""``mitmproxy.net.http.headers``: Content-Type taken apart and put together."""

from __future__ import annotations

from collections.abc import Mapping

from proxyfw.alias import names_of
from proxyfw.http import Headers
from proxyfw.model import charset

__all__ = ["Headers", "assemble_content_type", "infer_content_encoding", "parse_content_type"]


def parse_content_type(c: str) -> tuple[str, str, dict[str, str]] | None:
    """``text/html; charset=utf-8`` as type, subtype and parameters; None if it is none."""
    media_type, parameters = charset.parse_media_type(c)
    kind, slash, subtype = media_type.partition("/")
    return (kind, subtype, parameters) if slash else None


def assemble_content_type(type: str, subtype: str, parameters: Mapping[str, str] | None) -> str:
    """The inverse of `parse_content_type`."""
    return "; ".join([f"{type}/{subtype}", *(f"{key}={value}" for key, value in (parameters or {}).items())])


def infer_content_encoding(content_type: str, content: bytes = b"") -> str:
    """The charset that a body is probably in."""
    return charset.guess(content_type, content)


__getattr__ = names_of("net.http.headers")
