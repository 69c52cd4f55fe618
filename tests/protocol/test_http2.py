"""The HTTP/2 codec: heads and bodies both ways, flow control, trailers, resets and farewells."""

from __future__ import annotations

import copy
import pickle

import pytest
from http2_frames import (
    GET,
    OK,
    POST,
    SETTINGS,
    client,
    data,
    go_away,
    headers,
    ping,
    reset,
    resets,
    server,
    settings,
    window_update,
    written,
)

from proxyfw.exceptions import LocalProtocolError
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
from proxyfw.protocol.http2 import (
    CONNECTION_WINDOW,
    PREFACE,
    STREAM_WINDOW,
    Codec,
    ErrorCodes,
    GoAway,
    PingAck,
)
from proxyfw.protocol.http2_hpack import Sensitive

ASK = RequestHead(b"GET", b"/a?b", [(b"Host", b"a.example")], scheme=b"https")


def exchange_bytes(one: Codec, other: Codec) -> tuple[list[tuple[int, object]], list[tuple[int, object]]]:
    """Let both talk until they have nothing to say; what each of them found."""
    found: tuple[list[tuple[int, object]], list[tuple[int, object]]] = ([], [])
    while (sent := (one.take(), other.take())) != (b"", b""):
        found[1].extend(other.receive(sent[0]))
        found[0].extend(one.receive(sent[1]))
    return found


def pair() -> tuple[Codec, Codec]:
    ends = Codec(client=True), Codec(client=False)
    assert exchange_bytes(*ends) == ([], [])
    return ends


def heard(fields: RawHeaders, *flags: str, method: bytes = b"GET") -> RequestHead:
    [(_, head)] = server().receive(headers(1, [(b":method", method), *GET[1:], *fields], *flags))
    assert isinstance(head, RequestHead)
    return head


def sent_fields(codec: Codec, peer: Codec) -> RawHeaders:
    """The header list that *codec* has to send, by the eyes of *peer*."""
    (_, head), *_ = peer.receive(codec.take())
    assert isinstance(head, RequestHead | ResponseHead)
    return head.headers


# Heads


def test_a_request_and_its_answer_cross_with_bodies_and_trailers() -> None:
    """5.4.75."""
    one, other = pair()
    sent: list[Event] = [Data(b"body"), Trailers([(b"X-Sum", b"1")]), END]
    stream_id = one.open(ASK, *sent)
    _, found = exchange_bytes(one, other)
    assert found == [
        (stream_id, RequestHead(b"GET", b"/a?b", [], b"HTTP/2.0", b"https", b"a.example")),
        (stream_id, Data(b"body")), (stream_id, Trailers([(b"x-sum", b"1")])), (stream_id, END),
    ]  # fmt: skip
    other.send(stream_id, ResponseHead(200, [(b"X", b"y")], b"OK"), *sent)
    found, _ = exchange_bytes(one, other)
    assert found == [
        (stream_id, ResponseHead(200, [(b"x", b"y")], b"", b"HTTP/2.0")),
        (stream_id, Data(b"body")), (stream_id, Trailers([(b"x-sum", b"1")])), (stream_id, END),
    ]  # fmt: skip
    assert (one.finished, other.finished) == ([stream_id], [stream_id])


def test_a_trailers_only_answer_is_a_head_and_an_end() -> None:
    """5.4.76."""
    one, other = pair()
    stream_id = one.open(ASK, END)
    exchange_bytes(one, other)
    other.send(stream_id, ResponseHead(200, [(b"grpc-status", b"0")]), END)
    frames = written(other)
    assert [(kind, flags & 1) for kind, flags, _, _ in frames] == [(1, 1)]


def test_informational_answers_come_before_the_final_one() -> None:
    """5.4.77."""
    one, other = pair()
    stream_id = one.open(ASK, END)
    exchange_bytes(one, other)
    other.send(stream_id, Informational(100, []), Informational(103, [(b"Link", b"</a>")]))
    other.send(stream_id, ResponseHead(204, []), END)
    found, _ = exchange_bytes(one, other)
    assert found == [
        (stream_id, Informational(100, [], b"", b"HTTP/2.0")),
        (stream_id, Informational(103, [(b"link", b"</a>")], b"", b"HTTP/2.0")),
        (stream_id, ResponseHead(204, [], b"", b"HTTP/2.0")),
        (stream_id, END),
    ]


def test_cookie_crumbs_are_joined_where_the_first_one_stood() -> None:
    """5.4.73."""
    head = heard([(b"cookie", b"a=1"), (b"x", b"y"), (b"cookie", b"b=2"), (b"cookie", b"c=3")])
    assert head.headers == [(b"cookie", b"a=1; b=2; c=3"), (b"x", b"y")]


def test_host_alone_stays_a_field_and_names_no_authority() -> None:
    [(_, head)] = server().receive(headers(1, [*GET[:2], GET[3], (b"host", b"b.example")]))
    assert isinstance(head, RequestHead)
    assert (head.authority, head.headers) == (b"", [(b"host", b"b.example")])


def test_a_host_that_agrees_with_the_authority_is_kept() -> None:
    head = heard([(b"host", b"A.example")])
    assert (head.authority, head.headers) == (b"a.example", [(b"host", b"A.example")])


def test_a_default_port_makes_no_other_host() -> None:
    assert heard([(b"host", b"a.example:443")]).authority == b"a.example"


def test_host_is_an_ordinary_field_of_an_answer() -> None:
    one, other = pair()
    stream_id = one.open(ASK, END)
    exchange_bytes(one, other)
    other.send(stream_id, ResponseHead(200, [(b"Host", b"odd")]), END)
    assert sent_fields(other, one) == [(b"host", b"odd")]


def test_connect_has_an_authority_and_no_path() -> None:
    connect = headers(1, [(b":method", b"CONNECT"), (b":authority", b"a.example:443")])
    [(_, head), end] = server().receive(connect)
    assert end == (1, END)  # what follows is not its body
    assert head == RequestHead(b"CONNECT", b"", [], b"HTTP/2.0", b"", b"a.example:443")


def test_asterisk_form_of_options() -> None:
    [(_, head)] = server().receive(headers(1, [(b":method", b"OPTIONS"), *GET[1:3], (b":path", b"*")]))
    assert isinstance(head, RequestHead)
    assert head.target == b"*"


def test_sending_lowers_names_and_drops_what_speaks_of_http1() -> None:
    """5.4.73 and 5.4.74."""
    one, other = pair()
    fields = [
        (b"Host", b"a.example"), (b"X-Case", b" padded "), (b"Connection", b"close"), (b"Keep-Alive", b"5"),
        (b"Proxy-Connection", b"x"), (b"Transfer-Encoding", b"chunked"), (b"Upgrade", b"h2c"),
        (b"HTTP2-Settings", b"AAMA"), (b"TE", b"gzip"), (b"x-b", b""),
    ]  # fmt: skip
    one.open(RequestHead(b"GET", b"/", fields, accepts_trailers=True))
    assert sent_fields(one, other) == [(b"x-case", b"padded"), (b"x-b", b""), (b"te", b"trailers")]


def test_host_wins_over_the_authority_because_addons_edit_it() -> None:
    one, other = pair()
    one.open(RequestHead(b"GET", b"/", [(b"Host", b"edited")], authority=b"first"), END)
    [(_, head), _] = other.receive(one.take())
    assert isinstance(head, RequestHead)
    assert head.authority == b"edited"


def test_secrets_are_kept_out_of_compression_on_the_next_hop_too() -> None:
    """RFC 7541 section 7.1.3."""
    one, other = pair()
    fields = [(b"Authorization", b"Basic x"), (b"Cookie", b"short"), (b"x-plain", b"1")]
    one.open(RequestHead(b"GET", b"/", fields, authority=b"a"))
    got = sent_fields(one, other)
    assert [isinstance(field, Sensitive) for field in got] == [True, True, False]
    assert copy.deepcopy(got) == pickle.loads(pickle.dumps(got)) == got


@pytest.mark.parametrize(
    "head",
    [
        RequestHead(b"GET", b"/", [(b"x\r\ny", b"1")], authority=b"a"),
        RequestHead(b"GET", b"/", [(b"x", b"1\r\ny: 2")], authority=b"a"),
        RequestHead(b"GET", b"/", [(b"", b"1")], authority=b"a"),
        RequestHead(b"GET", b"/", [(b":path", b"/")], authority=b"a"),
        RequestHead(b"G T", b"/", [], authority=b"a"),
        RequestHead(b"GET", b"/ x", [], authority=b"a"),
        RequestHead(b"GET", b"", [], authority=b"a"),
        RequestHead(b"GET", b"/", [], authority=b"a b"),
        RequestHead(b"GET", b"/", [(b"Content-Length", b"x")], authority=b"a"),
        RequestHead(b"GET", b"/", [(b"Content-Length", b"1"), (b"content-length", b"1")], authority=b"a"),
    ],
)
def test_what_cannot_be_said_is_refused_before_anything_is_written(head: RequestHead) -> None:
    one, other = pair()
    with pytest.raises(LocalProtocolError):
        one.open(head, END)
    assert one.take() == b""
    one.open(ASK, END)
    assert len(other.receive(one.take())) == 2


def test_a_head_too_large_for_the_other_side_is_not_sent() -> None:
    """5.4.86."""
    one = client()
    one.receive(settings({6: 100}))
    with pytest.raises(LocalProtocolError, match="allows 100"):
        one.open(RequestHead(b"GET", b"/", [(b"x", b"y" * 100)], authority=b"a"), END)


def test_roles_are_kept_apart() -> None:
    one, other = pair()
    stream_id = one.open(ASK)
    exchange_bytes(one, other)
    with pytest.raises(LocalProtocolError):
        other.send(stream_id, ASK)
    with pytest.raises(LocalProtocolError):
        one.send(stream_id, ResponseHead(200, []))
    with pytest.raises(LocalProtocolError):
        other.send(stream_id, Data(b"early"))
    with pytest.raises(LocalProtocolError):
        other.send(stream_id, END)
    with pytest.raises(LocalProtocolError):
        other.send(stream_id, ResponseHead(101, []))
    other.send(stream_id, ResponseHead(200, []))
    with pytest.raises(LocalProtocolError):
        other.send(stream_id, Informational(103, []))


# Bodies


def test_our_body_must_be_as_long_as_our_head_says() -> None:
    one, _ = pair()
    ten = RequestHead(b"POST", b"/", [(b"Content-Length", b"10")], authority=b"a")
    with pytest.raises(LocalProtocolError, match="declares a body of 10 bytes, but it has 3"):
        one.open(ten, Data(b"abc"), END)
    stream_id = one.open(ten)
    with pytest.raises(LocalProtocolError):
        one.send(stream_id, Data(b"x" * 11))
    stream_id = one.open(ten, Data(b"abc"))
    with pytest.raises(LocalProtocolError):
        one.send(stream_id, END)


@pytest.mark.parametrize(("method", "status"), [(b"HEAD", 200), (b"GET", 204), (b"GET", 304)])
def test_answers_without_a_body_drop_it(method: bytes, status: int) -> None:
    one, other = pair()
    stream_id = one.open(RequestHead(method, b"/", [], authority=b"a"), END)
    exchange_bytes(one, other)
    other.send(stream_id, ResponseHead(status, [(b"content-length", b"5")]), Data(b"12345"), END)
    found, _ = exchange_bytes(one, other)
    assert [type(event) for _, event in found] == [ResponseHead, type(END)]
    assert one.finished == [stream_id]


def test_pieces_are_joined_and_large_ones_cut_to_frames() -> None:
    one, other = pair()
    stream_id = one.open(RequestHead(b"POST", b"/", [], authority=b"a"))
    for _ in range(100):
        one.send(stream_id, Data(b"1234567890"))
    one.send(stream_id, Data(b"x" * 20000), END)
    _, found = exchange_bytes(one, other)
    bodies = [event.data for _, event in found if isinstance(event, Data)]
    assert b"".join(bodies) == b"1234567890" * 100 + b"x" * 20000
    assert [len(body) for body in bodies] == [16384, 4616]


def test_a_sender_stops_at_the_window_and_goes_on_when_it_opens() -> None:
    """5.4.81."""
    one, other = pair()
    body = bytes(1_000_000)
    stream_id = one.open(RequestHead(b"POST", b"/", [], authority=b"a"), Data(body), END)
    received = 0
    while True:
        _, found = exchange_bytes(one, other)
        size = sum(len(event.data) for _, event in found if isinstance(event, Data))
        assert size <= STREAM_WINDOW
        received += size
        other.consumed(stream_id, size)
        if not size:
            break
    assert received == len(body)
    assert one.pending(stream_id) == 0


def test_a_stream_that_nobody_reads_holds_up_no_other() -> None:
    """5.4.81."""
    one, other = pair()
    slow = one.open(RequestHead(b"POST", b"/slow", [], authority=b"a"), Data(bytes(4_000_000)), END)
    exchange_bytes(one, other)
    for _ in range(200):
        quick = one.open(RequestHead(b"POST", b"/", [], authority=b"a"), Data(bytes(100_000)), END)
        _, found = exchange_bytes(one, other)
        assert (quick, END) in found
        other.consumed(quick, 100_000)
        other.send(quick, ResponseHead(204, []), END)
        exchange_bytes(one, other)
    assert one.pending(slow) == 4_000_000 - STREAM_WINDOW


def test_all_streams_together_hold_no_more_than_the_connection_window() -> None:
    one, other = pair()
    for _ in range(100):
        one.open(RequestHead(b"POST", b"/", [], authority=b"a"), Data(bytes(STREAM_WINDOW)), END)
    _, found = exchange_bytes(one, other)
    assert sum(len(event.data) for _, event in found if isinstance(event, Data)) == CONNECTION_WINDOW


def test_windows_never_dry_up_over_streams_that_were_reset() -> None:
    one, other = pair()
    for _ in range(200):  # far more than the connection window in all
        stream_id = one.open(RequestHead(b"POST", b"/", [], authority=b"a"), Data(bytes(200_000)), END)
        sent = one.take(10**6)
        [(_, head), *_] = other.receive(sent[:100])
        assert isinstance(head, RequestHead)
        other.reset(stream_id, ErrorCodes.CANCEL)
        other.receive(sent[100:])
        exchange_bytes(one, other)
    stream_id = one.open(RequestHead(b"POST", b"/", [], authority=b"a"), Data(bytes(200_000)), END)
    _, found = exchange_bytes(one, other)
    assert (stream_id, END) in found


def test_padding_is_given_back_to_the_window() -> None:
    codec = server()
    codec.receive(headers(1, POST))
    for _ in range(2 * STREAM_WINDOW // 200):
        found = codec.receive(
            b"\x00\x00\xca\x00\x08\x00\x00\x00\x01" + b"\xc8" + b"x" + bytes(200)
        )  # one byte and 200 of padding
        assert found == [(1, Data(b"x"))]
        codec.consumed(1, 1)
        codec.take()
    assert not codec.failed


def test_streams_share_the_wire_frame_by_frame() -> None:
    one, _ = pair()
    ids = [one.open(RequestHead(b"POST", b"/", [], authority=b"a")) for _ in range(3)]
    one.take()
    for stream_id in ids:
        one.send(stream_id, Data(bytes(20_000)), END)
    assert [frame[2] for frame in written(one) if frame[0] == 0] == [*ids, *ids]


def test_room_limits_what_is_taken_at_once() -> None:
    one, _ = pair()
    one.open(RequestHead(b"POST", b"/", [], authority=b"a"), Data(bytes(60_000)), END)
    assert len(one.take(0)) < 200
    assert 16384 <= len(one.take(16384)) < 17000
    assert one.ready
    one.take()
    assert not one.ready


def test_trailers_and_end_wait_behind_the_body() -> None:
    one, _ = pair()
    one.receive(settings({4: 10}))
    stream_id = one.open(
        RequestHead(b"POST", b"/", [], authority=b"a"),
        Data(b"123456789012345"),
        Trailers([(b"t", b"1")]),
        END,
    )
    assert [frame[0] for frame in written(one)] == [4, 1, 0]
    one.receive(window_update(stream_id, 100))
    assert [(frame[0], frame[1]) for frame in written(one)] == [(0, 0), (1, 5)]


def test_empty_windows_of_a_stream_do_not_keep_its_end_back() -> None:
    one, _ = pair()
    one.receive(settings({4: 0}))
    stream_id = one.open(RequestHead(b"POST", b"/", [], authority=b"a"))
    one.send(stream_id, END)
    assert [(frame[0], frame[1]) for frame in written(one)] == [(4, 1), (1, 4), (0, 1)]


# Endings


def test_a_reset_ends_its_stream_only() -> None:
    """5.4.78."""
    one, other = pair()
    first, second = one.open(ASK, END), one.open(ASK, END)
    exchange_bytes(one, other)
    other.reset(first, ErrorCodes.INTERNAL_ERROR)
    other.send(second, ResponseHead(200, []), END)
    found, _ = exchange_bytes(one, other)
    assert found[0] == (first, Reset("the stream was reset with INTERNAL_ERROR", ErrorCodes.INTERNAL_ERROR))
    assert found[-1] == (second, END)
    one.send(first, Data(b"too late"))
    one.reset(first, 0)
    assert one.take() == b""


def test_leaving_after_an_early_answer_stops_the_upload_without_blame() -> None:
    """RFC 9113 section 8.1."""
    one, other = pair()
    stream_id = one.open(RequestHead(b"POST", b"/", [], authority=b"a"), Data(b"part"))
    exchange_bytes(one, other)
    other.send(stream_id, ResponseHead(403, []), Data(b"no"), END)
    other.leave(stream_id)
    found, _ = exchange_bytes(one, other)
    assert [type(event) for _, event in found] == [ResponseHead, Data, type(END), Reset]
    assert found[-1] == (stream_id, Reset("the stream was reset with NO_ERROR", 0))


def test_leaving_an_unfinished_answer_is_an_error_and_a_request_is_cancelled() -> None:
    one, other = pair()
    first, second = one.open(ASK, END), one.open(ASK, END)
    exchange_bytes(one, other)
    other.send(first, ResponseHead(200, []))
    other.leave(first)
    assert resets(other) == [(first, ErrorCodes.INTERNAL_ERROR)]
    one.leave(second)
    assert resets(one) == [(second, ErrorCodes.CANCEL)]


def test_what_arrives_for_a_story_that_is_over_is_dropped() -> None:
    codec = server()
    codec.receive(headers(1, POST))
    codec.send(1, ResponseHead(200, []), Data(bytes(100_000)), END)  # more than the client's window
    codec.leave(1)
    codec.take()
    assert codec.receive(data(1, b"more")) == []
    codec.receive(window_update(1, 100_000) + window_update(0, 100_000))
    assert (0, 1) in [(frame[0], frame[1]) for frame in written(codec)]
    assert codec.finished == [1]


def test_streams_survive_a_farewell() -> None:
    """5.4.79."""
    one = client()
    ids = [one.open(ASK, END) for _ in range(2)]
    found = one.receive(go_away(ids[0]) + headers(ids[0], OK) + data(ids[0], b"still", "END_STREAM"))
    assert found == [
        (0, GoAway(ids[0], 0, "")),
        (ids[0], ResponseHead(200, [], b"", b"HTTP/2.0")), (ids[0], Data(b"still")), (ids[0], END),
    ]  # fmt: skip


def test_our_farewell_lets_streams_be_completed() -> None:
    one, other = pair()
    stream_id = one.open(ASK, END)
    exchange_bytes(one, other)
    other.go_away()
    other.send(stream_id, ResponseHead(200, []), Data(b"still"), END)
    found, _ = exchange_bytes(one, other)
    assert found[0] == (0, GoAway(stream_id, 0, ""))
    assert found[-1] == (stream_id, END)


def test_pings_are_answered_and_answers_noticed() -> None:
    """5.4.87."""
    one, other = pair()
    one.ping()
    assert exchange_bytes(one, other) == ([(0, PingAck())], [])
    assert other.receive(ping()) == []
    assert [(frame[0], frame[1]) for frame in written(other)] == [(6, 1)]


def test_streams_above_the_limit_are_refused_and_the_connection_lives() -> None:
    codec = server(max_streams=2)
    found = codec.receive(headers(1, GET) + headers(3, GET) + headers(5, GET, "END_STREAM"))
    assert [stream_id for stream_id, _ in found] == [1, 3]
    assert resets(codec) == [(5, ErrorCodes.REFUSED_STREAM)]


def test_the_other_sides_limit_is_a_hundred_until_it_is_known() -> None:
    """5.4.80."""
    codec = Codec(client=True)
    assert codec.their_max_streams == 100
    codec.receive(SETTINGS)
    assert codec.their_max_streams > 10**9
    codec.receive(settings({3: 1}))
    assert codec.their_max_streams == 1


def test_what_we_offer() -> None:
    def offers(codec: Codec) -> dict[int, int]:
        payload = written(codec)[0][3]
        pairs = [payload[i : i + 6] for i in range(0, len(payload), 6)]
        return {int.from_bytes(p[:2], "big"): int.from_bytes(p[2:], "big") for p in pairs}

    common = {1: 4096, 4: STREAM_WINDOW, 5: 16384, 6: 1000}
    assert offers(Codec(client=True, max_head_size=1000)) == {**common, 2: 0}
    assert offers(Codec(client=False, max_head_size=1000)) == {**common, 2: 0, 3: 100}
    assert Codec(client=True).take().startswith(PREFACE)


def test_a_late_reset_of_a_finished_stream_is_nothing() -> None:
    one, other = pair()
    stream_id = one.open(ASK, END)
    exchange_bytes(one, other)
    other.send(stream_id, ResponseHead(200, []), END)
    exchange_bytes(one, other)
    assert one.receive(reset(stream_id)) == []
    assert not one.failed
