"""A wire is one duplex byte stream. A socket is one, TLS over a wire is one, a pipe in memory is one.

What is above a wire is its `Receiver`: it is pushed bytes as they come and told when it may write.
A wire always has one; until somebody claims the bytes it is a `Lobby`, which keeps them.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Callable
from typing import Any, Protocol, cast

Address = tuple[str, int]

HIGH_WATER = 256 * 1024
"""Bytes waiting to be sent above which a wire says that it is not writable."""
LOBBY_LIMIT = 64 * 1024
READING_PATIENCE = 60.0
"""Seconds in which a far side has to read something of what waits for it after a close."""


class Receiver(Protocol):
    """What a wire talks to."""

    def data_received(self, data: bytes) -> None: ...

    def eof_received(self) -> None:
        """The far side will send no more; it may still read."""

    def connection_lost(self, reason: Exception | None) -> None:
        """Nothing can be sent or received any more. Called once, last."""

    def writable_changed(self) -> None:
        """`Wire.writable` is another than before."""


class Wire:
    """One duplex byte stream, as every layer of a connection shows itself to the one above it."""

    __slots__ = ("closed", "eof", "failure", "peername", "receiver", "sockname", "truncated", "writable")

    def __init__(self, peername: Address | None = None, sockname: Address | None = None) -> None:
        self.peername = peername
        self.sockname = sockname
        self.receiver: Receiver = Lobby(self)
        self.writable = True
        self.eof = False
        self.truncated = False
        """TLS only: the stream ended without close_notify. RFC 8446 section 6.1."""
        self.closed = False
        self.failure: Exception | None = None

    def write(self, data: bytes) -> None:
        """Send *data*; it is queued without bound, so wait for `writable` between large pieces."""
        raise NotImplementedError

    def write_eof(self) -> None:
        """Say that no more will be sent, and go on receiving."""
        raise NotImplementedError

    def pause(self) -> None:
        """Stop handing out bytes, and so in the end stop the far side."""
        raise NotImplementedError

    def resume(self) -> None:
        raise NotImplementedError

    def close(self) -> None:
        """Send what is queued, then close."""
        raise NotImplementedError

    def abort(self) -> None:
        """Close at once; the far side sees that something broke (a TCP reset)."""
        raise NotImplementedError

    def cut(self) -> None:
        """Close in the middle of a message, so that its reader can tell; what was sent arrives if it can."""
        self.abort()

    def attach(self, receiver: Receiver) -> None:
        """Make *receiver* the one that gets the bytes, beginning with those nobody has claimed yet."""
        before, self.receiver = self.receiver, receiver
        if isinstance(before, Lobby):
            before.hand_over(receiver)

    def detach(self, unread: bytes = b"") -> Lobby:
        """Take the bytes away from the present receiver; *unread* is what it got and did not use."""
        lobby = Lobby(self)
        self.receiver = lobby
        if unread:
            lobby.data_received(unread)
        self.resume()
        return lobby

    def deliver_eof(self) -> None:
        self.eof = True
        self.receiver.eof_received()

    def deliver_loss(self, reason: Exception | None) -> None:
        if not self.closed:
            self.closed = True
            self.writable = False
            self.failure = reason
            self.receiver.connection_lost(reason)


class Lobby:
    """Keeps what arrives until it is known who should get it, and lets that be waited for."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.data = b""
        self._changed: asyncio.Future[None] | None = None

    async def more(self) -> bool:
        """Wait until there is more in `data`; False if nothing will ever be added."""
        if self.wire.eof or self.wire.closed:
            return False
        before = len(self.data)
        self._changed = asyncio.get_running_loop().create_future()
        try:
            await self._changed
        finally:
            self._changed = None
        return len(self.data) > before or await self.more()

    def take(self) -> bytes:
        """All that has come and that nobody has taken; more may come."""
        data, self.data = self.data, b""
        if data:
            self.wire.resume()
        return data

    def put_back(self, data: bytes) -> None:
        """What was taken and turned out to be for somebody else; it comes first."""
        self.data = data + self.data

    def hand_over(self, receiver: Receiver) -> None:
        if self.data:
            data, self.data = self.data, b""
            self.wire.resume()
            receiver.data_received(data)
        if self.wire.eof:
            receiver.eof_received()
        if self.wire.closed:
            receiver.connection_lost(self.wire.failure)

    def data_received(self, data: bytes) -> None:
        self.data += data
        if len(self.data) >= LOBBY_LIMIT:
            self.wire.pause()
        self._wake()

    def eof_received(self) -> None:
        self._wake()

    def connection_lost(self, reason: Exception | None) -> None:
        self._wake()

    def writable_changed(self) -> None:
        pass

    def _wake(self) -> None:
        if self._changed and not self._changed.done():
            self._changed.set_result(None)


class _ReadBuffer(threading.local):
    """What all connections of one thread read into."""

    def __init__(self) -> None:
        self.view = memoryview(bytearray(256 * 1024))


_reading = _ReadBuffer()
_NO_LINGER = struct.pack("ii", 1, 0)
"""Makes close() send a reset, so that a cut body cannot be taken for a complete one."""


class SocketWire(Wire, asyncio.BufferedProtocol):
    """A wire over an asyncio transport.

    All connections of a loop read into the same buffer: it fills it and hands it over in one step, so nobody
    else can be writing there, and an idle connection costs no buffer.
    """

    __slots__ = ("_view", "connected", "transport")

    transport: asyncio.Transport

    def __init__(self, connected: Callable[[SocketWire], None] | None = None) -> None:
        super().__init__()
        self.connected = connected
        self._view = _reading.view

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(high=HIGH_WATER)
        self.peername = _address(transport.get_extra_info("peername"))
        self.sockname = _address(transport.get_extra_info("sockname"))
        if self.connected:
            self.connected(self)
            self.connected = None

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._view

    def buffer_updated(self, nbytes: int) -> None:
        self.receiver.data_received(bytes(self._view[:nbytes]))

    def eof_received(self) -> bool:
        self.deliver_eof()
        return True  # keep the other direction open

    def connection_lost(self, exc: Exception | None) -> None:
        self.deliver_loss(exc)

    def pause_writing(self) -> None:
        self.writable = False
        self.receiver.writable_changed()

    def resume_writing(self) -> None:
        self.writable = True
        self.receiver.writable_changed()

    def write(self, data: bytes) -> None:
        self.transport.write(data)

    def write_eof(self) -> None:
        if self.transport.is_closing():  # uvloop would make an orderly end of an abort
            return
        try:
            self.transport.write_eof()
        except (OSError, RuntimeError):
            pass  # the far side has reset the connection, or we have closed it: connection_lost says so

    def pause(self) -> None:
        self.transport.pause_reading()

    def resume(self) -> None:
        self.transport.resume_reading()

    def close(self) -> None:
        self.transport.close()
        if unread := self.transport.get_write_buffer_size():
            self._await_reader(unread)

    def _await_reader(self, unread: int) -> None:
        asyncio.get_running_loop().call_later(READING_PATIENCE, self._check_reader, unread)

    def _check_reader(self, unread: int) -> None:
        """Give up who has not read any of the *unread* bytes: the socket would stay for ever."""
        if self.closed:
            return
        left = self.transport.get_write_buffer_size()
        if left < unread:
            self._await_reader(left)
        else:
            self.abort()

    def abort(self) -> None:
        if self.closed:
            return
        if sock := self.transport.get_extra_info("socket"):
            try:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            except OSError:
                pass  # closed already
        self.transport.abort()


def _address(raw: Any) -> Address | None:
    return (raw[0], raw[1]) if isinstance(raw, tuple) and len(raw) >= 2 else None
