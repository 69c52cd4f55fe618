"""A network without a machine: the same wires and listeners between two ends of one event loop.

Bytes are delivered in later steps of the loop, in order, with back-pressure, so stories that pass here are
the stories that sockets tell, only without ports, resolvers and time.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections import deque
from collections.abc import Sequence
from itertools import count
from pathlib import Path

from proxyfw.exceptions import ConnectError

from .datagram import Answering, DatagramListener, DatagramReceiver, Datagrams
from .hosts_file import HostsFile
from .memory_datagram import DatagramField
from .network import Accept, Listener, is_ip
from .wire import HIGH_WATER, Address, Wire


class MemoryWire(Wire):
    """One end of a pipe; `other` is the far end."""

    __slots__ = ("_closing", "_finished", "_incoming", "_paused", "_scheduled", "_size", "other")

    other: MemoryWire

    def __init__(self, peername: Address, sockname: Address) -> None:
        super().__init__(peername, sockname)
        self._incoming: deque[bytes | None] = deque()
        self._size = 0
        self._paused = False
        self._scheduled = False
        self._closing = False
        self._finished = False

    @property
    def unread(self) -> int:
        """Bytes on their way to the other end, which it has not taken yet."""
        return self.other._size

    def write(self, data: bytes) -> None:
        if self._closing or not data:
            return
        if self.other.closed:  # what a machine answers with a reset
            asyncio.get_running_loop().call_soon(self._lose, ConnectionResetError("connection reset"))
            return
        self.other._push(bytes(data))
        if self.other._size > HIGH_WATER and self.writable:
            self.writable = False
            self.receiver.writable_changed()

    def write_eof(self) -> None:
        if not (self._closing or self._finished or self.other.closed):
            self._finished = True
            self.other._push(None)

    def pause(self) -> None:
        self._paused = True

    def resume(self) -> None:
        self._paused = False
        self._schedule()

    def close(self) -> None:
        if not self._closing:
            self.write_eof()
            self._closing = True
            asyncio.get_running_loop().call_soon(self._lose, None)

    def abort(self) -> None:
        if not self._closing:
            self._closing = True
            loop = asyncio.get_running_loop()
            loop.call_soon(self._lose, None)
            loop.call_soon(self.other._lose, ConnectionResetError("connection reset"))

    def _push(self, data: bytes | None) -> None:
        self._incoming.append(data)
        self._size += len(data or b"")
        self._schedule()

    def _schedule(self) -> None:
        if self._incoming and not self._scheduled and not self._paused:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._deliver)

    def _deliver(self) -> None:
        self._scheduled = False
        if self.closed or self._closing:
            if any(self._incoming):
                self.other._lose(ConnectionResetError("connection reset"))
            self._incoming.clear()
            return
        if self._paused:
            return
        data = self._incoming.popleft()
        if data is None:
            self.deliver_eof()
        else:
            self._size -= len(data)
            if not self.other.writable and not self.other.closed and self._size <= HIGH_WATER // 4:
                self.other.writable = True
                self.other.receiver.writable_changed()
            self.receiver.data_received(data)
        self._schedule()

    def _lose(self, reason: Exception | None) -> None:
        self._closing = True
        self.deliver_loss(reason)


def pipe(
    near: Address = ("127.0.0.1", 50000), far: Address = ("127.0.0.1", 80)
) -> tuple[MemoryWire, MemoryWire]:
    """Two ends of one connection from *near* to *far*."""
    a, b = MemoryWire(far, near), MemoryWire(near, far)
    a.other, b.other = b, a
    return a, b


class MemoryNetwork:
    """Names, addresses and listeners that exist only here.

    A name that is not in `hosts` and is no address resolves to 192.0.2.1 (TEST-NET-1, RFC 5737); names in
    `unknown` do not resolve. `dialled` keeps every address that was connected to, in order.
    """

    def __init__(self) -> None:
        self.hosts: dict[str, list[str]] = {"localhost": ["127.0.0.1"]}
        self.unknown: set[str] = set()
        self.redirected_from: Address | None = None
        """Where connections to a transparent proxy were going."""
        self.dialled: list[Address] = []
        self._listeners: dict[Address, _MemoryListener] = {}
        self.datagrams = DatagramField()
        self.hosts_file = HostsFile(Path(os.devnull))
        self.known_name_servers: list[Address] = []
        self._ports = count(49152)

    async def resolve(self, host: str, port: int) -> Sequence[Address]:
        if host in self.unknown:
            raise ConnectError(f"cannot resolve {host!r}: Name or service not known")
        default = [host] if is_ip(host) else ["192.0.2.1"]
        return [(ip, port) for ip in self.hosts.get(host, default)]

    async def connect(self, addresses: Sequence[Address], timeout: float = 30) -> Wire:
        for address in addresses:
            self.dialled.append(address)
            if wire := self.reach(address):
                return wire
        raise ConnectError(f"cannot connect to {addresses[0][0]}:{addresses[0][1]}: Connection refused")

    def reach(self, address: Address) -> Wire | None:
        """A connection to who listens on *address*, if anybody does; not counted in `dialled`."""
        listener = self._listeners.get(address) or self._listeners.get(("0.0.0.0", address[1]))
        if listener is None:
            return None
        near, far = pipe(("127.0.0.1", next(self._ports)), address)
        listener.accept(far)
        return near

    async def listen(self, host: str, port: int, accept: Accept) -> Listener:
        return self.serve((host or "0.0.0.0", port or next(self._ports)), accept)

    def original_destination(self, wire: Wire) -> Address:
        if not self.redirected_from:
            raise ConnectError("the connection was not redirected")
        return self.redirected_from

    async def listen_datagrams(self, host: str, port: int, answering: Answering) -> DatagramListener:
        return self.datagrams.listen(host, port, answering)

    async def connect_datagrams(self, addresses: Sequence[Address], receiver: DatagramReceiver) -> Datagrams:
        return self.datagrams.connect(addresses, receiver)

    def name_servers(self) -> Sequence[Address]:
        return self.known_name_servers

    def serve(self, address: Address, accept: Accept) -> Listener:
        """Listen on *address*. Raises OSError if somebody does already."""
        if address in self._listeners:
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
        self._listeners[address] = listener = _MemoryListener(self, address, accept)
        return listener

    def forget(self, address: Address) -> None:
        self._listeners.pop(address, None)


class _MemoryListener:
    def __init__(self, network: MemoryNetwork, address: Address, accept: Accept) -> None:
        self.addresses = [address]
        self.accept = accept
        self._network = network

    def close(self) -> None:
        self._network.forget(self.addresses[0])
