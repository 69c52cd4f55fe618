"""Typed netstrings, the serialisation of mitmproxy's files: ``<length>:<payload><type>``.

Reading never takes more memory than the input has bytes to fill it with, and never recurses without bound.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

MAX_DEPTH = 64
_LENGTH_DIGITS = 12
_MOST_DIGITS = 400
_PIECE = 1 << 20


class Damaged(ValueError):
    """Bytes that are no netstring; *at* is where, counted from the beginning of the record."""

    def __init__(self, at: int, reason: str) -> None:
        super().__init__(reason)
        self.at = at
        self.reason = reason


def dumps(value: Any) -> bytes:
    """*value* as bytes. Raises TypeError for what is not None, bool, number, str, bytes, list or dict."""
    if isinstance(value, dict):
        body = b"".join(dumps(key) + dumps(item) for key, item in value.items())
        return b"%d:%s}" % (len(body), body)
    if isinstance(value, list | tuple):
        body = b"".join(map(dumps, value))
        return b"%d:%s]" % (len(body), body)
    return _scalar(value)


def _scalar(value: Any) -> bytes:
    if value is None:
        return b"0:~"
    if isinstance(value, bool):
        return b"4:true!" if value else b"5:false!"
    if isinstance(value, bytes):
        return b"%d:%s," % (len(value), value)
    if isinstance(value, str):
        text = value.encode("utf-8", "surrogatepass")
        return b"%d:%s;" % (len(text), text)
    if isinstance(value, int | float):
        number = repr(value).encode()
        return b"%d:%s%s" % (len(number), number, b"#" if isinstance(value, int) else b"^")
    raise TypeError(f"{type(value).__name__} cannot be written to a file of flows: {value!r}")


def read(take: Callable[[int], bytes]) -> tuple[Any, int] | None:
    """The next value of an input, and its size in bytes; None at the end.

    *take(n)* gives the next *n* bytes, or fewer at the end. Raises `Damaged`.
    """
    header = b""
    while not header.endswith(b":"):
        byte = take(1)
        if not byte and not header:
            return None
        header += byte
        if not byte or not (byte.isdigit() or byte == b":") or len(header) > _LENGTH_DIGITS + 1:
            raise Damaged(0, _not_a_length(header, ended=not byte))
    if len(header) == 1:
        raise Damaged(0, _not_a_length(header, ended=False))
    size = int(header[:-1])
    record = bytearray()
    while len(record) <= size:  # one byte more: the type
        piece = take(min(size + 1 - len(record), _PIECE))
        if not piece:
            raise Damaged(0, f"the file ends in the middle: {size + 1 - len(record)} bytes are missing")
        record += piece
    return _value(bytes(record), 0, size, len(header), 0), len(header) + size + 1


def _not_a_length(header: bytes, ended: bool) -> str:
    what = "the file ends in the middle of a length" if ended else "there is no length of a record"
    return f"{what}: {header!r}"


def _value(data: bytes, start: int, end: int, base: int, depth: int) -> Any:
    """What lies between *start* and *end*, of the type that follows; *base* is the place of *data*."""
    kind = data[end : end + 1]
    if kind in b"]}" and kind:
        if depth == MAX_DEPTH:
            raise Damaged(base + start, f"values are nested more than {MAX_DEPTH} deep")
        items = _items(data, start, end, base, depth + 1)
        return items if kind == b"]" else _pairs(items, base + start)
    read_scalar = _SCALARS.get(kind)
    if read_scalar is None:
        raise Damaged(base + end, f"{kind!r} is no type of a value")
    try:
        return read_scalar(data[start:end])
    except ValueError as problem:
        raise Damaged(base + start, f"a value cannot be read: {problem}") from None


def _items(data: bytes, start: int, end: int, base: int, depth: int) -> list[Any]:
    items = []
    while start < end:
        colon = data.find(b":", start, min(start + _LENGTH_DIGITS + 1, end))
        digits = data[start : max(colon, start)]
        if not digits.isdigit():
            raise Damaged(base + start, f"there is no length of a value: {data[start : start + 12]!r}")
        first, last = colon + 1, colon + 1 + int(digits)
        if last >= end:
            raise Damaged(base + start, "a value is longer than what it is part of")
        items.append(_value(data, first, last, base, depth))
        start = last + 1
    return items


def _pairs(items: list[Any], at: int) -> dict[Any, Any]:
    if len(items) % 2 or not all(isinstance(key, str | bytes) for key in items[::2]):
        raise Damaged(at, "a mapping has a key that is no text, or no value for one")
    return dict(zip(items[::2], items[1::2], strict=True))


def _null(text: bytes) -> None:
    if text:
        raise ValueError("null has no content")


def _int(text: bytes) -> int:
    if len(text) > _MOST_DIGITS:
        raise ValueError(f"a number has {len(text)} digits")
    return int(text)


def _bool(text: bytes) -> bool:
    if text not in (b"true", b"false"):
        raise ValueError(f"{text[:20]!r} is neither true nor false")
    return text == b"true"


_SCALARS: dict[bytes, Callable[[bytes], Any]] = {
    b",": bytes,
    b";": lambda text: text.decode("utf-8", "surrogatepass"),
    b"#": _int,
    b"^": float,
    b"!": _bool,
    b"~": _null,
}
