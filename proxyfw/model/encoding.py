"""Content codings: gzip, deflate, br, zstd, identity, and lists of them. RFC 9110 section 8.4.

Bytes in, bytes out. brotli and zstandard are imported when a body first needs them.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

SUPPORTED = ("gzip", "deflate", "br", "zstd", "identity")

# The last body decoded or encoded, as (encoded, coding, decoded): several addons read the same body in turn.
_last: tuple[bytes, str, bytes] = (b"", "", b"")


def decode(data: bytes, coding: str, *, partial: bool = False) -> bytes:
    """*data* without its *coding*, a Content-Encoding value such as ``gzip`` or ``br, gzip``.

    Empty stays empty. *partial* accepts data that breaks off. Raises ValueError for a coding that is not
    supported and for data that is not in it.
    """
    global _last
    encoded, known, decoded = _last
    if encoded is data and known == coding:
        return decoded
    decoded = data
    for name in reversed(_names(coding)):
        decoded = _decode_one(decoded, name, partial) if decoded else decoded
    if not partial:
        _last = (data, coding, decoded)
    return decoded


def decoder(coding: str) -> Callable[[bytes], bytes]:
    """What takes a body in *coding* piece by piece and gives what each piece makes known of it.

    Raises ValueError for a coding that is not supported, as the function does for data that is not in it.
    """
    steps = [(name, step()) for name in reversed(_names(coding)) if (step := _STEPS.get(name))]

    def decode_piece(data: bytes) -> bytes:
        for name, step in steps:
            try:
                data = step(data) if data else data
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
    return names


def _decode_one(data: bytes, name: str, partial: bool) -> bytes:
    try:
        decoded, complete = _CODERS[name][0](data)
    except Exception as error:  # brotli and zstandard each have an error class of their own
        raise ValueError(f"body is not valid {name}: {error}") from error
    if not complete and not partial:
        raise ValueError(f"body is not valid {name}: it breaks off after {len(decoded)} decoded bytes")
    return decoded


def _identity(data: bytes) -> tuple[bytes, bool]:
    return data, True


def _gunzip(data: bytes) -> tuple[bytes, bool]:
    out = []
    while data.rstrip(b"\0"):
        member = zlib.decompressobj(16 + zlib.MAX_WBITS)
        out.append(member.decompress(data))
        if not member.eof:
            return b"".join(out), False
        data = member.unused_data
    return b"".join(out), True


def _inflate(data: bytes) -> tuple[bytes, bool]:
    # RFC 9110 section 8.4.1.2: some senders leave out the zlib wrapper.
    for wbits in (zlib.MAX_WBITS, -zlib.MAX_WBITS):
        stream = zlib.decompressobj(wbits)
        try:
            return stream.decompress(data), stream.eof
        except zlib.error as error:
            problem = error
    raise problem


def _unbrotli(data: bytes) -> tuple[bytes, bool]:
    import brotli  # type: ignore[import-untyped]

    stream = brotli.Decompressor()
    return stream.process(data), stream.is_finished()


def _brotli(data: bytes) -> bytes:
    import brotli

    return bytes(brotli.compress(data, quality=5))


def _unzstd(data: bytes) -> tuple[bytes, bool]:
    import zstandard

    out = []
    while data:
        frame = zstandard.ZstdDecompressor().decompressobj()
        out.append(frame.decompress(data))
        if not frame.eof:
            return b"".join(out), False
        data = frame.unused_data
    return b"".join(out), True


def _zstd(data: bytes) -> bytes:
    import zstandard

    return zstandard.ZstdCompressor().compress(data)


def _zlib_step() -> Callable[[bytes], bytes]:
    return zlib.decompressobj(32 + zlib.MAX_WBITS).decompress


def _brotli_step() -> Callable[[bytes], bytes]:
    import brotli

    step: Callable[[bytes], bytes] = brotli.Decompressor().process
    return step


def _zstd_step() -> Callable[[bytes], bytes]:
    import zstandard

    return zstandard.ZstdDecompressor().decompressobj().decompress


_STEPS = {
    "gzip": _zlib_step,
    "x-gzip": _zlib_step,
    "deflate": _zlib_step,
    "br": _brotli_step,
    "zstd": _zstd_step,
}

Decoder = Callable[[bytes], tuple[bytes, bool]]
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
