"""Notable fields are found, and found anew once somebody has changed the list."""

from __future__ import annotations

import pytest

from proxyfw.exceptions import LocalProtocolError
from proxyfw.protocol.events import END, RequestHead, ResponseHead
from proxyfw.protocol.fields import Block, KnownFields, notable
from proxyfw.protocol.http1 import ServerCodec
from proxyfw.protocol.http1_head import write_fields

REQUEST = b"GET / HTTP/1.1\r\nHost: a.example\r\nX-Other: 1\r\n\r\n"


def known() -> KnownFields:
    return KnownFields.of(Block([(b"HOST", b"a.example"), (b"X-Other", b"1"), (b"te", b"a"), (b"TE", b"b")]))


def test_repeated_ones_are_joined_whatever_their_case() -> None:
    assert notable(known()) == notable(list(known())) == {b"host": b"a.example", b"te": b"a, b"}


def test_what_was_read_is_not_looked_at_again() -> None:
    fields = known()
    assert notable(fields) is notable(fields) is notable(KnownFields.of(fields.block))


def test_a_change_is_seen() -> None:
    fields = known()
    fields[0] = (b"Host", b"b.example")
    assert notable(fields)[b"host"] == b"b.example"
    assert notable(KnownFields.of(fields.block))[b"host"] == b"a.example"
    fields[:] = []
    assert notable(fields) == {}


def test_only_what_was_read_is_trusted_to_be_sendable() -> None:
    fields = known()
    assert write_fields(fields) == b"HOST: a.example\r\nX-Other: 1\r\nte: a\r\nTE: b\r\n"
    fields.append((b"X-Bad", b"a\r\nb"))
    with pytest.raises(LocalProtocolError, match="X-Bad"):
        write_fields(fields)


def test_the_same_head_twice_on_a_connection_gives_two_lists() -> None:
    codec = ServerCodec()
    first = codec.receive(REQUEST + REQUEST)[0]
    codec.send(ResponseHead(204, []), END)
    assert isinstance(first, RequestHead)
    first.headers.clear()
    second = codec.next_cycle()[0]
    assert isinstance(second, RequestHead)
    assert second.headers == [(b"Host", b"a.example"), (b"X-Other", b"1")]
