"""The event stream format: what is an event and what is not, byte-exact passing, writing."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxyfw.exceptions import LocalProtocolError
from proxyfw.protocol.sse import Block, EventStreamParser, write
from proxyfw.sse import ServerSentEvent

Facts = tuple[str, str, str | None, int | None]


def parse(chunks: Iterable[bytes], limit: float = inf) -> tuple[list[Facts], bytes]:
    """The events of a stream as (type, data, id, retry), and all bytes that came out."""
    parser = EventStreamParser(limit)
    blocks = [block for chunk in chunks for block in parser.feed(chunk)]
    out = b"".join(block.written() for block in blocks) + parser.end()
    return [block.facts for block in blocks if block.facts], out


def event_of(raw: bytes) -> Block:
    (block,) = [b for b in EventStreamParser().feed(raw) if b.event]
    return block


STREAMS: list[tuple[str, bytes, list[Facts]]] = [
    ("one line", b"data: a\n\n", [("message", "a", None, None)]),
    ("no space", b"data:a\n\n", [("message", "a", None, None)]),
    ("only one space goes", b"data:  a\n\n", [("message", " a", None, None)]),
    ("no colon", b"data\n\n", [("message", "", None, None)]),
    ("two empty lines", b"data\ndata\n\n", [("message", "\n", None, None)]),
    ("three lines", b"data: YHOO\ndata: +2\ndata: 10\n\n", [("message", "YHOO\n+2\n10", None, None)]),
    ("CR LF", b"event: add\r\ndata: 1\r\n\r\n", [("add", "1", None, None)]),
    ("CR", b"event: add\rdata: 1\r\r", [("add", "1", None, None)]),
    ("mixed line ends", b"event: add\rdata: 1\ndata: 2\r\n\n", [("add", "1\n2", None, None)]),
    ("all fields", b"id: 7\nevent: x\nretry: 250\ndata: d\n\n", [("x", "d", "7", 250)]),
    ("empty id", b"id\ndata: d\n\n", [("message", "d", "", None)]),
    ("id with NUL", b"id: a\0b\ndata: d\n\n", [("message", "d", None, None)]),
    ("retry of no number", b"retry: 1s\ndata: d\n\n", [("message", "d", None, None)]),
    ("the last type counts", b"event: a\nevent: b\ndata: d\n\n", [("b", "d", None, None)]),
    ("an empty type is message", b"event:\ndata: d\n\n", [("message", "d", None, None)]),
    ("unknown fields", b"foo: bar\ndata: d\n\n", [("message", "d", None, None)]),
    ("names are case-sensitive", b"Data: d\n\n", []),
    ("comments", b": hi\n\n:\ndata: d\n: within\n\n", [("message", "d", None, None)]),
    ("no data is no event", b"event: x\nid: 1\n\nretry: 5\n\n", []),
    ("a type does not outlive its block", b"event: x\n\ndata: d\n\n", [("message", "d", None, None)]),
    ("blank lines", b"\n\n\r\n\rdata: d\n\n\n", [("message", "d", None, None)]),
    ("BOM", b"\xef\xbb\xbfdata: d\n\n", [("message", "d", None, None)]),
    ("a second BOM is part of a name", b"\xef\xbb\xbf\xef\xbb\xbfdata: d\n\n", []),
    ("not UTF-8", b"data: \xff\n\n", [("message", "\ufffd", None, None)]),
    ("NEL and U+2028 end no line", "data: a\x85b\u2028c\x0bd\n\n".encode(),
     [("message", "a\x85b\u2028c\x0bd", None, None)]),
    ("what the end cuts off is no event", b"data: a\n\ndata: b\n", [("message", "a", None, None)]),
    ("nothing", b"", []),
]  # fmt: skip


@pytest.mark.parametrize(("stream", "events"), [s[1:] for s in STREAMS], ids=[s[0] for s in STREAMS])
def test_the_format(stream: bytes, events: list[Facts]) -> None:
    assert parse([stream]) == (events, stream)
    assert parse(bytes([byte]) for byte in stream) == (events, stream)


LINES = st.sampled_from(
    [
        b"data: a",
        b"data",
        b"data: \xe2",
        b"event: x",
        b"id: 1",
        b"retry: 5",
        b": c",
        b"",
        b"",
        b"\xef\xbb\xbf",
    ]
)


@given(
    st.lists(st.tuples(LINES, st.sampled_from([b"\n", b"\r", b"\r\n"])), max_size=20),
    st.binary(max_size=8),
    st.lists(st.integers(0), max_size=8),
    st.sampled_from([inf, inf, 20, 0]),
)
def test_any_split_gives_the_same_events_and_every_byte_comes_out(
    lines: list[tuple[bytes, bytes]], tail: bytes, points: list[int], limit: float
) -> None:
    stream = b"".join(line + end for line, end in lines) + tail
    edges = [0, *sorted(point % (len(stream) + 1) for point in points), len(stream)]
    at_once = parse([stream], limit)
    assert at_once[1] == stream
    assert parse([stream[a:b] for a, b in pairwise(edges)], limit) == at_once
    assert parse([bytes([byte]) for byte in stream], limit) == at_once


def test_a_comment_does_not_wait_for_what_follows() -> None:
    blocks = list(EventStreamParser().feed(b": alive\n"))
    assert [(block.raw, block.event) for block in blocks] == [(b": alive\n", None)]


def test_an_event_does_not_wait_for_the_second_half_of_a_line_end() -> None:
    parser = EventStreamParser()
    (block,) = parser.feed(b"data: a\r\r")
    assert block.event
    assert [(b.raw, b.event) for b in parser.feed(b"\n")] == [(b"\n", None)]
    assert [b.raw for b in parser.feed(b"\n")] == [b"\n"]


def test_what_is_too_long_passes_unseen_and_at_once() -> None:
    parser = EventStreamParser(100)
    passed = b"".join(block.raw for _ in range(50) for block in parser.feed(b"data: " + b"x" * 20))
    assert len(passed) + len(parser.end()) == 50 * 26
    assert len(parser.end()) <= 100
    rest = list(parser.feed(b"\ndata: more\n\ndata: seen\n\n"))
    assert [block.event.data for block in rest if block.event] == ["seen"]


def test_unedited_and_dropped_and_edited() -> None:
    raw = b"retry:5\rid:1\r: c\rdata:a\r\r"
    block = event_of(raw)
    assert block.written() == raw
    assert block.event
    block.event.data = "one\ntwo"
    assert block.written() == b"id: 1\nretry: 5\ndata: one\ndata: two\n\n"
    block.event.data = "a"
    assert block.written() == raw
    block.event.drop()
    assert block.written() == b""


EVENTS = st.builds(
    ServerSentEvent,
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r")),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), min_size=1),
    st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0")),
    st.none() | st.integers(0, 10**9),
)


@given(EVENTS)
def test_what_is_written_is_read_back(event: ServerSentEvent) -> None:
    assert parse([write(event)])[0] == [(event.event, event.data, event.id, event.retry)]


@pytest.mark.parametrize(
    "event",
    [ServerSentEvent("d", "a\nb"), ServerSentEvent("d", id="a\rb"), ServerSentEvent("d", id="a\0b")],
)
def test_what_cannot_be_said_is_not_written(event: ServerSentEvent) -> None:
    with pytest.raises(LocalProtocolError):
        write(event)


def test_data_may_have_any_line_end() -> None:
    assert write(ServerSentEvent("a\r\nb\rc")) == b"data: a\ndata: b\ndata: c\n\n"
    assert write(ServerSentEvent("")) == b"data: \n\n"


def test_repr() -> None:
    assert repr(ServerSentEvent("abc", "tick")) == "<ServerSentEvent 'tick' 3 characters>"
