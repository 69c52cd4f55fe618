"""Wires over real sockets, which memory imitates, and the lobby in which bytes wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from proxyfw.net.network import SocketNetwork
from proxyfw.net.wire import HIGH_WATER, LOBBY_LIMIT, Lobby, Wire
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
