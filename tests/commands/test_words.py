"""A line as words: quotes, backslashes, places."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxyfw.commands.words import Word, pointed, quoted, split
from proxyfw.exceptions import CommandError


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", []),
        (" \t\n ", []),
        ("a b\tc\nd", ["a", "b", "c", "d"]),
        ("'a b' \"c d\"", ["a b", "c d"]),
        ("''", [""]),
        ("a'b c'd", ["ab cd"]),
        ("name='b c'", ["name=b c"]),
        (r"C:\Users\new\table", [r"C:\Users\new\table"]),
        (r'"C:\Program Files\x"', [r"C:\Program Files\x"]),
        (r"'C:\dir\' next", ["C:\\dir\\", "next"]),
        (r'"C:\dir\\" next', ["C:\\dir\\", "next"]),
        (r"\\server\share", [r"\\server\share"]),
        (r'"\\server\a share"', [r"\\server\a share"]),
        (r"my\ file.txt", ["my file.txt"]),
        (r"C:\dir\\ next", ["C:\\dir\\", "next"]),
        ("ends\\", ["ends\\"]),
        (r"don\'t \"x\"", ["don't", '"x"']),
        (r"""'~u "a b" & ~b \d+'""", [r'~u "a b" & ~b \d+']),
        (r'''"~u \"a b\" & ~b \d+\.js"''', [r'~u "a b" & ~b \d+\.js']),
        (r'''"~b 'it is'"''', ["~b 'it is'"]),
        ('{"a":1}', ["{a:1}"]),
        ("""'{"a": 1}'""", ['{"a": 1}']),
    ],
)
def test_words(line: str, words: list[str]) -> None:
    assert [word.text for word in split(line)] == words


def test_words_know_where_they_stand() -> None:
    assert split("  a 'b c' ") == [Word("a", 2, 3), Word("b c", 4, 9)]


@pytest.mark.parametrize(("line", "place"), [("a 'b c", 2), ('a b"c', 3), (r'"C:\dir\" next', 0), ("'", 0)])
def test_an_open_quote_is_pointed_at(line: str, place: int) -> None:
    with pytest.raises(CommandError) as caught:
        split(line)
    assert str(caught.value) == f"this quote is not closed\n    {line}\n    {' ' * place}^"


def test_pointing_keeps_its_place_in_lines_that_cannot_be_printed() -> None:
    assert pointed("no", "a\x1b\nb", 3, 4) == "no\n    a  b\n       ^"


@given(st.lists(st.text()))
def test_quoted_words_are_read_as_what_they_were(words: list[str]) -> None:
    assert [word.text for word in split(" ".join(map(quoted, words)))] == words


@given(st.text(alphabet="ab '\"\\\n"))
def test_any_line_is_read_or_refused(line: str) -> None:
    try:
        words = split(line)
    except CommandError:
        return
    assert all(0 <= word.start < word.end <= len(line) for word in words)
