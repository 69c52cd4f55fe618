"""Content codings: decode undoes encode, bad data is a ValueError and nothing else."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxyfw.model import encoding

CODINGS = ["gzip", "x-gzip", "deflate", "br", "zstd", "identity", "GZIP", "gzip, br", "br, identity,zstd"]


@given(st.binary(max_size=2000), st.sampled_from(CODINGS))
def test_decode_undoes_encode(data: bytes, coding: str) -> None:
    encoded = encoding.encode(data, coding)
    assert encoding.decode(bytes(bytearray(encoded)), coding) == data


@given(st.binary(min_size=1, max_size=60), st.sampled_from(["gzip", "deflate", "br", "zstd"]))
def test_arbitrary_bytes_raise_value_error_or_decode(data: bytes, coding: str) -> None:
    try:
        encoding.decode(data, coding)
    except ValueError as error:
        assert coding in str(error)  # noqa: PT017  # any outcome is fine but another exception


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_data_that_breaks_off_is_refused_unless_partial(coding: str) -> None:
    data = bytes(range(256)) * 400
    cut = encoding.encode(data, coding)[:-9]
    with pytest.raises(ValueError, match=f"body is not valid {coding}: it breaks off after"):
        encoding.decode(cut, coding)
    assert data.startswith(encoding.decode(cut, coding, partial=True))


def test_a_partial_answer_is_not_remembered() -> None:
    cut = encoding.encode(b"x" * 10_000, "gzip")[:-9]
    encoding.decode(cut, "gzip", partial=True)
    with pytest.raises(ValueError, match="breaks off"):
        encoding.decode(cut, "gzip")


def test_empty_stays_empty() -> None:
    for coding in CODINGS:
        assert encoding.encode(b"", coding) == b""
        assert encoding.decode(b"", coding) == b""


def test_deflate_without_wrapper_is_understood() -> None:
    raw = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    assert encoding.decode(raw.compress(b"hello") + raw.flush(), "deflate") == b"hello"


def test_several_gzip_members_are_one_body() -> None:
    assert encoding.decode(gzip.compress(b"a") + gzip.compress(b"b") + b"\0\0", "gzip") == b"ab"


def test_several_zstd_frames_are_one_body() -> None:
    frames = encoding.encode(b"a", "zstd") + encoding.encode(b"b", "zstd")
    assert encoding.decode(frames, "zstd") == b"ab"


def test_garbage_after_gzip_is_refused() -> None:
    with pytest.raises(ValueError, match="not valid gzip"):
        encoding.decode(gzip.compress(b"a") + b"junk", "gzip")


@pytest.mark.parametrize("act", [encoding.decode, encoding.encode])
def test_unknown_codings_are_named(act: object) -> None:
    assert callable(act)
    with pytest.raises(ValueError, match="content encoding 'zopfli' is not supported: use one of gzip"):
        act(b"x", "zopfli")


def test_encoding_is_deterministic() -> None:
    for coding in CODINGS:
        assert encoding.encode(b"hello" * 20, coding) == encoding.encode(b"hello" * 20, coding)


def test_the_last_body_is_decoded_once() -> None:
    encoded = bytes(bytearray(encoding.encode(b"hello" * 20, "gzip")))
    encoding.encode(b"another", "gzip")
    assert encoding.decode(encoded, "gzip") is encoding.decode(encoded, "gzip")


MEGA = 1024**2


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "gzip, gzip", "zstd, gzip"])
def test_a_body_that_decodes_to_more_than_the_limit_is_refused(coding: str) -> None:
    bomb = bytes(bytearray(encoding.encode(bytes(64 * MEGA), coding)))
    tracemalloc.start()
    with pytest.raises(ValueError, match="more than 1048576 bytes once decoded"):
        encoding.decode(bomb, coding, limit=MEGA)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 48 * MEGA
    assert len(encoding.decode(bomb, coding, limit=64 * MEGA)) == 64 * MEGA


def test_the_limit_holds_for_a_body_that_was_decoded_with_a_higher_one() -> None:
    data = encoding.encode(bytes(2 * MEGA), "gzip")
    with pytest.raises(ValueError, match="once decoded"):
        encoding.decode(data, "gzip", limit=MEGA)
    with pytest.raises(ValueError, match="once decoded"):
        encoding.decode(data, "gzip", limit=MEGA)
    assert len(encoding.decode(data, "gzip")) == 2 * MEGA


@pytest.mark.parametrize("coding", ["br", "zstd"])
def test_one_piece_of_a_stream_may_not_be_more_than_the_limit(
    coding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bomb = encoding.encode(bytes(64 * MEGA), coding)
    monkeypatch.setattr(encoding, "DECODED_LIMIT", MEGA)
    with pytest.raises(ValueError, match="once decoded"):
        encoding.decoder(coding)(bomb)


def test_many_small_members_are_decoded_in_linear_time() -> None:
    members = gzip.compress(b"", mtime=0) * 50_000
    assert encoding.decode(members, "gzip") == b""
    assert encoding.decode(members + gzip.compress(b"end"), "gzip") == b"end"


def test_a_tower_of_codings_is_refused() -> None:
    with pytest.raises(ValueError, match="9 content encodings"):
        encoding.decode(b"x", ",".join(["gzip"] * 9))


@given(st.lists(st.binary(max_size=9000), min_size=1, max_size=4), st.sampled_from(["gzip", "zstd"]))
def test_members_of_any_length_are_put_together(members: list[bytes], coding: str) -> None:
    body = b"".join(encoding.encode(member, coding) for member in members)
    assert encoding.decode(body, coding) == b"".join(members)
