"""Lays out languages of braces, semicolons and comments. No parser: what it does not know it leaves alone.

Every token is looked at once. Only white space outside strings and comments is changed, and a line end of the
source stays one.
"""

from __future__ import annotations

import re
from typing import Final

from .lines import Lines

_STRINGS = r""""[^"\\\n]*+(?:\\.[^"\\\n]*+)*+"?+|'[^'\\\n]*+(?:\\.[^'\\\n]*+)*+'?+"""
_COMMENT = r"/\*(?:[^*]++|\*(?!/))*+(?:\*/)?+"
CSS: Final = re.compile(rf"{_COMMENT}|{_STRINGS}|\s++|[{{}};,()\[\]]|[^\s{{}};,()\[\]\"'/]++|/", re.DOTALL)
JAVASCRIPT: Final = re.compile(
    rf"{_COMMENT}|//[^\n]*+|{_STRINGS}|`[^`\\]*+(?:\\.[^`\\]*+)*+`?+"
    # A regular expression stands where no value can have ended. It has at most 300 pieces, so that looking
    # for its end where there is none stays cheap.
    r"|(?<![\w$)\]}\"'`.\s])/(?![*/])(?:[^/\\\[\n]|\\.|\[[^\]\n]{0,99}+\]){1,300}+/[a-z]*+"
    r"|\s++|[{};,()\[\]]|[^\s{};,()\[\]\"'`/]++|/",
    re.DOTALL,
)
_OPENING: Final = frozenset("([{")
_GOES_ON: Final = frozenset(["else", "catch", "finally", "while"])
"""Words that follow a brace on its line."""
_STICKS: Final = frozenset(";,)]")
"""What follows a brace on its line, as a point does in JavaScript (but not in style sheets)."""


def lay_out(text: str, token: re.Pattern[str]) -> str:
    """*text*, cut into tokens by *token*, with line ends after braces and statements."""
    layout = _Layout(_STICKS | {"."} if token is JAVASCRIPT else _STICKS)
    for piece in token.findall(text):
        layout.take(piece)
    return layout.lines.text()


class _Layout:
    def __init__(self, sticks: frozenset[str]) -> None:
        self._sticks = sticks
        self.lines = Lines()
        self._open: list[str] = []
        self._after_brace = ""
        """The brace that was the last token, white space aside."""

    def take(self, piece: str) -> None:
        if piece.isspace():
            self._white(piece)
            return
        self._settle_brace(piece)
        if piece == "}":
            self._close(piece)
        elif piece in _OPENING:
            self._begin(piece)
        else:
            if piece in (")", "]") and self._open[-1:] in (["("], ["["]):
                self._open.pop()
            self.lines.put(piece)
            if piece.startswith("//") or (piece in (";", ",") and self._is_between_statements(piece)):
                self.lines.end()

    def _settle_brace(self, piece: str) -> None:
        """Decide whether *piece* stays on the line of the brace before it."""
        brace, self._after_brace = self._after_brace, ""
        if brace == "{" and piece != "}":
            self.lines.end()
        elif brace == "}" and piece in _GOES_ON:
            self.lines.space()
        elif brace == "}" and piece[0] not in self._sticks:
            self.lines.end()
        elif brace == "{":
            self._after_brace = "empty"

    def _white(self, space: str) -> None:
        if self._after_brace:
            return
        if "\n" in space:
            self.lines.end()
        else:
            self.lines.space()

    def _begin(self, piece: str) -> None:
        self.lines.put(piece)
        self._open.append(piece)
        if piece == "{":
            self.lines.depth += 1
            self._after_brace = piece

    def _close(self, piece: str) -> None:
        was_empty, self._after_brace = self._after_brace == "empty", ""
        if not was_empty:
            self.lines.end()
        while self._open and self._open.pop() != "{":
            pass  # a parenthesis that was never closed
        self.lines.depth = max(self.lines.depth - 1, 0)
        self.lines.put(piece)
        self._after_brace = piece

    def _is_between_statements(self, piece: str) -> bool:
        """Not in parentheses; for a comma, inside braces."""
        inner = self._open[-1] if self._open else ""
        return inner == "{" or (piece == ";" and inner == "")
