"""``mitmproxy.net.http.multipart``: multipart/form-data bodies. RFC 7578."""

from __future__ import annotations

from proxyfw.alias import names_of
from proxyfw.model import multipart

__all__ = ["decode", "decode_multipart", "encode", "encode_multipart"]


def decode_multipart(content_type: str | None, content: bytes) -> list[tuple[bytes, bytes]]:
    """Names and values; nothing if *content_type* names no boundary."""
    boundary = multipart.boundary_of(content_type or "")
    return [(part.name, part.value) for part in multipart.parse(content, boundary)] if boundary else []


def encode_multipart(content_type: str, parts: list[tuple[bytes, bytes]]) -> bytes:
    """A body with *parts*, in the boundary of *content_type*; nothing if it names none."""
    boundary = multipart.boundary_of(content_type)
    return multipart.edit(b"", boundary, parts) if boundary else b""


def decode(ct: str | None, content: bytes) -> list[tuple[bytes, bytes]]:
    """As `decode_multipart`."""
    return decode_multipart(ct, content)


def encode(ct: dict[str, str], parts: list[tuple[bytes, bytes]]) -> bytes:
    """As `encode_multipart`, of headers."""
    return encode_multipart(ct.get("content-type", ""), parts)


__getattr__ = names_of("net.http.multipart")
