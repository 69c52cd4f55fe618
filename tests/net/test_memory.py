"""The network in memory behaves as a machine's does, as far as stories can tell."""

from __future__ import annotations

import asyncio

import pytest

from proxyfw.exceptions import ConnectError
from proxyfw.net.memory import MemoryNetwork, MemoryWire
from proxyfw.net.wire import HIGH_WATER, Lobby
from proxyfw.testing import End, pipe


async def settle() -> None:
    """Let everything that is on its way arrive."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_bytes_arrive_later_and_in_order() -> None:
    a, b = map(End, pipe())
    a.write(b"one")
    a.write(b"two")
    assert b.received == b""
    assert await b.exactly(6) == b"onetwo"
    b.write(b"back")
    assert await a.exactly(4) == b"back"


async def test_addresses_are_those_of_the_ends() -> None:
    a, b = pipe(("127.0.0.1", 1), ("192.0.2.1", 2))
    assert (a.sockname, a.peername) == (("127.0.0.1", 1), ("192.0.2.1", 2))
    assert (b.sockname, b.peername) == (a.peername, a.sockname)


async def test_a_half_close_leaves_the_other_direction_open() -> None:
    a, b = map(End, pipe())
    a.write(b"last")
    a.write_eof()
    a.write_eof()
    assert await b.rest() == b"last"
    b.write(b"reply")
    assert await a.exactly(5) == b"reply"
    assert not a.eof


async def test_a_close_sends_what_is_queued() -> None:
    a, b = map(End, pipe())
    a.write(b"last")
    a.close()
    a.write(b"too late")
    assert await b.rest() == b"last"
    assert not b.reset
    assert a.wire.closed


async def test_an_abort_is_seen_as_a_reset() -> None:
    a, b = map(End, pipe())
    a.write(b"lost, perhaps")
    a.abort()
    a.abort()
    await b.rest()
    assert b.reset
    assert isinstance(b.wire.failure, ConnectionResetError)


async def test_closing_with_unread_bytes_is_a_reset() -> None:
    """As a machine does it. RFC 9112 section 9.6 says what follows for a server."""
    a, b = map(End, pipe())
    a.write(b"unread")
    b.close()
    await settle()
    assert a.reset


async def test_writing_to_who_has_closed_is_a_reset() -> None:
    a, b = map(End, pipe())
    b.close()
    await a.rest()
    a.write(b"anybody there?")
    await settle()
    assert a.reset


def writable(end: End) -> bool:
    return end.wire.writable


async def test_a_reader_that_pauses_makes_the_writer_wait() -> None:
    a, b = map(End, pipe())
    b.wire.pause()
    assert writable(a)
    a.write(bytes(HIGH_WATER))
    assert writable(a)
    a.write(b"x")
    assert not writable(a)
    await settle()
    assert b.received == b""
    assert isinstance(a.wire, MemoryWire)
    assert a.wire.unread == HIGH_WATER + 1
    b.wire.resume()
    await b.exactly(HIGH_WATER + 1)
    assert writable(a)


async def test_bytes_wait_in_a_lobby_for_who_claims_them() -> None:
    a, b = pipe()
    a.write(b"early")
    a.write_eof()
    await settle()
    assert isinstance(b.receiver, Lobby)
    assert b.receiver.data == b"early"
    assert await End(b).rest() == b"early"


async def test_names_addresses_and_listeners() -> None:
    network = MemoryNetwork()
    network.hosts["two.test"] = ["192.0.2.8", "192.0.2.9"]
    network.unknown.add("none.test")
    assert await network.resolve("any.test", 80) == [("192.0.2.1", 80)]
    assert await network.resolve("10.1.2.3", 80) == [("10.1.2.3", 80)]
    both = await network.resolve("two.test", 80)
    with pytest.raises(ConnectError, match=r"none\.test"):
        await network.resolve("none.test", 80)
    with pytest.raises(ConnectError, match="refused"):
        await network.connect(both)
    listener = await network.listen("192.0.2.9", 80, lambda wire: None)
    with pytest.raises(OSError, match="in use"):
        await network.listen("192.0.2.9", 80, lambda wire: None)
    assert (await network.connect(both)).peername == ("192.0.2.9", 80)
    assert network.dialled == [*both, *both]
    listener.close()
    assert network.reach(("192.0.2.9", 80)) is None


async def test_listening_on_all_addresses_and_on_any_port() -> None:
    network = MemoryNetwork()
    listener = await network.listen("", 0, lambda wire: None)
    port = listener.addresses[0][1]
    assert port > 0
    assert network.reach(("192.0.2.77", port)) is not None
