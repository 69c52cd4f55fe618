"""Header compression with a memory says the same as without one."""

from __future__ import annotations

from itertools import pairwise

import hpack
from hypothesis import given
from hypothesis import strategies as st

from proxyfw.protocol.http2_hpack import HIDDEN_LENGTH, FieldDecoder, FieldEncoder, Sensitive

NAMES = st.sampled_from([b":path", b":method", b"x-a", b"content-length", b"cookie"])
VALUES = st.sampled_from([b"/", b"GET", b"1", b"", b"a" * 60, b"b" * 60])
FIELDS = st.tuples(NAMES, VALUES)
LISTS = st.lists(st.one_of(FIELDS, FIELDS.map(lambda field: Sensitive(*field))), max_size=5)
TALK = st.lists(st.one_of(LISTS, st.sampled_from([0, 64, 100, 4096])), max_size=30)
"""Header lists, and table sizes that are agreed on between them."""


@given(TALK)
def test_the_encoder_says_what_hpack_says(talk: list[object]) -> None:
    ours, theirs = FieldEncoder(), hpack.Encoder()
    for before, said in pairwise([None, *talk, *talk]):
        if isinstance(said, int):
            if isinstance(before, int):
                continue  # hpack forgets the first of two changes
            ours.header_table_size = theirs.header_table_size = said
        else:
            for _ in range(3):
                assert ours.encode(said) == theirs.encode(said)  # type: ignore[arg-type]


@given(TALK)
def test_the_decoder_hears_what_hpack_hears(talk: list[object]) -> None:
    encoder, ours, theirs = FieldEncoder(), FieldDecoder(65536), hpack.Decoder()
    for said in talk * 2:
        if isinstance(said, int):
            encoder.header_table_size = said
            continue
        for _ in range(2):
            block = encoder.encode(said)
            heard = list(theirs.decode(block, raw=True))
            got = list(ours.decode(block))
            assert [(b"content-length" if n is HIDDEN_LENGTH else n, v) for n, v in got] == heard
            assert [isinstance(field, Sensitive) for field in got] == [not field.indexable for field in heard]


def test_a_capital_content_length_is_not_taken_for_the_hidden_one() -> None:
    [(name, _)] = FieldDecoder(65536).decode(b"\x00\x0eContent-Length\x011")
    assert name == HIDDEN_LENGTH
    assert name is not HIDDEN_LENGTH


def test_what_is_said_again_is_not_worked_out_again() -> None:
    encoder, decoder = FieldEncoder(), FieldDecoder(65536)
    fields = [(b":method", b"GET"), (b":path", b"/somewhere"), (b"x-a", b"b")]
    first = encoder.encode(fields)
    again = encoder.encode(fields)
    assert first != again  # the first time adds to the table
    assert encoder.encode(list(fields)) is again
    decoder.decode(first)
    assert decoder.decode(again) is decoder.decode(bytes(bytearray(again)))


def test_what_had_no_room_in_the_table_is_added_once_it_has() -> None:
    decoder = FieldDecoder(65536)
    adds, refers, none, some = b"\x40\x01a\x01b", b"\xbe", b"\x20", b"\x3f\x21"
    decoder.decode(none)
    decoder.decode(adds)
    decoder.decode(some)
    decoder.decode(adds)
    assert decoder.decode(refers) == [(b"a", b"b")]


def test_a_memory_is_bounded() -> None:
    decoder = FieldDecoder(65536)
    for number in range(1000):
        decoder.decode(b"\x00\x01a\x04%04d" % number)
    assert len(decoder._known) <= 32
