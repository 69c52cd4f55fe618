"""Datagrams: one socket that sends and receives them, and what is told of those that arrive."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import Any, Protocol, cast

from proxyfw.connection import shown_address
from proxyfw.exceptions import ConnectError

from . import ports
from .wire import Address


class DatagramReceiver(Protocol):
    """What a socket talks to."""

    def datagram_received(self, data: bytes, source: Address) -> None: ...

    def failed(self, reason: Exception) -> None:
        """The other side cannot be reached, as far as the network says so (ICMP); later datagrams may."""


class Datagrams(Protocol):
    """A socket for datagrams. `peername` is None where it listens to anybody."""

    peername: Address | None
    sockname: Address

    def send(self, data: bytes, to: Address | None = None) -> None:
        """Send one datagram to the peer, or *to* whom. What cannot be sent is lost, as datagrams are."""

    def close(self) -> None: ...


class SocketDatagrams(asyncio.DatagramProtocol):
    """`Datagrams` over an asyncio transport."""

    transport: asyncio.DatagramTransport
    peername: Address | None = None
    sockname: Address

    def __init__(self, receiver: DatagramReceiver) -> None:
        self._receiver = receiver
        self._full = False
        """The system does not take what was sent as fast as it was: more is dropped, as on any full line."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)
        peername = transport.get_extra_info("peername")
        self.peername = peername and peername[:2]
        self.sockname = transport.get_extra_info("sockname")[:2]

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        self._receiver.datagram_received(data, addr[:2])

    def error_received(self, exc: Exception) -> None:
        self._receiver.failed(exc)

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False

    def send(self, data: bytes, to: Address | None = None) -> None:
        if not self._full and not self.transport.is_closing():
            self.transport.sendto(data, to)

    def close(self) -> None:
        self.transport.close()


class DatagramListener:
    """A port on all addresses of a host; each datagram is received with the socket that answers it."""

    def __init__(self, sockets: Sequence[Datagrams]) -> None:
        self._sockets = sockets
        self.addresses = [one.sockname for one in sockets]

    def close(self) -> None:
        """Receive no more, and send no more from this port."""
        for one in self._sockets:
            one.close()


Answering = Callable[[Datagrams], DatagramReceiver]
"""Makes the receiver of a socket that is told which socket that is."""


class _Late:
    """Stands for a receiver that needs its socket to be made."""

    receiver: DatagramReceiver

    def datagram_received(self, data: bytes, source: Address) -> None:
        self.receiver.datagram_received(data, source)

    def failed(self, reason: Exception) -> None:
        self.receiver.failed(reason)


async def listen(sockets: Sequence[socket.socket], answering: Answering) -> DatagramListener:
    """Receive what comes to bound *sockets*, which are given up with the listener. Raises OSError."""
    opened: list[Datagrams] = []
    try:
        for sock in sockets:
            opened.append(await _open(sock, answering))
    except BaseException:
        for one in opened:
            one.close()
        ports.close(sockets[len(opened) :])
        raise
    return DatagramListener(opened)


async def connect(addresses: Sequence[Address], receiver: DatagramReceiver) -> Datagrams:
    """A socket that speaks to the first of *addresses* there is a way to. Raises ConnectError."""
    loop = asyncio.get_running_loop()
    reason: OSError | None = None
    for address in addresses:
        try:
            _, made = await loop.create_datagram_endpoint(
                lambda: SocketDatagrams(receiver), remote_addr=address
            )
        except OSError as e:
            reason = reason or e
        else:
            return made
    where = shown_address(addresses[0])
    raise ConnectError(f"cannot send to {where}: {(reason and reason.strerror) or reason}")


async def _open(sock: socket.socket, answering: Answering) -> Datagrams:
    late = _Late()
    _, made = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: SocketDatagrams(late), sock=sock
    )
    late.receiver = answering(made)
    return made
