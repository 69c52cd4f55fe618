"""Wires over real sockets, which memory imitates, and the lobby in which bytes wait."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from proxyfw.net.network import SocketNetwork
from proxyfw.net.wire import HIGH_WATER, LOBBY_LIMIT, Lobby, SocketWire, Wire
from proxyfw.testing import End, pipe

LOOPBACK = "127.0.0.1"


class Pair:
    """Both ends of a connection through the machine."""

    def __init__(self, near: Wire, far: Wire) -> None:
        self.near = near
        self.far = far


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    accepted: asyncio.Queue[Wire] = asyncio.Queue()
    network = SocketNetwork()
    listener = await network.listen(LOOPBACK, 0, accepted.put_nowait)
    near = await network.connect(listener.addresses, 5)
    far = await accepted.get()
    listener.close()
    yield Pair(near, far)
    near.abort()
    far.abort()
    await asyncio.sleep(0)


async def test_bytes_addresses_and_a_half_close(pair: Pair) -> None:
    """5.1.35."""
    near, far = End(pair.near), End(pair.far)
    assert pair.near.sockname == pair.far.peername
    assert pair.near.peername == pair.far.sockname
    near.write(b"there")
    near.write_eof()
    assert await far.rest() == b"there"
    far.write(b"back")
    assert await near.exactly(4) == b"back"
    far.close()
    assert await near.rest() == b""
    assert not near.reset


async def test_an_abort_is_a_reset(pair: Pair) -> None:
    """5.1.14: a cut body cannot be taken for a complete one."""
    near, far = End(pair.near), End(pair.far)
    near.abort()
    await far.rest()
    assert far.reset
    assert far.wire.closed


async def test_a_reader_that_pauses_makes_the_writer_wait(pair: Pair) -> None:
    """5.1.37."""
    near, far = End(pair.near), End(pair.far)
    far.wire.pause()
    size = 0
    while near.wire.writable:
        near.write(bytes(HIGH_WATER))
        size += HIGH_WATER
        assert size < 64 * 1024 * 1024
    far.wire.resume()
    assert len(await far.exactly(size)) == size
    while not near.wire.writable:
        near._changed.clear()
        await near._changed.wait()


async def test_what_comes_before_anybody_claims_it_waits_in_a_lobby(pair: Pair) -> None:
    near = End(pair.near)
    lobby = pair.far.receiver
    assert isinstance(lobby, Lobby)
    near.write(b"early")
    assert await lobby.more()
    assert lobby.data == b"early"
    near.write_eof()
    assert not await lobby.more()
    assert await End(pair.far).rest() == b"early"


async def test_a_lobby_is_bounded_and_detaching_gives_bytes_back() -> None:
    a, b = pipe()
    for _ in range(4):
        a.write(bytes(LOBBY_LIMIT // 2))
    for _ in range(20):
        await asyncio.sleep(0)
    assert isinstance(b.receiver, Lobby)
    assert len(b.receiver.data) == LOBBY_LIMIT
    far = End(b)
    await far.exactly(2 * LOBBY_LIMIT)
    lobby = b.detach(b"unread")
    a.write(b", later")
    assert await lobby.more()
    assert lobby.data == b"unread, later"


async def test_who_waits_in_a_lobby_learns_of_the_loss() -> None:
    a, b = pipe()
    lobby = b.receiver
    assert isinstance(lobby, Lobby)
    waiting = asyncio.create_task(lobby.more())
    await asyncio.sleep(0)
    a.abort()
    assert not await waiting


def never_reads(pair: Pair) -> tuple[End, End]:
    """The ends of a connection on which a megabyte waits that the near one does not read."""
    near, far = End(pair.near), End(pair.far)
    for wire, option in (pair.near, socket.SO_RCVBUF), (pair.far, socket.SO_SNDBUF):
        assert isinstance(wire, SocketWire)
        wire.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, option, 65536)
    pair.near.pause()
    far.write(bytes(1_000_000))
    far.close()
    assert not far.wire.closed
    return near, far


async def test_who_never_reads_the_last_words_is_given_up(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """mitmproxy 5.1.37: else it could keep sockets open for ever, at no cost."""
    monkeypatch.setattr("proxyfw.net.wire.READING_PATIENCE", 0.01)
    near, far = never_reads(pair)
    await far.rest()
    assert pair.far.closed
    pair.near.resume()
    await near.rest()
    assert near.reset


async def test_who_reads_slowly_gets_all_of_them(pair: Pair) -> None:
    near, far = never_reads(pair)
    assert isinstance(pair.far, SocketWire)
    pair.far._check_reader(1_000_001)  # something has been read since
    assert not far.wire.closed
    pair.near.resume()
    assert len(await near.rest()) == 1_000_000
    assert not near.reset
