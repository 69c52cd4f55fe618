"""Collects bytes until an HTTP/1 head is complete, and refuses early what can never become one.

The verdict depends on the bytes alone, never on how they were cut into pieces.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Generic, TypeVar

from proxyfw.exceptions import ProtocolError
from proxyfw.protocol.fields import Block, KnownFields
from proxyfw.protocol.http1_head import parse_fields, quote

_ILLEGAL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|(?<!\r)\n|\r(?!\n|\Z)")
_MAX_EMPTY_LINES = 16

Line = TypeVar("Line")


class HeadBuffer(Generic[Line]):
    """Finds heads of at most *max_size* bytes whose first line takes at most half of that.

    *parse_line* reads a first line, *prefix* is how it must begin. With *skip_empty_lines* a few empty lines
    may come before it, as RFC 9112 section 2.2 asks of servers.
    """

    __slots__ = (
        "_empty_lines",
        "_held",
        "_line_is_good",
        "_parse_line",
        "_prefix",
        "_previous_block",
        "_previous_head",
        "_previous_line",
        "_previous_lines",
        "_searched",
        "_skip",
        "max_size",
    )

    def __init__(
        self, max_size: int, parse_line: Callable[[bytes], Line], *, prefix: bytes, skip_empty_lines: bool
    ) -> None:
        self.max_size = max_size
        self._parse_line = parse_line
        self._prefix = prefix
        self._skip = skip_empty_lines
        # Who keeps a connection tends to repeat what it says on it.
        self._previous_head: bytes | None = None
        self._previous_lines = b""
        self._previous_block = Block([])
        self._start_over()

    def __len__(self) -> int:
        return len(self._held)

    def _start_over(self) -> None:
        self._held = bytearray()
        self._searched = 0
        self._empty_lines = 0
        self._line_is_good = False

    def clear(self) -> bytes:
        """Forget the head that was begun and return its bytes."""
        held = bytes(self._held)
        self._start_over()
        return held

    def feed(self, data: bytes) -> tuple[Line, KnownFields, bytes] | None:
        """Add *data*; once the head is complete return its first line, its fields and the bytes after it.

        Raises ProtocolError: 414 for a first line, 431 for a head that is too long, else what is wrong.
        """
        source: bytes | bytearray = data
        if self._held:
            self._held += data
            source = self._held
        if self._skip and source[:1] == b"\r":
            source = self._skip_empty_lines(source)
        end = source.find(b"\r\n\r\n", self._searched)
        if end < 0 or end + 4 > self.max_size:
            self._check_beginning(source)
            self._held = source if isinstance(source, bytearray) else bytearray(source)
            self._searched = max(0, len(source) - 3)
            return None
        head = bytes(source[: end + 2])
        rest = bytes(source[end + 4 :])
        if head != self._previous_head:
            self._read(head, source)
        if self._held or self._empty_lines:
            self._start_over()
        return self._previous_line, KnownFields.of(self._previous_block), rest

    def _read(self, head: bytes, source: bytes | bytearray) -> None:
        line_end = head.index(b"\r\n")
        if line_end > self.max_size // 2:
            self._check_beginning(source)
        line, lines = self._parse_line(head[:line_end]), head[line_end + 2 :]
        if lines != self._previous_lines:
            self._previous_block = Block(parse_fields(lines))
            self._previous_lines = lines
        self._previous_line, self._previous_head = line, head

    def _skip_empty_lines(self, source: bytes | bytearray) -> bytes | bytearray:
        while source[:2] == b"\r\n" and self._empty_lines <= _MAX_EMPTY_LINES:
            source = source[2:]
            self._empty_lines += 1
            self._searched = 0
        if self._empty_lines > _MAX_EMPTY_LINES:
            raise ProtocolError(f"more than {_MAX_EMPTY_LINES} empty lines before the request line")
        return source

    def _check_beginning(self, source: bytes | bytearray) -> None:
        """Raise ProtocolError when no continuation of *source* can be a head within the limits."""
        if not self._line_is_good:
            self._check_line(source)
        if self._line_is_good and _ILLEGAL.search(source, self._searched, self.max_size):
            raise ProtocolError(f"control character or bare line break in the head: {quote(source)}")
        if len(source) > self.max_size:
            raise ProtocolError(f"head larger than {self.max_size} bytes", 431)

    def _check_line(self, source: bytes | bytearray) -> None:
        limit = self.max_size // 2
        end = source.find(b"\r\n", self._searched, limit + 2)
        if end >= 0:
            self._parse_line(bytes(source[:end]))
            self._line_is_good = True
            return
        expected = source[: len(self._prefix)] == self._prefix[: len(source)]
        if not expected or _ILLEGAL.search(source, self._searched, limit):
            raise ProtocolError(f"expected HTTP/1, received {quote(source)}")
        if len(source) > limit + 1:
            raise ProtocolError(f"first line longer than {limit} bytes", 414)
