"""Extended CONNECT, read and sent as the upgrade of HTTP/1.1 that it stands for. RFC 8441."""

from __future__ import annotations

import hpack
import pytest
from http2_frames import SETTINGS, Fields, client, data, headers, malformed, resets, server, settings, written

from proxyfw.protocol.events import END, Data, RequestHead, ResponseHead
from proxyfw.protocol.http2 import ErrorCodes

CONNECT: Fields = [
    (b":method", b"CONNECT"), (b":protocol", b"websocket"), (b":scheme", b"https"), (b":path", b"/x"),
    (b":authority", b"a.example"),
]  # fmt: skip
KEY, ACCEPT = b"dGhlIHNhbXBsZSBub25jZQ==", b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
UPGRADE = [(b"Upgrade", b"websocket"), (b"Connection", b"Upgrade")]
ENABLE_CONNECT_PROTOCOL = 8


def test_a_request_is_told_as_an_upgrade_with_a_key_of_its_own() -> None:
    codec = server(websocket=True)
    theirs = (b"sec-websocket-key", b"theirs")
    found = codec.receive(headers(1, [*CONNECT, (b"a", b"b"), theirs]))
    (_, head), end = found
    assert isinstance(head, RequestHead)
    assert end == (1, END)
    assert (head.method, head.target, head.authority, head.version) == (
        b"GET", b"/x", b"a.example", b"HTTP/2.0",
    )  # fmt: skip
    assert head.headers[:3] == [(b"a", b"b"), *UPGRADE]
    ((name, key),) = head.headers[3:]
    assert (name, len(key)) == (b"Sec-WebSocket-Key", 24)
    (_, other), _ = codec.receive(headers(3, CONNECT))
    assert isinstance(other, RequestHead)
    assert other.headers[-1][1] != key
    assert codec.receive(data(1, b"bytes", "END_STREAM")) == [(1, Data(b"bytes")), (1, END)]


@pytest.mark.parametrize(
    ("status", "said"), [(101, b"200"), (200, b"502"), (204, b"502"), (302, b"302"), (404, b"404")]
)
def test_only_101_is_a_success_in_http2(status: int, said: bytes) -> None:
    codec = server(websocket=True)
    codec.receive(headers(1, CONNECT))
    codec.send(1, ResponseHead(status, [*UPGRADE, (b"Sec-WebSocket-Accept", ACCEPT), (b"A", b"b")]))
    (block,) = [payload for kind, _, stream, payload in written(codec) if (kind, stream) == (1, 1)]
    sent = [(bytes(name), bytes(value)) for name, value in hpack.Decoder().decode(block, raw=True)]
    kept = [] if status == 101 else [(b"sec-websocket-accept", ACCEPT)]
    assert sent == [(b":status", said), *kept, (b"a", b"b")]


def test_a_request_of_ours_has_no_end_and_no_key_and_its_success_is_101() -> None:
    codec = client()
    codec.receive(settings({ENABLE_CONNECT_PROTOCOL: 1}))
    assert codec.carries_websockets
    fields = [(b"Host", b"a.example"), *UPGRADE, (b"Sec-WebSocket-Key", KEY)]
    head = RequestHead(b"GET", b"/x", fields, b"HTTP/1.1", b"https", websocket=True)
    stream_id = codec.open(head, END)
    frames = [(kind, flags) for kind, flags, stream, _ in written(codec) if stream == stream_id]
    assert frames == [(1, 4)]  # HEADERS with END_HEADERS, without END_STREAM
    answer = [(b":status", b"200"), (b"content-length", b"0"), (b"a", b"b")]
    ((_, found),) = codec.receive(headers(stream_id, answer))
    expected = [(b"a", b"b"), *UPGRADE, (b"Sec-WebSocket-Accept", ACCEPT)]
    assert found == ResponseHead(101, expected, b"", b"HTTP/2.0")
    assert codec.receive(data(stream_id, b"bytes")) == [(stream_id, Data(b"bytes"))]


def test_what_was_said_last_goes_out_before_the_stream_is_left() -> None:
    codec = client()
    codec.receive(settings({ENABLE_CONNECT_PROTOCOL: 1}))
    head = RequestHead(b"GET", b"/", [(b"Host", b"a.example")], b"HTTP/1.1", b"https", websocket=True)
    stream_id = codec.open(head, END)
    codec.receive(headers(stream_id, [(b":status", b"200")]))
    codec.send(stream_id, Data(b"bye"), END)
    codec.leave(stream_id)
    frames = [(kind, payload) for kind, _, stream, payload in written(codec) if stream == stream_id]
    assert frames[1:] == [(0, b"bye"), (3, ErrorCodes.CANCEL.to_bytes(4, "big"))]


def test_an_origin_that_says_nothing_takes_none() -> None:
    codec = client()
    codec.receive(SETTINGS)
    assert not codec.carries_websockets


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        pytest.param([*CONNECT[:1], (b":protocol", b"connect-udp"), *CONNECT[2:]], 501, id="unknown"),
        pytest.param([(b":method", b"GET"), *CONNECT[1:]], 400, id="not CONNECT"),
        pytest.param([*CONNECT[:2], *CONNECT[3:]], 400, id="no scheme"),
        pytest.param([*CONNECT[:3], *CONNECT[4:]], 400, id="no path"),
        pytest.param(CONNECT[:4], 400, id="no authority"),
        pytest.param([*CONNECT, (b":protocol", b"websocket")], 400, id="late and twice"),
    ],
)
def test_what_is_refused(fields: Fields, status: int) -> None:
    """The unknown protocol can be answered, the others break the rules."""
    codec = server(websocket=True)
    assert malformed(codec.receive(headers(1, fields))) == [(1, status)]
    assert resets(codec) == ([] if status == 501 else [(1, ErrorCodes.PROTOCOL_ERROR)])
