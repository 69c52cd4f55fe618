"""URLs: what is taken apart can be put together to the same text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxyfw.model import url

hosts = st.sampled_from(["example.com", "127.0.0.1", "::1", "fe80::1%25eth0", "a_b-c.test", "localhost"])
paths = st.text(st.characters(exclude_categories=["Cs"]), max_size=12).map(lambda text: "/" + text)


@given(st.sampled_from(["http", "https", "ws"]), hosts, st.integers(1, 65535), paths)
def test_parse_undoes_unparse(scheme: str, host: str, port: int, path: str) -> None:
    assert url.parse(url.unparse(scheme, host, port, path)) == (scheme, host, port, path)


@given(st.binary(max_size=10))
def test_undecodable_paths_survive(path: bytes) -> None:
    *_, parsed = url.parse(b"http://a/" + path)
    assert parsed.encode("utf-8", "surrogateescape") == b"/" + path


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("http://a", ("http", "a", 80, "/")),
        ("HTTPS://A.b", ("https", "A.b", 443, "/")),
        ("http://a?q", ("http", "a", 80, "/?q")),
        ("http://a#f", ("http", "a", 80, "/#f")),
        ("http://a:81/x//y/../z?a=b#c", ("http", "a", 81, "/x//y/../z?a=b#c")),
        ("http://user:pass@a:81/@", ("http", "a", 81, "/@")),
        ("http://[::1]:8080/", ("http", "::1", 8080, "/")),
        ("https://[::1]/", ("https", "::1", 443, "/")),
        ("http://a:/", ("http", "a", 80, "/")),
        ("git+ssh://a/", ("git+ssh", "a", 80, "/")),
        ("http://bücher.example/ü", ("http", "xn--bcher-kva.example", 80, "/ü")),
    ],
)
def test_parse(text: str, parts: tuple[str, str, int, str]) -> None:
    assert url.parse(text) == parts


@pytest.mark.parametrize(
    "text",
    ["", "/path", "example.com", "http://", "http:///x", "http://a:b/", "http://a:0/", "http://a:65536/",
     "http://a b/", "http://[::1/", "http://[a]/", "http://[::1]x/", "://a", "ht tp://a", "http://a\r\n/",
     "http://a:٣/", "http://" + "ü" * 70 + "/", "http://a\\b/"],
)  # fmt: skip
def test_invalid_urls_raise_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"URL|host|port"):
        url.parse(text)


def test_a_url_is_text() -> None:
    with pytest.raises(TypeError, match="str or bytes, not NoneType"):
        url.parse(None)  # type: ignore[arg-type]


def test_authorities() -> None:
    assert url.parse_authority("a") == ("a", None)
    assert url.parse_authority("a:1") == ("a", 1)
    assert url.parse_authority("[::1]") == ("::1", None)
    assert url.parse_authority("[::1]:1") == ("::1", 1)
    assert url.parse_authority("::1") == ("::1", None)


def test_lenient_authority_keeps_what_it_cannot_read() -> None:
    assert url.lenient_authority("a:b") == ("a:b", None)
    assert url.lenient_authority("a:1") == ("a", 1)


def test_default_ports_are_left_out() -> None:
    assert url.host_and_port("http", "a", 80) == "a"
    assert url.host_and_port("https", "a", 80) == "a:80"
    assert url.host_and_port("https", "::1", 443) == "[::1]"
    assert url.host_and_port("", "::1", 443) == "[::1]:443"
