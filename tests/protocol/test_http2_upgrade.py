"""``Upgrade: h2c``: what asks for it, and the connection whose stream 1 came in HTTP/1.1. RFC 7540 3.2."""

from __future__ import annotations

import struct

import hpack
import pytest
from http2_frames import GET, POST, SETTINGS, Clock, data, failure, headers, reset, resets, settings, written

from proxyfw.exceptions import ProtocolError
from proxyfw.protocol.events import END, Data, RawHeaders, RequestHead, Reset, ResponseHead
from proxyfw.protocol.http2 import CONNECTION_WINDOW, PREFACE, Codec, ErrorCodes
from proxyfw.protocol.http2_upgrade import requested_settings

CURL = b"AAMAAABkAAQCAAAAAAIAAAAA"
CONNECTION = (b"Connection", b"Upgrade, HTTP2-Settings")
UPGRADE = (b"Upgrade", b"h2c")
ASKS: RawHeaders = [(b"Host", b"a"), CONNECTION, UPGRADE, (b"HTTP2-Settings", CURL)]

TABLE_SIZE, INITIAL_WINDOW, MAX_FRAME = 1, 4, 5
SETTINGS_FRAME, DATA_FRAME, HEADERS_FRAME, WINDOW_UPDATE, GO_AWAY = 4, 0, 1, 8, 7


def head(
    fields: RawHeaders, method: bytes = b"GET", version: bytes = b"HTTP/1.1", scheme: bytes = b""
) -> RequestHead:
    return RequestHead(method, b"/", fields, version, scheme, b"a" if scheme else b"")


def payload(*pairs: tuple[int, int]) -> bytes:
    return b"".join([struct.pack(">HL", *pair) for pair in pairs])


def upgraded(*body: bytes, client: bytes = b"", method: bytes = b"GET") -> Codec:
    codec = Codec(client=False, clock=Clock(), upgraded=client)
    codec.take_over(head([], method=method), *[Data(piece) for piece in body], END)
    return codec


# Who asks for it


@pytest.mark.parametrize(
    ("value", "bytes_"),
    [
        (CURL, payload((3, 100), (4, 0x02000000), (2, 0))),
        (b"", b""),
        (b"-_-_", b"\xfb\xff\xbf"),
        (b"AA", b"\0"),
        (b"AAA", b"\0\0"),
    ],
)
def test_settings_are_read(value: bytes, bytes_: bytes) -> None:
    """mitmproxy 5.4.84."""
    assert requested_settings(head([*ASKS[:3], (b"http2-SETTINGS", value)])) == bytes_


@pytest.mark.parametrize(
    "fields",
    [
        [],
        ASKS[:3],
        [*ASKS, (b"HTTP2-Settings", CURL)],
        [*ASKS[:3], (b"HTTP2-Settings", CURL + b", " + CURL)],
        [*ASKS[:3], (b"HTTP2-Settings", b"AAMAAABkAAQCAAAAAAIAAAAA=")],
        [*ASKS[:3], (b"HTTP2-Settings", b"AA+/")],
        [*ASKS[:3], (b"HTTP2-Settings", b"A")],
        [*ASKS[:3], (b"HTTP2-Settings", b"AA A")],
        [*ASKS[:3], (b"HTTP2-Settings", b"\xc3\xa4AA")],
        [ASKS[0], (b"Connection", b"Upgrade"), *ASKS[2:]],
        [ASKS[0], (b"Connection", b"HTTP2-Settings"), *ASKS[2:]],
        [ASKS[0], *ASKS[2:]],
        [*ASKS[:2], (b"Upgrade", b"h2"), ASKS[3]],
        [*ASKS[:2], (b"Upgrade", b"websocket"), ASKS[3]],
        [*ASKS[:2], ASKS[3]],
    ],
)
def test_what_does_not_ask_as_it_has_to(fields: RawHeaders) -> None:
    assert requested_settings(head(fields)) is None


@pytest.mark.parametrize(
    "facts",
    [
        {"version": b"HTTP/1.0"},
        {"method": b"CONNECT"},
        {"scheme": b"http"},
    ],
)
def test_what_cannot_go_on_in_http2(facts: dict[str, bytes]) -> None:
    assert requested_settings(head(ASKS, **facts)) is None


def test_other_protocols_may_be_offered_beside_it() -> None:
    fields = [ASKS[0], CONNECTION, (b"Upgrade", b"websocket, h2c"), ASKS[3]]
    assert requested_settings(head(fields)) is not None


# The connection


def test_the_first_stream_is_there_before_anything_arrives() -> None:
    codec = upgraded(b"body", method=b"POST")
    assert codec.receive(b"") == [(1, head([], method=b"POST")), (1, Data(b"body")), (1, END)]
    assert codec.receive(b"") == []


def test_any_split_gives_the_same_events() -> None:
    whole = PREFACE + SETTINGS + headers(3, POST) + data(3, b"abc", "END_STREAM") + reset(1)
    one, other = upgraded(b"x"), upgraded(b"x")
    found = one.receive(whole)
    assert [stream_id for stream_id, _ in found] == [1, 1, 1, 3, 3, 3, 1]
    assert [event for i in range(len(whole)) for event in other.receive(whole[i : i + 1])] == found


def test_the_answer_goes_out_before_the_client_has_introduced_itself() -> None:
    """Our SETTINGS come first, and those of the client need no acknowledgement. RFC 7540 section 3.2.1."""
    codec = upgraded()
    codec.receive(b"")
    codec.send(1, ResponseHead(200, []), Data(b"hi"), END)
    frames = written(codec)
    assert [(kind, stream_id) for kind, _, stream_id, _ in frames] == [
        (SETTINGS_FRAME, 0), (WINDOW_UPDATE, 0), (HEADERS_FRAME, 1), (DATA_FRAME, 1),
    ]  # fmt: skip
    assert frames[0][1] == 0
    assert codec.finished == [1]
    found = codec.receive(PREFACE + SETTINGS + headers(3, GET, "END_STREAM"))
    assert [stream_id for stream_id, _ in found] == [3, 3]
    assert (SETTINGS_FRAME, 1, 0, b"") in written(codec)


def test_the_window_of_the_settings_holds() -> None:
    codec = upgraded(client=payload((INITIAL_WINDOW, 3)))
    codec.send(1, ResponseHead(200, []), Data(b"hello"), END)
    assert [f[3] for f in written(codec) if f[0] == DATA_FRAME] == [b"hel"]
    codec.receive(PREFACE + settings({INITIAL_WINDOW: 10}))
    assert [f[3] for f in written(codec) if f[0] == DATA_FRAME] == [b"lo"]


def test_the_table_of_the_settings_holds() -> None:
    codec = upgraded(client=payload((TABLE_SIZE, 0)))
    codec.send(1, ResponseHead(200, [(b"x", b"y")]), END)
    block = next(f[3] for f in written(codec) if f[0] == HEADERS_FRAME)
    decoder = hpack.Decoder()
    decoder.max_allowed_table_size = decoder.header_table_size = 0
    assert decoder.decode(block, raw=True) == [(b":status", b"200"), (b"x", b"y")]


def test_a_body_that_was_not_counted_gives_no_window_back() -> None:
    codec = upgraded(bytes(256 * 1024), method=b"PUT")
    codec.receive(b"")
    assert not codec.consumed(1, 256 * 1024)
    codec.take()
    codec.receive(PREFACE + SETTINGS + headers(3, POST))
    given = 0
    for _ in range(CONNECTION_WINDOW // (256 * 1024)):
        codec.receive(b"".join([data(3, bytes(16384)) for _ in range(16)]))
        codec.consumed(3, 256 * 1024)
        given += sum(
            [int.from_bytes(f[3], "big") for f in written(codec) if (f[0], f[2]) == (WINDOW_UPDATE, 0)]
        )
    assert given == CONNECTION_WINDOW


def test_the_client_may_reset_it() -> None:
    codec = upgraded()
    found = codec.receive(PREFACE + SETTINGS + reset(1))
    assert [type(event) for _, event in found] == [RequestHead, type(END), Reset]


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", ErrorCodes.PROTOCOL_ERROR),
        (PREFACE + headers(3, GET), ErrorCodes.PROTOCOL_ERROR),
        (PREFACE + SETTINGS + data(3, b"x"), ErrorCodes.PROTOCOL_ERROR),
    ],
)
def test_what_may_not_follow(sent: bytes, code: ErrorCodes) -> None:
    """Requests that were pipelined after the one that asked are not read as anything."""
    codec = upgraded()
    codec.receive(b"")
    found = codec.receive(sent)
    assert failure(found) == code
    assert [f for f in written(codec) if f[0] == GO_AWAY]


@pytest.mark.parametrize("more", [data(1, b"x"), headers(1, GET, "END_STREAM")])
def test_more_of_it_is_a_fault_of_the_stream(more: bytes) -> None:
    """RFC 9113 section 5.1: half-closed (remote)."""
    codec = upgraded()
    codec.receive(PREFACE + SETTINGS)
    codec.take()
    codec.receive(more)
    assert resets(codec) == [(1, ErrorCodes.STREAM_CLOSED)]


@pytest.mark.parametrize(
    "bad",
    [
        b"\0",
        payload((3, 1)) + b"\0",
        payload((INITIAL_WINDOW, 2**31)),
        payload((MAX_FRAME, 1)),
        payload((2, 2)),
        payload(*[(3, 1)] * 33),
    ],
)
def test_settings_that_are_none_are_refused(bad: bytes) -> None:
    with pytest.raises(ProtocolError):
        Codec(client=False, upgraded=bad)


def test_settings_that_nobody_knows_are_ignored() -> None:
    codec = upgraded(client=payload(*[(9 + n, 1) for n in range(32)]))
    assert codec.receive(PREFACE + SETTINGS)[0][0] == 1
