"""Datagrams without a machine: delivered in later steps of the loop, or lost where nobody listens."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Sequence
from itertools import count

from proxyfw.exceptions import ConnectError

from .datagram import Answering, DatagramListener, DatagramReceiver
from .wire import Address


class MemoryDatagrams:
    """One socket; `proxyfw.net.datagram.Datagrams` without a network."""

    def __init__(self, field: DatagramField, sockname: Address, peername: Address | None = None) -> None:
        self.sockname = sockname
        self.peername = peername
        self.receiver: DatagramReceiver
        self._field = field

    def send(self, data: bytes, to: Address | None = None) -> None:
        target = to or self.peername
        assert target, "a socket without a peer needs to be told whom to send to"
        if self._field.open.get(self.sockname) is self:
            asyncio.get_running_loop().call_soon(self._field.deliver, bytes(data), self, target)

    def close(self) -> None:
        if self._field.open.get(self.sockname) is self:
            del self._field.open[self.sockname]


class DatagramField:
    """All sockets for datagrams of one network in memory."""

    def __init__(self) -> None:
        self.open: dict[Address, MemoryDatagrams] = {}
        self.dialled: list[Address] = []
        self._ports = count(49152)

    def listen(self, host: str, port: int, answering: Answering) -> DatagramListener:
        """Receive what is sent to *port*. Raises OSError if somebody does already."""
        made = self._bind((host or "0.0.0.0", port or next(self._ports)))
        made.receiver = answering(made)
        return DatagramListener([made])

    def connect(self, addresses: Sequence[Address], receiver: DatagramReceiver) -> MemoryDatagrams:
        """A socket with a port of its own that speaks to the first of *addresses*. Raises ConnectError."""
        if not addresses:
            raise ConnectError("cannot send to nowhere")
        self.dialled.append(addresses[0])
        made = self._bind(("127.0.0.1", next(self._ports)), addresses[0])
        made.receiver = receiver
        return made

    def deliver(self, data: bytes, source: MemoryDatagrams, target: Address) -> None:
        found = self.open.get(target) or self.open.get(("0.0.0.0", target[1]))
        if found is None:  # what a machine answers with ICMP, which only connected sockets hear of
            if source.peername:
                source.receiver.failed(ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"))
        elif found.peername in (None, source.sockname):
            found.receiver.datagram_received(data, source.sockname)

    def _bind(self, address: Address, peername: Address | None = None) -> MemoryDatagrams:
        if address in self.open:
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
        self.open[address] = made = MemoryDatagrams(self, address, peername)
        return made
