"""Frames made by hand, right and wrong ones, for tests of the HTTP/2 codec."""

from __future__ import annotations

from collections.abc import Sequence

import hpack
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from proxyfw.protocol.http2 import PREFACE, Codec, ErrorCodes, Fact, Failure, Malformed
from proxyfw.protocol.http2_facts import GoAway

Fields = Sequence[tuple[bytes, bytes]]

SETTINGS = SettingsFrame(0).serialize()
GET: Fields = [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"a.example"), (b":path", b"/")]
POST: Fields = [(b":method", b"POST"), *GET[1:]]
OK: Fields = [(b":status", b"200")]


def headers(stream_id: int, fields: Fields, *flags: str, encoder: hpack.Encoder | None = None) -> bytes:
    """HEADERS with *fields*; without *encoder* every field is a literal that no table needs to know."""
    frame = HeadersFrame(stream_id, flags=("END_HEADERS", *flags))
    frame.data = encode(fields, encoder)
    return frame.serialize()


def encode(fields: Fields, encoder: hpack.Encoder | None = None) -> bytes:
    if encoder is not None:
        return encoder.encode(fields)
    block = bytearray()
    for name, value in fields:
        block += b"\x00" + length(len(name)) + name + length(len(value)) + value
    return bytes(block)


def length(number: int) -> bytes:
    """An integer with a prefix of seven bits. RFC 7541 section 5.1."""
    if number < 127:
        return bytes([number])
    out, number = bytearray([127]), number - 127
    while number >= 128:
        out.append(number % 128 + 128)
        number //= 128
    return bytes([*out, number])


def data(stream_id: int, body: bytes, *flags: str) -> bytes:
    return DataFrame(stream_id, body, flags=flags).serialize()


def window_update(stream_id: int, increment: int) -> bytes:
    frame = WindowUpdateFrame(stream_id, window_increment=max(increment, 1)).serialize()
    return frame[:-4] + increment.to_bytes(4, "big")


def reset(stream_id: int, code: int = ErrorCodes.CANCEL) -> bytes:
    return RstStreamFrame(stream_id, error_code=code).serialize()


def ping(*flags: str) -> bytes:
    return PingFrame(0, b"12345678", flags=flags).serialize()


def settings(values: dict[int, int]) -> bytes:
    return SettingsFrame(0, settings=values).serialize()


def go_away(last: int, code: int = 0) -> bytes:
    return GoAwayFrame(0, last_stream_id=last, error_code=code).serialize()


def continuation(stream_id: int, block: bytes, *flags: str) -> bytes:
    return ContinuationFrame(stream_id, block, flags=flags).serialize()


def raw(kind: int, flags: int, stream_id: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream_id.to_bytes(4, "big") + payload


class Clock:
    """Seconds that pass when the test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def server(**options: object) -> Codec:
    """The server's codec after the client has introduced itself."""
    codec = Codec(client=False, clock=Clock(), **options)  # type: ignore[arg-type]
    assert codec.receive(PREFACE + SETTINGS) == []
    codec.take()
    return codec


def client(**options: object) -> Codec:
    """The client's codec after the server has introduced itself."""
    codec = Codec(client=True, clock=Clock(), **options)  # type: ignore[arg-type]
    assert codec.receive(SETTINGS) == []
    codec.take()
    return codec


def written(codec: Codec) -> list[tuple[int, int, int, bytes]]:
    """What *codec* has to say, as (type, flags, stream id, payload)."""
    out, frames = codec.take(), []
    if out.startswith(PREFACE):
        out = out[len(PREFACE) :]
    while out:
        size = int.from_bytes(out[:3], "big")
        frames.append((out[3], out[4], int.from_bytes(out[5:9], "big"), out[9 : 9 + size]))
        out = out[9 + size :]
    return frames


def resets(codec: Codec) -> list[tuple[int, int]]:
    """Streams that *codec* resets now, and why."""
    return [(f[2], int.from_bytes(f[3], "big")) for f in written(codec) if f[0] == RstStreamFrame.type]


def failure(found: Sequence[tuple[int, object]]) -> int | None:
    """The code with which the connection ended, if it did."""
    codes = [event.code for stream_id, event in found if stream_id == 0 and isinstance(event, Failure)]
    return codes[0] if codes else None


def malformed(found: Sequence[tuple[int, object]]) -> list[tuple[int, int]]:
    """Streams with faults, and the status that they deserve."""
    return [(stream_id, event.status) for stream_id, event in found if isinstance(event, Malformed)]


def facts(found: Sequence[tuple[int, object]]) -> list[Fact]:
    return [event for stream_id, event in found if stream_id == 0 and isinstance(event, GoAway | Failure)]
