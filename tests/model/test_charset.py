"""Charsets: declared, marked, or known from the format."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxyfw.model import charset


@pytest.mark.parametrize(
    ("content_type", "content", "expected"),
    [
        ("", b"", "latin-1"),
        ("text/html", b"<p>", "latin-1"),
        ("text/html; charset=UTF-8", b"", "UTF-8"),
        ('text/html;CHARSET="koi8-r"; x=y', b"", "koi8-r"),
        ("text/html; charset=gb2312", b"", "gb18030"),
        ("text/html; charset=utf-8", codecs.BOM_UTF16_LE, "utf-8"),
        ("text/plain", codecs.BOM_UTF8 + b"x", "utf-8-sig"),
        ("text/plain", codecs.BOM_UTF16_BE + b"\0x", "utf-16"),
        ("text/plain", codecs.BOM_UTF32_LE + b"x\0\0\0", "utf-32"),
        ("application/json", b"{}", "utf-8"),
        ("application/problem+json", b"{}", "utf-8"),
        ("text/html", b'<html><META charset="euc-kr">', "euc-kr"),
        ("text/html", b'<meta http-equiv="x" content="text/html; charset=gbk">', "gb18030"),
        ("text/html", b" " * 2000 + b'<meta charset="euc-kr">', "latin-1"),
        ("application/xml", b'<?xml version="1.0" encoding="iso-8859-5"?>', "iso-8859-5"),
        ("image/svg+xml", b"<svg/>", "utf-8"),
        ("application/xhtml+xml", b"<html/>", "utf-8"),
        ("text/css", b'@charset "euc-jp";', "euc-jp"),
        ("text/css", b"p {}", "utf-8"),
        ("application/x-www-form-urlencoded", b"a=b", "utf-8"),
        ("text/plain", b'<meta charset="euc-kr">', "latin-1"),
    ],
)
def test_guess(content_type: str, content: bytes, expected: str) -> None:
    assert charset.guess(content_type, content) == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", "text/plain; charset=utf-8"),
        ("text/html", "text/html; charset=utf-8"),
        ("text/html; Charset=x; a=b", "text/html; a=b; charset=utf-8"),
    ],
)
def test_with_charset(header: str, expected: str) -> None:
    assert charset.with_charset(header, "utf-8") == expected


def test_media_types() -> None:
    assert charset.parse_media_type(' Text/HTML ; A="b" ; c ; d=e; a=z') == (
        "text/html",
        {"a": "b", "d": "e"},
    )


@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    st.sampled_from(
        ["", "text/html", "application/json", "text/css", "text/html; charset=koi8-r", "a/b; charset=x"]
    ),
    st.sampled_from([b"", codecs.BOM_UTF8, codecs.BOM_UTF16_LE, b'<meta charset="euc-kr">', b"\xff"]),
)
def test_what_is_encoded_is_read_again(text: str, content_type: str, old: bytes) -> None:
    content = charset.encode(text, content_type, old)
    if content is not None:
        assert content.decode(charset.guess(content_type, content)) == text


def test_encode_prefers_the_charset_in_use() -> None:
    assert charset.encode("é", "text/plain", b"") == b"\xe9"
    assert charset.encode("é", "text/plain", codecs.BOM_UTF8) == codecs.BOM_UTF8 + b"\xc3\xa9"
    assert charset.encode('<meta charset="utf-8">é', "text/html", b"") == '<meta charset="utf-8">é'.encode()
    assert charset.encode("→", "text/plain", b"") is None
    assert charset.encode("x", "text/plain; charset=nonsense", b"") is None
