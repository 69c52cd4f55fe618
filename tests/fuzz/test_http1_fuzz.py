"""The HTTP/1 codec under random bytes, random cuts and random messages."""

from __future__ import annotations

import runpy
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from proxyfw.exceptions import LocalProtocolError, ProtocolError
from proxyfw.protocol.events import END, Data, Event, RawHeaders, RequestHead, ResponseHead, Trailers
from proxyfw.protocol.http1 import ClientCodec, Codec, ServerCodec

CORPUS = runpy.run_path(str(Path(__file__).parents[1] / "protocol" / "hostile.py"))
REQUESTS: list[bytes] = [raw for _, raw, _ in CORPUS["REQUESTS"]]
RESPONSES: list[bytes] = [raw for _, raw, _ in CORPUS["RESPONSES"]]
LIMIT = 4096

TOKENS = b"!#$%&'*+-.^_`|~0123456789ABCXYZabcxyz"
SEPARATORS = b'\r\n\x00\t :;,/#@[]\x0b\x7f\x80\xff0129aAgGxX"{}()<>?\\'
DECIDE_FRAMING = {
    *(b"content-length", b"transfer-encoding", b"connection", b"upgrade", b"expect", b"host"),
    *(b"trailer", b"te", b"keep-alive", b"proxy-connection", b"content-encoding"),
}

pytestmark = pytest.mark.usefixtures("http1_engine")


def server() -> ServerCodec:
    return ServerCodec(LIMIT)


def client() -> ClientCodec:
    codec = ClientCodec(LIMIT)
    codec.send(RequestHead(b"GET", b"/", [(b"Host", b"a")]), END)
    return codec


def joined(events: Iterable[Event]) -> list[Event]:
    out: list[Event] = []
    for event in events:
        if isinstance(event, Data) and out and isinstance(out[-1], Data):
            out[-1] = Data(out[-1].data + event.data)
        else:
            out.append(event)
    return out


def following(codec: Codec, events: list[Event]) -> list[Event]:
    """If *events* complete a request, answer it and return what a pipelined one has already brought."""
    if not isinstance(codec, ServerCodec) or not events or events[-1] != END:
        return []
    codec.send(ResponseHead(404, [(b"Content-Length", b"0")]), END)
    return codec.next_cycle() if codec.reusable else []


def read(codec: Codec, pieces: Iterable[bytes]) -> tuple[list[Event], int]:
    """Return all events, across pipelined requests, and the status of the failure, 0 if there was none."""
    events: list[Event] = []
    try:
        for piece in pieces:
            news = codec.receive(piece)
            while news:
                events += news
                news = following(codec, news)
    except ProtocolError as exc:
        return joined(events + codec.read_before_failure), exc.status
    return joined(events), 0


@st.composite
def mutated(draw: st.DrawFn, corpus: list[bytes]) -> bytes:
    """Return one or two messages of *corpus*, a few of their bytes replaced, inserted or left out."""
    raw = b"".join(draw(st.lists(st.sampled_from(corpus), min_size=1, max_size=2)))
    raw = raw[: 2 * LIMIT]
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(raw)))
        stop = start + draw(st.integers(0, 2))
        raw = raw[:start] + bytes(draw(st.lists(st.sampled_from(SEPARATORS), max_size=2))) + raw[stop:]
    return raw


def cut(raw: bytes, places: list[int]) -> list[bytes]:
    """Cut *raw* at *places*, taken modulo its length."""
    ends = sorted({place % (len(raw) + 1) for place in places} | {0, len(raw)})
    return [raw[start:end] for start, end in pairwise(ends)]


PLACES = st.lists(st.integers(0, 10_000), max_size=8)


def check_cuts(make: Callable[[], Codec], raw: bytes, places: list[int]) -> None:
    whole = read(make(), [raw] if raw else [])
    assert read(make(), [raw[i : i + 1] for i in range(len(raw))]) == whole
    assert read(make(), cut(raw, places)) == whole


@settings(max_examples=400, deadline=None)
@given(mutated(REQUESTS), PLACES)
def test_cuts_do_not_matter_to_a_server(raw: bytes, places: list[int]) -> None:
    check_cuts(server, raw, places)


@settings(max_examples=400, deadline=None)
@given(mutated(RESPONSES), PLACES)
def test_cuts_do_not_matter_to_a_client(raw: bytes, places: list[int]) -> None:
    check_cuts(client, raw, places)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=60), max_size=6), st.booleans(), st.booleans())
@example([b"\x16\x03\x01"], False, True)
def test_arbitrary_bytes_raise_only_protocol_errors(pieces: list[bytes], as_client: bool, eof: bool) -> None:
    read(client() if as_client else server(), [*pieces, *([b""] if eof else [])])


@settings(max_examples=300, deadline=None)
@given(st.one_of(mutated(REQUESTS), mutated(RESPONSES)), st.booleans())
def test_messages_cut_short_raise_only_protocol_errors(raw: bytes, as_client: bool) -> None:
    codec = client() if as_client else server()
    read(codec, [raw[: len(raw) // 2] or b"x", b""])
    codec.detach()


NAMES = st.lists(st.sampled_from(TOKENS), min_size=1, max_size=8).map(bytes)
TEXT = st.binary(max_size=12).map(
    lambda raw: bytes(byte for byte in raw if byte > 31 and byte != 127).strip()
)
HEADERS = st.lists(st.tuples(NAMES, TEXT), max_size=6).map(
    lambda fields: [field for field in fields if field[0].lower() not in DECIDE_FRAMING]
)
TARGETS = st.binary(max_size=20).map(
    lambda raw: b"/" + bytes(byte for byte in raw if byte > 32 and byte not in b"#\x7f")
)
Message = tuple[RawHeaders, list[Event]]
BODIES = st.lists(st.binary(min_size=1, max_size=40), max_size=4)


@st.composite
def messages(draw: st.DrawFn) -> Message:
    """Return headers and the events that follow them: a body with a length, or chunks and trailers."""
    headers: RawHeaders = draw(HEADERS)
    pieces = draw(BODIES)
    place = draw(st.integers(0, len(headers)))
    rest: list[Event] = [Data(piece) for piece in pieces]
    if draw(st.booleans()):
        headers.insert(place, (b"content-Length", b"%d" % sum(map(len, pieces))))
        return headers, [*rest, END]
    headers.insert(place, (b"transfer-ENCODING", b"Chunked"))
    trailers: RawHeaders = draw(HEADERS)
    return headers, [*rest, *([Trailers(trailers)] if trailers else []), END]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(NAMES, TARGETS, messages(), TEXT, messages()), min_size=1, max_size=3), PLACES)
def test_messages_survive_the_wire(
    exchanges: list[
        tuple[bytes, bytes, tuple[RawHeaders, list[Event]], bytes, tuple[RawHeaders, list[Event]]]
    ],
    places: list[int],
) -> None:
    """Both roles talk over one connection; every byte of every head and body arrives as it was sent."""
    asking, answering = ClientCodec(), ServerCodec()
    for method, target, (headers, body), reason, (answer_headers, answer_body) in exchanges:
        request = RequestHead(b"X" + method, target, headers)
        wire = asking.send(request, *body)
        read_events = [event for piece in cut(wire, places) for event in answering.receive(piece)]
        assert joined(read_events) == joined([request, *body])
        response = ResponseHead(200, answer_headers, reason)
        wire = answering.send(response, *answer_body)
        read_events = [event for piece in cut(wire, places) for event in asking.receive(piece)]
        assert joined(read_events) == joined([response, *answer_body])
        assert asking.reusable
        assert answering.reusable
        assert asking.next_cycle() == answering.next_cycle() == []


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(TARGETS, messages()), min_size=1, max_size=6), PLACES)
def test_pipelined_requests_are_read_in_order(
    requests: list[tuple[bytes, Message]], places: list[int]
) -> None:
    sent: list[Event] = []
    wire = b""
    for target, (headers, body) in requests:
        message = [RequestHead(b"PUT", target, headers), *body]
        wire += ClientCodec().send(*message)
        sent += message
    assert read(server(), cut(wire, places)) == (joined(sent), 0)
    assert read(server(), [wire]) == (joined(sent), 0)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.binary(max_size=6), st.binary(max_size=6)), max_size=4), st.binary(max_size=6))
def test_whatever_goes_out_can_be_read(headers: RawHeaders, reason: bytes) -> None:
    """5.1.18: no header or reason can smuggle a line in: what goes out is read as it was sent."""
    answering, asking = ServerCodec(), client()
    answering.receive(b"GET / HTTP/1.1\r\n\r\n")
    try:
        wire = answering.send(ResponseHead(200, headers, reason), END)
    except LocalProtocolError:
        return
    head = asking.receive(wire)[0]
    assert isinstance(head, ResponseHead)
    assert head.reason == reason
    assert head.headers[: len(headers)] == [(name, value.strip(b" \t")) for name, value in headers]


@pytest.mark.parametrize("raw", REQUESTS, ids=range(len(REQUESTS)))
def test_every_cut_in_two_gives_the_same(raw: bytes) -> None:
    raw = raw[:300]
    whole = read(server(), [raw])
    assert all(read(server(), [raw[:place], raw[place:]]) == whole for place in range(1, len(raw)))
