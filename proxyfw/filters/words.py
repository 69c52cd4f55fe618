"""A filter expression as words: signs, operators, patterns with or without quotes.

Signs (``! & | ( )``) count at the start of a word only, so that ``a|b`` is one pattern. What ends a word
without a space in between is refused where it would be misread.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from proxyfw.exceptions import FilterError

SIGN, OPERATOR, WORD, QUOTED, END = "sign", "operator", "word", "quoted", "end"

_SPACE = re.compile(r"\s*")
_WORD = re.compile(
    r"""(?P<sign>[()!&|])
      | (?P<operator>~[^\s()~'"&|!]*)
      | (?P<word>[^\s()~'"]+)
      | (?P<quoted>"(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*')""",
    re.VERBOSE | re.DOTALL,
)
_PLAIN = re.compile(r"""[^\s()~'"!&|][^\s()~'"]*""")
_ESCAPE = re.compile(r"""\\(["'\\])""")
_TWICE = {"&": "&&", "|": "||"}


class Word(NamedTuple):
    """A word: what it is, what it says (quotes and escapes undone), where it begins and ends."""

    kind: str
    text: str
    start: int
    end: int


def words(text: str) -> Iterator[Word]:
    """The words of *text*, an END at last. Raises FilterError."""
    at = _SPACE.match(text, 0).end()  # type: ignore[union-attr]  # it matches everywhere
    while at < len(text):
        match = _WORD.match(text, at)
        if match is None:
            raise FilterError(text, at, f"this quote is never closed: a {text[at]} is missing")
        word = _word(match)
        _check(text, word)
        yield word
        at = _SPACE.match(text, word.end).end()  # type: ignore[union-attr]
    yield Word(END, "", len(text), len(text))


def quoted(text: str) -> str:
    """*text* as `words` reads it again: bare if it can be, else in quotes."""
    if _PLAIN.fullmatch(text):
        return text
    quote = "'" if '"' in text and "'" not in text else '"'
    out = []
    for char, following in zip(text, text[1:] + quote, strict=False):
        special = char == quote or (char == "\\" and following in "\"'\\")
        out.append(f"\\{char}" if special else char)
    return f"{quote}{''.join(out)}{quote}"


def _word(match: re.Match[str]) -> Word:
    kind, text = str(match.lastgroup), match[0]
    if kind == OPERATOR:
        text = text[1:]
    elif kind == QUOTED:
        text = _ESCAPE.sub(r"\1", text[1:-1])
    return Word(kind, text, *match.span())


def _check(text: str, word: Word) -> None:
    """Refuse what reads like one thing and would be two."""
    after = text[word.end : word.end + 1]
    if word.kind == SIGN:
        if after == "=" and word.text == "!":
            raise FilterError(text, word.start, "!= has no place here: put ! before the operator")
        if after == word.text and word.text in _TWICE:
            raise FilterError(text, word.start, f"write a single {after}, not {_TWICE[after]}")
    elif word.kind == WORD and after and after in "(~'\"":
        raise FilterError(
            text, word.end, f"{after} ends a word: put quotes around all of it, or a space here"
        )
    elif word.kind == QUOTED and after and not after.isspace() and after not in ")&|":
        raise FilterError(text, word.end, "a space is missing after the quote")
