"""Queries, forms and path components: untouched parts keep their spelling."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxyfw.model import query

text = st.text(st.characters(exclude_categories=[]), max_size=6).filter(
    lambda s: s.encode("utf-8", "surrogatepass").decode("utf-8", "replace") == s
)
pairs = st.lists(st.tuples(text, text), max_size=6)
raw = st.text(st.sampled_from("ab=&+%20;#?/ü"), max_size=20)


@given(pairs)
def test_parse_undoes_edit(fields: list[tuple[str, str]]) -> None:
    assert query.parse(query.edit("", fields)) == fields


@given(raw)
def test_writing_what_was_read_changes_no_piece(old: str) -> None:
    assert query.edit(old, query.parse(old)) == "&".join(filter(None, old.split("&")))


@given(raw, pairs)
def test_edits_say_what_is_wanted(old: str, fields: list[tuple[str, str]]) -> None:
    assert query.parse(query.edit(old, fields)) == fields


def test_other_parameters_keep_their_spelling() -> None:
    assert query.edit("a=%7e&flag&b=x y&c=1", [("a", "~"), ("flag", ""), ("b", "2"), ("c", "1")]) == (
        "a=%7e&flag&b=2&c=1"
    )


def test_undecodable_bytes_survive() -> None:
    assert query.parse("a=%ff") == [("a", "\udcff")]
    assert query.edit("", [("a", "\udcff")]) == "a=%FF"


def test_pairs_must_be_text() -> None:
    with pytest.raises(TypeError, match="pairs of str"):
        query.edit("", [("a", 1)])  # type: ignore[list-item]


def test_targets_are_split_once() -> None:
    assert query.split_target("/a?b?c#d?e") == ("/a", "b?c", "#d?e")
    assert query.split_target("*") == ("*", "", "")


def test_components() -> None:
    assert query.components("/a%2Fb//c%20d/") == ("a/b", "c d")
    assert query.from_components(["a/b", "c d", "ü"]) == "/a%2Fb/c%20d/%C3%BC"
    assert query.from_components([]) == "/"


@given(st.lists(text.filter(bool), max_size=5))
def test_components_round_trip(parts: list[str]) -> None:
    assert query.components(query.from_components(parts)) == tuple(parts)
