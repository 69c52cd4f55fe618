"""A line of text as words, each with its place in the line, for errors that show where.

Words are divided by white space. Text in double or single quotes is one word, or a part of one; in single
quotes everything is literal. A backslash is itself, so that paths of Windows and regular expressions can be
written as they are; it escapes only where it stands before a quote or, outside of quotes, before a space.
There two stand for one, and one takes the meaning from what follows.
"""

from __future__ import annotations

from dataclasses import dataclass

from proxyfw.exceptions import CommandError

_QUOTES = "\"'"


@dataclass(frozen=True, slots=True)
class Word:
    """One word: its *text* without quotes, and where it stands in the line."""

    text: str
    start: int
    end: int


def split(line: str) -> list[Word]:
    """The words of *line*. Raises `CommandError` for a quote that is not closed."""
    words = []
    position = _skip_space(line, 0)
    while position < len(line):
        word = _word(line, position)
        words.append(word)
        position = _skip_space(line, word.end)
    return words


def pointed(message: str, line: str, start: int, end: int) -> str:
    """*message*, and below it *line* with carets under what is between *start* and *end*."""
    shown = "".join(char if char.isprintable() else " " for char in line)
    return f"{message}\n    {shown}\n    {' ' * start}{'^' * max(end - start, 1)}"


def quoted(text: str) -> str:
    """*text* as one word of a line."""
    if text and not any(char.isspace() or char in _QUOTES for char in text) and not text.endswith("\\"):
        return text
    if "'" not in text:
        return f"'{text}'"
    return '"' + _escaped(text) + '"'


def _escaped(text: str) -> str:
    parts, backslashes = [], 0
    for char in text:
        if char == '"':
            parts.append("\\" * (backslashes + 1))
        backslashes = backslashes + 1 if char == "\\" else 0
        parts.append(char)
    return "".join(parts) + "\\" * backslashes


def _skip_space(line: str, position: int) -> int:
    while position < len(line) and line[position].isspace():
        position += 1
    return position


def _word(line: str, start: int) -> Word:
    parts: list[str] = []
    position, quote, opened = start, "", start
    while position < len(line):
        char = line[position]
        if char == "\\" and quote != "'":
            position = _backslashes(line, position, quote, parts)
        elif quote:
            quote = "" if char == quote else _keep(char, parts, quote)
            position += 1
        elif char.isspace():
            break
        else:
            if char in _QUOTES:
                quote, opened = char, position
            else:
                parts.append(char)
            position += 1
    if quote:
        raise CommandError(pointed("this quote is not closed", line, opened, opened + 1))
    return Word("".join(parts), start, position)


def _keep(char: str, parts: list[str], quote: str) -> str:
    parts.append(char)
    return quote


def _backslashes(line: str, start: int, quote: str, parts: list[str]) -> int:
    """Add what the backslashes at *start* mean; returns where to go on."""
    end = start
    while end < len(line) and line[end] == "\\":
        end += 1
    count, following = end - start, line[end : end + 1]
    escapes = following == quote if quote else following and (following in _QUOTES or following.isspace())
    if not escapes:
        parts.append("\\" * count)
        return end
    parts.append("\\" * (count // 2))
    if count % 2:
        parts.append(following)
        end += 1
    return end
