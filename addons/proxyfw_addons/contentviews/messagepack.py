"""View ``msgpack``: the values of a body, read by the library msgpack, one after the other."""

from __future__ import annotations

import json
from collections.abc import Sequence
from io import BytesIO
from typing import Any

import msgpack  # type: ignore[import-untyped]

from proxyfw.contentviews import Metadata

from .lines import Lines

_CONSTANTS = {None: "null", True: "true", False: "false"}


class _Map(list[Any]):
    """Names and values in their order; a name may be anything, and come twice."""


def prettify(data: bytes, metadata: Metadata) -> str:
    """A member a line. Raises ValueError if it is no MessagePack, or breaks off."""
    unpacker = msgpack.Unpacker(
        BytesIO(data), object_pairs_hook=_Map, strict_map_key=False, unicode_errors="backslashreplace",
        max_buffer_size=max(len(data), 1), max_str_len=len(data), max_bin_len=len(data),
        max_ext_len=len(data), max_array_len=len(data), max_map_len=len(data),
    )  # fmt: skip
    lines = Lines()
    begin = 0
    for value in unpacker:
        _put(lines, value)
        lines.end()
        begin = unpacker.tell()
    if begin != len(data):
        raise ValueError(f"the value that begins at byte {begin} breaks off")
    return lines.text()


def _put(lines: Lines, value: Any) -> None:
    if isinstance(value, _Map):
        _put_all(lines, "{}", value)
    elif isinstance(value, list):
        _put_all(lines, "[]", value)
    elif isinstance(value, bytes):
        lines.put(f"0x{value.hex()}")
    elif isinstance(value, msgpack.ExtType):
        lines.put(f"ext {value.code} 0x{value.data.hex()}")
    elif isinstance(value, msgpack.Timestamp):
        lines.put(f"timestamp {value.to_unix()}")
    elif isinstance(value, str):
        lines.put(json.dumps(value, ensure_ascii=False))
    else:
        lines.put(_CONSTANTS[value] if value is None or isinstance(value, bool) else repr(value))


def _put_all(lines: Lines, brackets: str, values: Sequence[Any]) -> None:
    lines.put(brackets[0])
    if values:
        lines.end()
        lines.depth += 1
        for value in values:
            if brackets == "{}":
                _put(lines, value[0])
                lines.put(": ")
                value = value[1]
            _put(lines, value)
            lines.end()
        lines.depth -= 1
    lines.put(brackets[1])
