"""Content codings: gzip, deflate, br, zstd, identity, and lists of them. RFC 9110 section 8.4.

Bytes in, bytes out, never more than a limit: a few kilobytes can decode to gigabytes. brotli and zstandard
are imported when a body first needs them.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from typing import Any

DECODED_LIMIT = 128 * 1024**2
"""Bytes that a body may have once decoded, unless the reader says otherwise: 25 times what is buffered of one
(option ``stream_large_bodies``), and what a machine can be expected to hold twice."""
MOST_CODINGS = 8
"""Codings one on top of the other that are undone."""
SUPPORTED = ("gzip", "deflate", "br", "zstd", "identity")

# The last body decoded or encoded, as (encoded, coding, decoded): several addons read the same body in turn.
_last: tuple[bytes, str, bytes] = (b"", "", b"")
# The same for the last body that was more than a limit, with that limit: finding out again costs as much.
_too_large: tuple[bytes, str, int] = (b"", "", 0)


class _TooLargeError(Exception):
    """What was decoded is more than the limit."""


def decode(data: bytes, coding: str, *, partial: bool = False, limit: int = DECODED_LIMIT) -> bytes:
    """*data* without its *coding*, a Content-Encoding value such as ``gzip`` or ``br, gzip``.

    Empty stays empty. *partial* accepts data that breaks off. Raises ValueError for a coding that is not
    supported, for data that is not in it, and for more than *limit* bytes.
    """
    global _last, _too_large
    encoded, known, decoded = _last
    if encoded is data and known == coding and len(decoded) <= limit:
        return decoded
    encoded, known, refused = _too_large
    if encoded is data and known == coding and limit <= refused:
        raise _more_than(limit)
    decoded = data
    for name in reversed(_names(coding)):
        try:
            decoded = _decode_one(decoded, name, partial, limit) if decoded else decoded
        except _TooLargeError:
            _too_large = (data, coding, limit)
            raise _more_than(limit) from None
    if not partial:
        _last = (data, coding, decoded)
    return decoded


def decoder(coding: str) -> Callable[[bytes], bytes]:
    """What takes a body in *coding* piece by piece and gives what each piece makes known of it.

    Raises ValueError for a coding that is not supported, as the function does for data that is not in it and
    for one piece that is more than `DECODED_LIMIT`.
    """
    steps = [(name, step()) for name in reversed(_names(coding)) if (step := _STEPS.get(name))]

    def decode_piece(data: bytes) -> bytes:
        for name, step in steps:
            try:
                data = step(data) if data else data
            except _TooLargeError:
                raise _more_than(DECODED_LIMIT) from None
            except Exception as error:
                raise ValueError(f"body is not valid {name}: {error}") from error
        return data

    return decode_piece


def encode(data: bytes, coding: str) -> bytes:
    """*data* in *coding*; empty stays empty. Raises ValueError for a coding that is not supported."""
    global _last
    encoded = data
    for name in _names(coding):
        encoded = _CODERS[name][1](encoded) if encoded else encoded
    _last = (encoded, coding, data)
    return encoded


def _names(coding: str) -> list[str]:
    names = [name for part in coding.split(",") if (name := part.strip().lower())]
    for name in names:
        if name not in _CODERS:
            raise ValueError(f"content encoding {name!r} is not supported: use one of {', '.join(SUPPORTED)}")
    if len(names) > MOST_CODINGS:
        raise ValueError(f"{len(names)} content encodings one on top of the other: at most {MOST_CODINGS}")
    return names


def _more_than(limit: int) -> ValueError:
    return ValueError(f"body is more than {limit} bytes once decoded: call get_content with a higher limit")


def _decode_one(data: bytes, name: str, partial: bool, limit: int) -> bytes:
    try:
        decoded, complete = _CODERS[name][0](data, limit)
    except _TooLargeError:
        raise
    except Exception as error:  # brotli and zstandard each have an error class of their own
        raise ValueError(f"body is not valid {name}: {error}") from error
    if not complete and not partial:
        raise ValueError(f"body is not valid {name}: it breaks off after {len(decoded)} decoded bytes")
    return decoded


def _identity(data: bytes, limit: int) -> tuple[bytes, bool]:
    return data, True


def _in_slices(step: Callable[[bytes], bytes], data: bytes, length: int, limit: int) -> bytes:
    """What *step* makes of *data*, given so little at a time that no step can give much more than *limit*."""
    if len(data) <= length:
        out = step(data)
        if len(out) > limit:
            raise _TooLargeError
        return out
    pieces, size = [], 0
    for start in range(0, len(data), length):
        pieces.append(step(data[start : start + length]))
        size += len(pieces[-1])
        if size > limit:
            raise _TooLargeError
    return b"".join(pieces)


# zlib makes at most 1032 bytes of one, zstd 128 KiB of four. Short slices also keep the rest that is copied
# after each member short.
_ZLIB_SLICE, _ZSTD_SLICE = 4096, 1024


class _Members:
    """Compressed streams one after the other, gzip members or zstd frames, with zeros after them or not."""

    def __init__(self, new: Callable[[], Any]) -> None:
        self._new = new
        self._member: Any = None

    @property
    def complete(self) -> bool:
        return self._member is None

    def feed(self, data: bytes) -> bytes:
        out = []
        while data:
            if self._member is None:
                data = data.lstrip(b"\0")
                if not data:
                    break
                self._member = self._new()
            out.append(self._member.decompress(data))
            data = self._member.unused_data
            if self._member.eof:
                self._member = None
        return out[0] if len(out) == 1 else b"".join(out)


def _gunzip(data: bytes, limit: int) -> tuple[bytes, bool]:
    members = _Members(lambda: zlib.decompressobj(16 + zlib.MAX_WBITS))
    return _in_slices(members.feed, data, _ZLIB_SLICE, limit), members.complete


def _inflate(data: bytes, limit: int) -> tuple[bytes, bool]:
    # RFC 9110 section 8.4.1.2: some senders leave out the zlib wrapper.
    for wbits in (zlib.MAX_WBITS, -zlib.MAX_WBITS):
        stream = zlib.decompressobj(wbits)
        try:
            return _in_slices(_until_end(stream), data, _ZLIB_SLICE, limit), stream.eof
        except zlib.error as error:
            problem = error
    raise problem


def _until_end(stream: Any) -> Callable[[bytes], bytes]:
    return lambda data: b"" if stream.eof else stream.decompress(data)


def _unbrotli(data: bytes, limit: int) -> tuple[bytes, bool]:
    step, stream = _brotli_stream(limit)
    return step(data), stream.is_finished()


def _brotli_stream(limit: int) -> tuple[Callable[[bytes], bytes], Any]:
    import brotli  # type: ignore[import-untyped]

    stream = brotli.Decompressor()

    def step(data: bytes) -> bytes:
        out: bytes = stream.process(data, output_buffer_limit=limit + 1)
        if len(out) > limit:
            raise _TooLargeError
        return out

    return step, stream


def _brotli(data: bytes) -> bytes:
    import brotli

    return bytes(brotli.compress(data, quality=5))


def _unzstd(data: bytes, limit: int) -> tuple[bytes, bool]:
    frames = _zstd_frames()
    return _in_slices(frames.feed, data, _ZSTD_SLICE, limit), frames.complete


def _zstd_frames() -> _Members:
    import zstandard

    return _Members(lambda: zstandard.ZstdDecompressor().decompressobj())


def _zstd(data: bytes) -> bytes:
    import zstandard

    return zstandard.ZstdCompressor().compress(data)


def _zlib_step() -> Callable[[bytes], bytes]:
    return zlib.decompressobj(32 + zlib.MAX_WBITS).decompress


def _brotli_step() -> Callable[[bytes], bytes]:
    return _brotli_stream(DECODED_LIMIT)[0]


def _zstd_step() -> Callable[[bytes], bytes]:
    step = _zstd_frames().feed
    return lambda data: _in_slices(step, data, _ZSTD_SLICE, DECODED_LIMIT)


_STEPS = {
    "gzip": _zlib_step,
    "x-gzip": _zlib_step,
    "deflate": _zlib_step,
    "br": _brotli_step,
    "zstd": _zstd_step,
}

Decoder = Callable[[bytes, int], tuple[bytes, bool]]
Encoder = Callable[[bytes], bytes]
_CODERS: dict[str, tuple[Decoder, Encoder]] = {
    "identity": (_identity, bytes),
    "none": (_identity, bytes),
    "gzip": (_gunzip, lambda data: gzip.compress(data, 6, mtime=0)),
    "x-gzip": (_gunzip, lambda data: gzip.compress(data, 6, mtime=0)),
    "deflate": (_inflate, zlib.compress),
    "br": (_unbrotli, _brotli),
    "zstd": (_unzstd, _zstd),
}
