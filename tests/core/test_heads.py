"""Heads on the way through: authorities, fields of one hop, lengths."""

from __future__ import annotations

import pytest

from proxyfw.core import heads
from proxyfw.exceptions import ProtocolError
from proxyfw.http import Headers, Request, Response
from proxyfw.protocol.events import RawHeaders, RequestHead


def request(method: bytes = b"GET", content: bytes | None = b"", *fields: tuple[bytes, bytes]) -> Request:
    return Request(
        "a", 80, method, b"http", b"", b"/", b"HTTP/1.1", Headers.wrap(list(fields)), content, None, 0, None
    )


def response(content: bytes | None = b"", *fields: tuple[bytes, bytes], status: int = 200) -> Response:
    return Response(b"HTTP/1.1", status, b"", Headers.wrap(list(fields)), content, None, 0, None)


@pytest.mark.parametrize(
    ("authority", "port", "expected"),
    [
        (b"a.test", 80, ("a.test", 80)),
        (b"a.test:", 80, ("a.test", 80)),
        (b"a.test:8080", 80, ("a.test", 8080)),
        (b"[::1]", 443, ("::1", 443)),
        (b"[2001:db8::1]:8080", None, ("2001:db8::1", 8080)),
        (b"192.0.2.1:65535", None, ("192.0.2.1", 65535)),
        (b"under_score.test", 80, ("under_score.test", 80)),
    ],
)
def test_an_authority_is_split(authority: bytes, port: int | None, expected: tuple[str, int]) -> None:
    assert heads.split_authority(authority, port) == expected


@pytest.mark.parametrize(
    "authority",
    [b"", b":80", b"a b", b"a:b", b"a:0", b"a:65536", b"::1", b"[::1", b"u@a", b"a/b", b"a:-1", b"a"],
)
def test_what_is_no_authority_is_refused(authority: bytes) -> None:
    with pytest.raises(ProtocolError) as caught:
        heads.split_authority(authority, None)
    assert caught.value.status == 400


def test_a_route_decides_whatever_the_request_says() -> None:
    head = RequestHead(b"GET", b"/x", [(b"Host", b"other")], b"HTTP/1.1", b"http", b"third")
    made = heads.request_from(head, heads.Route("https", "a", 443), 1.0)
    assert (made.scheme, made.host, made.port, made.path, made.authority) == (
        "https",
        "a",
        443,
        "/x",
        "third",
    )


def test_fields_that_nobody_has_to_change_are_the_very_list() -> None:
    made = request(b"POST", b"ab", (b"Host", b"a"), (b"Content-Length", b"2"))
    assert heads.request_head(made, False).headers is made.headers.fields


@pytest.mark.parametrize(
    ("content", "fields", "expected"),
    [
        (b"", [], []),
        (b"ab", [], [(b"Content-Length", b"2")]),
        (b"ab", [(b"content-length", b"9")], [(b"Content-Length", b"2")]),
        (b"", [(b"Content-Length", b"9")], [(b"Content-Length", b"0")]),
        (None, [(b"Content-Length", b"9")], [(b"Content-Length", b"0")]),
        (b"ab", [(b"Transfer-Encoding", b"chunked")], [(b"Transfer-Encoding", b"chunked")]),
    ],
)
def test_a_buffered_request_says_its_true_length(
    content: bytes | None, fields: RawHeaders, expected: RawHeaders
) -> None:
    assert heads.request_head(request(b"POST", content, *fields), False).headers == expected


def test_a_streamed_length_is_kept_unless_a_function_may_change_it() -> None:
    made = request(b"POST", None, (b"Content-Length", b"9"))
    made.stream = True
    assert heads.request_head(made, True).headers == [(b"Content-Length", b"9")]
    made.stream = bytes.upper
    assert heads.request_head(made, True).headers == [(b"Transfer-Encoding", b"chunked")]
    answer = response(None, (b"Content-Length", b"9"))
    answer.stream = bytes.upper
    assert heads.response_head(answer, made, True, False).headers == []  # the codec knows what fits


def test_what_connection_names_goes_with_it_but_never_the_framing() -> None:
    """5.1.25."""
    made = request(
        b"POST", b"ab", (b"Connection", b"X-One, Content-Length, host"), (b"Host", b"a"), (b"x-one", b"1"),
        (b"Content-Length", b"2"),
    )  # fmt: skip
    assert heads.request_head(made, False).headers == [(b"Host", b"a"), (b"Content-Length", b"2")]


def test_a_response_says_close_when_the_connection_ends() -> None:
    head = heads.response_head(response(b"a", (b"Content-Length", b"1")), request(), False, True)
    assert head.headers == [(b"Content-Length", b"1"), (b"Connection", b"close")]


@pytest.mark.parametrize(("method", "status"), [(b"HEAD", 200), (b"GET", 204), (b"GET", 304)])
def test_a_response_without_a_body_keeps_the_length_it_claims(method: bytes, status: int) -> None:
    """5.1.10 and 5.1.11."""
    answer = response(b"", (b"Content-Length", b"99"), status=status)
    assert heads.response_head(answer, request(method), False, False).headers == [(b"Content-Length", b"99")]


@pytest.mark.parametrize(
    ("kind", "endless"),
    [
        ("text/event-stream", True),
        ("Text/Event-Stream; charset=utf-8", True),
        ("multipart/x-mixed-replace;boundary=x", True),
        ("text/html", False),
        ("", False),
    ],
)
def test_endless_kinds_are_known(kind: str, endless: bool) -> None:
    """5.1.38."""
    assert heads.is_endless(response(b"", (b"Content-Type", kind.encode()))) is endless
