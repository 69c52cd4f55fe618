"""What the first bytes of a connection say about what it speaks."""

from __future__ import annotations

import re
from enum import Enum

from .tls import starts_like_tls


class Speech(Enum):
    TLS = "tls"
    HTTP = "http"
    OTHER = "other"


_METHOD = re.compile(rb"[A-Z][A-Z-]{2,23} [\x21-\xff]")
_METHOD_SO_FAR = re.compile(rb"[A-Z][A-Z-]{0,23}(?: )?")


def detect(data: bytes) -> Speech | None:
    """What *data* begins with; None while it is too short to tell."""
    if not data:
        return None
    tls = starts_like_tls(data)
    if tls is not False:
        return Speech.TLS if tls else None
    if _METHOD.match(data):
        return Speech.HTTP
    return None if _METHOD_SO_FAR.fullmatch(data) else Speech.OTHER
