"""``mitmproxy.net.encoding``: content codings and charsets by name, of whole bodies."""

from __future__ import annotations

from functools import partial
from typing import Any

from proxyfw.alias import names_of
from proxyfw.model import encoding

__all__ = [
    "decode", "decode_brotli", "decode_deflate", "decode_gzip", "decode_zstd",
    "encode", "encode_brotli", "encode_deflate", "encode_gzip", "encode_zstd", "identity",
]  # fmt: skip


def decode(encoded: Any, encoding: str, errors: str = "strict") -> Any:
    """*encoded* without a content coding (bytes), or out of a charset (str). Raises ValueError."""
    if encoded is None or _is_coding(encoding):
        return None if encoded is None else _decode(encoded, encoding)
    return _charset(encoded.decode if isinstance(encoded, bytes) else encoded.encode, encoding, errors)


def encode(decoded: Any, encoding: str, errors: str = "strict") -> Any:
    """*decoded* in a content coding or a charset. Raises ValueError."""
    if decoded is None or _is_coding(encoding):
        return None if decoded is None else _encode(decoded, encoding)
    return _charset(decoded.encode if isinstance(decoded, str) else decoded.decode, encoding, errors)


def identity(content: bytes) -> bytes:
    """*content* itself."""
    return content


def _is_coding(name: str) -> bool:
    return name.lower() in encoding.SUPPORTED


def _charset(convert: Any, name: str, errors: str) -> Any:
    try:
        return convert(name, errors)
    except LookupError as problem:
        raise ValueError(f"{name!r} is neither a content coding nor a charset: {problem}") from None


_decode = encoding.decode
_encode = encoding.encode
decode_gzip, encode_gzip = partial(_decode, coding="gzip"), partial(_encode, coding="gzip")
decode_deflate, encode_deflate = partial(_decode, coding="deflate"), partial(_encode, coding="deflate")
decode_brotli, encode_brotli = partial(_decode, coding="br"), partial(_encode, coding="br")
decode_zstd, encode_zstd = partial(_decode, coding="zstd"), partial(_encode, coding="zstd")

__getattr__ = names_of("net.encoding")
