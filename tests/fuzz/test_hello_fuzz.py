"""Any cut of a ClientHello reads the same, and no bytes can make the reader fail in its own way."""

from __future__ import annotations

import ssl
import struct
from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from proxyfw.exceptions import ProtocolError
from proxyfw.protocol import tls
from proxyfw.protocol.tls import read_client_hello


def vector(data: bytes, width: int = 2) -> bytes:
    return len(data).to_bytes(width, "big") + data


def pack(numbers: list[int]) -> bytes:
    return struct.pack(f">{len(numbers)}H", *numbers)


def in_records(data: bytes, sizes: list[int]) -> bytes:
    """*data* in records of *sizes* bytes, the rest in one more."""
    parts = []
    for size in sizes:
        parts.append(data[:size])
        data = data[size:]
    return b"".join(b"\x16\x03\x01" + vector(part) for part in (*parts, data) if part)


numbers = st.integers(0, 0xFFFF)
hosts = st.from_regex(r"[a-z0-9_-]{1,20}(\.[a-z0-9-]{1,20}){0,4}", fullmatch=True)
strangers = st.dictionaries(
    numbers.filter(lambda kind: kind not in (0, 16, 43)), st.binary(max_size=50), max_size=5
)


@given(st.data())
def test_any_hello_reads_the_same_in_any_cut(data: st.DataObject) -> None:
    """5.3.65"""
    sni = data.draw(st.none() | hosts)
    protocols = data.draw(st.lists(st.binary(min_size=1, max_size=255), max_size=4))
    versions = data.draw(st.lists(numbers, max_size=6))
    suites = data.draw(st.lists(numbers, min_size=1, max_size=40))
    extensions = data.draw(strangers)
    if sni is not None:
        extensions[0] = vector(b"\x00" + vector(sni.encode()))
    if protocols:
        extensions[16] = vector(b"".join(vector(protocol, 1) for protocol in protocols))
    if versions:
        extensions[43] = vector(pack(versions), 1)
    offered = data.draw(st.permutations(list(extensions.items())))
    content = b"\x03\x03" + bytes(32) + b"\x00" + vector(pack(suites)) + b"\x01\x00"
    content += vector(b"".join(struct.pack(">H", kind) + vector(body) for kind, body in offered))
    message = b"\x01" + vector(content, 3)
    raw = in_records(message, data.draw(st.lists(st.integers(1, 400), max_size=20)))

    end = data.draw(st.integers(0, len(raw) - 1))
    assert read_client_hello(raw[:end]) is None
    found = read_client_hello(raw + data.draw(st.binary(max_size=20)))
    assert found is not None
    assert found.raw == raw
    assert found.sni == sni
    assert list(found.alpn_protocols) == protocols
    assert list(found.versions) == (versions or [0x0303])
    assert list(found.cipher_suites) == suites
    assert list(found.extensions) == offered


def outcome(data: bytes) -> object:
    try:
        return read_client_hello(data)
    except ProtocolError as exc:
        return str(exc)


@given(st.binary(max_size=300), st.lists(st.integers(1, 40), max_size=10))
@example(b"\x01\x00\x00\x00", [1, 1, 1])
def test_any_message_gives_a_hello_or_a_protocol_error(content: bytes, sizes: list[int]) -> None:
    whole = outcome(in_records(b"\x01" + vector(content, 3), []))
    cut = in_records(b"\x01" + vector(content, 3), sizes)
    split = outcome(cut)
    if isinstance(whole, str):
        assert split == whole
    else:
        assert not isinstance(split, str)


@given(st.binary(max_size=400))
@example(b"")
def test_any_bytes_raise_only_protocol_errors(data: bytes) -> None:
    for content in (data, b"\x16\x03\x01" + data, b"\x16\x03\x01" + vector(data)):
        outcome(content)
        tls.read_alert(content)
        tls.starts_like_tls(content)


@given(st.lists(st.binary(max_size=40), max_size=8), st.lists(st.integers(0, 400), max_size=8))
def test_records_are_counted_alike_however_they_are_cut(bodies: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(b"\x17\x03\x03" + len(body).to_bytes(2, "big") + body for body in bodies)
    edges = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    records = tls.Records()
    assert sum(records.completed_by(stream[a:b]) for a, b in pairwise(edges)) == len(bodies)


def real_hello() -> bytes:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    outgoing = ssl.MemoryBIO()
    try:
        context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="a.test").do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


REAL = real_hello()
edits = st.dictionaries(st.integers(0, len(REAL) - 1), st.integers(0, 255), max_size=4)


@given(edits, st.integers(0, len(REAL)))
def test_an_answer_is_never_taken_back(edits: dict[int, int], end: int) -> None:
    """What a prefix was refused for, or answered with, more bytes do not change."""
    content = bytearray(REAL)
    for at, byte in edits.items():
        content[at] = byte
    early = outcome(bytes(content[:end]))
    if early is not None:
        assert outcome(bytes(content)) == early
