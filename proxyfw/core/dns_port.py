"""A port that answers DNS queries, over UDP and TCP alike."""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Sequence

from proxyfw import flow as model
from proxyfw import hookspecs
from proxyfw.connection import Client, ConnectionState
from proxyfw.net.datagram import DatagramListener, DatagramReceiver, Datagrams
from proxyfw.net.hosts_file import HostsFile
from proxyfw.net.network import Listener
from proxyfw.net.wire import Address, Lobby, Wire
from proxyfw.protocol.dns import Frames, frame

from .dns import answer
from .house import House
from .udp import Associations

log = logging.getLogger("proxyfw")

_AT_ONCE = 1000
"""Queries in datagrams that are under way at a time; more are dropped, and asked again."""
_AT_ONCE_PER_CONNECTION = 100
_TRIES = 20
"""Of any free port that both kinds can have."""


class DnsPort:
    """Answers queries by *target*, or, without one, as mode dns does. A `proxyfw.net.network.Listener`."""

    def __init__(self, house: House, mode: str, target: Address | None) -> None:
        self._house = house
        self._mode = mode
        self._target = target
        self._raw = Associations(house, target, mode) if target else None
        self._streams: Listener
        self._datagrams: DatagramListener
        self._under_way = 0
        self._idle: set[Wire] = set()

    async def listen(self, host: str, port: int) -> DnsPort:
        """Raises OSError."""
        network = self._house.network
        for tries_left in reversed(range(_TRIES)):
            self._streams = await network.listen(host, port, self._accept)
            number = self._streams.addresses[0][1]
            try:
                self._datagrams = await network.listen_datagrams(host, number, self._socket)
            except OSError as e:
                self._streams.close()
                if port or e.errno != errno.EADDRINUSE or not tries_left:
                    raise
            else:
                break
        return self

    @property
    def addresses(self) -> Sequence[Address]:
        return self._streams.addresses

    def close(self) -> None:
        """Take no more queries; those under way over TCP are still answered."""
        self._streams.close()
        self._datagrams.close()
        if self._raw:
            self._raw.end()
        for wire in self._idle:
            wire.close()

    async def _answer(self, client: Client, data: bytes) -> bytes | None:
        house = self._house
        hosts: HostsFile | None = None
        servers: Sequence[Address]
        if self._target:
            servers = [self._target]
        else:
            servers = house.settings.name_servers or house.network.name_servers()
            if house.settings.use_hosts_file:
                hosts = house.network.hosts_file
        return await answer(house, client, data, servers, hosts)

    def _client(self, peername: Address | None, sockname: Address | None, transport: str) -> Client:
        nowhere = ("", 0)
        return Client(
            peername=peername or nowhere, sockname=sockname or nowhere, timestamp_start=model.clock(),
            proxy_mode=self._mode, transport_protocol=transport,
        )  # fmt: skip

    async def _admit(self, client: Client) -> bool:
        await self._house.addons.calls.call(hookspecs.client_connected, client)
        if client.error:
            log.info("%s: refused: %s", client, client.error)
        return not client.error

    async def _dismiss(self, client: Client) -> None:
        client.state = ConnectionState.CLOSED
        client.timestamp_end = model.clock()
        await self._house.addons.calls.call(hookspecs.client_disconnected, client)

    # Datagrams

    def _socket(self, socket: Datagrams) -> DatagramReceiver:
        return _Socket(self, socket, self._raw.port(socket) if self._raw else None)

    def datagram(self, data: bytes, source: Address, socket: Datagrams) -> None:
        """Answer one query, beside others."""
        if self._under_way < _AT_ONCE:
            self._under_way += 1
            task = self._house.spawn(self._answer_datagram(data, source, socket))
            task.add_done_callback(self._answered)

    def _answered(self, task: asyncio.Task[None]) -> None:
        self._under_way -= 1

    async def _answer_datagram(self, data: bytes, source: Address, socket: Datagrams) -> None:
        client = self._client(source, socket.sockname, "udp")
        try:
            if await self._admit(client) and (response := await self._answer(client, data)):
                socket.send(response, source)
        finally:
            await self._dismiss(client)

    @property
    def is_raw(self) -> bool:
        """The option udp_hosts says that datagrams to the target are not to be taken for DNS."""
        if not self._target:
            return False
        host, port = self._target
        return any(pattern.search(f"{host}:{port}") for pattern in self._house.udp_hosts)

    # Streams

    def _accept(self, wire: Wire) -> None:
        self._house.spawn(self._serve(wire))

    async def _serve(self, wire: Wire) -> None:
        """Answer the queries on one connection, beside each other. RFC 7766 section 6.2.1.1."""
        client = self._client(wire.peername, wire.sockname, "tcp")
        under_way: set[asyncio.Task[None]] = set()
        self._idle.add(wire)
        try:
            if await self._admit(client):
                await self._read(wire, client, under_way)
        finally:
            wire.close()
            self._idle.discard(wire)
            await self._dismiss(client)

    async def _read(self, wire: Wire, client: Client, under_way: set[asyncio.Task[None]]) -> None:
        lobby, frames = wire.receiver, Frames()
        assert isinstance(lobby, Lobby)

        def answered(task: asyncio.Task[None]) -> None:
            under_way.discard(task)
            if not under_way and not wire.closed:
                self._idle.add(wire)

        try:
            while True:
                for data in frames.receive(lobby.take()):
                    self._idle.discard(wire)
                    task = self._house.spawn(self._answer_on(wire, client, data))
                    under_way.add(task)
                    task.add_done_callback(answered)
                while len(under_way) >= _AT_ONCE_PER_CONNECTION:
                    await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
                async with asyncio.timeout(self._house.settings.idle_timeout):
                    if not await lobby.more():
                        break
        except TimeoutError:
            pass
        if under_way:
            await asyncio.wait(under_way)

    async def _answer_on(self, wire: Wire, client: Client, data: bytes) -> None:
        response = await self._answer(client, data)
        if response and not wire.closed:
            wire.write(frame(response))


class _Socket:
    """One socket that queries come to."""

    def __init__(self, port: DnsPort, socket: Datagrams, raw: DatagramReceiver | None) -> None:
        self._port = port
        self._socket = socket
        self._raw = raw

    def datagram_received(self, data: bytes, source: Address) -> None:
        if self._raw and self._port.is_raw:
            self._raw.datagram_received(data, source)
        else:
            self._port.datagram(data, source, self._socket)

    def failed(self, reason: Exception) -> None:
        """Some client does not wait for its answer any more."""
