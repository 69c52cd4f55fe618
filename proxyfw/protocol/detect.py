"""What the first bytes of a connection say about what it speaks."""

from __future__ import annotations

import re
from enum import Enum

from .http2_names import PREFACE
from .tls import starts_like_tls


class Speech(Enum):
    TLS = "tls"
    HTTP = "http"
    HTTP2 = "http2"
    OTHER = "tcp"


_REQUEST = re.compile(rb"(?!CONNECT |PRI )[A-Z][A-Z-]{2,23} (?:/|\*|https?:)")
"""A method and the beginning of a target, for other protocols have commands in capitals too.

CONNECT here is meant for another proxy: it is tunnelled as it is. PRI begins HTTP/2.
"""
_REQUEST_SO_FAR = re.compile(rb"[A-Z][A-Z-]{0,23}(?: (?:h|ht|htt|http|https)?)?")


def detect(data: bytes) -> Speech | None:
    """What *data* begins with after any empty lines; None while it is too short to tell."""
    data = data.lstrip(b"\r\n")
    if not data:
        return None
    tls = starts_like_tls(data)
    if tls is not False:
        return Speech.TLS if tls else None
    if data.startswith(b"PRI "):
        return _whether_http2(data)
    if _REQUEST.match(data):
        return Speech.HTTP
    return None if _REQUEST_SO_FAR.fullmatch(data) else Speech.OTHER


def _whether_http2(data: bytes) -> Speech | None:
    if data.startswith(PREFACE):
        return Speech.HTTP2
    return None if PREFACE.startswith(data) else Speech.OTHER
