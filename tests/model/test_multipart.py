"""multipart/form-data: fields are found whatever is in them, edits keep file names and types."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxyfw.model import multipart

FILE = b'Content-Type: image/png\r\ncontent-disposition: form-data; filename="; name=x.png"; name="file"'
BODY = (
    b'preamble\r\n--xyz\r\nContent-Disposition: form-data; name="note"\r\n\r\nhello\r\n--xyz \t\r\n'
    + FILE
    + b"\r\n\r\n\x89PNG\r\n--xy\r\n--xyzzy\r\nend\r\n--xyz--\r\nepilogue"
)


def test_parse() -> None:
    parts = multipart.parse(BODY, b"xyz")
    assert [(part.name, part.value) for part in parts] == [
        (b"note", b"hello"),
        (b"file", b"\x89PNG\r\n--xy\r\n--xyzzy\r\nend"),
    ]


def test_edit_keeps_the_headers_of_fields_that_stay() -> None:
    new = multipart.edit(BODY, b"xyz", [(b"file", b"other"), (b"more", b"1")])
    added = b'Content-Disposition: form-data; name="more"'
    assert new == b"--xyz\r\n" + FILE + b"\r\n\r\nother\r\n--xyz\r\n" + added + b"\r\n\r\n1\r\n--xyz--\r\n"


@pytest.mark.parametrize(
    "content", [b"", b"--xyz", b"--xyz--", b"--xyz\r\n", b"--xyz\r\nno blank line\r\n--xyz--"]
)
def test_what_is_no_form_has_no_fields(content: bytes) -> None:
    assert multipart.parse(content, b"xyz") == []


def test_unquoted_and_empty_names() -> None:
    head = b"--x\r\nContent-Disposition: form-data; name="
    body = head + b"a\r\n\r\n1\r\n" + head + b'""\r\n\r\n2\r\n--x--'
    assert [(part.name, part.value) for part in multipart.parse(body, b"x")] == [(b"a", b"1"), (b"", b"2")]


def test_boundaries() -> None:
    assert multipart.boundary_of('multipart/form-data; boundary="a b"') == b"a b"
    assert multipart.boundary_of("multipart/form-data") is None
    assert multipart.boundary_of("multipart/mixed; boundary=a") is None
    assert multipart.new_boundary() != multipart.new_boundary()


def test_fields_are_bytes() -> None:
    with pytest.raises(TypeError, match="pairs of bytes"):
        multipart.edit(b"", b"x", [("a", "b")])  # type: ignore[list-item]


# Browsers escape quotes and line breaks in names by %, but not the % itself: such names cannot come back.
names = st.binary(max_size=6).filter(lambda name: b"%" not in name)


@given(st.lists(st.tuples(names, st.binary(max_size=12)), max_size=5))
def test_parse_undoes_edit(pairs: list[tuple[bytes, bytes]]) -> None:
    body = multipart.edit(b"", b"0f1e2d3c", pairs)
    assert [(part.name, part.value) for part in multipart.parse(body, b"0f1e2d3c")] == pairs


@given(st.binary(max_size=80))
def test_arbitrary_bytes_do_no_harm(noise: bytes) -> None:
    multipart.parse(noise, b"x")
    multipart.parse(b"--x\r\n" + noise + b"\r\n--x--", b"x")
