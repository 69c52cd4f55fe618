"""Ports of this machine: bound for one process, or shared by several that know each other."""

from __future__ import annotations

import asyncio
import errno
import socket

import pytest

from proxyfw.net import ports
from proxyfw.net.datagram import Datagrams
from proxyfw.net.shared import SharedNetwork
from proxyfw.net.wire import Wire

HERE = "127.0.0.1"
needs_sharing = pytest.mark.skipif(ports.sharing_option() is None, reason="ports cannot be shared here")


@pytest.mark.parametrize(
    ("platform", "there_is_one"),
    [("linux", True), ("freebsd14", True), ("darwin", False), ("win32", False), ("openbsd7", False)],
)
def test_where_ports_are_shared_evenly(platform: str, there_is_one: bool) -> None:
    assert (ports.sharing_option(platform) is not None) is there_is_one


async def test_all_sockets_have_one_port() -> None:
    bound = await ports.bind([HERE, "127.0.0.2"], 0, socket.SOCK_STREAM)
    try:
        assert [one.getsockname()[0] for one in bound] == [HERE, "127.0.0.2"]
        assert len({one.getsockname()[1] for one in bound}) == 1
    finally:
        ports.close(bound)


async def test_an_address_that_the_machine_lacks() -> None:
    """It matters only where there is no other: 192.0.2.1 is nobody's."""
    bound = await ports.bind([HERE, "192.0.2.1"], 0, socket.SOCK_DGRAM)
    assert len(bound) == 1
    ports.close(bound)
    with pytest.raises(OSError) as caught:  # noqa: PT011 - the number says it
        await ports.bind(["192.0.2.1"], 0, socket.SOCK_DGRAM)
    assert caught.value.errno == errno.EADDRNOTAVAIL


@needs_sharing
async def test_a_claim_notices_a_program_that_shares_its_port() -> None:
    with (
        socket.create_server((HERE, 0), reuse_port=True) as other,
        pytest.raises(OSError) as caught,  # noqa: PT011 - the number says it
    ):
        await ports.claim([HERE], other.getsockname()[1], socket.SOCK_STREAM)
    assert caught.value.errno == errno.EADDRINUSE


def accept(wire: Wire) -> None:
    wire.abort()


class Receiver:
    """Hears datagrams."""

    def __init__(self, socket: Datagrams) -> None:
        self.failures: list[Exception] = []

    def datagram_received(self, data: bytes, source: tuple[str, int]) -> None: ...

    def failed(self, reason: Exception) -> None:
        self.failures.append(reason)


@needs_sharing
async def test_the_second_process_gets_the_ports_of_the_first() -> None:
    """Of both kinds, by their order."""
    first = SharedNetwork()
    listeners = [await first.listen(HERE, 0, accept), await first.listen_datagrams(HERE, 0, Receiver)]
    found = [one.addresses[0][1] for one in listeners]
    assert first.numbers == found
    assert len(set(found)) == 2
    first.claimed()
    second = SharedNetwork(first.numbers)
    listeners.append(await second.listen(HERE, 0, accept))
    listeners.append(await second.listen_datagrams(HERE, 0, Receiver))
    assert [one.addresses[0][1] for one in listeners[2:]] == found
    for one in listeners:
        one.close()
    await asyncio.sleep(0)  # the loop gives the sockets up


@needs_sharing
async def test_a_claimed_port_can_be_had_for_both_kinds() -> None:
    """A server of names listens on one number in both ways."""
    network = SharedNetwork()
    streams = await network.listen(HERE, 0, accept)
    datagrams = await network.listen_datagrams(HERE, streams.addresses[0][1], Receiver)
    assert datagrams.addresses == streams.addresses
    streams.close()
    datagrams.close()
    await asyncio.sleep(0)
