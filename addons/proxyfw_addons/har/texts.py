"""Bytes of messages as text of a HAR file, and back: text where that loses nothing, else base64.

HAR is JSON, which has no bytes; what is written here can always be encoded as UTF-8.
"""

from __future__ import annotations

import base64
import binascii
import codecs
from collections.abc import Mapping
from typing import Any

BASE64 = "base64"


def clean(text: str) -> str:
    """*text* of a flow without surrogates: bytes that are not UTF-8 are read as ISO 8859-1."""
    if text.isascii():
        return text
    try:
        data = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return shown(data)


def shown(data: bytes) -> str:
    """*data* as UTF-8, else as ISO 8859-1."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("iso-8859-1")


def clean_url(url: str) -> str:
    """*url* with bytes that are not UTF-8 percent-encoded."""
    if url.isascii():
        return url
    return clean("".join(f"%{ord(c) - 0xDC00:02X}" if "\udc80" <= c <= "\udcff" else c for c in url))


def written(content: bytes, content_type: str) -> tuple[str, bool]:
    """*content* as text, and whether that is base64 because it is no text."""
    charset = charset_of(content_type)
    try:
        text = content.decode(charset)
        if text.encode(charset) == content and text.encode().decode() == text and "\0" not in text:
            return text, False
    except ValueError:
        pass
    return base64.b64encode(content).decode(), True


def read(text: str, encoding: object, content_type: str) -> bytes:
    """The inverse of `written`. Raises ValueError."""
    if encoding == BASE64:
        try:
            return base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError) as problem:
            raise ValueError(f"this is not base64: {problem}") from None
    if encoding:
        raise ValueError(f"the encoding {encoding!r} is not known: base64 is")
    try:
        return text.encode(charset_of(content_type))
    except ValueError:
        return text.encode("utf-8", "surrogatepass")


def charset_of(content_type: str) -> str:
    """The charset that *content_type* names, if Python has it; else UTF-8."""
    for parameter in content_type.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            try:
                found = codecs.lookup(value.strip().strip("\"'"))
            except (LookupError, ValueError):
                return "utf-8"
            return found.name if found._is_text_encoding else "utf-8"
    return "utf-8"


def raw_of(record: Mapping[str, Any]) -> bytes | None:
    """The bytes as they were on the wire, if `_raw` has them. Raises ValueError."""
    raw = record.get("_raw")
    return read(raw, BASE64, "") if isinstance(raw, str) else None
