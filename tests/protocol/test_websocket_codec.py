"""The WebSocket codec: framing, fragments, control frames, closing, compression, limits, violations."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from itertools import pairwise
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsproto import ConnectionType
from wsproto.connection import Connection
from wsproto.events import CloseConnection, Message, TextMessage
from wsproto.events import Ping as WsPing
from wsproto.events import Pong as WsPong

from proxyfw.exceptions import LocalProtocolError, ProtocolError, WebSocketError
from proxyfw.protocol.permessage_deflate import Deflate, Deflater, agreed, understood
from proxyfw.protocol.websocket import (
    ABNORMAL,
    NO_STATUS,
    Close,
    Event,
    Fragment,
    Ping,
    Pong,
    WebSocketCodec,
    whole,
)

PLAIN = Deflate()
RESETTING = Deflate(server_no_context_takeover=True, client_no_context_takeover=True)
NARROW = Deflate(server_max_window_bits=9, client_max_window_bits=10)
TINY = Deflate(server_max_window_bits=8, client_max_window_bits=8)


def frame(opcode: int, payload: bytes = b"", fin: bool = True, rsv: int = 0) -> bytes:
    """An unmasked frame, whatever it says."""
    first = (0x80 if fin else 0) | rsv << 4 | opcode
    size = len(payload)
    if size < 126:
        return bytes((first, size)) + payload
    if size < 65536:
        return bytes((first, 126)) + size.to_bytes(2, "big") + payload
    return bytes((first, 127)) + size.to_bytes(8, "big") + payload


def reader(deflate: Deflate | None = None, limit: float = inf) -> WebSocketCodec:
    """A client, because what servers send needs no mask."""
    return WebSocketCodec(True, deflate, limit)


def read(codec: WebSocketCodec, *chunks: bytes) -> tuple[list[Event], int | None]:
    """The events of *chunks* and the close code of the error that ended them."""
    events: list[Event] = []
    try:
        for chunk in chunks:
            events.extend(codec.receive(chunk))
    except WebSocketError as e:
        return events, e.code
    return events, None


def deflated(data: bytes) -> bytes:
    return Deflater(15, True).fragment(data, True)


# Framing


@pytest.mark.parametrize("client", [True, False], ids=["client", "server"])
@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 70000])
def test_every_length_survives_either_way(client: bool, size: int) -> None:
    sender, receiver = WebSocketCodec(client), WebSocketCodec(not client)
    message = Fragment(bytes(i % 251 for i in range(size)), False)
    assert read(receiver, sender.send(message)) == ([message], None)


def test_a_client_masks_with_fresh_keys_and_a_server_does_not() -> None:
    keys = iter([b"\x01\x02\x03\x04", b"\xff\x00\xff\x00"])
    client = WebSocketCodec(True, random=lambda size: next(keys))
    assert client.send(Fragment(b"ab", True), Ping(b"x")) == (
        b"\x81\x82\x01\x02\x03\x04" + bytes([ord("a") ^ 1, ord("b") ^ 2]) + b"\x89\x81\xff\x00\xff\x00\x87"
    )
    assert WebSocketCodec(False).send(Fragment(b"ab", True)) == b"\x81\x02ab"


def test_text_binary_fragments_and_control_frames_between_them_are_kept() -> None:
    """5.5.88 and 5.5.90; a fragment may end within a character."""
    snow = "☃".encode()
    events: list[Event] = [
        Fragment(b"a" + snow[:1], True, False),
        Ping(b"between"),
        Fragment(snow[1:], True, False),
        Pong(b""),
        Fragment(b"", True, True),
        Fragment(b"\xff\x00", False),
    ]
    wire = WebSocketCodec(False).send(*events)
    assert wire == b"".join(
        [
            frame(1, b"a" + snow[:1], False), frame(9, b"between"), frame(0, snow[1:], False), frame(10),
            frame(0, b"", True), frame(2, b"\xff\x00"),
        ]
    )  # fmt: skip
    assert read(reader(), wire) == (events, None)


@pytest.mark.parametrize("code", [1000, 1001, 1003, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999])
def test_close_codes_and_reasons_are_kept(code: int) -> None:
    close = Close(code, "véry good")
    assert read(reader(), WebSocketCodec(False).send(close)) == ([close], None)


def test_a_close_without_a_code_stays_without() -> None:
    wire = WebSocketCodec(False).send(Close())
    assert wire == frame(8)
    assert read(reader(), wire) == ([Close(NO_STATUS, "")], None)


def test_nothing_counts_after_a_close() -> None:
    codec = reader()
    assert read(codec, frame(8, b"\x03\xe8") + frame(1, b"late"), b"\xff\xff", b"") == ([Close(1000)], None)


def test_the_end_of_the_stream_without_a_close_is_abnormal_once() -> None:
    """5.5.91."""
    codec = reader()
    assert read(codec, frame(1, b"a"), b"", b"") == ([Fragment(b"a", True), Close(ABNORMAL)], None)


# What may not be


BAD: list[tuple[str, bytes, int]] = [
    ("masked by a server", b"\x81\x81\0\0\0\0a", 1002),
    ("opcode 3", frame(3), 1002),
    ("opcode 7", frame(7), 1002),
    ("opcode 11", frame(11), 1002),
    ("opcode 15", frame(15), 1002),
    ("rsv1", frame(1, b"a", rsv=4), 1002),
    ("rsv2", frame(1, b"a", rsv=2), 1002),
    ("rsv3", frame(1, b"a", rsv=1), 1002),
    ("rsv1 on a ping", frame(9, b"a", rsv=4), 1002),
    ("continuation of nothing", frame(0, b"a"), 1002),
    ("message within a message", frame(1, b"a", False) + frame(1, b"b"), 1002),
    ("binary within a text", frame(1, b"a", False) + frame(2, b"b", False), 1002),
    ("fragmented ping", frame(9, b"a", False), 1002),
    ("fragmented close", frame(8, b"", False), 1002),
    ("ping of 126 bytes", frame(9, b"a" * 126), 1002),
    ("close of 126 bytes", frame(8, b"\x03\xe8" + b"a" * 124), 1002),
    ("length in 2 bytes for 1", b"\x82\x7e\x00\x7d" + b"a" * 125, 1002),
    ("length in 8 bytes for 2", b"\x82\x7f" + (126).to_bytes(8, "big") + b"a" * 126, 1002),
    ("length with its top bit", b"\x82\x7f\x80" + bytes(7), 1002),
    ("close of 1 byte", frame(8, b"\x03"), 1002),
    *[(f"close code {code}", frame(8, code.to_bytes(2, "big")), 1002)
      for code in (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)],
    ("close reason", frame(8, b"\x03\xe8\xff"), 1007),
    ("close reason cut in a character", frame(8, b"\x03\xe8\xe2\x98"), 1007),
    ("invalid byte", frame(1, b"\xff"), 1007),
    ("overlong", frame(1, b"\xc0\x80"), 1007),
    ("surrogate", frame(1, b"\xed\xa0\x80"), 1007),
    ("above U+10FFFF", frame(1, b"\xf4\x90\x80\x80"), 1007),
    ("cut in a character", frame(1, b"a\xe2\x98"), 1007),
    ("cut in a character, in fragments", frame(1, b"a\xe2", False) + frame(0, b"\x98"), 1007),
    ("invalid over fragments", frame(1, b"a\xe2", False) + frame(0, b"a"), 1007),
]  # fmt: skip


@pytest.mark.parametrize(("wire", "code"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_violations_have_a_close_code(wire: bytes, code: int) -> None:
    """What the fuzzing cases of Autobahn's sections 3, 4, 5, 6 and 7 send; 5.5.88."""
    good = frame(2, b"first") + wire
    events, found = read(reader(), good)
    assert (events[:1], found) == ([Fragment(b"first", False)], code)
    bytewise, same = read(reader(), *[good[i : i + 1] for i in range(len(good))])
    assert (bytewise, same) == (events, code)


def test_an_unmasked_client_is_refused() -> None:
    assert read(WebSocketCodec(False), frame(1, b"a")) == ([], 1002)


def test_text_is_refused_before_its_frame_is_complete() -> None:
    """Autobahn 6.4: it need not be waited for what cannot be mended."""
    assert read(reader(), frame(1, b"aaaa\xff" + b"a" * 1000)[:10]) == ([], 1007)


def test_nothing_follows_an_error() -> None:
    codec = reader()
    assert read(codec, frame(3)) == ([], 1002)
    assert read(codec, frame(1, b"a"), b"") == ([], None)


@pytest.mark.parametrize(
    "event",
    [Ping(b"a" * 126), Pong(b"a" * 126), Close(1006), Close(1015), Close(999), Close(2000)],
    ids=repr,
)
def test_what_may_not_be_sent_is_not(event: Event) -> None:
    with pytest.raises(LocalProtocolError):
        WebSocketCodec(False).send(event)


def test_nothing_is_sent_after_a_close() -> None:
    codec = WebSocketCodec(False)
    codec.send(Close(1000))
    assert codec.closed
    with pytest.raises(LocalProtocolError):
        codec.send(Ping())


def test_a_long_reason_is_cut_between_characters() -> None:
    (close,), _ = read(reader(), WebSocketCodec(False).send(Close(1000, "☃" * 50)))
    assert close == Close(1000, "☃" * 41)


def test_a_message_of_our_own_is_checked() -> None:
    assert whole("☃".encode(), True, True) == Fragment("☃".encode(), True, True, True)
    with pytest.raises(LocalProtocolError, match="not UTF-8"):
        whole(b"\xff", True, False)
    with pytest.raises(LocalProtocolError, match="must be bytes, not str"):
        whole("text", True, False)  # type: ignore[arg-type]


# Limits


@pytest.mark.parametrize("deflate", [None, PLAIN], ids=["plain", "deflate"])
def test_a_message_may_be_as_long_as_the_limit_and_no_longer(deflate: Deflate | None) -> None:
    for size, code in ((10, None), (11, 1009)):
        message = Fragment(b"a" * size, True, True, deflate is not None)
        assert read(reader(deflate, 10), WebSocketCodec(False, deflate).send(message))[1] == code


def test_the_limit_counts_all_fragments_and_refuses_a_length_before_it_comes() -> None:
    codec = reader(limit=10)
    events, code = read(codec, frame(1, b"a" * 6, False), frame(9, b"p" * 50), b"\x80\x05")
    assert (len(events), code) == (2, 1009)


def test_small_messages_do_not_add_up() -> None:
    assert read(reader(limit=10), frame(2, b"a" * 8) * 50)[1] is None


def test_a_bomb_is_not_inflated() -> None:
    bomb = deflated(bytes(50_000_000))
    assert len(bomb) < 100_000
    codec = reader(PLAIN, 1000)
    assert read(codec, frame(2, bomb, rsv=4)) == ([], 1009)


# Compression


@pytest.mark.parametrize("deflate", [PLAIN, RESETTING, NARROW, TINY], ids=repr)
@pytest.mark.parametrize("client", [True, False], ids=["client", "server"])
def test_compressed_messages_survive_either_way(client: bool, deflate: Deflate) -> None:
    """5.5.89, with every parameter; a window of 8 bits is read, and answered uncompressed."""
    sender, receiver = WebSocketCodec(client, deflate), WebSocketCodec(not client, deflate)
    shrinks = deflate is not TINY
    for content in [b"hello " * 50, b"", b"hello " * 50, b"x", b""]:
        wire = sender.send(Fragment(content, True, True, True))
        assert read(receiver, wire) == ([Fragment(content, True, True, shrinks)], None)
        if len(content) > 100:
            assert (len(wire) < 60) is shrinks


def test_context_is_kept_or_not_as_agreed() -> None:
    text = Fragment(bytes(range(128)), True, True, True)
    keeping, resetting = WebSocketCodec(False, PLAIN), WebSocketCodec(False, RESETTING)
    assert len(keeping.send(text)) > 2 * len(keeping.send(text))
    assert resetting.send(text) == resetting.send(text)


def test_a_control_frame_between_compressed_fragments_changes_nothing() -> None:
    """wsproto's own extension takes the rest of the message for uncompressed then."""
    events: list[Event] = [
        Fragment(b"one " * 20, True, False, True),
        Ping(b"now"),
        Fragment(b"two " * 20, True, True, True),
    ]
    found, code = read(reader(PLAIN), WebSocketCodec(False, PLAIN).send(*events))
    assert code is None
    assert [type(event) for event in found] == [Fragment, Ping, Fragment]
    fragments = [event for event in found if isinstance(event, Fragment)]
    assert b"".join(fragment.data for fragment in fragments) == b"one " * 20 + b"two " * 20
    assert all(fragment.compressed and fragment.is_text for fragment in fragments)


def test_uncompressed_messages_stay_so_where_compression_is_agreed_upon() -> None:
    wire = WebSocketCodec(False, PLAIN).send(Fragment(b"a" * 50, True))
    assert wire == frame(1, b"a" * 50)
    assert read(reader(PLAIN), wire) == ([Fragment(b"a" * 50, True)], None)


def test_compression_that_was_not_agreed_upon_is_not_used() -> None:
    assert WebSocketCodec(False).send(Fragment(b"aaaa", True, True, True)) == frame(1, b"aaaa")


def test_a_final_block_within_a_message_is_read_on() -> None:
    """RFC 7692 section 7.2.3.4."""
    ended = zlib.compressobj(-1, zlib.DEFLATED, -15)
    final = ended.compress(b"Hello ") + ended.flush(zlib.Z_FINISH)
    wire = frame(1, final + deflated(b"world"), rsv=4) + frame(1, deflated(b"again"), rsv=4)
    found, code = read(reader(PLAIN), wire)
    assert code is None
    assert [event.data for event in found if isinstance(event, Fragment)] == [b"Hello world", b"again"]


def test_the_example_of_the_rfc() -> None:
    """RFC 7692 section 7.2.3.1 and 7.2.3.2."""
    hello = bytes.fromhex("f248cdc9c90700")
    wire = frame(1, hello, rsv=4) + frame(1, bytes.fromhex("f200110000"), rsv=4)
    wire += frame(1, hello[:3], False, rsv=4) + frame(0, hello[3:])
    found, code = read(reader(PLAIN), wire)
    assert code is None
    assert b"".join(event.data for event in found if isinstance(event, Fragment)) == b"Hello" * 3


@pytest.mark.parametrize(
    ("wire", "code"),
    [
        (frame(1, b"\xff\xff\xff", rsv=4), 1007),
        (frame(1, deflated(b"\xff\xfe"), rsv=4), 1007),
        (frame(1, deflated(b"a"), False, rsv=4) + frame(0, b"", rsv=4), 1002),
        (frame(9, b"a", rsv=4), 1002),
        (frame(0, b"a", rsv=4), 1002),
        (frame(1, b"a", rsv=6), 1002),
    ],
)
def test_compressed_violations(wire: bytes, code: int) -> None:
    assert read(reader(PLAIN), wire)[1] == code


# Negotiation


def fields(*values: str) -> list[tuple[bytes, bytes]]:
    return [(b"Host", b"x"), *[(b"Sec-WebSocket-Extensions", value.encode()) for value in values]]


def test_offers_that_are_understood_go_through_untouched() -> None:
    """5.5.89."""
    known = fields("permessage-deflate; client_max_window_bits, permessage-deflate; server_max_window_bits=9")
    assert understood(known) is known
    assert understood(fields()) == fields()


@pytest.mark.parametrize(
    ("offered", "forwarded"),
    [
        (["x-webkit-deflate-frame, permessage-deflate; server_max_window_bits=10"],
         ["permessage-deflate; server_max_window_bits=10"]),
        (["foo; a=\"b, permessage-deflate\"", "permessage-deflate"], ["permessage-deflate"]),
        (["permessage-bzip2", "foo"], []),
        (["Permessage-Deflate , ,x"], ["Permessage-Deflate"]),
    ],
)  # fmt: skip
def test_unknown_extensions_are_not_offered_to_the_origin(offered: list[str], forwarded: list[str]) -> None:
    assert understood(fields(*offered)) == fields(*forwarded)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], None),
        (["permessage-deflate"], PLAIN),
        (["permessage-deflate; server_no_context_takeover;client_no_context_takeover"], RESETTING),
        (["permessage-deflate; server_max_window_bits=9; client_max_window_bits=\"10\""], NARROW),
    ],
)  # fmt: skip
def test_what_was_agreed_upon(values: list[str], expected: Deflate | None) -> None:
    assert agreed(fields(*values)) == expected


@pytest.mark.parametrize(
    "value",
    [
        "foo",
        "permessage-deflate, permessage-deflate",
        "permessage-deflate; foo",
        "permessage-deflate; client_max_window_bits",
        "permessage-deflate; client_max_window_bits=7",
        "permessage-deflate; client_max_window_bits=16",
        "permessage-deflate; client_max_window_bits=1000",
        "permessage-deflate; server_max_window_bits=x",
        "permessage-deflate; server_no_context_takeover=1",
        "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
    ],
)
def test_agreements_that_are_not_understood_are_errors(value: str) -> None:
    with pytest.raises(ProtocolError, match="not understood"):
        agreed(fields(value))


# Any bytes, any split


TEXTS = st.text(max_size=300).map(str.encode)
MESSAGES = st.tuples(st.booleans(), TEXTS, st.lists(st.integers(0, 300), max_size=4), st.booleans())
CONTROLS = st.one_of(
    st.builds(Ping, st.binary(max_size=125)),
    st.builds(Pong, st.binary(max_size=125)),
)


@st.composite
def streams(draw: st.DrawFn) -> list[Event]:
    """Messages in fragments, with control frames anywhere, and perhaps a close."""
    events: list[Event] = []
    for is_text, content, cuts, compressed in draw(st.lists(MESSAGES, max_size=6)):
        edges = [0, *sorted(min(cut, len(content)) for cut in cuts), len(content)]
        for number, (start, end) in enumerate(pairwise(edges), 2):
            events.extend(draw(st.lists(CONTROLS, max_size=1)))
            events.append(Fragment(content[start:end], is_text, number == len(edges), compressed))
    if draw(st.booleans()):
        events.append(Close(draw(st.sampled_from([1000, 1001, 3000, 4999, NO_STATUS])), ""))
    return events


def splits(wire: bytes, draw_points: list[int]) -> list[bytes]:
    points = [0, *sorted(p % (len(wire) + 1) for p in draw_points), len(wire)]
    return [wire[a:b] for a, b in pairwise(points) if a < b]


@given(streams(), st.booleans(), st.sampled_from([None, PLAIN, RESETTING, NARROW]), st.lists(st.integers(0)))
def test_any_split_of_the_same_bytes_gives_the_same_events(
    sent: list[Event], client: bool, deflate: Deflate | None, points: list[int]
) -> None:
    wire = WebSocketCodec(client, deflate).send(*sent)
    at_once = read(WebSocketCodec(not client, deflate), *splits(wire, []))
    assert at_once[1] is None
    if deflate is None:
        assert at_once[0] == [
            Fragment(e.data, e.is_text, e.final) if isinstance(e, Fragment) else e for e in sent
        ]
    assert [type(e) for e in at_once[0]] == [type(e) for e in sent]
    assert read(WebSocketCodec(not client, deflate), *splits(wire, points)) == at_once


@st.composite
def wild(draw: st.DrawFn) -> bytes:
    """Frames that are well formed one by one, in any order, and perhaps garbage."""
    frames = st.builds(
        frame,
        st.sampled_from([0, 0, 1, 1, 2, 2, 8, 9, 10, 3, 11]),
        st.one_of(st.binary(max_size=40), TEXTS, TEXTS.map(deflated), st.just(b"\x03\xe8bye")),
        st.booleans(),
        st.sampled_from([0, 0, 0, 4, 2]),
    )
    return b"".join(draw(st.lists(frames, max_size=8))) + draw(st.binary(max_size=20))


@given(
    wild(),
    st.sampled_from([None, PLAIN, RESETTING]),
    st.sampled_from([inf, 50, 0]),
    st.lists(st.integers(0), max_size=5),
)
def test_no_bytes_raise_anything_but_our_errors_and_no_verdict_depends_on_the_split(
    wire: bytes, deflate: Deflate | None, limit: float, points: list[int]
) -> None:
    at_once = read(reader(deflate, limit), *splits(wire, []))
    assert read(reader(deflate, limit), *splits(wire, points)) == at_once
    assert read(reader(deflate, limit), *[bytes([b]) for b in wire]) == at_once


@given(streams())
def test_what_we_write_is_what_wsproto_reads(sent: list[Event]) -> None:
    other = Connection(ConnectionType.SERVER)
    other.receive_data(WebSocketCodec(True).send(*sent))
    found: list[object] = []
    message = b""
    for event in other.events():
        if isinstance(event, Message):
            data = event.data
            message += data.encode() if isinstance(data, str) else bytes(data)
            if event.message_finished:
                found.append((isinstance(event, TextMessage), message))
                message = b""
        elif isinstance(event, CloseConnection):
            found.append(Close(event.code, event.reason or ""))
        elif isinstance(event, WsPing | WsPong):
            found.append((Ping if isinstance(event, WsPing) else Pong)(bytes(event.payload)))
    assert found == list(_whole(sent))


def _whole(events: list[Event]) -> Iterator[object]:
    message = b""
    for event in events:
        if not isinstance(event, Fragment):
            yield event
            continue
        message += event.data
        if event.final:
            yield event.is_text, message
            message = b""
