"""The ends of connections in memory that a test plays itself: clients, origins, sockets for datagrams."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from proxyfw.net.datagram import Datagrams
from proxyfw.net.wire import Address, Wire

from .patience import patience


class End:
    """One end of a connection in a test: a raw client, or a raw origin."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.received = b""
        self.eof = False
        self.reset = False
        self._changed = asyncio.Event()
        wire.attach(self)

    def write(self, data: bytes) -> None:
        self.wire.write(data)

    def write_eof(self) -> None:
        self.wire.write_eof()

    def close(self) -> None:
        self.wire.close()

    def abort(self) -> None:
        self.wire.abort()

    async def until(self, wanted: Callable[[bytes], bool]) -> bytes:
        """Everything received and not taken yet, once *wanted* says that it is enough; it is taken then."""
        async with asyncio.timeout(patience()):
            while not wanted(self.received):
                if self.eof or self.reset:
                    raise EOFError(f"the connection ended after {self.received!r}")
                self._changed.clear()
                await self._changed.wait()
        data, self.received = self.received, b""
        return data

    async def head(self) -> bytes:
        """The bytes up to the end of the next head; what follows stays."""
        data = await self.until(lambda received: b"\r\n\r\n" in received)
        head, separator, self.received = data.partition(b"\r\n\r\n")
        return head + separator

    async def exactly(self, size: int) -> bytes:
        """The next *size* bytes."""
        data = await self.until(lambda received: len(received) >= size)
        self.received = data[size:]
        return data[:size]

    async def message(self) -> bytes:
        """A head, and a body as long as its Content-Length says."""
        head = await self.head()
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                return head + await self.exactly(int(line[15:]))
        return head

    async def rest(self) -> bytes:
        """Everything up to the end of the stream."""
        async with asyncio.timeout(patience()):
            while not (self.eof or self.reset):
                self._changed.clear()
                await self._changed.wait()
        data, self.received = self.received, b""
        return data

    def data_received(self, data: bytes) -> None:
        self.received += data
        self._changed.set()

    def eof_received(self) -> None:
        self.eof = True
        self._changed.set()

    def connection_lost(self, reason: Exception | None) -> None:
        self.reset = self.reset or reason is not None
        self.eof = True
        self._changed.set()

    def writable_changed(self) -> None:
        self._changed.set()


class Origin:
    """A server in memory whose connections a test answers by hand."""

    def __init__(self) -> None:
        self.connections: list[End] = []
        self._waiting: asyncio.Queue[End] = asyncio.Queue()

    def connected(self, wire: Wire) -> None:
        end = End(wire)
        self.connections.append(end)
        self._waiting.put_nowait(end)

    async def accept(self) -> End:
        """The next connection that the proxy makes."""
        async with asyncio.timeout(patience()):
            return await self._waiting.get()


class DatagramEnd:
    """A socket for datagrams in a test: a client's, or an origin's."""

    socket: Datagrams

    def __init__(self) -> None:
        self.refused = False
        """The other side was said not to be there."""
        self._received: asyncio.Queue[tuple[bytes, Address]] = asyncio.Queue()

    def send(self, data: bytes, to: Address | None = None) -> None:
        """Send to the peer; an origin has to say *to* whom."""
        self.socket.send(data, to)

    async def receive(self) -> tuple[bytes, Address]:
        """The next datagram, and where it came from."""
        async with asyncio.timeout(patience()):
            return await self._received.get()

    @property
    def waiting(self) -> int:
        """Datagrams that have come and that nobody has received."""
        return self._received.qsize()

    def datagram_received(self, data: bytes, source: Address) -> None:
        self._received.put_nowait((data, source))

    def failed(self, reason: Exception) -> None:
        self.refused = True
