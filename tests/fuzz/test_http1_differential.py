"""Two engines, one meaning: the same bytes give the same events with h11 and with llhttp, or both refuse."""

from __future__ import annotations

import runpy
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxyfw.exceptions import ProtocolError
from proxyfw.protocol.events import END, Data, Event, RequestHead, ResponseHead, Trailers
from proxyfw.protocol.http1 import ClientCodec, ServerCodec
from proxyfw.protocol.http1_engine import LlhttpEngine, NewEngine
from proxyfw.protocol.http1_h11 import H11Engine

pytest.importorskip("httptools")

CORPUS = runpy.run_path(str(Path(__file__).parent.parent / "protocol" / "hostile.py"))
CHUNK_PARTS = st.sampled_from(
    [b"0", b"5", b"a", b"A", b"ff", b"\r\n", b"\n", b"\r", b";x=1", b" ", b"hello", b"hello world",
     b"0\r\n\r\n", b"5\r\nhello\r\n", b"X: y\r\n", b"\x00", b"fffffffffffffffff"]
)  # fmt: skip
CHUNKED_HEAD = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNKED_ANSWER = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
Verdict = tuple[list[Event], str | None]


def pieces_of(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[a:b] for a, b in pairwise(edges)]


def serve(engine: NewEngine, pieces: list[bytes]) -> Verdict:
    return _joined(ServerCodec(engine=engine), pieces)


def ask(engine: NewEngine, pieces: list[bytes]) -> Verdict:
    codec = ClientCodec(engine=engine)
    codec.send(RequestHead(b"GET", b"/", [(b"Host", b"a")]), END)
    return _joined(codec, pieces)


def _joined(codec: ServerCodec | ClientCodec, pieces: list[bytes]) -> Verdict:
    """All events with neighbouring data joined, and the message of the fault that ended them."""
    events: list[Event] = []
    fault = None
    try:
        for piece in [*pieces, b""]:
            events += codec.receive(piece)
    except ProtocolError as e:
        events += codec.read_before_failure
        fault = str(e)
    joined: list[Event] = []
    for event in events:
        if isinstance(event, Data) and joined and isinstance(joined[-1], Data):
            joined[-1] = Data(joined[-1].data + event.data)
        else:
            joined.append(event)
    return joined, fault


@given(st.lists(CHUNK_PARTS, max_size=12).map(b"".join), st.lists(st.integers(0, 500), max_size=8))
def test_chunked_requests(body: bytes, cuts: list[int]) -> None:
    pieces = pieces_of(CHUNKED_HEAD + body, cuts)
    assert serve(H11Engine, pieces) == serve(LlhttpEngine, pieces)


@given(st.lists(CHUNK_PARTS, max_size=12).map(b"".join), st.lists(st.integers(0, 500), max_size=8))
def test_chunked_responses(body: bytes, cuts: list[int]) -> None:
    pieces = pieces_of(CHUNKED_ANSWER + body, cuts)
    assert ask(H11Engine, pieces) == ask(LlhttpEngine, pieces)


@given(st.sampled_from([raw for _, raw, _ in CORPUS["REQUESTS"]]), st.lists(st.integers(0, 2000), max_size=5))
def test_hostile_requests(raw: bytes, cuts: list[int]) -> None:
    pieces = pieces_of(raw, cuts)
    assert serve(H11Engine, pieces) == serve(LlhttpEngine, pieces)


@given(
    st.sampled_from([raw for _, raw, _ in CORPUS["RESPONSES"]]), st.lists(st.integers(0, 2000), max_size=5)
)
def test_hostile_responses(raw: bytes, cuts: list[int]) -> None:
    pieces = pieces_of(raw, cuts)
    assert ask(H11Engine, pieces) == ask(LlhttpEngine, pieces)


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=5), st.booleans())
def test_both_write_the_same(body: list[bytes], trailers: bool) -> None:
    head = ResponseHead(200, [(b"Transfer-Encoding", b"chunked")], b"OK")
    end = [Trailers([(b"X", b"y")]), END] if trailers else [END]
    written = []
    for engine in (H11Engine, LlhttpEngine):
        codec = ServerCodec(engine=engine)
        codec.receive(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        written.append(codec.send(head, *map(Data, body), *end))
    assert written[0] == written[1]
