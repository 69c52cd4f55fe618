"""Cookies: read as user agents do (RFC 6265), written back without touching their neighbours."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxyfw.model import cookies
from proxyfw.model.cookies import CookieAttrs

octets = st.text(st.sampled_from("abc123!#$%&'()*+-./:<>?@[]^_`{|}~"), max_size=6)
names = octets.filter(bool)
values = st.text(st.sampled_from('abc=" ,ü'), max_size=6).map(str.strip)
attributes = st.lists(
    st.tuples(st.sampled_from(["Path", "HttpOnly", "secure", "X"]), st.one_of(st.none(), octets)), max_size=4
)


@given(st.lists(st.tuples(names, values), max_size=5))
def test_cookie_round_trip(pairs: list[tuple[str, str]]) -> None:
    header = cookies.edit_cookies([], pairs)
    assert cookies.parse_cookies([header]) == pairs


@given(st.lists(st.tuples(names, values, attributes), max_size=4))
def test_set_cookie_round_trip(jar: list[tuple[str, str, list[tuple[str, str | None]]]]) -> None:
    wanted = [(name, (value, CookieAttrs(attrs))) for name, value, attrs in jar]
    headers = cookies.edit_set_cookies([], wanted)
    assert cookies.parse_set_cookies(headers) == wanted


@given(st.lists(st.text(st.sampled_from('ab=;, "'), max_size=12), max_size=4))
def test_writing_what_was_read_changes_no_set_cookie(headers: list[str]) -> None:
    assert cookies.edit_set_cookies(headers, cookies.parse_set_cookies(headers)) == headers


def test_cookies_of_several_headers_are_one_list() -> None:
    assert cookies.parse_cookies(["a=1; b=2", "c=3"]) == [("a", "1"), ("b", "2"), ("c", "3")]


def test_quotes_and_equals_signs_belong_to_the_value() -> None:
    assert cookies.parse_cookies(['a="x y"; b=c=d']) == [("a", '"x y"'), ("b", "c=d")]


def test_a_cookie_without_a_name() -> None:
    assert cookies.parse_cookies(["token; ;a=1"]) == [("", "token"), ("a", "1")]
    assert cookies.edit_cookies([], [("", "token"), ("", "a=b")]) == "token; =a=b"


def test_untouched_cookies_keep_their_bytes() -> None:
    assert cookies.edit_cookies(["a = 1;b=2"], [("a", "1"), ("b", "3")]) == "a = 1; b=3"
    old = ["a=1;path=/;HTTPONLY", "b=2"]
    new = [("a", ("1", CookieAttrs([("path", "/"), ("HTTPONLY", None)]))), ("b", ("3", CookieAttrs()))]
    assert cookies.edit_set_cookies(old, new) == ["a=1;path=/;HTTPONLY", "b=3"]


def test_attributes_ignore_case_and_the_last_one_counts() -> None:
    ((_, (value, attrs)),) = cookies.parse_set_cookies(["a=b; Path=/x; path=/y; Secure; max-age="])
    assert value == "b"
    assert attrs["PATH"] == "/y"
    assert attrs["secure"] is None
    assert attrs["Max-Age"] == ""
    assert "domain" not in attrs


def test_attributes_may_be_given_as_mapping_or_pairs() -> None:
    plain = [("a", ("b", {"Path": "/"})), ("c", ("d", [("Secure", None)]))]
    assert cookies.edit_set_cookies([], plain) == ["a=b; Path=/", "c=d; Secure"]  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", ["text", ("one",), None])
def test_a_response_cookie_is_value_and_attributes(bad: object) -> None:
    with pytest.raises(TypeError, match=r"cookie 'a' of a response must be \(value, attributes\)"):
        cookies.edit_set_cookies([], [("a", bad)])  # type: ignore[list-item]


def test_refresh_moves_the_expiry_and_nothing_else() -> None:
    header = "a=b; Expires=Sun, 06 Nov 1994 08:49:37 GMT; Path=/"
    assert cookies.refresh(header, 60) == "a=b; Expires=Sun, 06 Nov 1994 08:50:37 GMT; Path=/"
    assert cookies.refresh("a=b;path=/", 60) == "a=b;path=/"
    assert cookies.refresh("a=b;expires=0", 60) == "a=b;expires=0"
