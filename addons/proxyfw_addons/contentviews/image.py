"""View ``image``: what the head of an image says: PNG, JPEG, GIF, WebP, BMP, ICO, SVG.

The few fields are read here: a library for images brings decoders of megabytes, which nothing here needs.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator

from proxyfw.contentviews import Metadata

from .lines import aligned

Facts = Iterator[tuple[str, str]]
_COLOURS = {0: "grey", 2: "RGB", 3: "palette", 4: "grey and alpha", 6: "RGBA"}
_SVG = re.compile(r"<svg\b[^>]{0,4000}>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""\b(width|height|viewBox)\s{0,9}=\s{0,9}["']([^"']{0,100})["']""", re.IGNORECASE)


def prettify(data: bytes, metadata: Metadata) -> str:
    """A fact a line. Raises ValueError for what is no image of these formats, or ends too early."""
    for starts, facts in _FORMATS:
        if data.startswith(starts):
            try:
                return aligned(facts(data))
            except (struct.error, IndexError) as problem:
                raise ValueError("the image breaks off in its head") from problem
    return aligned(_svg(data))


def _size(width: int, height: int) -> tuple[str, str]:
    return "Size", f"{width} x {height} px"


def _png(data: bytes) -> Facts:
    yield "Format", "PNG"
    width, height, depth, colour = struct.unpack_from(">IIBB", data, 16)
    yield _size(width, height)
    yield "Colours", f"{_COLOURS.get(colour, f'type {colour}')}, {depth} bits"
    at = 8
    while at + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        body = data[at + 8 : at + 8 + min(length, 1000)]
        if kind == b"tEXt":
            name, _, text = body.partition(b"\0")
            yield name.decode("latin-1"), text.decode("latin-1")
        elif kind == b"acTL":
            yield "Frames", str(struct.unpack_from(">I", body)[0])
        at += 12 + length


def _jpeg(data: bytes) -> Facts:
    yield "Format", "JPEG"
    at = 2
    while data[at] == 0xFF:
        marker, length = data[at + 1], struct.unpack_from(">H", data, at + 2)[0]
        body = data[at + 4 : at + 2 + length]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            depth, height, width, components = struct.unpack_from(">BHHB", body)
            yield _size(width, height)
            yield "Colours", f"{components} components, {depth} bits"
            yield "Coding", "progressive" if marker in (0xC2, 0xCA) else "baseline"
            return
        if marker == 0xE1 and body.startswith(b"Exif"):
            yield "Exif", f"{len(body)} bytes"
        if marker == 0xFE:
            yield "Comment", body[:1000].decode("utf-8", "backslashreplace")
        at += 2 + max(length, 2)


def _gif(data: bytes) -> Facts:
    yield "Format", f"GIF, version {data[3:6].decode('ascii')}"
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    yield _size(width, height)
    if flags & 0x80:
        yield "Palette", f"{2 << (flags & 7)} colours"
    frames = _gif_frames(data, 13 + (3 * (2 << (flags & 7)) if flags & 0x80 else 0))
    yield "Frames", str(frames)


def _gif_frames(data: bytes, at: int) -> int:
    """How many images there are, as far as the file goes."""
    frames = 0
    while at < len(data) and data[at] in (0x21, 0x2C):
        if data[at] == 0x2C:
            frames += 1
            flags = data[at + 9] if at + 9 < len(data) else 0
            at += 11 + (3 * (2 << (flags & 7)) if flags & 0x80 else 0)
        else:
            at += 2
        while at < len(data) and data[at]:
            at += data[at] + 1
        at += 1
    return frames


def _webp(data: bytes) -> Facts:
    if data[8:12] != b"WEBP":
        raise ValueError("a RIFF file, but no WebP image")
    yield "Format", "WebP"
    kind = data[12:16]
    if kind == b"VP8X":
        width, height = (1 + int.from_bytes(data[at : at + 3], "little") for at in (24, 27))
        features = data[20]
        yield _size(width, height)
        found = [name for bit, name in ((16, "alpha"), (8, "Exif"), (2, "animation")) if features & bit]
        if found:
            yield "Features", ", ".join(found)
    elif kind == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        yield _size(1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF))
        yield "Coding", "lossless"
    else:
        width, height = struct.unpack_from("<HH", data, 26)
        yield _size(width & 0x3FFF, height & 0x3FFF)
        yield "Coding", "lossy"


def _bmp(data: bytes) -> Facts:
    width, height, _, bits = struct.unpack_from("<iiHH", data, 18)
    yield "Format", "BMP"
    yield _size(width, abs(height))
    yield "Colours", f"{bits} bits"


def _ico(data: bytes) -> Facts:
    yield "Format", "ICO" if data[2] == 1 else "CUR"
    for number in range(min(struct.unpack_from("<H", data, 4)[0], 64)):
        width, height, _, _, _, bits = struct.unpack_from("<BBBBHH", data, 6 + 16 * number)
        yield f"Image {number + 1}", f"{width or 256} x {height or 256} px, {bits} bits"


def _svg(data: bytes) -> Facts:
    root = _SVG.search(data[: 64 * 1024].decode("utf-8", "backslashreplace"))
    if root is None:
        raise ValueError("not an image of a format that is known here")
    yield "Format", "SVG"
    yield from ((name[0].upper() + name[1:], value) for name, value in _ATTRIBUTE.findall(root[0]))


_FORMATS: tuple[tuple[bytes, Callable[[bytes], Facts]], ...] = (
    (b"\x89PNG\r\n\x1a\n", _png),
    (b"\xff\xd8\xff", _jpeg),
    (b"GIF8", _gif),
    (b"RIFF", _webp),
    (b"BM", _bmp),
    (b"\0\0\1\0", _ico),
    (b"\0\0\2\0", _ico),
)
