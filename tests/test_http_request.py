"""Requests: where they go, what they ask for, and everything that follows an edit."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxyfw.http import Headers, MultiDictView, Request


def a_request(
    host: str = "192.0.2.1",
    port: int = 80,
    method: bytes = b"GET",
    scheme: bytes = b"http",
    authority: bytes = b"",
    path: bytes = b"/path?a=1",
    version: bytes = b"HTTP/1.1",
    headers: list[tuple[bytes, bytes]] | None = None,
    content: bytes | None = b"",
) -> Request:
    return Request(
        host, port, method, scheme, authority, path, version, headers or [], content, None, 1.0, 2.0
    )


def with_host(value: bytes = b"example.com", **rest: bytes) -> Request:
    return a_request(headers=[(b"Host", value)], **rest)  # type: ignore[arg-type]


def test_facts_are_the_bytes_that_came() -> None:
    raw = [(b"HOST", b"example.com")]
    request = Request(
        "h", 1, b"get", b"https", b"A:1", b"/\xff", b"HTTP/1.0", Headers.wrap(raw), None, None, 1.0, None
    )
    assert (request.method_bytes, request.scheme_bytes) == (b"get", b"https")
    assert (request.authority_bytes, request.path_bytes) == (b"A:1", b"/\xff")
    assert request.version_bytes == b"HTTP/1.0"
    assert request.headers.fields is raw
    assert request.method == "GET"
    assert request.path == "/\udcff"
    assert request.authority == "A:1"
    assert request.timestamp_end is None


def test_text_is_accepted_for_bytes_and_other_types_are_named() -> None:
    request = Request("h", 80, "GET", "http", "", "/ü", "HTTP/1.1", (), b"", None, 1.0, 2.0)  # type: ignore[arg-type]
    assert request.path_bytes == "/ü".encode()
    for position, name in ((2, "method"), (3, "scheme"), (4, "authority"), (5, "path"), (6, "http_version")):
        arguments = ["h", 80, b"GET", b"http", b"", b"/", b"HTTP/1.1", (), b"", None, 1.0, 2.0]
        arguments[position] = None
        with pytest.raises(TypeError, match=f"{name} must be str or bytes, not NoneType"):
            Request(*arguments)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="content must be bytes"):
        a_request(content="text")  # type: ignore[arg-type]


def test_setters_take_text_and_bytes() -> None:
    request = a_request()
    request.method, request.scheme, request.path = "POST", "https", "/ü"
    request.authority = b"a:1"
    assert (request.method_bytes, request.scheme_bytes) == (b"POST", b"https")
    assert (request.path_bytes, request.authority_bytes) == ("/ü".encode(), b"a:1")
    with pytest.raises(TypeError, match="port must be an int, not str: '80'"):
        request.port = "80"  # type: ignore[assignment]
    with pytest.raises(TypeError, match="host must be str or bytes"):
        request.host = None  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (lambda r: setattr(r, "host", "other"), "other"),
        (lambda r: setattr(r, "port", 8080), "192.0.2.1:8080"),
        (lambda r: setattr(r, "url", "https://other/"), "other"),
        (lambda r: setattr(r, "url", "https://[::1]:8443/"), "[::1]:8443"),
        (lambda r: setattr(r, "host", "bücher.example"), "xn--bcher-kva.example"),
    ],
)
def test_a_new_destination_is_written_to_host_and_authority_where_present(
    edit: Callable[[Request], None], expected: str
) -> None:
    request = with_host(authority=b"example.com")
    edit(request)
    assert request.headers["host"] == expected
    assert request.authority == expected
    bare = a_request()
    edit(bare)
    assert "host" not in bare.headers
    assert bare.authority == ""


def test_only_what_is_there_is_rewritten() -> None:
    """5.1.2: Host and authority are each kept in step, and neither is made up."""
    absolute = a_request(authority=b"example.com")
    absolute.host = "other"
    assert absolute.authority == "other"
    assert "host" not in absolute.headers
    origin = with_host()
    origin.host = "other"
    assert origin.headers["host"] == "other"
    assert origin.authority == ""


def test_connect_authority_always_names_the_port() -> None:
    request = with_host(method=b"CONNECT", scheme=b"https", authority=b"example.com:443")
    request.host = "other"
    request.port = 443
    assert request.authority == request.headers["host"] == "other:443"


def test_url() -> None:
    assert with_host().url == "http://192.0.2.1/path?a=1"
    assert a_request(port=81).url == "http://192.0.2.1:81/path?a=1"
    assert a_request(host="::1", port=443, scheme=b"https").url == "https://[::1]/path?a=1"
    assert a_request(path=b"*", method=b"OPTIONS").url == "http://192.0.2.1"
    assert a_request(method=b"CONNECT", port=443, path=b"").url == "192.0.2.1:443"


def test_pretty_url_shows_the_host_the_client_named() -> None:
    assert with_host(b"example.com").pretty_url == "http://example.com/path?a=1"
    assert with_host(b"example.com:8080").pretty_url == "http://example.com:8080/path?a=1"
    assert with_host(b"not a host").pretty_url == "http://not a host/path?a=1"
    assert a_request().pretty_url == a_request().url
    modern = with_host(b"old", version=b"HTTP/2.0", authority=b"new:1")
    assert modern.pretty_url == "http://new:1/path?a=1"
    connect = a_request(method=b"CONNECT", authority=b"example.com:443")
    assert connect.pretty_url == "example.com:443"


def test_pretty_host() -> None:
    assert with_host(b"example.com:8080").pretty_host == "example.com"
    assert with_host(b"[::1]:8080").pretty_host == "::1"
    assert a_request().pretty_host == "192.0.2.1"


def test_host_and_header_may_differ_and_both_are_seen() -> None:
    """5.1.2: target authority and Host header are separate facts."""
    request = with_host(b"other.test", authority=b"example.com")
    assert (request.host, request.host_header, request.authority) == (
        "192.0.2.1",
        "other.test",
        "example.com",
    )


def test_host_header_is_the_authority_in_http2() -> None:
    request = a_request(version=b"HTTP/2.0", authority=b"a")
    assert request.host_header == "a"
    request.host_header = "b"
    assert request.authority == "b"
    assert "host" not in request.headers
    request.headers["host"] = "x"
    request.host_header = "c"
    assert (request.authority, request.headers["host"]) == ("c", "c")
    request.host_header = None
    assert request.authority == ""
    assert request.host_header is None


def test_host_header_in_http1() -> None:
    request = a_request(authority=b"target")
    assert request.host_header is None
    request.host_header = "b"
    assert request.headers["Host"] == "b"
    assert request.authority == "target"
    request.host_header = None
    assert "host" not in request.headers


def test_first_line_format() -> None:
    assert a_request().first_line_format == "relative"
    assert a_request(authority=b"a").first_line_format == "absolute"
    assert a_request(method=b"CONNECT", authority=b"a:1").first_line_format == "authority"


def test_invalid_urls_change_nothing() -> None:
    request = with_host()
    before = request.get_state()
    with pytest.raises(ValueError, match="no scheme"):
        request.url = "example.com/x"
    assert request.get_state() == before


def test_query_is_a_live_view() -> None:
    """5.1.40: what is not edited stays byte-exact."""
    request = a_request(path=b"//x/../y?a=%7e&b=2&b=3#f")
    query = request.query
    assert isinstance(query, MultiDictView)
    assert query["a"] == "~"
    assert query.get_all("b") == ["2", "3"]
    query["c"] = "ü &"
    assert request.path == "//x/../y?a=%7e&b=2&b=3&c=%C3%BC+%26#f"
    request.path = "/?z=1"
    assert dict(query) == {"z": "1"}
    query.clear()
    assert request.path == "/"


def test_query_can_be_assigned() -> None:
    request = a_request()
    request.query = {"x": "1"}
    assert request.path == "/path?x=1"
    request.query = [("x", "1"), ("x", "2")]
    assert request.path == "/path?x=1&x=2"
    other = a_request(path=b"/o?m=1&m=2")
    request.query = other.query
    assert request.path == "/path?m=1&m=2"


def test_path_components() -> None:
    request = a_request(path=b"/a%20b//c?q#f")
    assert request.path_components == ("a b", "c")
    request.path_components = ["x/y", "z"]
    assert request.path == "/x%2Fy/z?q#f"


def test_cookies_of_several_headers_are_one_view() -> None:
    """5.4.73: crumbs of HTTP/2 are joined with "; "."""
    request = a_request(headers=[(b"cookie", b"a=1"), (b"x", b"y"), (b"cookie", b"b=2")])
    assert request.cookies.fields == (("a", "1"), ("b", "2"))
    request.cookies["b"] = "3"
    assert request.headers.fields == [(b"cookie", b"a=1; b=3"), (b"x", b"y")]
    request.cookies = {}
    assert "cookie" not in request.headers


def test_urlencoded_form() -> None:
    request = a_request(
        method=b"POST",
        headers=[(b"Content-Type", b"application/x-www-form-urlencoded; charset=utf-8")],
        content=b"a=%7e&b=2",
    )
    request.urlencoded_form["b"] = "ü"
    assert request.content == b"a=%7e&b=%C3%BC"
    assert request.headers["content-type"].endswith("charset=utf-8")
    assert request.headers["content-length"] == str(len(request.content))
    other = a_request(method=b"POST", content=b"a=1")
    assert not other.urlencoded_form
    other.urlencoded_form = [("x", "1"), ("y", "2")]
    assert other.content == b"x=1&y=2"
    assert other.headers["content-type"] == "application/x-www-form-urlencoded"


def test_multipart_form() -> None:
    request = a_request(method=b"POST", content=b"a=1")
    assert not request.multipart_form
    request.multipart_form = {b"a": b"1", b"b": b"\r\n"}
    assert request.multipart_form.fields == ((b"a", b"1"), (b"b", b"\r\n"))
    before = request.headers["content-type"]
    request.multipart_form[b"a"] = b"2"
    assert request.headers["content-type"] == before
    assert request.multipart_form[b"a"] == b"2"
    assert request.content is not None
    assert request.headers["content-length"] == str(len(request.content))


def test_make() -> None:
    request = Request.make(
        "POST", "https://example.com:8443/x?y", "é", {"Content-Type": "text/plain; charset=utf-8"}
    )
    assert (request.method, request.host, request.port) == ("POST", "example.com", 8443)
    assert (request.scheme, request.path, request.http_version) == ("https", "/x?y", "HTTP/1.1")
    assert request.raw_content == "é".encode()
    assert request.headers["content-length"] == "2"
    assert request.authority == ""
    assert request.timestamp_end == request.timestamp_start


def test_make_declares_an_empty_body_only_where_one_is_expected() -> None:
    """RFC 9110 section 8.6; 5.6.107: a bodiless GET gains no content-length."""
    assert Request.make("GET", "http://a/").headers.fields == []
    assert Request.make("POST", "http://a/").headers["content-length"] == "0"
    request = Request.make("GET", "http://a/")
    request.content = b""
    assert request.headers.fields == []


def test_make_does_not_keep_the_headers_it_is_given() -> None:
    shared = Headers(a="b")
    Request.make("GET", "http://a/", b"x", shared)
    assert shared.fields == [(b"a", b"b")]


def test_anticache_and_anticomp() -> None:
    request = a_request(headers=[(b"If-None-Match", b"x"), (b"if-modified-since", b"y"), (b"a", b"b")])
    request.anticache()
    request.anticomp()
    assert request.headers.fields == [(b"a", b"b"), (b"accept-encoding", b"identity")]


@pytest.mark.parametrize(
    ("offered", "left"),
    [
        (b"gzip, sdch, br;q=0.5, *", "gzip, br;q=0.5"),
        (b"dcz", "identity"),
        (b"ZSTD", "ZSTD"),
    ],
)
def test_constrain_encoding(offered: bytes, left: str) -> None:
    request = a_request(headers=[(b"Accept-Encoding", offered)])
    request.constrain_encoding()
    assert request.headers["accept-encoding"] == left


def test_constrain_encoding_adds_nothing() -> None:
    request = a_request()
    request.constrain_encoding()
    assert request.headers.fields == []


def test_repr() -> None:
    assert repr(a_request()) == "<Request GET http://192.0.2.1/path?a=1 0 bytes>"
    assert repr(a_request(content=None)).endswith("no content>")


@given(
    st.lists(st.binary(max_size=5), min_size=5, max_size=5),
    st.text(max_size=5),
    st.integers(0, 65535),
    st.one_of(st.none(), st.binary(max_size=9)),
)
def test_any_request_survives_as_plain_data(
    raw: list[bytes], host: str, port: int, content: bytes | None
) -> None:
    request = Request(
        host, port, raw[0], raw[1], raw[2], raw[3], raw[4], [(b"a", b"b")], content, [(b"c", b"d")], 1.0, 2.0
    )
    state = request.get_state()
    assert Request.from_state(state).get_state() == state == request.copy().get_state()


@given(
    st.sampled_from(["http", "https"]),
    st.sampled_from(["example.com", "::1", "127.0.0.1"]),
    st.integers(1, 65535),
    st.binary(max_size=8),
)
def test_assigning_its_own_url_changes_nothing(scheme: str, host: str, port: int, path: bytes) -> None:
    request = a_request(host=host, port=port, scheme=scheme.encode(), path=b"/" + path)
    before = request.get_state()
    request.url = request.url
    assert request.get_state() == before
