"""Every raw message of the corpus gets its verdict, however it is cut up (5.1.19 to 5.1.22, 26, 34, 40)."""

from __future__ import annotations

import runpy
from collections.abc import Iterable
from pathlib import Path

import pytest

from proxyfw.exceptions import ProtocolError
from proxyfw.protocol.events import END, Data, Event, RequestHead, ResponseHead
from proxyfw.protocol.http1 import ClientCodec, Codec, ServerCodec

CORPUS = runpy.run_path(str(Path(__file__).with_name("hostile.py")))
REQUESTS: list[tuple[str, bytes, int]] = CORPUS["REQUESTS"]
RESPONSES: list[tuple[str, bytes, int]] = CORPUS["RESPONSES"]
LIMIT = 4096

pytestmark = pytest.mark.usefixtures("http1_engine")


def asked() -> ClientCodec:
    codec = ClientCodec(LIMIT)
    codec.send(RequestHead(b"GET", b"/", [(b"Host", b"a")]), END)
    return codec


def joined(events: Iterable[Event]) -> list[Event]:
    """Return *events* with neighbouring Data made one."""
    out: list[Event] = []
    for event in events:
        if isinstance(event, Data) and out and isinstance(out[-1], Data):
            out[-1] = Data(out[-1].data + event.data)
        else:
            out.append(event)
    return out


def read(codec: Codec, pieces: Iterable[bytes]) -> tuple[list[Event], int]:
    """Feed *pieces*; return the events and the status of the failure, 0 if there was none."""
    events: list[Event] = []
    try:
        for piece in pieces:
            events += codec.receive(piece)
    except ProtocolError as exc:
        return joined(events + codec.read_before_failure), exc.status
    return joined(events), 0


def cut(raw: bytes, size: int) -> list[bytes]:
    return [raw[i : i + size] for i in range(0, len(raw), size)]


def verdicts(codecs: Iterable[Codec], raw: bytes) -> list[tuple[list[Event], int]]:
    """Read *raw* whole, in halves, in sevens and byte by byte."""
    sizes = (len(raw), len(raw) // 2, 7, 1)
    return [read(codec, cut(raw, size)) for codec, size in zip(codecs, sizes, strict=True)]


def test_the_corpus_is_large_enough() -> None:
    assert len(REQUESTS) > 150
    assert len(RESPONSES) > 60
    for cases in (REQUESTS, RESPONSES):
        assert len({name for name, _, _ in cases}) == len(cases)


@pytest.mark.parametrize(("raw", "status"), [pytest.param(r, s, id=n) for n, r, s in REQUESTS])
def test_request(raw: bytes, status: int) -> None:
    whole, *others = verdicts([ServerCodec(LIMIT) for _ in range(4)], raw)
    assert whole[1] == status
    assert others == [whole] * 3
    assert status or whole[0][-1] == END


@pytest.mark.parametrize(("raw", "status"), [pytest.param(r, s, id=n) for n, r, s in RESPONSES])
def test_response(raw: bytes, status: int) -> None:
    whole, *others = verdicts([asked() for _ in range(4)], raw)
    assert whole[1] == status
    assert others == [whole] * 3


@pytest.mark.parametrize("raw", [pytest.param(r, id=n) for n, r, s in REQUESTS if s])
def test_a_refused_request_can_be_answered_and_ends_the_connection(raw: bytes) -> None:
    """5.1.34"""
    codec = ServerCodec(LIMIT)
    with pytest.raises(ProtocolError) as caught:
        codec.receive(raw)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400
    answer = codec.send(ResponseHead(400, [(b"Content-Length", b"2")], b"Bad"), Data(b"no"), END)
    assert answer == b"HTTP/1.1 400 Bad\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"
    assert not codec.reusable
    with pytest.raises(ProtocolError):
        codec.receive(b"GET / HTTP/1.1\r\n\r\n")
