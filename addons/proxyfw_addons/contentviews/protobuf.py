"""View ``protobuf``: the wire format read without a schema, or with the types that descriptors give.

A field that is bytes is shown as a message if it reads as one to its end, else as text, else in hex.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from proxyfw.contentviews import Metadata

from .lines import indent

if TYPE_CHECKING:
    from .protobuf_types import Types

DEEPEST = 32
"""Messages in messages that are looked into."""
_TYPE = re.compile(r"""(?:messagetype|proto|type)\s{0,9}=\s{0,9}["']?([\w.]+)""", re.IGNORECASE)
_VARINT, _FIXED64, _BYTES, _GROUP, _END, _FIXED32 = range(6)


class Field(NamedTuple):
    """A field as it stands on the wire; *value* of a group or message is its fields."""

    number: int
    wire_type: int
    value: int | bytes | list[Field]


def prettify(data: bytes, metadata: Metadata, types: Types | None = None) -> str:
    """A field a line. Raises ValueError if it is no message."""
    name = None
    if types and metadata.http_message is not None:
        found = _TYPE.search(metadata.http_message.headers.get("content-type", ""))
        name = found[1] if found else None
    return shown(data, types, name)


def shown(data: bytes, types: Types | None, name: str | None) -> str:
    """One message, as the type *name* if that is known and it is one."""
    if types and name:
        typed = types.text(name, data)
        if typed is not None:
            return f"# {name}\n{typed}".rstrip()
    return "\n".join(_lines(decoded(data), 0))


def decoded(data: bytes) -> list[Field]:
    """The fields of a message. Raises ValueError if it is none."""
    fields, at = _fields(data, 0, 0, 0)
    if at != len(data):
        raise ValueError(f"no protobuf message: byte {at} ends a group that has not begun")
    return fields


def _fields(data: bytes, at: int, depth: int, group: int) -> tuple[list[Field], int]:
    """The fields from *at* on, to the end, or to that of *group*."""
    fields: list[Field] = []
    while at < len(data):
        start = at
        key, at = _varint(data, at)
        number, wire_type = key >> 3, key & 7
        if not number or number >= 1 << 29:
            raise ValueError(f"no protobuf message: byte {start} begins field {number}")
        if wire_type == _END:
            return (fields, at) if number == group else (fields, start)
        value, at = _value(data, at, depth, number, wire_type)
        fields.append(Field(number, wire_type, value))
    if group:
        raise ValueError(f"no protobuf message: group {group} does not end")
    return fields, at


def _value(
    data: bytes, at: int, depth: int, number: int, wire_type: int
) -> tuple[int | bytes | list[Field], int]:
    if wire_type == _VARINT:
        return _varint(data, at)
    if wire_type == _GROUP and depth < DEEPEST:
        return _fields(data, at, depth + 1, number)
    length = {_FIXED64: 8, _FIXED32: 4}.get(wire_type)
    if wire_type == _BYTES:
        length, at = _varint(data, at)
    if length is None:
        raise ValueError(f"no protobuf message: field {number} has the wire type {wire_type}")
    if length > len(data) - at:
        raise ValueError(f"no protobuf message: field {number} breaks off")
    value = data[at : at + length]
    return (_message(value, depth) if wire_type == _BYTES else value), at + length


def _message(value: bytes, depth: int) -> bytes | list[Field]:
    if not value or depth >= DEEPEST or _is_text(value):
        return value
    try:
        fields, at = _fields(value, 0, depth + 1, 0)
    except ValueError:
        return value
    return fields if at == len(value) else value


def _is_text(value: bytes) -> bool:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return False
    return text.isprintable() or all(char.isprintable() or char in "\t\r\n" for char in text)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            break
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at
    raise ValueError(f"no protobuf message: the number before byte {at} does not end")


def _lines(fields: list[Field], depth: int) -> Iterator[str]:
    for number, wire_type, value in fields:
        if isinstance(value, list):
            yield f"{indent(depth)}{number} {{"
            yield from _lines(value, depth + 1)
            yield f"{indent(depth)}}}"
        else:
            yield f"{indent(depth)}{number}: {_scalar(wire_type, value)}"


def _scalar(wire_type: int, value: int | bytes) -> str:
    if isinstance(value, int):
        return f"{value} ({value - (1 << 64)})" if value >> 63 else str(value)
    if wire_type == _BYTES:
        return f'"{_escaped(value.decode())}"' if _is_text(value) else f"0x{value.hex()}"
    whole, real = ("<I", "<f") if wire_type == _FIXED32 else ("<Q", "<d")
    return f"{struct.unpack(whole, value)[0]} (float {struct.unpack(real, value)[0]:g})"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
