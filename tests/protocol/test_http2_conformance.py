"""What RFC 9113 has an endpoint do with each frame in each state of a stream, and what it leaves as it is.

Section by section what the tool h2spec asks of a server; faults of single frames are in test_http2_hostile.
"""

from __future__ import annotations

import pytest
from http2_frames import (
    GET,
    POST,
    SETTINGS,
    Clock,
    continuation,
    data,
    encode,
    failure,
    headers,
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
from proxyfw.protocol.http2 import PREFACE, Codec, ErrorCodes

CLOSED, PROTOCOL = ErrorCodes.STREAM_CLOSED, ErrorCodes.PROTOCOL_ERROR
SIZE, FLOW, COMPRESSION = (
    ErrorCodes.FRAME_SIZE_ERROR, ErrorCodes.FLOW_CONTROL_ERROR, ErrorCodes.COMPRESSION_ERROR,
)  # fmt: skip
INITIAL_WINDOW, MAX_FRAME = 4, 5
DATA, HEADERS, RST, SETTINGS_FRAME, PING, GO_AWAY = 0, 1, 3, 4, 6, 7

FRAMES = {
    "DATA": data(1, b"x"),
    "HEADERS": headers(1, [(b"x", b"y")], "END_STREAM"),
    "PRIORITY": raw(2, 0, 1, bytes(5)),
    "PRIORITY on itself": raw(2, 0, 1, b"\0\0\0\1\0"),
    "RST_STREAM": reset(1),
    "short RST_STREAM": raw(3, 0, 1, bytes(3)),
    "PUSH_PROMISE": raw(5, 4, 1, b"\0\0\0\2" + encode(GET)),
    "WINDOW_UPDATE": window_update(1, 5),
    "CONTINUATION": continuation(1, encode(GET), "END_HEADERS"),
    "unknown": raw(99, 0, 1, b"x"),
    "DATA with more padding than frame": raw(0, 8, 1, b"\5abc"),
}
Outcome = tuple[str, int | None]
"""What is ended, and with which code."""
NOTHING: Outcome = ("", None)
ALWAYS: dict[str, Outcome] = {
    "PRIORITY": NOTHING,  # RFC 9113 section 5.3.2: deprecated
    "PRIORITY on itself": NOTHING,
    "PUSH_PROMISE": ("connection", PROTOCOL),  # section 8.4
    "CONTINUATION": ("connection", PROTOCOL),  # section 6.10
    "unknown": NOTHING,  # section 5.5
    "short RST_STREAM": ("connection", SIZE),  # section 6.4
    "DATA with more padding than frame": ("connection", PROTOCOL),  # section 6.1
}
FINE: dict[str, Outcome] = {
    "DATA": NOTHING,
    "HEADERS": NOTHING,
    "RST_STREAM": NOTHING,
    "WINDOW_UPDATE": NOTHING,
}
LATE: dict[str, Outcome] = {**FINE, "DATA": ("stream", CLOSED), "HEADERS": ("stream", CLOSED)}
IDLE: dict[str, Outcome] = {
    "DATA": ("connection", PROTOCOL),
    "HEADERS": ("stream", PROTOCOL),  # it opens the stream, and is no request
    "RST_STREAM": ("connection", PROTOCOL),
    "short RST_STREAM": ("connection", PROTOCOL),
    "WINDOW_UPDATE": ("connection", PROTOCOL),
}

STATES: dict[str, dict[str, Outcome]] = {
    "idle": IDLE,
    "open": FINE,
    "half-closed (local)": FINE,
    "half-closed (remote)": LATE,
    "closed": {**LATE, "HEADERS": ("connection", CLOSED)},
    "reset by us": LATE,
    "reset by the peer": LATE,
    "ended, and reset by us": LATE,
    "ended, and reset by the peer": LATE,
    "skipped": {**LATE, "HEADERS": ("connection", PROTOCOL)},  # section 5.1.1
}
CASES = [
    pytest.param(state, frame, *(expected.get(frame) or ALWAYS[frame]), id=f"{state}: {frame}")
    for state, expected in STATES.items()
    for frame in FRAMES
]


def in_state(state: str) -> Codec:
    """A codec whose stream 1 is in *state*. RFC 9113 section 5.1."""
    codec = server()
    end = ["END_STREAM"] if state in ("half-closed (remote)", "closed") or state.startswith("ended") else []
    if state == "skipped":
        codec.receive(headers(3, POST))
    elif state != "idle":
        codec.receive(headers(1, POST, *end))
    if state in ("half-closed (local)", "closed"):
        codec.send(1, ResponseHead(200, []), END)
    elif state.endswith("reset by us"):
        codec.reset(1, ErrorCodes.CANCEL)
    elif state.endswith("reset by the peer"):
        codec.receive(reset(1))
    codec.take()
    return codec


@pytest.mark.parametrize(("state", "frame", "ends", "code"), CASES)
def test_every_frame_in_every_state(state: str, frame: str, ends: str, code: int | None) -> None:
    """mitmproxy 5.4.82; RFC 9113 sections 5.1 and 6."""
    codec = in_state(state)
    ended = failure(codec.receive(FRAMES[frame]))
    frames = written(codec)
    reset_with = [int.from_bytes(f[3], "big") for f in frames if f[0] == RST]
    gone_with = [int.from_bytes(f[3][4:8], "big") for f in frames if f[0] == GO_AWAY]
    assert ended == (code if ends == "connection" else None)
    assert gone_with == ([code] if ends == "connection" else [])
    assert reset_with == ([code] if ends == "stream" else [])
    assert codec.failed == (ends == "connection")


# Section 4: frames and header blocks


def test_the_largest_frame_is_taken() -> None:
    codec = server()
    found = codec.receive(headers(1, POST) + data(1, bytes(16384)))
    assert found[-1] == (1, Data(bytes(16384)))


def test_reserved_bits_and_unknown_flags_are_ignored() -> None:
    """Section 4.1."""
    codec = server()
    frame = bytearray(headers(1, GET, "END_STREAM"))
    frame[4] |= 0x40
    frame[5] |= 0x80
    found = codec.receive(bytes(frame) + raw(6, 0xFE, 0, b"12345678"))
    assert [type(event) for _, event in found] == [RequestHead, type(END)]
    assert (PING, 1, 0, b"12345678") in written(codec)


@pytest.mark.parametrize(
    "between",
    [
        pytest.param(raw(2, 0, 1, bytes(5)), id="PRIORITY"),
        pytest.param(headers(3, GET), id="HEADERS of another stream"),
        pytest.param(data(1, b"x"), id="DATA"),
        pytest.param(SETTINGS, id="SETTINGS"),
        pytest.param(continuation(3, b"", "END_HEADERS"), id="CONTINUATION of another stream"),
        pytest.param(raw(9, 4, 0, b""), id="CONTINUATION of no stream"),
        pytest.param(raw(99, 0, 0, b""), id="an extension"),
    ],
)
def test_nothing_comes_between_the_frames_of_a_header_block(between: bytes) -> None:
    """Sections 4.3, 5.5, 6.2 and 6.10."""
    assert failure(server().receive(raw(1, 0, 1, encode(GET)) + between)) == PROTOCOL


@pytest.mark.parametrize(
    "frames",
    [
        headers(1, POST) + continuation(1, encode([(b"x", b"y")]), "END_HEADERS"),
        raw(1, 0, 1, encode(GET)) + continuation(1, b"", "END_HEADERS") * 2,
        headers(1, POST) + data(1, b"x") + continuation(1, b"", "END_HEADERS"),
    ],
)
def test_continuation_continues_what_is_not_complete(frames: bytes) -> None:
    """Section 6.10."""
    assert failure(server().receive(frames)) == PROTOCOL


def test_a_header_block_in_many_frames() -> None:
    codec = server()
    block = encode(POST)
    pieces = [continuation(1, block[i : i + 1]) for i in range(1, 9)]
    frames = raw(1, 1, 1, block[:1]) + b"".join(pieces) + continuation(1, block[9:], "END_HEADERS")
    assert [type(event) for _, event in codec.receive(frames)] == [RequestHead, type(END)]


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(b"\xbe", id="index beyond the tables"),
        pytest.param(b"\x80", id="index zero"),
        pytest.param(b"\x40\x01a\x81\xff", id="eight bits of padding"),
        pytest.param(b"\x40\x01a\x81\x18", id="padding of zeros"),
        pytest.param(b"\x40\x01a\x84\xff\xff\xff\xff", id="the end of string in a string"),
        pytest.param(encode(GET) + b"\x20", id="a table size after the fields"),
        pytest.param(b"\x3f\xe2\x1f" + encode(GET), id="a table size above what was allowed"),
        pytest.param(b"\x40", id="a field without a name"),
    ],
)
def test_what_is_no_hpack_ends_the_connection(block: bytes) -> None:
    """Section 4.3; RFC 7541 sections 2.3.3, 4.2, 5.2 and 6."""
    assert failure(server().receive(raw(1, 5, 1, block))) == COMPRESSION


# Sections 5.1.1 to 5.4: streams


@pytest.mark.parametrize("stream_id", [2, 4, 2**31 - 2])
def test_a_client_opens_odd_streams(stream_id: int) -> None:
    assert failure(server().receive(headers(stream_id, GET, "END_STREAM"))) == PROTOCOL


def test_the_last_stream_there_is() -> None:
    codec = server()
    assert codec.receive(headers(2**31 - 1, GET, "END_STREAM"))[-1] == (2**31 - 1, END)
    assert failure(codec.receive(headers(2**31 - 3, GET, "END_STREAM"))) == PROTOCOL


def test_streams_beyond_the_limit_are_refused_one_by_one() -> None:
    """Section 5.1.2."""
    codec = server(max_streams=2)
    codec.receive(headers(1, POST) + headers(3, POST) + headers(5, GET, "END_STREAM"))
    assert resets(codec) == [(5, ErrorCodes.REFUSED_STREAM)]
    assert codec.receive(data(1, b"x", "END_STREAM"))[-1] == (1, END)


def test_a_stream_that_depends_on_itself() -> None:
    """RFC 7540 section 5.3.1 forbids it, RFC 9113 has no dependencies: either is refused or ignored."""
    codec = server()
    assert failure(codec.receive(raw(1, 0x24, 1, b"\0\0\0\1\0" + encode(GET)))) in (PROTOCOL, None)


def test_priority_within_headers_is_skipped() -> None:
    codec = server()
    found = codec.receive(raw(1, 0x25, 1, b"\x80\0\0\0\xff" + encode(GET)))
    assert [type(event) for _, event in found] == [RequestHead, type(END)]


def test_goaway_says_which_streams_were_seen() -> None:
    """Section 5.4.1."""
    codec = server()
    codec.receive(headers(1, POST) + headers(7, POST))
    codec.receive(raw(6, 0, 0, b"short"))
    last = written(codec)[-1]
    assert last[0] == GO_AWAY
    assert int.from_bytes(last[3][:4], "big") == 7
    assert int.from_bytes(last[3][4:8], "big") == SIZE


# Section 6: single frames


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        pytest.param(headers(1, POST) + raw(2, 0, 1, bytes(4)), SIZE, id="6.3: short PRIORITY"),
        pytest.param(headers(1, POST) + raw(3, 0, 1, bytes(5)), SIZE, id="6.4: long RST_STREAM"),
        pytest.param(settings({MAX_FRAME: 2**24}), PROTOCOL, id="6.5.2: MAX_FRAME_SIZE above"),
        pytest.param(settings({INITIAL_WINDOW: 2**32 - 1}), FLOW, id="6.5.2: INITIAL_WINDOW_SIZE"),
        pytest.param(raw(4, 0, 0, bytes(3)), SIZE, id="6.5: half a setting"),
        pytest.param(raw(6, 0, 0, bytes(9)), SIZE, id="6.7: long PING"),
        pytest.param(headers(1, POST) + raw(8, 0, 1, bytes(5)), SIZE, id="6.9: long WINDOW_UPDATE"),
        pytest.param(raw(1, 0xC, 1, b"\xff" + encode(GET)), PROTOCOL, id="6.2: padding"),
        pytest.param(raw(1, 0xC, 1, b""), SIZE, id="4.2: no room for the length of padding"),
    ],
)
def test_frames_that_are_wrong_in_themselves(frames: bytes, code: int) -> None:
    assert failure(server().receive(frames)) == code


def test_padding_is_no_part_of_anything() -> None:
    """Sections 6.1 and 6.2; it counts for flow control."""
    codec = server()
    found = codec.receive(raw(1, 0xC, 1, b"\3" + encode(POST) + bytes(3)) + raw(0, 9, 1, b"\2ab\0\0"))
    assert [event for _, event in found][1:] == [Data(b"ab"), END]


def test_a_ping_is_answered_and_an_answer_is_not() -> None:
    """Section 6.7."""
    codec = server()
    codec.receive(ping() + ping("ACK"))
    assert written(codec) == [(PING, 1, 0, b"12345678")]


def test_settings_are_acknowledged_and_the_last_of_a_kind_counts() -> None:
    """Sections 6.5.3 and 6.9.1."""
    codec = server()
    codec.receive(raw(4, 0, 0, b"\0\4\0\0\0\x64\0\4\0\0\0\1"))
    assert written(codec) == [(SETTINGS_FRAME, 1, 0, b"")]
    codec.receive(headers(1, GET, "END_STREAM"))
    codec.send(1, ResponseHead(200, []), Data(b"abc"), END)
    assert [f[3] for f in written(codec) if f[0] == DATA] == [b"a"]


def test_windows_follow_the_settings_even_below_zero() -> None:
    """Section 6.9.2."""
    codec = server()
    codec.receive(settings({INITIAL_WINDOW: 3}) + headers(1, GET, "END_STREAM"))
    codec.send(1, ResponseHead(200, []), Data(b"abcdefgh"), END)
    assert [f[3] for f in written(codec) if f[0] == DATA] == [b"abc"]
    codec.receive(settings({INITIAL_WINDOW: 1}))
    codec.receive(window_update(1, 2))
    assert [f for f in written(codec) if f[0] == DATA] == []
    codec.receive(window_update(1, 1))
    assert [f[3] for f in written(codec) if f[0] == DATA] == [b"d"]
    codec.receive(settings({INITIAL_WINDOW: 100}))
    assert [f[3] for f in written(codec) if f[0] == DATA] == [b"efgh"]


def test_windows_that_settings_make_too_large() -> None:
    """Section 6.9.2."""
    codec = server()
    codec.receive(headers(1, POST) + window_update(1, 2**31 - 1 - 65535))
    assert failure(codec.receive(settings({INITIAL_WINDOW: 65536}))) == FLOW


def test_data_beyond_the_window_ends_the_connection() -> None:
    """Section 6.9: who ignores windows ignores all."""
    codec = server()
    codec.receive(headers(1, POST))
    ended = None
    for _ in range(17):
        ended = failure(codec.receive(data(1, bytes(16384))))
    assert ended == FLOW


def test_the_preface_in_pieces_and_nothing_before_it() -> None:
    """Section 3.4."""
    codec = Codec(client=False, clock=Clock())
    for byte in PREFACE[:-1]:
        assert codec.receive(bytes([byte])) == []
    assert codec.receive(PREFACE[-1:] + SETTINGS + headers(1, GET, "END_STREAM"))[-1] == (1, END)
    assert failure(Codec(client=False).receive(SETTINGS + PREFACE)) == PROTOCOL


# Section 8: messages


def test_a_second_head_without_an_end() -> None:
    """Section 8.1: h2 takes it for a fault of the connection, which it may."""
    assert failure(server().receive(headers(1, POST) + headers(1, [(b"x", b"y")]))) == PROTOCOL


@pytest.mark.parametrize("pseudo", [b":method", b":scheme", b":path", b":authority"])
def test_pseudo_header_fields_come_once(pseudo: bytes) -> None:
    """Section 8.3."""
    codec = server()
    codec.receive(headers(1, [*GET, (pseudo, dict(GET)[pseudo])], "END_STREAM"))
    assert resets(codec) == [(1, PROTOCOL)]
