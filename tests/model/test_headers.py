"""Headers: bytes kept exactly, case-insensitive text on top."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxyfw.http import Headers
from proxyfw.model.headers import to_bytes, to_str

fields = st.lists(st.tuples(st.binary(max_size=6), st.binary(max_size=6)), max_size=8)


def sample() -> Headers:
    return Headers([(b"Host", b"example.com"), (b"Accept", b"a"), (b"accept", b"b")])


def test_lookup_ignores_case_and_joins_repeated_fields() -> None:
    headers = sample()
    assert headers["hOST"] == headers[b"HOST"] == headers.get("host") == "example.com"
    assert headers["accept"] == headers.get("ACCEPT") == "a, b"
    assert headers.get_all("Accept") == ["a", "b"]
    assert headers.get("none") is None
    assert headers.get("none", "x") == headers.get("none", default="x") == "x"
    assert headers.get_all("none") == []
    with pytest.raises(KeyError):
        headers["none"]


def test_names_of_equal_length_are_told_apart() -> None:
    assert Headers([(b"aaaa", b"1"), (b"host", b"2")])["Host"] == "2"


def test_membership_takes_str_and_bytes_and_nothing_else() -> None:
    assert "host" in sample()
    assert b"HOST" in sample()  # type: ignore[comparison-overlap]
    assert "none" not in sample()
    assert 5 not in sample()  # type: ignore[comparison-overlap]


def test_assignment_keeps_place_and_spelling_of_the_field() -> None:
    headers = sample()
    headers["HOST"] = "x"
    headers["accept"] = b"c"
    assert headers.fields == [(b"Host", b"x"), (b"Accept", b"c")]
    headers["X-New"] = "1"
    assert headers.fields[-1] == (b"X-New", b"1")


def test_delete_removes_every_field_of_the_name() -> None:
    headers = sample()
    del headers["ACCEPT"]
    assert headers.fields == [(b"Host", b"example.com")]
    with pytest.raises(KeyError):
        del headers["accept"]
    assert headers.pop("accept", None) is None
    assert headers.pop("host") == "example.com"


def test_add_insert_and_set_all() -> None:
    headers = Headers()
    headers.add("Set-Cookie", "a=1")
    headers.add(b"Set-Cookie", b"b=2")
    headers.insert(0, "Date", "now")
    assert headers.get_all("set-cookie") == ["a=1", "b=2"]
    headers.set_all("set-cookie", ["c=3"])
    assert bytes(headers) == b"Date: now\r\nSet-Cookie: c=3\r\n"
    with pytest.raises(TypeError, match="list of values"):
        headers.set_all("a", "b")


def test_items_join_unless_multi() -> None:
    headers = sample()
    assert list(headers.items()) == [("Host", "example.com"), ("Accept", "a, b")]
    assert list(headers.items(multi=True)) == [("Host", "example.com"), ("Accept", "a"), ("accept", "b")]
    assert dict(headers) == {"Host": "example.com", "Accept": "a, b"}
    assert list(headers) == ["Host", "Accept"]
    assert len(headers) == 2


def test_equal_values_of_repeated_fields_are_joined_too() -> None:
    assert list(Headers([(b"a", b"1"), (b"a", b"1")]).items()) == [("a", "1, 1")]


def test_fields_is_the_list_itself() -> None:
    raw = [(b"A", b"1")]
    headers = Headers.wrap(raw)
    assert headers.fields is raw
    headers["b"] = "2"
    del headers["a"]
    assert raw == [(b"b", b"2")]
    headers.fields.append((b"c", b"3"))
    assert headers["c"] == "3"


def test_fields_can_be_assigned_as_a_tuple_and_stay_editable() -> None:
    headers = sample()
    headers.fields = ((b"a", b"1"),)
    headers.add("b", "2")
    assert headers.fields == [(b"a", b"1"), (b"b", b"2")]


def test_keywords_are_fields_with_dashes() -> None:
    headers = Headers([(b"Content-Type", b"x")], content_type="text/plain", x_y=b"1")
    assert headers.fields == [(b"Content-Type", b"text/plain"), (b"x-y", b"1")]


def test_copy_shares_nothing() -> None:
    headers = sample()
    twin = headers.copy()
    assert twin == headers
    twin["a"] = "b"
    assert "a" not in headers


def test_constructor_wants_bytes() -> None:
    with pytest.raises(TypeError, match="pairs of bytes"):
        Headers([("a", "b")])  # type: ignore[list-item]


def test_wrong_types_are_named() -> None:
    headers = sample()
    with pytest.raises(TypeError, match="must be str or bytes, not int: 5"):
        headers["a"] = 5  # type: ignore[assignment]
    with pytest.raises(TypeError, match="must be str or bytes, not NoneType"):
        headers.get(None)  # type: ignore[call-overload]


def test_what_cannot_be_sent_is_accepted_here_and_refused_by_the_codec() -> None:
    headers = Headers()
    headers["a"] = "b\r\nc"
    assert headers.fields == [(b"a", b"b\r\nc")]


def test_of_takes_mappings_pairs_and_headers_in_str_or_bytes() -> None:
    assert Headers.of({"a": "b"}) == Headers.of([(b"a", "b")]) == Headers.of({b"a": b"b"})
    headers = sample()
    twin = Headers.of(headers)
    assert twin == headers
    assert twin.fields is not headers.fields


def test_headers_are_an_ordinary_class() -> None:
    assert isinstance(sample(), Headers)
    assert not isinstance({}, Headers)
    assert "Host" in repr(sample())


@given(fields)
def test_bytes_survive_text(raw: list[tuple[bytes, bytes]]) -> None:
    headers = Headers(raw)
    assert [(to_bytes(name), to_bytes(value)) for name, value in headers.items(multi=True)] == raw
    assert Headers.from_state(headers.get_state()) == headers
    for name, _ in raw:
        assert headers.get_all(name) == [to_str(v) for n, v in raw if n.lower() == name.lower()]
        assert headers[name] == ", ".join(headers.get_all(name))
    assert dict(headers.items()) == {name: headers[name] for name in headers}


@given(fields, st.binary(max_size=3), st.lists(st.binary(max_size=3), max_size=3))
def test_set_all_leaves_other_fields_alone(
    raw: list[tuple[bytes, bytes]], name: bytes, values: list[bytes]
) -> None:
    headers = Headers(raw)
    headers.set_all(name, values)
    assert headers.get_all(name) == [to_str(value) for value in values]
    assert [f for f in headers.fields if f[0].lower() != name.lower()] == [
        f for f in raw if f[0].lower() != name.lower()
    ]
