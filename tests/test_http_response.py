"""Responses: made in one line, cookies with attributes, recorded ones made fresh."""

from __future__ import annotations

import pytest

from proxyfw import flow as flows
from proxyfw.http import CookieAttrs, Headers, HTTPResponse, Response

DATE = "Sun, 06 Nov 1994 08:49:37 GMT"


def test_make() -> None:
    response = Response.make(404, b"gone", {"Content-Type": "text/plain"})
    assert (response.status_code, response.reason, response.http_version) == (404, "Not Found", "HTTP/1.1")
    assert response.headers.fields == [(b"Content-Type", b"text/plain"), (b"content-length", b"4")]
    assert response.content == b"gone"


def test_make_needs_nothing() -> None:
    response = Response.make()
    assert (response.status_code, response.reason, response.raw_content) == (200, "OK", b"")
    assert response.headers.fields == [(b"content-length", b"0")]


@pytest.mark.parametrize(
    "headers",
    [{"a": "b"}, {b"a": b"b"}, [("a", "b")], ((b"a", b"b"),), Headers([(b"a", b"b")]), iter([("a", b"b")])],
)
def test_make_takes_headers_in_any_form(headers: object) -> None:
    response = Response.make(200, b"", headers)  # type: ignore[arg-type]
    assert response.headers.fields[0] == (b"a", b"b")


def test_make_encodes_text() -> None:
    assert Response.make(200, "é", {"Content-Type": "text/html; charset=utf-8"}).raw_content == "é".encode()
    assert Response.make(200, "→").text == "→"
    assert Response.make(200, "x" * 99, {"Content-Encoding": "gzip"}).text == "x" * 99


@pytest.mark.parametrize(
    ("status", "reason"),
    [(418, "I'm a teapot"), (413, "Content Too Large"), (451, "Unavailable For Legal Reasons"), (599, "")],
)
def test_reason_phrases(status: int, reason: str) -> None:
    assert Response.make(status).reason == reason


@pytest.mark.parametrize("status", [101, 204, 304])
def test_what_has_no_body_declares_none(status: int) -> None:
    """RFC 9110 section 8.6."""
    assert Response.make(status).headers.fields == []


def test_wrong_types_are_named() -> None:
    with pytest.raises(TypeError, match="status_code must be an int, not str: '200'"):
        Response.make("200")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="content must be str or bytes, not dict"):
        Response.make(200, {})  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="must be str or bytes, not int"):
        Response.make(200, b"", {"a": 1})  # type: ignore[arg-type]
    response = Response.make()
    with pytest.raises(TypeError, match="status_code"):
        response.status_code = None  # type: ignore[assignment]
    with pytest.raises(TypeError, match="reason must be str or bytes"):
        response.reason = 5  # type: ignore[assignment]


def test_reason_is_latin1() -> None:
    response = Response.make()
    response.reason = "Schön"
    assert response.reason_bytes == b"Sch\xf6n"
    assert response.reason == "Schön"
    response.reason = b"OK"
    assert response.reason == "OK"


def test_the_name_of_long_ago() -> None:
    assert HTTPResponse is Response


def test_cookies_are_a_live_view_with_attributes() -> None:
    """5.1.24: two Set-Cookie headers stay two."""
    response = Response.make(200, b"", [("Set-Cookie", "a=1;Path=/;Secure"), ("Set-Cookie", "b=2")])
    value, attrs = response.cookies["a"]
    assert (value, attrs["path"], attrs["SECURE"]) == ("1", "/", None)
    response.cookies["b"] = ("3", CookieAttrs([("Max-Age", "60")]))
    response.cookies.add("c", ("4", CookieAttrs()))
    assert response.headers.get_all("set-cookie") == ["a=1;Path=/;Secure", "b=3; Max-Age=60", "c=4"]
    del response.cookies["a"]
    assert list(response.cookies) == ["b", "c"]
    response.cookies = []
    assert "set-cookie" not in response.headers


def recorded() -> Response:
    headers = [
        ("Date", DATE),
        ("Expires", "0"),
        ("Last-Modified", DATE),
        ("Set-Cookie", f"a=b; Expires={DATE}"),
    ]
    response = Response.make(200, b"x", [*headers, ("X", DATE)])
    response.timestamp_start = 1000.0
    return response


def test_refresh_moves_dates_by_the_age_of_the_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    later = "Sun, 06 Nov 1994 08:50:37 GMT"
    response = recorded()
    response.refresh(1060.0)
    assert response.headers["date"] == response.headers["last-modified"] == later
    assert response.headers["expires"] == "0"
    assert response.headers["set-cookie"] == f"a=b; Expires={later}"
    assert response.headers["x"] == DATE
    monkeypatch.setattr(flows, "clock", lambda: 1060.0)
    by_clock = recorded()
    by_clock.refresh()
    assert by_clock.headers == response.headers


def test_repr() -> None:
    assert repr(Response.make(418, b"x")) == "<Response 418 1 bytes>"
