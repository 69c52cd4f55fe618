"""What an HTTP/2 peer must not send: a fault of one stream ends that stream, others end the connection, and
nobody can make us work without end. RFC 9113 sections 5.4, 8.1.1 and 10.5."""

from __future__ import annotations

import tracemalloc

import hpack
import pytest
from http2_frames import (
    GET,
    OK,
    POST,
    SETTINGS,
    Clock,
    Fields,
    client,
    continuation,
    data,
    encode,
    failure,
    go_away,
    headers,
    malformed,
    ping,
    raw,
    reset,
    resets,
    server,
    settings,
    window_update,
    written,
)

from proxyfw.protocol.events import END, Data, RequestHead, ResponseHead
from proxyfw.protocol.http2 import PREFACE, Codec, ErrorCodes, Failure, Malformed

WITHOUT_END = 0x0
CALM = ErrorCodes.ENHANCE_YOUR_CALM
PROTOCOL = ErrorCodes.PROTOCOL_ERROR


def request(**pseudo: bytes | None) -> Fields:
    """The fields of a GET with some of them replaced, or left out if None."""
    fields: dict[bytes, bytes | None] = dict(GET)
    fields |= {b":" + name.encode(): value for name, value in pseudo.items()}
    return [(name, value) for name, value in fields.items() if value is not None]


def lives(codec: Codec, stream_id: int) -> bool:
    """The connection still serves."""
    head = RequestHead(b"GET", b"/", [], b"HTTP/2.0", b"https", b"a.example")
    return codec.receive(headers(stream_id, GET, "END_STREAM")) == [(stream_id, head), (stream_id, END)]


# Faults of one stream


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param(request(method=None), id="no method"),
        pytest.param(request(scheme=None), id="no scheme"),
        pytest.param(request(path=None), id="no path"),
        pytest.param(request(authority=None), id="no authority"),
        pytest.param(request(path=b""), id="empty path"),
        pytest.param(request(path=b"a"), id="path without a slash"),
        pytest.param(request(path=b"/a b"), id="blank in the path"),
        pytest.param(request(path=b"/a#b"), id="fragment"),
        pytest.param(request(path=b"/a\r\nx: y"), id="line break in the path"),
        pytest.param(request(path=b"*"), id="asterisk without OPTIONS"),
        pytest.param(request(method=b"G T"), id="blank in the method"),
        pytest.param(request(method=b"GET / HTTP/1.1\r\nx:"), id="request line in the method"),
        pytest.param(request(scheme=b"ht tp"), id="blank in the scheme"),
        pytest.param(request(authority=b"user@a.example"), id="user information"),
        pytest.param(request(authority=b"a.example/x"), id="path in the authority"),
        pytest.param(request(authority=b"a.example\r\nx: y"), id="line break in the authority"),
        pytest.param([*GET, (b":method", b"GET")], id="pseudo-header field twice"),
        pytest.param([(b"x", b"y"), *GET], id="pseudo-header fields late"),
        pytest.param([*GET[:3], (b"x", b"y"), GET[3]], id="one pseudo-header field late"),
        pytest.param([*GET, (b":status", b"200")], id="status in a request"),
        pytest.param([*GET, (b":protocol", b"websocket")], id="extended CONNECT not offered"),
        pytest.param([*GET, (b":unknown", b"x")], id="unknown pseudo-header field"),
        pytest.param([(b":method", b"CONNECT"), *GET[1:]], id="CONNECT with a path"),
        pytest.param([(b":method", b"CONNECT")], id="CONNECT without authority"),
        pytest.param([*GET, (b"X-Upper", b"y")], id="capital letter"),
        pytest.param([*GET, (b"Content-Length", b"0")], id="capital letter in Content-Length"),
        pytest.param([*GET, (b"", b"y")], id="empty name"),
        pytest.param([*GET, (b"a b", b"y")], id="blank in a name"),
        pytest.param([*GET, (b"a:b", b"y")], id="colon in a name"),
        pytest.param([*GET, (b"a\r\nb", b"y")], id="line break in a name"),
        pytest.param([*GET, (b"caf\xc3\xa9", b"y")], id="letter beyond ASCII in a name"),
        pytest.param([*GET, (b"x", b"a\r\nb: c")], id="line break in a value"),
        pytest.param([*GET, (b"x", b"a\nb")], id="line feed in a value"),
        pytest.param([*GET, (b"x", b"a\0b")], id="NUL in a value"),
        pytest.param([*GET, (b"x", b"\n")], id="a line feed for a value"),
        pytest.param([*GET, (b"x", b" y")], id="blank before a value"),
        pytest.param([*GET, (b"x", b"y\t"), (b"z", b"")], id="tab after a value"),
        pytest.param([*GET, (b"connection", b"close")], id="Connection"),
        pytest.param([*GET, (b"proxy-connection", b"close")], id="Proxy-Connection"),
        pytest.param([*GET, (b"keep-alive", b"5")], id="Keep-Alive"),
        pytest.param([*GET, (b"transfer-encoding", b"chunked")], id="Transfer-Encoding"),
        pytest.param([*GET, (b"upgrade", b"websocket")], id="Upgrade"),
        pytest.param([*GET, (b"te", b"gzip")], id="TE other than trailers"),
        pytest.param([*GET, (b"host", b"b.example")], id="Host that differs"),
        pytest.param([*GET, (b"host", b"a.example"), (b"host", b"a.example")], id="Host twice"),
        pytest.param([*GET, (b"content-length", b"+5")], id="sign in Content-Length"),
        pytest.param([*GET, (b"content-length", b"5, 5")], id="list in Content-Length"),
        pytest.param([*GET, (b"content-length", b"0"), (b"content-length", b"0")], id="Content-Length twice"),
        pytest.param([*GET, (b"content-length", b"3")], id="Content-Length without a body"),
    ],
)
def test_a_malformed_request_is_reset_and_others_live(fields: Fields) -> None:
    """5.4.82."""
    codec = server()
    found = codec.receive(headers(1, fields, "END_STREAM"))
    assert malformed(found) == [(1, 400)]
    assert [type(event) for _, event in found if not isinstance(event, RequestHead)] == [Malformed]
    assert resets(codec) == [(1, PROTOCOL)]
    assert lives(codec, 3)


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param([], id="no status"),
        pytest.param([(b":status", b"20")], id="short status"),
        pytest.param([(b":status", b"2000")], id="long status"),
        pytest.param([(b":status", b"099")], id="low status"),
        pytest.param([(b":status", b"abc")], id="letters for a status"),
        pytest.param([(b":status", b"101")], id="switching protocols"),
        pytest.param([*OK, (b":path", b"/")], id="path in a response"),
        pytest.param([*OK, (b"connection", b"close")], id="Connection"),
        pytest.param([*OK, (b"X", b"y")], id="capital letter"),
    ],
)
def test_a_malformed_response_ends_its_request_only(fields: Fields) -> None:
    """5.4.82."""
    codec = client()
    ids = [codec.open(RequestHead(b"GET", b"/", [], authority=b"a"), END) for _ in range(2)]
    codec.take()
    assert malformed(codec.receive(headers(ids[0], fields))) == [(ids[0], 502)]
    assert resets(codec) == [(ids[0], PROTOCOL)]
    assert codec.receive(headers(ids[1], OK, "END_STREAM"))[-1] == (ids[1], END)


@pytest.mark.parametrize(
    ("declared", "pieces"), [(b"3", [b"1234"]), (b"3", [b"12", b"34"]), (b"5", [b"1234"])]
)
def test_a_body_of_another_length_than_declared(declared: bytes, pieces: list[bytes]) -> None:
    """5.4.82, as 5.1.13 has it for HTTP/1."""
    codec = server()
    codec.receive(headers(1, [*POST, (b"content-length", declared)]))
    frames = [data(1, piece) for piece in pieces[:-1]] + [data(1, pieces[-1], "END_STREAM")]
    found = codec.receive(b"".join(frames))
    assert malformed(found) == [(1, 400)]
    assert (1, END) not in found
    assert resets(codec) == [(1, PROTOCOL)]
    assert lives(codec, 3)


@pytest.mark.parametrize(("method", "status"), [(b"HEAD", b"200"), (b"GET", b"304")])
def test_an_answer_without_a_body_may_declare_one(method: bytes, status: bytes) -> None:
    codec = client()
    stream_id = codec.open(RequestHead(method, b"/", [], authority=b"a"), END)
    found = codec.receive(headers(stream_id, [(b":status", status), (b"content-length", b"5")], "END_STREAM"))
    assert found[-1] == (stream_id, END)


def test_an_answer_without_a_body_has_none() -> None:
    codec = client()
    stream_id = codec.open(RequestHead(b"GET", b"/", [], authority=b"a"), END)
    codec.receive(headers(stream_id, [(b":status", b"204")]))
    assert malformed(codec.receive(data(stream_id, b"12345", "END_STREAM"))) == [(stream_id, 502)]


@pytest.mark.parametrize("field", [(b":path", b"/"), (b"connection", b"x"), (b"X", b"y"), (b"x", b"a\nb")])
def test_malformed_trailers(field: tuple[bytes, bytes]) -> None:
    codec = server()
    codec.receive(headers(1, POST) + data(1, b"body"))
    assert malformed(codec.receive(headers(1, [field], "END_STREAM"))) == [(1, 400)]
    assert lives(codec, 3)


def test_a_window_update_by_nothing() -> None:
    """5.4.82."""
    codec = server()
    codec.receive(headers(1, POST))
    assert malformed(codec.receive(window_update(1, 0))) == [(1, 400)]
    assert resets(codec) == [(1, PROTOCOL)]
    assert lives(codec, 3)


def test_a_window_that_overflows() -> None:
    codec = server()
    codec.receive(headers(1, POST))
    assert malformed(codec.receive(window_update(1, 2**31 - 1))) == [(1, 400)]
    assert resets(codec) == [(1, ErrorCodes.FLOW_CONTROL_ERROR)]
    assert lives(codec, 3)


def test_frames_after_the_end_of_a_request() -> None:
    codec = server()
    codec.receive(headers(1, GET, "END_STREAM"))
    assert malformed(codec.receive(data(1, b"more"))) == [(1, 400)]
    assert resets(codec) == [(1, ErrorCodes.STREAM_CLOSED)]
    assert lives(codec, 3)


def test_frames_that_cross_our_reset_are_no_fault() -> None:
    codec = server()
    codec.receive(headers(1, POST))
    codec.reset(1, ErrorCodes.CANCEL)
    assert codec.receive(data(1, b"more") + headers(1, [(b"x", b"y")], "END_STREAM")) == []
    assert lives(codec, 3)


# Large heads


def test_a_head_above_the_limit_can_be_answered() -> None:
    """5.4.86."""
    codec = server(max_head_size=1000)
    [(stream_id, fault)] = codec.receive(headers(1, [*GET, (b"x", bytes(b"y" * 1000))], "END_STREAM"))
    assert isinstance(fault, Malformed)
    assert (stream_id, fault.status) == (1, 431)
    codec.send(1, ResponseHead(431, []), END)
    assert [frame[0] for frame in written(codec)] == [1]
    assert lives(codec, 3)


def test_a_large_answer_ends_its_request_only() -> None:
    """5.4.86."""
    codec = client(max_head_size=1000)
    stream_id = codec.open(RequestHead(b"GET", b"/", [], authority=b"a"), END)
    found = codec.receive(headers(stream_id, [*OK, (b"x", b"y" * 1000)]))
    assert malformed(found) == [(stream_id, 502)]
    assert not codec.failed


def test_size_is_counted_as_the_rfc_does_so_many_small_fields_count_too() -> None:
    codec = server(max_head_size=1000)
    assert malformed(codec.receive(headers(1, [*GET, *[(b"a", b"")] * 40]))) == [(1, 431)]


def test_a_bomb_of_indexed_fields_ends_the_connection() -> None:
    """CVE-2016-6581."""
    codec = server(max_head_size=1000)
    encoder = hpack.Encoder()
    codec.receive(headers(1, [*GET, (b"x", b"y" * 900)], encoder=encoder))
    found = codec.receive(headers(3, [*GET, *[(b"x", b"y" * 900)] * 1000], encoder=encoder))
    assert failure(found) == CALM
    assert written(codec)[-1][0] == 7


def test_tables_of_a_peer_are_bounded() -> None:
    """The largest compression table, and unknown settings without end."""
    clock = Clock()
    codec = Codec(client=False, clock=clock)
    codec.receive(PREFACE + settings({1: 2**32 - 1}))
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for first in range(1000, 31000, 30):
        clock.now += 1
        values = [key.to_bytes(2, "big") + bytes(4) for key in range(first, first + 30)]
        assert failure(codec.receive(raw(4, 0, 0, b"".join(values)))) is None
        codec.take()
    for number in range(1, 101, 2):
        codec.receive(headers(number, GET, "END_STREAM"))
        codec.send(number, ResponseHead(200, [(b"x-%d" % number, b"y" * 4000)]), END)
        codec.take()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 100_000


# Faults that end the connection


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        pytest.param(window_update(0, 0), PROTOCOL, id="WINDOW_UPDATE by nothing"),
        pytest.param(window_update(0, 2**31 - 1), ErrorCodes.FLOW_CONTROL_ERROR, id="WINDOW_UPDATE too far"),
        pytest.param(window_update(1, 5), PROTOCOL, id="WINDOW_UPDATE of an idle stream"),
        pytest.param(window_update(1, 0), PROTOCOL, id="WINDOW_UPDATE by nothing of an idle stream"),
        pytest.param(raw(8, 0, 0, b"abc"), ErrorCodes.FRAME_SIZE_ERROR, id="short WINDOW_UPDATE"),
        pytest.param(data(1, b"x"), PROTOCOL, id="DATA of an idle stream"),
        pytest.param(raw(0, 0, 0, b"x"), PROTOCOL, id="DATA of no stream"),
        pytest.param(reset(1), PROTOCOL, id="RST_STREAM of an idle stream"),
        pytest.param(raw(3, 0, 0, bytes(4)), PROTOCOL, id="RST_STREAM of no stream"),
        pytest.param(raw(3, 0, 1, bytes(3)), PROTOCOL, id="short RST_STREAM"),
        pytest.param(raw(0, 0, 1, bytes(16385)), ErrorCodes.FRAME_SIZE_ERROR, id="large DATA"),
        pytest.param(raw(0, 0, 1, bytes(2**20))[:9], ErrorCodes.FRAME_SIZE_ERROR, id="head of large DATA"),
        pytest.param(raw(1, 4, 1, bytes(16385)), ErrorCodes.FRAME_SIZE_ERROR, id="large HEADERS"),
        pytest.param(raw(4, 0, 1, b""), PROTOCOL, id="SETTINGS of a stream"),
        pytest.param(raw(4, 0, 0, bytes(5)), ErrorCodes.FRAME_SIZE_ERROR, id="cut SETTINGS"),
        pytest.param(raw(4, 1, 0, bytes(6)), ErrorCodes.FRAME_SIZE_ERROR, id="SETTINGS ACK with settings"),
        pytest.param(settings({2: 2}), PROTOCOL, id="ENABLE_PUSH"),
        pytest.param(settings({4: 2**31}), ErrorCodes.FLOW_CONTROL_ERROR, id="INITIAL_WINDOW_SIZE"),
        pytest.param(settings({5: 16383}), PROTOCOL, id="MAX_FRAME_SIZE"),
        pytest.param(raw(6, 0, 1, bytes(8)), PROTOCOL, id="PING of a stream"),
        pytest.param(raw(6, 0, 0, bytes(7)), ErrorCodes.FRAME_SIZE_ERROR, id="short PING"),
        pytest.param(raw(7, 0, 1, bytes(8)), PROTOCOL, id="GOAWAY of a stream"),
        pytest.param(raw(7, 0, 0, bytes(7)), ErrorCodes.FRAME_SIZE_ERROR, id="short GOAWAY"),
        pytest.param(raw(2, 0, 0, bytes(5)), PROTOCOL, id="PRIORITY of no stream"),
        pytest.param(raw(2, 0, 1, bytes(4)), ErrorCodes.FRAME_SIZE_ERROR, id="short PRIORITY"),
        pytest.param(continuation(1, b"", "END_HEADERS"), PROTOCOL, id="CONTINUATION of nothing"),
        pytest.param(headers(1, GET) + headers(1, GET), PROTOCOL, id="HEADERS twice"),
        pytest.param(headers(3, GET) + headers(1, GET), PROTOCOL, id="stream numbers that fall"),
        pytest.param(headers(2, GET), PROTOCOL, id="a stream of ours"),
        pytest.param(raw(1, 4, 0, encode(GET)), PROTOCOL, id="HEADERS of no stream"),
        pytest.param(raw(1, 4, 1, b"\x80"), ErrorCodes.COMPRESSION_ERROR, id="index zero"),
        pytest.param(raw(1, 4, 1, b"\xff\xff\xff\xff\xff\xff\xff"), ErrorCodes.COMPRESSION_ERROR, id="index"),
        pytest.param(raw(1, 4, 1, b"\x00\x05ab"), ErrorCodes.COMPRESSION_ERROR, id="cut field"),
        pytest.param(raw(1, 4, 1, b"\x00\x84\xff\xff\xff\xff\x00"), ErrorCodes.COMPRESSION_ERROR, id="code"),
        pytest.param(raw(1, 0xC, 1, b"\x05abc"), PROTOCOL, id="more padding than frame"),
        pytest.param(raw(5, 4, 1, bytes(4)), PROTOCOL, id="PUSH_PROMISE of a client"),
        pytest.param(raw(1, 0, 1, encode(GET)) + ping(), PROTOCOL, id="PING within a header block"),
        pytest.param(raw(1, 0, 1, encode(GET)) + raw(99, 0, 1, b""), PROTOCOL, id="unknown within a block"),
        pytest.param(
            raw(1, 0, 1, encode(GET)) + continuation(3, b"", "END_HEADERS"), PROTOCOL, id="another's block"
        ),
    ],
)
def test_faults_of_the_connection(frames: bytes, code: int) -> None:
    """5.4.82."""
    codec = server()
    assert failure(codec.receive(frames)) == code
    last = written(codec)[-1]
    assert last[0] == 7
    assert int.from_bytes(last[3][4:8], "big") == code
    assert codec.receive(headers(99, GET)) == []


@pytest.mark.parametrize("first", [b"GET / HTTP/1.1\r\n\r\n", PREFACE[:-1] + b"x", PREFACE + ping()])
def test_a_client_that_does_not_introduce_itself(first: bytes) -> None:
    assert failure(Codec(client=False).receive(first)) == PROTOCOL


def test_an_origin_that_speaks_http1_is_quoted() -> None:
    [(_, fault)] = Codec(client=True).receive(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    assert isinstance(fault, Failure)
    assert "HTTP/1.1 400 Bad Request" in fault.reason


def test_an_origin_must_not_push() -> None:
    codec = client()
    codec.open(RequestHead(b"GET", b"/", [], authority=b"a"), END)
    assert failure(codec.receive(raw(5, 4, 1, b"\0\0\0\2" + encode(GET)))) == PROTOCOL


def test_an_origin_must_not_open_streams() -> None:
    codec = client()
    codec.open(RequestHead(b"GET", b"/", [], authority=b"a"), END)
    assert failure(codec.receive(headers(2, GET))) == PROTOCOL


def test_a_settings_frame_may_be_empty_of_known_ones_and_priorities_are_ignored() -> None:
    codec = server()
    frames = (
        settings({0x0A0A: 1}) + raw(2, 0, 1, bytes(5)) + raw(99, 0, 7, b"grease") + raw(10, 0, 0, b"\0\0")
    )
    assert codec.receive(frames) == []
    assert [(frame[0], frame[1]) for frame in written(codec)] == [(4, 1)]
    assert lives(codec, 1)


# Floods


EMPTY = data(1, b"")


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(ping(), id="PING"),
        pytest.param(ping("ACK"), id="PING ACK"),
        pytest.param(SETTINGS, id="SETTINGS"),
        pytest.param(settings({4: 1}), id="SETTINGS that change windows"),
        pytest.param(EMPTY, id="empty DATA"),
        pytest.param(window_update(0, 1), id="WINDOW_UPDATE"),
        pytest.param(window_update(1, 1), id="WINDOW_UPDATE of a stream"),
        pytest.param(raw(2, 0, 1, bytes(5)), id="PRIORITY"),
        pytest.param(raw(99, 0, 0, b""), id="unknown"),
        pytest.param(reset(3), id="RST_STREAM of a stream that is over"),
        pytest.param(go_away(0), id="GOAWAY"),
    ],
)
def test_frames_that_bring_nothing_forward_are_counted(frame: bytes) -> None:
    """5.4.83; CVE-2019-9511 to 9518."""
    codec = server()
    codec.receive(headers(1, POST) + headers(3, GET) + reset(3))
    assert failure(codec.receive(frame * 900)) is None
    assert failure(codec.receive(frame * 2000)) == CALM


def test_a_slow_trickle_of_pings_is_welcome() -> None:
    clock = Clock()
    codec = Codec(client=False, clock=clock)
    codec.receive(PREFACE + SETTINGS)
    for _ in range(20_000):
        clock.now += 0.01
        assert failure(codec.receive(ping())) is None
        codec.take()


def test_window_updates_for_what_was_sent_cost_nothing() -> None:
    codec = server()
    codec.receive(headers(1, POST))
    codec.send(1, ResponseHead(200, []))
    for _ in range(5000):
        codec.send(1, Data(bytes(1000)))
        codec.take()
        assert failure(codec.receive(window_update(0, 1000) + window_update(1, 1000) + ping())) is None


def test_rapid_reset_is_bounded() -> None:
    """5.4.83; CVE-2023-44487."""
    codec, count, ended = server(), 0, None
    while ended is None and count < 10_000:
        stream_id = 2 * count + 1
        ended = failure(codec.receive(headers(stream_id, GET, "END_STREAM") + reset(stream_id)))
        count += 1
    assert ended == CALM
    assert count < 600


def test_making_us_reset_is_bounded_as_well() -> None:
    """CVE-2025-8671."""
    codec, count, ended = server(), 0, None
    while ended is None and count < 10_000:
        stream_id = 2 * count + 1
        ended = failure(codec.receive(headers(stream_id, GET, "END_STREAM") + window_update(stream_id, 0)))
        count += 1
    assert ended == CALM
    assert count < 600


def test_streams_beyond_the_limit_are_bounded() -> None:
    codec = server(max_streams=1)
    codec.receive(headers(1, GET))
    frames = b"".join([headers(2 * n + 3, GET, "END_STREAM") for n in range(600)])
    assert failure(codec.receive(frames)) == CALM


def test_a_browser_may_cancel_as_long_as_it_lets_others_be_answered() -> None:
    clock = Clock()
    codec = Codec(client=False, clock=clock)
    codec.receive(PREFACE + SETTINGS)
    for number in range(5000):
        stream_id = 4 * number + 1
        codec.receive(headers(stream_id, GET, "END_STREAM") + headers(stream_id + 2, GET, "END_STREAM"))
        codec.send(stream_id, ResponseHead(204, []), END)
        assert failure(codec.receive(reset(stream_id + 2))) is None
        codec.take()


def test_continuations_without_end_are_bounded() -> None:
    """5.4.83; CVE-2024-27316 and its kin."""
    codec = server()
    found = codec.receive(raw(1, WITHOUT_END, 1, encode(GET)) + continuation(1, b"") * 100)
    assert failure(found) == CALM
    codec = server()
    found = codec.receive(raw(1, WITHOUT_END, 1, encode(GET)) + continuation(1, bytes(16384)) * 20)
    assert failure(found) == CALM


def test_a_head_in_several_frames() -> None:
    codec = server()
    block = encode([*GET, (b"x", b"y" * 30_000)])
    frames = [raw(1, 1, 1, block[:16000]), continuation(1, block[16000:32000])]
    assert codec.receive(b"".join(frames)) == []
    [(_, head), end] = codec.receive(continuation(1, block[32000:], "END_HEADERS"))
    assert isinstance(head, RequestHead)
    assert len(head.headers[0][1]) == 30_000
    assert end == (1, END)


def test_settings_in_one_frame_are_bounded() -> None:
    codec = server()
    assert failure(codec.receive(raw(4, 0, 0, bytes(6) * 1000))) == CALM
