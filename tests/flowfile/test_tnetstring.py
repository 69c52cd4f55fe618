"""Typed netstrings: what is written is read; what is damaged is refused, at once and by place."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxyfw.flowfile.tnetstring import MAX_DEPTH, Damaged, dumps, read

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.binary(), inner), max_leaves=20
)


def loads(data: bytes) -> Any:
    found = read(io.BytesIO(data).read)
    assert found is not None
    return found[0]


@given(VALUES)
def test_what_is_written_is_read(value: Any) -> None:
    data = dumps(value)
    assert read(io.BytesIO(data).read) == (value, len(data))


@pytest.mark.parametrize(
    ("value", "data"),
    [
        (None, b"0:~"),
        (True, b"4:true!"),
        (7, b"1:7#"),
        (1.5, b"3:1.5^"),
        ("ä", b"2:\xc3\xa4;"),
        (b"\0", b"1:\0,"),
        ([1, "a"], b"8:1:1#1:a;]"),
        ({"k": b""}, b"7:1:k;0:,}"),
    ],
)
def test_the_form_is_that_of_the_field(value: Any, data: bytes) -> None:
    assert dumps(value) == data
    assert loads(data) == value


def test_text_with_lone_surrogates_survives() -> None:
    assert loads(dumps("\udc80")) == "\udc80"


def test_the_end_of_the_input_is_none() -> None:
    assert read(io.BytesIO(b"").read) is None


@pytest.mark.parametrize(
    ("data", "at", "reason"),
    [
        (b"x", 0, "there is no length of a record"),
        (b":", 0, "there is no length of a record"),
        (b"12", 0, "ends in the middle of a length"),
        (b"9999999999999:", 0, "there is no length of a record"),
        (b"5:abc", 0, "3 bytes are missing"),
        (b"3:abc", 0, "1 bytes are missing"),
        (b"3:abc?", 5, "is no type of a value"),
        (b"1:x#", 2, "a value cannot be read"),
        (b"500:" + b"1" * 500 + b"#", 4, "a number has 500 digits"),
        (b"3:tru!", 2, "neither true nor false"),
        (b"1:x~", 2, "null has no content"),
        (b"1:\xff;", 2, "a value cannot be read"),
        (b"4:9:a;]", 2, "longer than what it is part of"),
        (b"3:abc]", 2, "there is no length of a value"),
        (b"4:1:a;}", 2, "no value for one"),
        (b"8:1:1#1:2#}", 2, "a key that is no text"),
    ],
)
def test_damage_is_refused_with_its_place(data: bytes, at: int, reason: str) -> None:
    with pytest.raises(Damaged, match=reason) as caught:
        loads(data)
    assert caught.value.at == at


def test_nesting_has_a_limit() -> None:
    data = b"0:~"
    for _ in range(MAX_DEPTH + 2):
        data = b"%d:%s]" % (len(data), data)
    with pytest.raises(Damaged, match="nested more than"):
        loads(data)


def test_a_great_length_takes_no_memory_that_the_input_does_not_fill() -> None:
    asked: list[int] = []

    class Short(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            asked.append(size or 0)
            return super().read(size)

    with pytest.raises(Damaged, match="bytes are missing"):
        read(Short(b"999999999999:short").read)
    assert max(asked) <= 1 << 20


def test_other_objects_are_refused() -> None:
    with pytest.raises(TypeError, match="object cannot be written"):
        dumps([object()])


@given(st.binary(max_size=200))
def test_arbitrary_bytes_only_raise_our_error(data: bytes) -> None:
    try:
        read(io.BytesIO(data).read)
    except Damaged:
        pass


@given(VALUES, st.data())
def test_flipped_bytes_only_raise_our_error(value: Any, data: st.DataObject) -> None:
    raw = bytearray(dumps(value))
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        read(io.BytesIO(bytes(raw)).read)
    except Damaged:
        pass
