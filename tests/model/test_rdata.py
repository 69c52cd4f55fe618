"""Data of DNS records: packed and unpacked to the same thing, bad data is a ValueError."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxyfw.model import rdata
from proxyfw.model.rdata import HTTPSRecord

labels = st.text(st.sampled_from("abcxyz019-_*"), min_size=1, max_size=63)
domains = st.lists(labels, max_size=3).map(".".join)


@given(domains)
def test_names_round_trip(name: str) -> None:
    assert rdata.unpack_name(rdata.pack_name(name)) == name


def test_names_on_the_wire() -> None:
    assert rdata.pack_name("www.example.com.") == b"\x03www\x07example\x03com\0"
    assert rdata.pack_name("") == rdata.pack_name(".") == b"\0"
    assert rdata.pack_name("bücher.de") == b"\x0dxn--bcher-kva\x02de\0"


@pytest.mark.parametrize("name", ["a..b", "a" * 64, ".a", "ü" * 64, ".".join(["a" * 60] * 5)])
def test_impossible_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"label|too long"):
        rdata.pack_name(name)


@pytest.mark.parametrize("data", [b"", b"\x03ab", b"\xc0\x0c", b"\0\0", b"\x01a"])
def test_impossible_data_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="domain name"):
        rdata.unpack_name(data)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=600))
def test_texts_round_trip(text: str) -> None:
    assert rdata.unpack_text(rdata.pack_text(text)) == text


@given(
    st.integers(0, 65535), domains, st.dictionaries(st.integers(0, 65535), st.binary(max_size=8), max_size=4)
)
def test_https_records_round_trip(priority: int, name: str, params: dict[int, bytes]) -> None:
    record = HTTPSRecord(priority, name, params)
    assert rdata.unpack_https(rdata.pack_https(record)) == record


@given(st.binary(max_size=30), st.sampled_from([rdata.unpack_name, rdata.unpack_text, rdata.unpack_https]))
def test_arbitrary_bytes_raise_value_error_only(data: bytes, unpack: Callable[[bytes], object]) -> None:
    try:
        unpack(data)
    except ValueError:
        pass


def test_records_that_break_off() -> None:
    with pytest.raises(ValueError, match="breaks off"):
        rdata.unpack_text(b"\x05abc")
    for data in (b"\0", b"\0\1\0\0\1\0", b"\0\1\0\0\1\0\5ab"):
        with pytest.raises(ValueError, match="breaks off"):
            rdata.unpack_https(data)


def test_alpn_names() -> None:
    assert rdata.pack_alpn((b"h2", b"http/1.1")) == b"\x02h2\x08http/1.1"
    assert rdata.unpack_alpn(b"\x02h2\x08http/1.1") == (b"h2", b"http/1.1")
