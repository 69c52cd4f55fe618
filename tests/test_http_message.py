"""Bodies: decoded when read, encoded when assigned, framing kept in step, nothing touched without need."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxyfw.http import Headers, Response


def answer(content: bytes | None = b"", **headers: str) -> Response:
    fields = Headers.of({name.replace("_", "-"): value for name, value in headers.items()})
    return Response(b"HTTP/1.1", 200, b"OK", fields, content, None, 1.0, 2.0)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "identity"])
def test_content_is_decoded_and_encoded_again(coding: str) -> None:
    response = answer(content_encoding=coding)
    response.content = b"hello" * 50
    assert response.content == b"hello" * 50
    assert response.raw_content is not None
    assert (response.raw_content == response.content) is (coding == "identity")
    assert response.headers["content-length"] == str(len(response.raw_content))
    assert response.headers["content-encoding"] == coding


def test_chunked_messages_get_no_content_length() -> None:
    response = answer(transfer_encoding="chunked")
    response.content = b"hello"
    assert "content-length" not in response.headers


def test_content_length_becomes_one_field() -> None:
    response = answer()
    response.headers.set_all("content-length", ["1", "1"])
    response.content = b"hello"
    assert response.headers.get_all("content-length") == ["5"]


def test_an_encoding_we_cannot_write_is_removed_on_assignment() -> None:
    response = answer(b"\0\1", content_encoding="zopfli")
    response.content = b"plain"
    assert "content-encoding" not in response.headers
    assert response.raw_content == b"plain"
    assert response.headers["content-length"] == "5"


@pytest.mark.parametrize("coding", ["zopfli", "gzip"])
def test_what_cannot_be_decoded_raises_only_if_strict(coding: str) -> None:
    response = answer(b"not it", content_encoding=coding)
    with pytest.raises(ValueError, match=coding):
        assert response.content
    assert response.get_content(strict=False) == b"not it"
    assert response.get_text(strict=False) == "not it"


def test_the_same_content_again_changes_nothing() -> None:
    """5.6.107: a rewrite that finds nothing leaves bytes and framing alone."""
    raw = gzip.compress(b"hello", 1)
    response = answer(raw, content_encoding="gzip", content_length=str(len(raw)))
    before = bytes(response.headers)
    response.text = response.text
    assert response.raw_content is raw
    assert bytes(response.headers) == before
    head = answer(b"", content_length="1234")
    head.content = b""
    assert head.headers["content-length"] == "1234"


def test_the_same_content_is_framed_if_nothing_says_how_long_it_is() -> None:
    response = answer(b"hello")
    response.content = b"hello"
    assert response.headers["content-length"] == "5"


def test_not_available_is_not_empty() -> None:
    response = answer(None)
    assert [response.content, response.text, response.raw_content] == [None, None, None]
    response.content = b""
    assert response.raw_content == b""
    response.set_text(None)
    assert response.get_content() is None
    with pytest.raises(TypeError, match="not available"):
        response.json()


def test_raw_content_leaves_the_headers_alone() -> None:
    response = answer(b"x", content_length="1")
    response.raw_content = b"longer"
    assert response.headers["content-length"] == "1"
    response.raw_content = None
    assert response.content is None


@pytest.mark.parametrize("attribute", ["content", "raw_content"])
def test_content_is_bytes(attribute: str) -> None:
    with pytest.raises(TypeError, match="content must be bytes or None, not str; for str set text"):
        setattr(answer(), attribute, "text")


def test_text_is_str() -> None:
    with pytest.raises(TypeError, match="text must be str or None, not bytes; for bytes set content"):
        answer().text = b"x"  # type: ignore[assignment]


def test_text_follows_the_declared_charset() -> None:
    response = answer("привет".encode("koi8-r"), content_type="text/plain; charset=koi8-r")
    assert response.text == "привет"
    response.text = "мир"
    assert response.raw_content == "мир".encode("koi8-r")


def test_text_the_charset_lacks_is_written_as_utf8() -> None:
    response = answer(b"x", content_type="text/html; charset=latin-1")
    response.text = "→"
    assert response.raw_content == "→".encode()
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    bare = answer(b"x")
    bare.text = "→"
    assert bare.headers["content-type"] == "text/plain; charset=utf-8"
    assert bare.text == "→"


def test_text_without_a_charset_passes_bytes_through_as_latin1() -> None:
    response = answer(bytes(range(1, 256)))
    assert response.text is not None
    response.text = response.text.replace("abc", "xyz")
    assert response.raw_content == bytes(range(1, 256)).replace(b"abc", b"xyz")


@pytest.mark.parametrize("charset", ["utf-8", "nonsense", "hex", "a\0b"])
def test_undecodable_text_raises_only_if_strict(charset: str) -> None:
    response = answer(b"\xff", content_type=f"text/plain; charset={charset}")
    with pytest.raises(ValueError, match="body is not text in"):
        assert response.text
    assert response.get_text(strict=False) == "\udcff"
    response.text = "\udcff!"
    assert response.raw_content == b"\xff!"


def test_json() -> None:
    assert answer('{"a": "é"}'.encode(), content_type="application/json").json() == {"a": "é"}
    assert answer(b"1.5").json(parse_float=str) == "1.5"
    with pytest.raises(ValueError, match="Expecting value"):
        answer(b"<p>").json()


def test_decode_removes_the_encoding() -> None:
    response = answer(gzip.compress(b"hello"), content_encoding="gzip")
    response.decode()
    assert response.raw_content == b"hello"
    assert "content-encoding" not in response.headers
    assert response.headers["content-length"] == "5"
    broken = answer(b"x", content_encoding="gzip")
    with pytest.raises(ValueError, match="gzip"):
        broken.decode()
    assert "content-encoding" in broken.headers
    broken.decode(strict=False)
    assert broken.raw_content == b"x"
    assert "content-encoding" not in broken.headers


def test_encode_encodes_what_is_there() -> None:
    response = answer(b"hello" * 50)
    response.encode("gzip")
    assert response.raw_content is not None
    assert gzip.decompress(response.raw_content) == response.content == b"hello" * 50
    assert response.headers["content-length"] == str(len(response.raw_content))
    with pytest.raises(ValueError, match="zopfli"):
        response.encode("zopfli")
    assert response.content == b"hello" * 50
    missing = answer(None)
    missing.encode("br")
    assert missing.raw_content is None


def test_a_truncated_record_is_decoded_as_far_as_it_goes() -> None:
    response = answer(gzip.compress(b"hello" * 5000)[:-9], content_encoding="gzip")
    with pytest.raises(ValueError, match="breaks off"):
        assert response.content
    response.truncated = True
    assert response.content
    assert (b"hello" * 5000).startswith(response.content)
    response.content = b"whole"
    assert not response.truncated


def test_headers_and_trailers_take_mappings_and_pairs() -> None:
    response = answer()
    response.headers = {"a": "b"}
    response.trailers = [("c", b"d")]
    assert response.headers.fields == [(b"a", b"b")]
    assert response.trailers is not None
    assert response.trailers.fields == [(b"c", b"d")]
    response.trailers = None
    assert response.trailers is None


@pytest.mark.parametrize(
    ("version", "flags"),
    [
        ("HTTP/1.0", (True, False, False, False)),
        ("HTTP/1.1", (False, True, False, False)),
        ("HTTP/2.0", (False, False, True, False)),
        ("HTTP/2", (False, False, True, False)),
        ("HTTP/3", (False, False, False, True)),
    ],
)
def test_versions(version: str, flags: tuple[bool, ...]) -> None:
    response = answer()
    response.http_version = version
    assert response.http_version == version
    assert (response.is_http10, response.is_http11, response.is_http2, response.is_http3) == flags


def test_messages_take_no_stray_attributes() -> None:
    with pytest.raises(AttributeError):
        answer().contents = b""  # type: ignore[attr-defined]


@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    st.sampled_from(
        ["", "text/html", "application/json", "text/plain; charset=koi8-r", "x/y; charset=nonsense"]
    ),
    st.sampled_from(["gzip", "br", "zstd", "deflate", "none at all"]),
    st.binary(max_size=20),
)
def test_text_assigned_is_text_read(text: str, content_type: str, coding: str, old: bytes) -> None:
    response = answer(old, content_type=content_type, content_encoding=coding)
    response.text = text
    assert response.text == text


@given(
    st.binary(max_size=20),
    st.lists(st.tuples(st.binary(max_size=4), st.binary(max_size=4)), max_size=4),
    st.one_of(st.none(), st.binary(max_size=9)),
    st.one_of(st.none(), st.lists(st.tuples(st.binary(max_size=4), st.binary(max_size=4)), max_size=2)),
    st.integers(100, 999),
    st.booleans(),
)
def test_any_response_survives_as_plain_data(
    reason: bytes,
    headers: list[tuple[bytes, bytes]],
    content: bytes | None,
    trailers: list[tuple[bytes, bytes]] | None,
    status: int,
    truncated: bool,
) -> None:
    response = Response(b"HTTP/1.1", status, reason, headers, content, trailers, 1.0, None)
    response.truncated = truncated
    state = response.get_state()
    again = Response.from_state(state)
    assert again.get_state() == state == response.copy().get_state()
    assert again.status_code == status
    assert again.stream is False
