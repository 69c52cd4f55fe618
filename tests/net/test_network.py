"""The machine's network on its loopback: dialling, racing, refusals, names that are none, and listening."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from proxyfw.exceptions import ConnectError
from proxyfw.net.network import Accept, Listener, SocketNetwork, is_ip
from proxyfw.net.wire import Address, Wire
from proxyfw.testing import End


class Visitors:
    """Accepts connections and keeps them."""

    def __init__(self) -> None:
        self.ends: list[End] = []
        self._came = asyncio.Event()

    def __call__(self, wire: Wire) -> None:
        self.ends.append(End(wire))
        self._came.set()

    async def first(self) -> End:
        async with asyncio.timeout(5):
            await self._came.wait()
        return self.ends[0]


class Tidy(SocketNetwork):
    """Knows everything that it opened."""

    def __init__(self) -> None:
        self.wires: list[Wire] = []
        self.listeners: list[Listener] = []

    async def connect(self, addresses: Sequence[Address], timeout: float) -> Wire:
        self.wires.append(await super().connect(addresses, timeout))
        return self.wires[-1]

    async def listen(self, host: str, port: int, accept: Accept) -> Listener:
        def kept(wire: Wire) -> None:
            self.wires.append(wire)
            accept(wire)

        self.listeners.append(await super().listen(host, port, kept))
        return self.listeners[-1]

    def close(self) -> None:
        for listener in self.listeners:
            listener.close()
        for wire in self.wires:
            wire.close()


@pytest.fixture
async def network() -> AsyncIterator[SocketNetwork]:
    """The network; all that a test leaves open on it is closed."""
    tidy = Tidy()
    yield tidy
    tidy.close()
    async with asyncio.timeout(5):
        while not all(wire.closed for wire in tidy.wires):  # noqa: ASYNC110 - their tests have ended
            await asyncio.sleep(0)


def unused_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


async def test_a_connection_from_dial_to_close(network: SocketNetwork) -> None:
    visitors = Visitors()
    listener = await network.listen("127.0.0.1", 0, visitors)
    wire = await network.connect(listener.addresses, 5)
    near, far = End(wire), await visitors.first()
    assert near.wire.peername == far.wire.sockname == listener.addresses[0]
    assert near.wire.sockname == far.wire.peername
    near.write(b"hello")
    near.write_eof()
    assert await far.rest() == b"hello"
    far.write(b"still here")
    far.close()
    assert await near.rest() == b"still here"


async def test_an_abort_arrives_as_a_reset(network: SocketNetwork) -> None:
    visitors = Visitors()
    listener = await network.listen("127.0.0.1", 0, visitors)
    near = End(await network.connect(listener.addresses, 5))
    far = await visitors.first()
    near.abort()
    await far.rest()
    assert far.reset


async def test_a_refused_connection_gives_the_reason_of_the_system(network: SocketNetwork) -> None:
    """5.2.41."""
    port = unused_port()
    with pytest.raises(ConnectError) as caught:
        await network.connect([("127.0.0.1", port)], 5)
    assert str(caught.value) == f"cannot connect to 127.0.0.1:{port}: Connection refused"


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
async def test_two_refusals_are_one_reason(network: SocketNetwork) -> None:
    port = unused_port()
    with pytest.raises(ConnectError) as caught:
        await network.connect([("::1", port), ("127.0.0.1", port)], 5)
    assert str(caught.value).startswith(f"cannot connect to [::1]:{port}, 127.0.0.1:{port}: ")
    assert "refused" in str(caught.value).lower()


async def test_the_next_address_is_tried(network: SocketNetwork) -> None:
    """RFC 8305: one that refuses costs nothing."""
    visitors = Visitors()
    listener = await network.listen("127.0.0.1", 0, visitors)
    port = listener.addresses[0][1]
    wire = await network.connect([("127.0.0.2", port), ("127.0.0.1", port)], 5)
    assert wire.peername == ("127.0.0.1", port)


async def test_an_address_that_is_silent_does_not_hold_up_the_next(
    network: SocketNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 8305 section 5: after a quarter of a second both are tried side by side."""
    visitors = Visitors()
    listener = await network.listen("127.0.0.1", 0, visitors)
    port = listener.addresses[0][1]
    loop = asyncio.get_running_loop()
    connect = loop.sock_connect
    given_up = asyncio.Event()

    async def silent(sock: socket.socket, address: Any) -> None:
        if address[0] != "127.0.0.2":
            return await connect(sock, address)
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            given_up.set()

    monkeypatch.setattr(loop, "sock_connect", silent)
    wire = await network.connect([("127.0.0.2", port), ("127.0.0.1", port)], 5)
    assert wire.peername == ("127.0.0.1", port)
    assert given_up.is_set()


async def test_no_answer_in_time(network: SocketNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent(sock: socket.socket, address: Any) -> None:
        await asyncio.get_running_loop().create_future()

    monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", silent)
    with pytest.raises(ConnectError, match=r"no answer from 192\.0\.2\.1:80 within 0\.01 s"):
        await network.connect([("192.0.2.1", 80)], 0.01)


async def test_names_are_resolved(network: SocketNetwork) -> None:
    assert ("127.0.0.1", 80) in await network.resolve("localhost", 80)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_addresses_are_not_looked_up(
    network: SocketNetwork, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: Any, **__: Any) -> Any:
        raise AssertionError

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", never)
    assert await network.resolve(host, 80) == [(host, 80)]


async def test_a_name_that_is_unknown(network: SocketNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
    """5.2.42."""

    async def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", unknown)
    with pytest.raises(ConnectError, match=r"cannot resolve 'nowhere\.invalid': Name or service not known"):
        await network.resolve("nowhere.invalid", 80)


@pytest.mark.parametrize("host", ["a..b", "x" * 70 + ".test", "\udcff"])
async def test_a_name_that_is_none(network: SocketNetwork, host: str) -> None:
    with pytest.raises(ConnectError, match="cannot resolve"):
        await network.resolve(host, 80)


async def test_a_port_that_is_taken(network: SocketNetwork) -> None:
    """5.2.54."""
    listener = await network.listen("127.0.0.1", 0, Visitors())
    with pytest.raises(OSError, match="in use") as caught:
        await network.listen("127.0.0.1", listener.addresses[0][1], Visitors())
    assert caught.value.errno == errno.EADDRINUSE


async def test_a_closed_listener_leaves_its_port_and_its_connections(network: SocketNetwork) -> None:
    visitors = Visitors()
    listener = await network.listen("127.0.0.1", 0, visitors)
    address = listener.addresses[0]
    near = End(await network.connect([address], 5))
    far = await visitors.first()
    listener.close()
    with pytest.raises(ConnectError):
        await network.connect([address], 5)
    near.write(b"on")
    assert await far.exactly(2) == b"on"
    near.close()
    await far.rest()


async def test_all_addresses_of_the_machine_on_one_port(network: SocketNetwork) -> None:
    visitors = Visitors()
    listener = await network.listen("", 0, visitors)
    assert len({port for _, port in listener.addresses}) == 1
    hosts = ["127.0.0.1", "::1"] if has_ipv6() else ["127.0.0.1"]
    for host in hosts:
        wire = await network.connect([(host, listener.addresses[0][1])], 5)
        assert wire.peername
        assert wire.peername[0] == host
        wire.close()


async def test_a_slow_reader_makes_the_wire_unwritable(network: SocketNetwork) -> None:
    visitors = Visitors()
    listener = await network.listen("127.0.0.1", 0, visitors)
    near = End(await network.connect(listener.addresses, 5))
    far = await visitors.first()
    far.wire.pause()
    sent = 0
    while near.wire.writable:
        near.write(bytes(1 << 16))
        sent += 1 << 16
        await asyncio.sleep(0)
    far.wire.resume()
    near.close()
    assert len(await far.rest()) == sent


@pytest.mark.parametrize(
    ("host", "expected"), [("1.2.3.4", True), ("::1", True), ("a.test", False), ("1.2.3", False), ("", False)]
)
def test_what_is_an_address(host: str, expected: bool) -> None:
    assert is_ip(host) is expected


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_an_abort_is_a_reset_whatever_is_asked_afterwards(loop: str) -> None:
    """features 21."""
    factory = asyncio.SelectorEventLoop if loop == "asyncio" else pytest.importorskip("uvloop").new_event_loop

    async def story() -> None:
        visitors = Visitors()
        listener = await SocketNetwork().listen("127.0.0.1", 0, visitors)
        reader, writer = await asyncio.open_connection(*listener.addresses[0])
        writer.write(b"x")
        visitor = await visitors.first()
        await visitor.exactly(1)
        visitor.wire.abort()
        visitor.wire.write_eof()
        visitor.wire.close()
        try:
            with pytest.raises(ConnectionResetError):
                await reader.read()
        finally:
            writer.close()
            listener.close()

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(story())
