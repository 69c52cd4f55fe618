"""Any bytes, in any pieces, make the HTTP/2 codec say the same, and nothing that it should not."""

from __future__ import annotations

from collections.abc import Iterable

import hpack
from hyperframe.frame import ContinuationFrame, DataFrame, HeadersFrame, RstStreamFrame, WindowUpdateFrame
from hypothesis import given
from hypothesis import strategies as st

from proxyfw.exceptions import LocalProtocolError
from proxyfw.protocol.events import (
    END,
    Data,
    End,
    Event,
    Informational,
    RequestHead,
    Reset,
    ResponseHead,
    Trailers,
)
from proxyfw.protocol.http2 import PREFACE, Codec, Fact, Failure, GoAway, Malformed, PingAck

SETTINGS = b"\0\0\0\4\0\0\0\0\0"
VOCABULARY = (
    RequestHead, ResponseHead, Informational, Data, Trailers, End, Reset, GoAway, Malformed, PingAck, Failure
)  # fmt: skip

NAMES = st.sampled_from(
    [
        b":method",
        b":path",
        b":scheme",
        b":authority",
        b":status",
        b"cookie",
        b"content-length",
        b"te",
        b"x",
        b"X",
    ]
)
VALUES = st.sampled_from(
    [
        b"GET",
        b"HEAD",
        b"/",
        b"https",
        b"a.example",
        b"200",
        b"103",
        b"a=1",
        b"3",
        b"trailers",
        b"",
        b" x",
        b"\n",
    ]
)
GOOD = [(b":method", b"POST"), (b":scheme", b"https"), (b":authority", b"a"), (b":path", b"/")]
FIELDS = st.one_of(
    st.just(GOOD), st.just([(b":status", b"200")]), st.lists(st.tuples(NAMES, VALUES), max_size=6)
)
IDS = st.sampled_from([1, 1, 1, 3, 3, 5, 2])
FLAGS = st.sets(st.sampled_from(["END_STREAM", "END_HEADERS", "ACK"]))


@st.composite
def frames(draw: st.DrawFn) -> bytes:
    kind = draw(st.integers(0, 7))
    stream_id, flags = draw(IDS), draw(FLAGS)
    if kind <= 2:
        head = HeadersFrame(stream_id, flags=flags & {"END_STREAM", "END_HEADERS"} | {"END_HEADERS"})
        head.data = hpack.Encoder().encode(draw(FIELDS))
        return head.serialize()
    if kind == 3:
        return DataFrame(stream_id, draw(st.binary(max_size=5)), flags=flags & {"END_STREAM"}).serialize()
    if kind == 4:
        return WindowUpdateFrame(stream_id, draw(st.sampled_from([1, 2**31 - 1]))).serialize()
    if kind == 5:
        return RstStreamFrame(stream_id, draw(st.integers(0, 20))).serialize()
    if kind == 6:
        return ContinuationFrame(
            stream_id, draw(st.binary(max_size=5)), flags=flags & {"END_HEADERS"}
        ).serialize()
    payload = draw(st.binary(max_size=20))
    header = [draw(st.integers(0, 12)), draw(st.integers(0, 255)), 0, 0, 0, draw(st.integers(0, 3))]
    return len(payload).to_bytes(3, "big") + bytes(header) + payload


def codec(client: bool) -> Codec:
    made = Codec(client=client, clock=lambda: 0.0)
    if client:
        for _ in range(2):
            made.open(RequestHead(b"GET", b"/", [], authority=b"a"), END)
    return made


def heard(made: Codec, pieces: Iterable[bytes]) -> list[tuple[int, Event | Fact]]:
    return [found for piece in pieces for found in made.receive(piece)]


def converse(made: Codec, piece: bytes) -> list[tuple[int, Event | Fact]]:
    """What is found in *piece*, while everything is consumed and answered."""
    found = made.receive(piece)
    for stream_id, event in found:
        if isinstance(event, Data):
            made.consumed(stream_id, len(event.data))
        if isinstance(event, RequestHead):
            made.send(
                stream_id, ResponseHead(200, [(b"x", b"y")]), Data(b"body"), Trailers([(b"t", b"1")]), END
            )
        made.take()
    return found


@given(st.booleans(), st.lists(frames(), max_size=12), st.data())
def test_any_split_gives_the_same_events(client: bool, sent: list[bytes], data: st.DataObject) -> None:
    whole = b"".join([b"" if client else PREFACE, SETTINGS, *sent])
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    one, other, third = codec(client), codec(client), codec(client)
    found = heard(one, [whole])
    assert heard(other, pieces) == found
    assert heard(third, [whole[i : i + 1] for i in range(len(whole))]) == found
    assert one.take() == other.take() == third.take()


@given(st.booleans(), st.lists(frames(), max_size=12))
def test_a_story_is_told_in_order_and_once(client: bool, sent: list[bytes]) -> None:
    found = converse(codec(client), b"".join([b"" if client else PREFACE, SETTINGS, *sent]))
    for stream_id in {stream_id for stream_id, _ in found if stream_id}:
        story = [type(event) for number, event in found if number == stream_id]
        if client:
            while story[:1] == [Informational]:
                del story[0]
        if story and story[0] in (RequestHead, ResponseHead):
            del story[0]
            while story[:1] == [Data]:
                del story[0]
            if story[:1] == [Trailers]:
                assert story[1:2] in ([End], [Malformed])
                del story[0]
            if story[:1] == [End]:
                del story[0]
        assert story in ([], [Reset], [Malformed])


@given(st.booleans(), st.booleans(), st.binary(max_size=300))
def test_any_bytes_are_understood_or_refused(client: bool, introduced: bool, data: bytes) -> None:
    made = codec(client)
    first = (b"" if client else PREFACE) + SETTINGS if introduced else b""
    found = converse(made, first + data)
    assert all(isinstance(event, VOCABULARY) for _, event in found)
    assert made.failed == any(isinstance(event, Failure) for _, event in found)
    assert not made.failed or made.receive(b"more") == []


@given(
    st.lists(st.tuples(st.binary(max_size=12), st.binary(max_size=12)), max_size=4), st.binary(max_size=10)
)
def test_what_we_send_is_always_well_formed(fields: list[tuple[bytes, bytes]], path: bytes) -> None:
    """Whatever an addon writes, the other side gets nothing malformed."""
    one, other = Codec(client=True), Codec(client=False)
    other.receive(one.take())
    try:
        one.open(RequestHead(b"GET", b"/" + path, fields, authority=b"a.example"), END)
    except LocalProtocolError:
        return
    assert [type(event) for _, event in other.receive(one.take())] == [RequestHead, End]
