"""Both roles of the HTTP/1 codec, message by message; the numbers are those of the acceptance checks."""

from __future__ import annotations

import pytest

from proxyfw.exceptions import LocalProtocolError, ProtocolError
from proxyfw.protocol.events import (
    END,
    Data,
    Event,
    Informational,
    RawHeaders,
    RequestHead,
    Reset,
    ResponseHead,
    Trailers,
)
from proxyfw.protocol.http1 import ClientCodec, ServerCodec

HOST: RawHeaders = [(b"Host", b"a")]
CHUNKED: RawHeaders = [(b"Transfer-Encoding", b"chunked")]
ASK = RequestHead(b"GET", b"/", HOST)
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

pytestmark = pytest.mark.usefixtures("http1_engine")


def length(size: int) -> RawHeaders:
    return [(b"Content-Length", b"%d" % size)]


def asked(raw: bytes = GET) -> ServerCodec:
    """Return a server that has read the request *raw*."""
    codec = ServerCodec()
    codec.receive(raw)
    return codec


def asking(*events: Event) -> ClientCodec:
    """Return a client that has sent *events*, a plain GET by default."""
    codec = ClientCodec()
    codec.send(*(events or (ASK, END)))
    return codec


# Request heads


@pytest.mark.parametrize(
    ("line", "scheme", "authority", "target"),
    [
        (b"GET /a?b=c HTTP/1.1", b"", b"", b"/a?b=c"),
        (b"GET http://a:1/x?y HTTP/1.1", b"http", b"a:1", b"/x?y"),
        (b"GET HTTP://A.example HTTP/1.1", b"http", b"A.example", b"/"),
        (b"GET http://a?x HTTP/1.1", b"http", b"a", b"/?x"),
        (b"GET https://[::1]:8443/ HTTP/1.1", b"https", b"[::1]:8443", b"/"),
        (b"OPTIONS http://a HTTP/1.1", b"http", b"a", b"*"),
        (b"OPTIONS http://a/ HTTP/1.1", b"http", b"a", b"/"),
        (b"OPTIONS * HTTP/1.1", b"", b"", b"*"),
        (b"OPTIONS /a HTTP/1.1", b"", b"", b"/a"),
        (b"CONNECT a:443 HTTP/1.1", b"", b"a:443", b""),
        (b"CONNECT [::1]:443 HTTP/1.1", b"", b"[::1]:443", b""),
        (b"GET //a//b/../c/./%2e%2E/%zz HTTP/1.1", b"", b"", b"//a//b/../c/./%2e%2E/%zz"),
        (b"GET http://a//b/.. HTTP/1.1", b"http", b"a", b"//b/.."),
        (b"GET /\xc3\xa9\xff?\x80 HTTP/1.1", b"", b"", b"/\xc3\xa9\xff?\x80"),
    ],
)
def test_targets_are_split_and_otherwise_untouched(
    line: bytes, scheme: bytes, authority: bytes, target: bytes
) -> None:
    """5.1.1, 5.1.2, 5.1.5, 5.1.40"""
    head, end = ServerCodec().receive(line + b"\r\nHost: b\r\n\r\n")
    assert head == RequestHead(line.split()[0], target, [(b"Host", b"b")], scheme=scheme, authority=authority)
    assert end == END


def test_header_order_case_and_duplicates_are_kept() -> None:
    """5.1.23"""
    head, _ = ServerCodec().receive(b"GET / HTTP/1.1\r\nx-B: 1\r\nHOST: a\r\nX-b:2\r\nA:  \r\nX-B: 1\r\n\r\n")
    assert isinstance(head, RequestHead)
    assert head.headers == [(b"x-B", b"1"), (b"HOST", b"a"), (b"X-b", b"2"), (b"A", b""), (b"X-B", b"1")]


def test_headers_go_out_as_they_are() -> None:
    """5.1.23: h11 alone would put Host first."""
    headers = [(b"x-B", b"1"), (b"HOST", b"a"), (b"X-b", b""), (b"TRANSFER-encoding", b"Chunked")]
    sent = ClientCodec().send(RequestHead(b"put", b"/\xff", headers), END)
    assert sent == (
        b"put /\xff HTTP/1.1\r\nx-B: 1\r\nHOST: a\r\nX-b: \r\nTRANSFER-encoding: Chunked\r\n\r\n0\r\n\r\n"
    )


def test_two_cookies_stay_two() -> None:
    """5.1.24"""
    cookies = [(b"Set-Cookie", b"a=b"), (b"Set-Cookie", b"a=c")]
    sent = asked().send(ResponseHead(200, [*cookies, *length(0)], b"OK"), END)
    assert sent == b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nSet-Cookie: a=c\r\nContent-Length: 0\r\n\r\n"
    head = asking().receive(sent)[0]
    assert isinstance(head, ResponseHead)
    assert head.headers == [*cookies, *length(0)]


def test_absolute_form_only_when_asked_for() -> None:
    head = RequestHead(b"GET", b"/x?y", HOST, scheme=b"http", authority=b"a:1")
    assert ClientCodec().send(head, END).startswith(b"GET /x?y HTTP/1.1\r\n")
    assert ClientCodec(absolute_form=True).send(head, END).startswith(b"GET http://a:1/x?y HTTP/1.1\r\n")
    assert ClientCodec(absolute_form=True).send(ASK, END).startswith(b"GET / HTTP/1.1\r\n")
    options = RequestHead(b"OPTIONS", b"*", HOST, scheme=b"http", authority=b"a:1")
    assert ClientCodec(absolute_form=True).send(options, END).startswith(b"OPTIONS http://a:1 HTTP/1.1\r\n")
    assert ClientCodec().send(options, END).startswith(b"OPTIONS * HTTP/1.1\r\n")


# Bodies


def test_chunked_request_with_extensions_and_trailers() -> None:
    """5.1.16, 5.1.17: framing fields never come out as trailers."""
    events = ServerCodec().receive(
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"5;a=b\r\nhello\r\n6\r\n world\r\n0\r\nX-Sum: 1\r\nContent-Length: 5\r\nx-sum: 2\r\n\r\n"
    )
    assert events[1:] == [Data(b"hello world"), Trailers([(b"X-Sum", b"1"), (b"x-sum", b"2")]), END]


def test_trailers_go_out_after_the_last_chunk() -> None:
    """5.1.15, 5.1.16"""
    trailers = Trailers([(b"X-Sum", b"1"), (b"Transfer-Encoding", b"x")])
    sent = asked().send(ResponseHead(200, CHUNKED), Data(b"hello"), Data(b"!"), trailers, END)
    assert sent == (
        b"HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\nX-Sum: 1\r\n\r\n"
    )


def test_trailers_are_dropped_where_the_body_is_not_chunked() -> None:
    sent = asked().send(ResponseHead(200, length(2)), Data(b"ab"), Trailers([(b"X", b"y")]), END)
    assert sent == b"HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nab"


def test_a_body_goes_out_piece_by_piece() -> None:
    codec = asked()
    assert codec.send(ResponseHead(200, CHUNKED)) == b"HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n"
    assert codec.send(Data(b"ab"), Data(b"")) == b"2\r\nab\r\n"
    assert not codec.reusable
    assert codec.send(END) == b"0\r\n\r\n"
    assert codec.reusable


def test_a_request_body_without_length_is_chunked_if_it_follows_at_once() -> None:
    sent = ClientCodec().send(RequestHead(b"POST", b"/", HOST), Data(b"ab"), END)
    assert sent == b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"
    codec = ClientCodec()
    assert codec.send(RequestHead(b"POST", b"/", HOST)) == b"POST / HTTP/1.1\r\nHost: a\r\n\r\n"
    with pytest.raises(LocalProtocolError, match="0 bytes"):
        codec.send(Data(b"ab"))


def test_an_empty_body_ends_at_once() -> None:
    """5.1.39"""
    assert asking().receive(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")[-1] == END
    assert asking().receive(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")[-1] == END
    assert asked().send(ResponseHead(200, []), END).endswith(b"chunked\r\n\r\n0\r\n\r\n")


@pytest.mark.parametrize(
    ("method", "status"), [(b"HEAD", 200), (b"HEAD", 404), (b"GET", 204), (b"GET", 304), (b"HEAD", 304)]
)
@pytest.mark.parametrize("framing", [length(5), CHUNKED, []])
def test_messages_that_have_no_body(method: bytes, status: int, framing: RawHeaders) -> None:
    """5.1.10, 5.1.11: headers stay, no body is read, the connection lives on, sent Data is dropped."""
    head = ResponseHead(status, framing, b"R")
    server, client = ServerCodec(), ClientCodec()
    server.receive(client.send(RequestHead(method, b"/", HOST), END))
    sent = server.send(head, Data(b"hello"), Trailers([(b"X", b"y")]), END)
    assert client.receive(sent) == [head, END]
    assert client.reusable
    assert server.reusable


def test_a_response_without_length_ends_with_the_connection() -> None:
    """5.1.12"""
    codec = asking()
    assert codec.receive(b"HTTP/1.1 200 OK\r\n\r\nhel") == [ResponseHead(200, [], b"OK"), Data(b"hel")]
    assert codec.closing
    assert codec.receive(b"lo") == [Data(b"lo")]
    assert codec.receive(b"") == [END]
    assert not codec.reusable


def test_http10_clients_get_no_chunks() -> None:
    codec = asked(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    head = ResponseHead(200, [(b"A", b"b"), *CHUNKED], b"OK")
    sent = codec.send(head, Data(b"ab"), Data(b"c"), Trailers([(b"X", b"y")]), END)
    assert sent == b"HTTP/1.1 200 OK\r\nA: b\r\nConnection: close\r\n\r\nabc"
    assert not codec.reusable


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b"a" * 40, "expected 100 bytes, received 40"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", "expected 100 bytes, received 0"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n" + b"a" * 40,
         "expected a chunk of 100 bytes, received 40, after 40 bytes of body"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab", "of 2 bytes, received 2, after 2"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", "another chunk"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n", "the end of the trailers"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", "response head cut short: received b'HTTP/1.1 200"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", "without sending a response"),
        (b"", "closed the connection without sending a response"),
    ],
)  # fmt: skip
def test_a_response_cut_short_says_what_is_missing(raw: bytes, message: str) -> None:
    """5.1.13, 5.1.14"""
    codec = asking()
    if raw:
        codec.receive(raw)
    with pytest.raises(ProtocolError, match=message) as caught:
        codec.receive(b"")
    assert caught.value.status == 502
    assert not codec.reusable


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\n" + b"a" * 40, "expected 100 bytes, received 40"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe", "chunk of 5 bytes, received 2"),
        (b"POST / HT", "request head cut short: received b'POST / HT'"),
    ],
)
def test_a_request_cut_short_says_what_is_missing(raw: bytes, message: str) -> None:
    codec = ServerCodec()
    codec.receive(raw)
    with pytest.raises(ProtocolError, match=message) as caught:
        codec.receive(b"")
    assert caught.value.status == 400


@pytest.mark.parametrize("raw", [b"", b"\r\n", b"\r\n\r\n"])
def test_an_idle_client_may_leave(raw: bytes) -> None:
    codec = ServerCodec()
    assert (codec.receive(raw) if raw else []) == []
    assert codec.receive(b"") == []


def test_an_idle_server_may_leave() -> None:
    codec = ClientCodec()
    assert codec.receive(b"") == []
    assert not codec.reusable


def test_garbage_is_quoted_without_control_characters() -> None:
    """5.1.34"""
    with pytest.raises(ProtocolError) as caught:
        asking().receive(b"\x1b[31mSSH\x07" + b"x" * 500)
    assert str(caught.value).isprintable()
    assert r"\x1b[31mSSH\x07xxx" in str(caught.value)
    assert len(str(caught.value)) < 150


def test_bytes_before_any_request_are_refused() -> None:
    with pytest.raises(ProtocolError, match="before any request"):
        ClientCodec().receive(HELLO)


# Informational responses, Expect


def test_several_informational_responses_come_before_the_final_one() -> None:
    """5.1.8, 5.1.9"""
    hints = Informational(103, [(b"Link", b"</x>")], b"Early Hints")
    server, client = asked(), asking()
    sent = server.send(Informational(100, [], b"Continue"), hints) + server.send(hints)
    assert client.receive(sent) == [Informational(100, [], b"Continue"), hints, hints]
    final = client.receive(server.send(ResponseHead(200, length(2), b"OK"), Data(b"ab"), END))
    assert final == [ResponseHead(200, length(2), b"OK"), Data(b"ab"), END]


def test_http10_clients_get_no_informational_responses() -> None:
    assert asked(b"GET / HTTP/1.0\r\n\r\n").send(Informational(103, [], b"Early Hints")) == b""


EXPECT = b"POST / HTTP/1.1\r\nExpect: 100-Continue\r\nContent-Length: 5\r\n\r\n"


def test_a_client_waits_for_100() -> None:
    """5.1.6"""
    codec = asked(EXPECT)
    assert asked(EXPECT).wants_continue
    assert codec.send(Informational(100, [], b"Continue")) == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert not codec.wants_continue
    assert codec.receive(b"hello") == [Data(b"hello"), END]
    assert codec.send(ResponseHead(200, length(0)), END) == b"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n"
    assert codec.reusable


def test_an_answer_without_100_closes() -> None:
    """5.1.7"""
    codec = asked(EXPECT)
    assert b"\r\nConnection: close\r\n" in codec.send(ResponseHead(413, length(0)), END)
    assert not codec.wants_continue
    assert codec.closing


@pytest.mark.parametrize(
    "raw",
    [
        EXPECT + b"h",
        b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n",
        b"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
        b"POST / HTTP/1.1\r\nExpect: x100-continue\r\nContent-Length: 5\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n",
    ],
)
def test_nobody_waits_for_100(raw: bytes) -> None:
    assert not asked(raw).wants_continue


# Persistence


@pytest.mark.parametrize(
    ("request_", "response", "added", "reusable"),
    [
        (b"GET / HTTP/1.1", [], b"", True),
        (b"GET / HTTP/1.1\r\nConnection: keep-alive, x", [], b"", True),
        (b"GET / HTTP/1.1\r\nConnection: close", [], b"Connection: close\r\n", False),
        (b"GET / HTTP/1.1\r\nConnection: x, CLOSE", [], b"Connection: close\r\n", False),
        (b"GET / HTTP/1.1\r\nConnection: x\r\nConnection: close", [], b"Connection: close\r\n", False),
        (b"GET / HTTP/1.1\r\nConnection: xclose", [], b"", True),
        (b"GET / HTTP/1.1", [(b"connection", b"Close")], b"", False),
        (b"GET / HTTP/1.1\r\nConnection: close", [(b"connection", b"close")], b"", False),
        (b"GET / HTTP/1.0", [], b"Connection: close\r\n", False),
        (b"GET / HTTP/1.0\r\nConnection: Keep-Alive", [], b"Connection: keep-alive\r\n", True),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive", [(b"Connection", b"Keep-Alive")], b"", True),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive, close", [], b"Connection: close\r\n", False),
    ],
)
def test_when_a_server_connection_persists(
    request_: bytes, response: RawHeaders, added: bytes, reusable: bool
) -> None:
    """5.1.31"""
    codec = asked(request_ + b"\r\n\r\n")
    sent = codec.send(ResponseHead(200, [*length(1), *response]), Data(b"x"), END)
    as_given = b"".join(b"%b: %b\r\n" % field for field in response)
    assert sent == b"HTTP/1.1 200 \r\nContent-Length: 1\r\n" + as_given + added + b"\r\nx"
    assert codec.reusable is reusable
    assert codec.closing is not reusable


@pytest.mark.parametrize(
    ("headers", "response", "reusable"),
    [
        ([], HELLO, True),
        ([(b"Connection", b"close")], HELLO, False),
        ([], b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nconnection: CLOSE\r\n\r\n", False),
        ([], b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", False),
        ([], b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n", True),
        ([], b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", True),
        ([], HELLO + b"x", False),
        ([], HELLO[:-1], False),
    ],
)
def test_when_a_client_connection_persists(headers: RawHeaders, response: bytes, reusable: bool) -> None:
    """5.1.31, 5.1.29"""
    codec = asking(RequestHead(b"GET", b"/", [*HOST, *headers]), END)
    codec.receive(response)
    assert codec.reusable is reusable


def test_a_response_before_the_request_is_sent_whole_does_not_free_the_connection() -> None:
    """5.1.33"""
    codec = asking(RequestHead(b"POST", b"/", [*HOST, *length(5)]), Data(b"he"))
    assert codec.receive(HELLO)[-1] == END
    assert not codec.reusable
    codec.send(Data(b"llo"), END)
    assert codec.reusable


def test_an_answer_before_the_request_is_read_whole_does_not_free_the_connection() -> None:
    """5.1.33"""
    codec = asked(b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhe")
    codec.send(ResponseHead(413, length(0)), END)
    assert not codec.reusable
    with pytest.raises(LocalProtocolError, match="cannot be used for another"):
        codec.next_cycle()
    assert codec.receive(b"llo") == [Data(b"llo"), END]
    assert codec.reusable


def test_a_client_that_has_left_gets_no_further_cycle() -> None:
    """5.1.35: it still gets its answer."""
    codec = asked()
    assert codec.receive(b"") == []
    assert codec.send(ResponseHead(200, length(2)), Data(b"ab"), END).endswith(b"\r\n\r\nab")
    assert not codec.reusable


def test_a_server_that_has_left_is_not_used_again() -> None:
    """5.1.30"""
    codec = asking()
    codec.receive(HELLO)
    assert codec.reusable
    assert codec.receive(b"") == []
    assert not codec.reusable


def test_unasked_bytes_spoil_an_idle_connection() -> None:
    codec = asking()
    codec.receive(HELLO)
    codec.receive(b"HTTP/1.1 408 Timeout\r\n\r\n")
    assert codec.backlog
    assert not codec.reusable


def test_pipelined_requests_come_one_by_one() -> None:
    """5.1.28, with the client's EOF after the last"""
    post = b"POST /%d HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"
    chunked = b"POST /%d HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    raw = b"".join((post, chunked, b"GET /%d HTTP/1.1\r\n\r\n")[n % 3] % n for n in range(2000))
    codec = ServerCodec()
    events = codec.receive(raw)
    assert codec.receive(b"") == []
    for number in range(2000):
        head = events[0]
        assert isinstance(head, RequestHead)
        assert head.target == b"/%d" % number
        assert events[1:] == ([END] if number % 3 == 2 else [Data(b"hello"), END])
        codec.send(ResponseHead(200, length(0)), END)
        assert codec.reusable is (number < 1999)
        events = codec.next_cycle() if codec.reusable else []
    assert codec.backlog == 0


def test_a_pipelined_request_that_is_cut_short_or_bad() -> None:
    for rest in (b"GET / HT", b"GET / HTTP/1.1\r\nX\r\n\r\n"):
        codec = asked(GET + rest)
        codec.receive(b"")
        codec.send(ResponseHead(200, length(0)), END)
        with pytest.raises(ProtocolError):
            codec.next_cycle()
        assert codec.read_before_failure == []


def test_what_came_before_a_fault_is_not_lost() -> None:
    bad = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\nx\r\n"
    head = RequestHead(b"POST", b"/", CHUNKED)
    for raw in (bad, bad[:-3] + b"2\r\ncd\n\r\n"):
        codec = ServerCodec()
        with pytest.raises(ProtocolError):
            codec.receive(raw)
        assert codec.read_before_failure[0] == head
        codec = asked(GET + raw)
        codec.receive(b"")
        codec.send(ResponseHead(200, length(0)), END)
        with pytest.raises(ProtocolError):
            codec.next_cycle()
        assert codec.read_before_failure[0] == head


# Out of HTTP


def test_an_accepted_connect_makes_the_connection_opaque() -> None:
    connect = RequestHead(b"CONNECT", b"", HOST, authority=b"a:443")
    server, client = ServerCodec(), ClientCodec()
    sent = client.send(connect, END)
    assert sent == b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n"
    assert server.receive(sent + b"\x16\x03") == [connect, END]
    accept = ResponseHead(200, [(b"A", b"b"), *length(0)], b"Established")
    sent = server.send(accept, Data(b"dropped"), END)
    assert sent == b"HTTP/1.1 200 Established\r\nA: b\r\n\r\n"
    assert client.receive(sent + b"\x17") == [ResponseHead(200, [(b"A", b"b")], b"Established"), END]
    for codec, held in ((server, b"\x16\x03"), (client, b"\x17")):
        assert codec.opaque
        assert codec.receive(b"GET") == []
        assert not codec.reusable
        assert codec.detach() == held + b"GET"
        assert codec.detach() == b""


def test_a_refused_connect_is_an_ordinary_answer() -> None:
    """5.2.46"""
    codec = asked(b"CONNECT a:443 HTTP/1.1\r\n\r\n")
    assert codec.send(ResponseHead(403, length(2), b"No"), Data(b"ab"), END).endswith(b"\r\n\r\nab")
    assert codec.reusable
    client = asking(RequestHead(b"CONNECT", b"", HOST, authority=b"a:443"), END)
    assert client.receive(b"HTTP/1.1 407 Auth\r\nContent-Length: 2\r\n\r\nab")[1:] == [Data(b"ab"), END]
    assert client.reusable


def test_an_upgrade_makes_the_connection_opaque() -> None:
    upgrade: RawHeaders = [(b"Connection", b"Upgrade"), (b"Upgrade", b"websocket")]
    server, client = ServerCodec(), ClientCodec()
    server.receive(client.send(RequestHead(b"GET", b"/", [*HOST, *upgrade]), END))
    switch = ResponseHead(101, upgrade, b"Switching Protocols")
    assert client.receive(server.send(switch, END) + b"\x81") == [switch, END]
    assert server.opaque
    assert client.opaque
    assert client.detach() == b"\x81"


@pytest.mark.parametrize(
    "raw",
    [
        GET,
        b"GET / HTTP/1.0\r\nUpgrade: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nUpgrade: x\r\nContent-Length: 5\r\n\r\n",
    ],
)
def test_101_needs_a_complete_request_for_an_upgrade(raw: bytes) -> None:
    with pytest.raises(LocalProtocolError, match="Upgrade"):
        asked(raw).send(ResponseHead(101, []))


def test_detach_gives_back_an_unfinished_head() -> None:
    codec = ServerCodec()
    codec.receive(b"GET / HT")
    assert codec.detach() == b"GET / HT"
    assert codec.opaque
    client = asking()
    client.receive(b"HTTP/1.")
    assert client.detach() == b"HTTP/1."


# What must not go out


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ([(b"X-Bad", b"a\r\nEvil: b")], "value of header X-Bad"),
        ([(b"X-Bad", b"a\nb")], "header X-Bad"),
        ([(b"A", b"b"), (b"X-Bad", b"a\x00b")], "header X-Bad"),
        ([(b"X-Bad\r\nEvil", b"a")], r"header name b'X-Bad\\r\\nEvil'"),
        ([(b"X Bad", b"a")], "header name b'X Bad'"),
        ([(b"X:Bad", b"a")], "header name b'X:Bad'"),
        ([(b"", b"a")], "header name b''"),
        ([*length(5), *CHUNKED], "both Content-Length and Transfer-Encoding"),
        ([*length(5), *length(5)], "Content-Length must be one decimal number"),
        ([(b"Content-Length", b"five")], "Content-Length must be"),
        ([(b"Transfer-Encoding", b"gzip")], "Transfer-Encoding b'gzip' is not supported"),
        (length(4), "declares a body of 4 bytes, but it has 5 bytes"),
        (length(6), "declares a body of 6 bytes, but it has 5 bytes"),
    ],
)
def test_an_illegal_head_is_refused_by_name_and_another_can_follow(headers: RawHeaders, message: str) -> None:
    """5.1.18: whatever an addon does to the headers, framing stays consistent or nothing goes out."""
    body = Data(b"hello")
    server, client = asked(), ClientCodec()
    with pytest.raises(LocalProtocolError, match=message):
        server.send(ResponseHead(200, headers), body, END)
    with pytest.raises(LocalProtocolError, match=message):
        client.send(RequestHead(b"POST", b"/", headers), body, END)
    assert server.send(ResponseHead(502, length(5)), body, END).startswith(b"HTTP/1.1 502 ")
    assert client.send(RequestHead(b"POST", b"/", length(5)), body, END).startswith(b"POST ")
    assert server.reusable


def test_illegal_trailers_are_refused_by_name() -> None:
    trailers = Trailers([(b"X-Sum", b"a\nb")])
    codec = asked()
    with pytest.raises(LocalProtocolError, match="header X-Sum"):
        codec.send(ResponseHead(200, CHUNKED), Data(b"a"), trailers, END)
    codec.send(ResponseHead(200, CHUNKED), Data(b"a"))
    with pytest.raises(LocalProtocolError, match="header X-Sum"):
        codec.send(trailers, END)


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (RequestHead(b"GE T", b"/", HOST), "method b'GE T'"),
        (RequestHead(b"", b"/", HOST), "method b''"),
        (RequestHead(b"GET", b"/a b", HOST), "target b'/a b'"),
        (RequestHead(b"GET", b"/a\r\nb", HOST), "target"),
        (RequestHead(b"GET", b"", HOST), "target b'' is empty"),
        (RequestHead(b"GET", b"/a#b", HOST), "fragment"),
        (RequestHead(b"GET", b"a", HOST), "does not fit b'GET'"),
        (RequestHead(b"CONNECT", b"/", HOST), "target b'' is empty"),
        (RequestHead(b"CONNECT", b"", HOST, authority=b"a"), "expected host:port"),
    ],
)
def test_illegal_request_lines_are_refused(head: RequestHead, message: str) -> None:
    with pytest.raises(LocalProtocolError, match=message):
        ClientCodec().send(head, END)


@pytest.mark.parametrize(
    ("event", "message"),
    [
        (ResponseHead(199, []), "199 of a response is out of range"),
        (ResponseHead(1000, []), "1000 of a response is out of range"),
        (ResponseHead(200, [], b"O\nK"), "reason phrase"),
        (Informational(200, []), "200 is not informational"),
        (Informational(101, []), "101 is not informational"),
        (ASK, "server cannot send RequestHead"),
        (Reset("gone"), "server cannot send Reset"),
    ],
)
def test_illegal_responses_are_refused(event: Event, message: str) -> None:
    codec = asked()
    with pytest.raises(LocalProtocolError, match=message):
        codec.send(event)
    assert codec.send(ResponseHead(500, length(0)), END)


def test_a_body_that_outgrows_its_length_is_refused() -> None:
    codec = asked()
    codec.send(ResponseHead(200, length(5)), Data(b"hell"))
    with pytest.raises(LocalProtocolError, match="5 bytes, but it has 6 bytes or more"):
        codec.send(Data(b"o!"))


def test_a_body_that_stays_short_of_its_length_is_refused() -> None:
    codec = asked()
    codec.send(ResponseHead(200, length(5)), Data(b"hell"))
    with pytest.raises(LocalProtocolError, match="5 bytes, but it has 4 bytes"):
        codec.send(END)
    assert not codec.reusable


@pytest.mark.parametrize("events", [(Data(b"a"),), (END,), (ResponseHead(200, []), END, END)])
def test_events_out_of_order_are_refused(events: tuple[Event, ...]) -> None:
    with pytest.raises(LocalProtocolError, match="out of order"):
        asked().send(*events)
    with pytest.raises(LocalProtocolError):
        ClientCodec().send(*events)


def test_a_client_sends_requests_only() -> None:
    with pytest.raises(LocalProtocolError, match="client cannot send ResponseHead"):
        ClientCodec().send(ResponseHead(200, []))
    with pytest.raises(LocalProtocolError, match="comes between"):
        ServerCodec().send(Informational(100, []))
