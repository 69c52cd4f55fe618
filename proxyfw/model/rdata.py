"""The data of DNS resource records: names, texts and service parameters, packed and unpacked.

Names are never compressed here: a record stands for itself. RFC 1035 section 3.3, RFC 9460.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from enum import IntEnum


class SvcParamKey(IntEnum):
    """Service parameters that have a meaning here. RFC 9460 section 14.3.2."""

    MANDATORY = 0
    ALPN = 1
    NO_DEFAULT_ALPN = 2
    PORT = 3
    IPV4HINT = 4
    ECH = 5
    IPV6HINT = 6


@dataclass(slots=True)
class HTTPSRecord:
    """An HTTPS record: `params` are service parameters by number, packed. Priority 0 is an alias."""

    priority: int
    target_name: str
    params: dict[int, bytes] = field(default_factory=dict)


def pack_name(name: str) -> bytes:
    """*name* as labels. Raises ValueError for a label over 63 or a name over 255 bytes."""
    labels = [_label(part) for part in name.removesuffix(".").split(".")] if name not in ("", ".") else []
    packed = b"".join(bytes((len(label),)) + label for label in labels) + b"\0"
    if len(packed) > 255:
        raise ValueError(f"domain name of {len(packed)} bytes is too long (255 at most): {name!r}")
    return packed


def unpack_name(data: bytes) -> str:
    """The name that is all of *data*. Raises ValueError for anything else."""
    name, end = _name_at(data, 0)
    if end != len(data):
        raise ValueError(f"{len(data) - end} stray bytes after the domain name {name!r}")
    return name


def pack_text(text: str) -> bytes:
    """*text* as character strings of at most 255 bytes. RFC 1035 section 3.3.14."""
    data = text.encode("utf-8", "surrogateescape")
    chunks = [data[at : at + 255] for at in range(0, len(data), 255)] or [b""]
    return b"".join(bytes((len(chunk),)) + chunk for chunk in chunks)


def unpack_text(data: bytes) -> str:
    """The character strings of *data*, joined. Raises ValueError if they break off."""
    out, at = [], 0
    while at < len(data):
        end = at + 1 + data[at]
        if end > len(data):
            raise ValueError("text record breaks off")
        out.append(data[at + 1 : end])
        at = end
    return b"".join(out).decode("utf-8", "surrogateescape")


def pack_https(record: HTTPSRecord) -> bytes:
    """*record* with its parameters in ascending order, as RFC 9460 section 2.2 wants them."""
    params = [struct.pack("!HH", key, len(value)) + value for key, value in sorted(record.params.items())]
    return b"".join([struct.pack("!H", record.priority), pack_name(record.target_name), *params])


def unpack_https(data: bytes) -> HTTPSRecord:
    """The HTTPS record that is all of *data*. Raises ValueError for anything else."""
    if len(data) < 3:
        raise ValueError("HTTPS record breaks off")
    name, at = _name_at(data, 2)
    record = HTTPSRecord(int.from_bytes(data[:2], "big"), name)
    while at < len(data):
        start = at + 4
        end = start + int.from_bytes(data[at + 2 : start], "big")
        if max(start, end) > len(data):
            raise ValueError("HTTPS record breaks off")
        record.params[int.from_bytes(data[at : at + 2], "big")] = data[start:end]
        at = end
    return record


def pack_alpn(protocols: tuple[bytes, ...]) -> bytes:
    """ALPN names as a service parameter. RFC 9460 section 7.1.1."""
    return b"".join(bytes((len(name),)) + name for name in protocols)


def unpack_alpn(data: bytes) -> tuple[bytes, ...]:
    """The ALPN names of a service parameter; what breaks off is left out."""
    out, at = [], 0
    while at < len(data):
        out.append(data[at + 1 : at + 1 + data[at]])
        at += 1 + data[at]
    return tuple(out)


def _label(text: str) -> bytes:
    try:
        label = text.encode("ascii") if text.isascii() else text.encode("idna")
    except UnicodeError as error:
        raise ValueError(f"label {text!r} of a domain name has no ASCII form (IDNA): {error}") from error
    if not 0 < len(label) < 64:
        raise ValueError(f"label {text!r} of a domain name must have 1 to 63 bytes, it has {len(label)}")
    return label


def _name_at(data: bytes, at: int) -> tuple[str, int]:
    labels = []
    while at < len(data) and (size := data[at]):
        end = at + 1 + size
        if size > 63 or end > len(data):
            raise ValueError("domain name breaks off or is compressed")
        labels.append(data[at + 1 : end].decode("ascii", "surrogateescape"))
        at = end
    if at >= len(data):
        raise ValueError("domain name breaks off")
    return ".".join(labels), at + 1
