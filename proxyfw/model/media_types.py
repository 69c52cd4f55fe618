"""Media types of files by their names, the same on every machine: tables of the system are not looked at."""

from __future__ import annotations

from functools import cache
from pathlib import PurePath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mimetypes import MimeTypes

_UNKNOWN = "application/octet-stream"
_PACKED = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz"}
_NEWER = {
    ".avif": "image/avif", ".js": "text/javascript", ".map": "application/json", ".md": "text/markdown",
    ".mjs": "text/javascript", ".otf": "font/otf", ".ttf": "font/ttf", ".webp": "image/webp",
    ".woff": "font/woff", ".woff2": "font/woff2", ".yaml": "application/yaml", ".yml": "application/yaml",
}  # fmt: skip
"""What Python's table does not have, or has otherwise. RFC 9239, RFC 8081, RFC 9512."""


def media_type_of(name: str) -> str:
    """The media type that the name of a file says it has; application/octet-stream if it says nothing."""
    newer = _NEWER.get(PurePath(name).suffix.lower())
    if newer:
        return newer
    found, packed = _table().guess_type(name.rpartition("/")[2])
    return _PACKED.get(packed, _UNKNOWN) if packed else found or _UNKNOWN


@cache
def _table() -> MimeTypes:
    from mimetypes import MimeTypes  # not before there is a file: most proxies serve none

    return MimeTypes()
