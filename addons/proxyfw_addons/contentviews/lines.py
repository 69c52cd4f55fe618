"""Lines that are indented, up to a depth, so that what is shown stays linear in what it is made from."""

from __future__ import annotations

from collections.abc import Iterable

_DEEPEST = 20
_INDENTS = tuple("  " * depth for depth in range(_DEEPEST + 1))


def indent(depth: int) -> str:
    """What stands before a line at *depth*."""
    return _INDENTS[depth] if 0 <= depth < _DEEPEST else _INDENTS[_DEEPEST if depth > 0 else 0]


def aligned(pairs: Iterable[tuple[str, str]]) -> str:
    """Names and values, a pair a line, values below each other."""
    rows = [(f"{name}:", value) for name, value in pairs]
    width = max((len(name) for name, _ in rows if len(name) < 30), default=0)
    return "\n".join(f"{name:{width}} {value}".rstrip() for name, value in rows)


class Lines:
    """Takes text piece by piece; `depth` is that of the lines that begin from now on."""

    def __init__(self) -> None:
        self.depth = 0
        self._lines: list[str] = []
        self._line: list[str] = []

    def put(self, text: str) -> None:
        """Add *text* to the line."""
        if text:
            if not self._line:
                self._line.append(indent(self.depth))
            self._line.append(text)

    def space(self) -> None:
        """Add a space, unless the line has just begun or ends in one."""
        if self._line and self._line[-1] != " ":
            self._line.append(" ")

    def end(self) -> None:
        """End the line, if one has begun."""
        if self._line:
            self._lines.append("".join(self._line).rstrip(" "))
            self._line = []

    @property
    def is_empty(self) -> bool:
        """Whether the line has not begun."""
        return not self._line

    def text(self) -> str:
        """All lines."""
        self.end()
        return "\n".join(self._lines)
