"""Plain data: copies that nothing can reach, without what cannot be stored."""

from __future__ import annotations

from enum import IntEnum

from proxyfw.model.plain import plain


class Number(IntEnum):
    ONE = 1


def test_only_plain_entries_pass() -> None:
    data = {"a": 1, "b": [1.5, (b"x", None)], "c": {"d": True}, "e": object(), "f": [object()], "g": {1: 2}}
    assert plain({**data, "n": Number.ONE}) == {"a": 1, "b": [1.5, [b"x", None]], "c": {"d": True}}


def test_the_copy_is_deep() -> None:
    inner = [1]
    copy = plain({"a": {"b": inner}})
    inner.append(2)
    assert copy == {"a": {"b": [1]}}
