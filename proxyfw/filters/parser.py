"""Makes a filter of words, by recursive descent: not binds before and, and before or.

either := both ('|' both)*
both   := inverse ('&'? inverse)*
inverse := '!' inverse | '(' either ')' | operator argument? | pattern
"""

from __future__ import annotations

import difflib
import re
from typing import NoReturn

from proxyfw.exceptions import FilterError
from proxyfw.filters.numbers import tidy
from proxyfw.filters.operators import BY_NAME, JSON, NUMERIC, REGEX, Operator
from proxyfw.filters.tree import Both, Either, Filter, Inverse, Single
from proxyfw.filters.words import END, OPERATOR, QUOTED, SIGN, WORD, Word, words
from proxyfw.filters.wrong import Wrong

DEEPEST = 50
"""Levels of brackets and negations."""

_COMPARISONS = frozenset({"<", ">", "<=", ">=", "="})
_CONTINUES = {JSON: frozenset("<>="), **dict.fromkeys(NUMERIC, frozenset("<>=-,0123456789"))}
"""What no URL pattern begins with, but what a number or comparison goes on with."""
_ENGLISH = {"and": "&", "or": "|", "not": "!"}
_IN_FULL = {
    "~url": "~u", "~domain": "~d", "~host": "~d", "~method": "~m", "~code": "~c", "~status": "~c",
    "~header": "~h", "~body": "~b", "~type": "~t", "~asset": "~a", "~error": "~e", "~ws": "~websocket",
    "~duration": "~dur",
}  # fmt: skip
_EXAMPLES = {REGEX: "a pattern", JSON: "a path, as in $.user.id"}


class Parser:
    """Reads one expression."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._words = list(words(text))
        self._at = 0
        self._depth = 0

    def filter(self) -> Filter:
        """The filter that the whole text means. Raises FilterError."""
        if self._next.kind == END:
            self._fail(0, "the filter is empty; ~all means every flow")
        found = self._either()
        if self._next.kind != END:
            self._fail(self._next.start, "no bracket is open that could be closed here")
        return found

    @property
    def _next(self) -> Word:
        return self._words[self._at]

    def _take(self) -> Word:
        word = self._words[self._at]
        self._at += 1
        return word

    def _is_sign(self, sign: str) -> bool:
        return self._next.kind == SIGN and self._next.text == sign

    def _either(self) -> Filter:
        parts = [self._both()]
        while self._is_sign("|"):
            self._take()
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else Either(parts)

    def _both(self) -> Filter:
        parts = [self._inverse()]
        while self._goes_on():
            parts.append(self._inverse())
        return parts[0] if len(parts) == 1 else Both(parts)

    def _goes_on(self) -> bool:
        """Whether another operand of "and" follows; the sign between them may be left out."""
        if self._is_sign("&"):
            self._take()
            return True
        return self._next.kind != END and not self._is_sign("|") and not self._is_sign(")")

    def _inverse(self) -> Filter:
        word = self._take()
        if word.kind == OPERATOR:
            return self._operator(word)
        if word.kind in (WORD, QUOTED):
            return self._url(word)
        if word.text not in ("!", "("):
            self._missing(word)
        self._depth += 1
        if self._depth > DEEPEST:
            self._fail(word.start, f"more than {DEEPEST} levels of brackets")
        found = Inverse(self._inverse()) if word.text == "!" else self._inside(word)
        self._depth -= 1
        return found

    def _inside(self, bracket: Word) -> Filter:
        found = self._either()
        if not self._is_sign(")"):
            self._fail(bracket.start, "this bracket is never closed: a ) is missing")
        self._take()
        return found

    def _url(self, word: Word) -> Filter:
        sign = _ENGLISH.get(word.text.lower()) if word.kind == WORD else None
        if sign:
            self._fail(word.start, f"write {sign}, or, for URLs with this word, ~u {word.text}")
        return self._single(BY_NAME["~u"], word)

    def _operator(self, word: Word) -> Filter:
        operator = BY_NAME.get(f"~{word.text}")
        if operator is None:
            self._unknown(word)
        if not operator.argument:
            return Single(operator, "")
        if self._next.kind not in (WORD, QUOTED):
            wanted = _EXAMPLES.get(operator.argument, f"a {operator.argument}")
            hint = "; put it in quotes if it begins like this" if self._next.kind != END else ""
            self._fail(self._next.start, f"{operator.name} needs {wanted}{hint}")
        found = self._single(operator, self._argument(operator))
        self._check_stray(operator)
        return found

    def _argument(self, operator: Operator) -> Word:
        """The argument; a comparison's sign may stand apart from its number."""
        word = self._take()
        if operator.argument in NUMERIC:
            if word.text in _COMPARISONS and self._next.kind == WORD:
                number = self._take()
                return number._replace(text=tidy(word.text + number.text), start=word.start)
            return word._replace(text=tidy(word.text))
        return word

    def _check_stray(self, operator: Operator) -> None:
        """Refuse a rest of the argument that would be taken for a URL pattern."""
        word = self._next
        if word.kind == WORD and word.text[0] in _CONTINUES.get(operator.argument, ()):
            self._fail(
                word.start,
                f"if this belongs to {operator.name}, write it without spaces or in quotes; "
                f"if it is part of a URL, write ~u {word.text}",
            )

    def _single(self, operator: Operator, word: Word) -> Filter:
        try:
            return Single(operator, word.text)
        except Wrong as problem:
            start = word.start + (word.kind == QUOTED)
            as_written = self._text.startswith(word.text, start)
            self._fail(start + problem.at if as_written else word.start, str(problem))

    def _unknown(self, word: Word) -> NoReturn:
        name = f"~{word.text}"
        letters = re.match(r"~[a-z]*", name)[0]  # type: ignore[index]  # it matches whatever follows
        known = BY_NAME.get(letters)
        if name == "~":
            reason = "the name of an operator is missing after ~"
        elif known is not None and known.argument:
            reason = f"unknown operator {name}: write a space after {known.name}"
        else:
            reason = f"unknown operator {name}{_hint(name.lower())}"
        self._fail(word.start, reason)

    def _missing(self, word: Word) -> NoReturn:
        before = self._words[self._at - 2].text if self._at > 1 else ""
        where = f"after {before}" if before else f"before {word.text}"
        if word.text == ")" and before != "(" and not self._depth:
            self._fail(word.start, "no bracket is open that could be closed here")
        self._fail(word.start, f"something is missing {where}")

    def _fail(self, position: int, reason: str) -> NoReturn:
        raise FilterError(self._text, position, reason)


def _hint(name: str) -> str:
    nearest = [_IN_FULL[name]] if name in _IN_FULL else difflib.get_close_matches(name, BY_NAME, 1, 0.6)
    return f"; did you mean {nearest[0]}?" if nearest else ""
