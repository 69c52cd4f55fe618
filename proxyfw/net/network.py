"""Where connections come from: names are resolved, addresses dialled, ports listened on.

`SocketNetwork` is the machine's; `proxyfw.net.memory.MemoryNetwork` is the same without one.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import socket
from collections.abc import Callable, Sequence
from typing import Protocol

import aiohappyeyeballs

from proxyfw.connection import shown_address
from proxyfw.exceptions import ConnectError

from . import datagram, ports
from .datagram import Answering, DatagramListener, DatagramReceiver, Datagrams
from .hosts_file import HostsFile
from .redirect import original_destination
from .wire import Address, SocketWire, Wire

Accept = Callable[[Wire], None]
_FIRST_FAMILY_HEAD_START = 0.25
"""Seconds an address gets before the next one is tried beside it. RFC 8305 section 5."""
BACKLOG = 1024


class Listener(Protocol):
    """A port that is listened on."""

    @property
    def addresses(self) -> Sequence[Address]: ...

    def close(self) -> None:
        """Accept no more; connections that exist live on."""


class Network(Protocol):
    """What the core asks of a network."""

    hosts_file: HostsFile
    """The names this machine knows by itself."""

    async def resolve(self, host: str, port: int) -> Sequence[Address]:
        """All addresses of *host*. Raises ConnectError."""

    async def connect(self, addresses: Sequence[Address], timeout: float) -> Wire:
        """The first of *addresses* that answers. Raises ConnectError."""

    async def listen(self, host: str, port: int, accept: Accept) -> Listener:
        """Call *accept* with each connection to *port* (0: any free one). Raises OSError."""

    async def listen_datagrams(self, host: str, port: int, answering: Answering) -> DatagramListener:
        """Receive datagrams for *port* (0: any free one). Raises OSError."""

    async def connect_datagrams(self, addresses: Sequence[Address], receiver: DatagramReceiver) -> Datagrams:
        """A socket that speaks to the first of *addresses* that can be. Raises ConnectError."""

    def name_servers(self) -> Sequence[Address]:
        """Whom this machine asks for names."""

    def original_destination(self, wire: Wire) -> Address:
        """Where *wire* was going before it was redirected here. Raises ConnectError."""


class SocketNetwork:
    """TCP and UDP as the operating system has them."""

    hosts_file = HostsFile()

    async def resolve(self, host: str, port: int) -> Sequence[Address]:
        if is_ip(host):
            return [(host, port)]
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as e:
            raise ConnectError(f"cannot resolve {host!r}: {_reason(e)}") from e
        return list(dict.fromkeys((str(info[4][0]), port) for info in found))

    async def connect(self, addresses: Sequence[Address], timeout: float) -> Wire:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout):
                sock = await aiohappyeyeballs.start_connection(
                    [_address_info(a) for a in addresses],
                    happy_eyeballs_delay=_FIRST_FAMILY_HEAD_START,
                    interleave=1,
                )
                _, wire = await loop.create_connection(SocketWire, sock=sock)
        except TimeoutError as e:
            raise ConnectError(f"no answer from {_names(addresses)} within {timeout:g} s") from e
        except OSError as e:
            raise ConnectError(f"cannot connect to {_names(addresses)}: {_reason(e)}") from e
        return wire

    async def listen(self, host: str, port: int, accept: Accept) -> Listener:
        loop = asyncio.get_running_loop()
        sockets = await self._bind(_hosts(host), port, socket.SOCK_STREAM)
        servers: list[asyncio.Server] = []
        try:
            for sock in sockets:
                found = await loop.create_server(lambda: SocketWire(accept), sock=sock, backlog=BACKLOG)
                servers.append(found)
        except BaseException:
            for server in servers:
                server.close()
            ports.close(sockets)
            raise
        return _SocketListener(servers)

    async def listen_datagrams(self, host: str, port: int, answering: Answering) -> DatagramListener:
        return await datagram.listen(await self._bind(_hosts(host), port, socket.SOCK_DGRAM), answering)

    async def _bind(self, hosts: Sequence[str], port: int, kind: int) -> list[socket.socket]:
        return await ports.bind(hosts, port, kind)

    async def connect_datagrams(self, addresses: Sequence[Address], receiver: DatagramReceiver) -> Datagrams:
        return await datagram.connect(addresses, receiver)

    def name_servers(self) -> Sequence[Address]:
        import dns.resolver  # not light, and most proxies never speak DNS

        try:
            found = dns.resolver.get_default_resolver().nameservers
        except dns.resolver.NoResolverConfiguration:
            return []
        return [(host, 53) for host in found if isinstance(host, str) and is_ip(host)]

    def original_destination(self, wire: Wire) -> Address:
        if not isinstance(wire, SocketWire):
            raise ConnectError("only a connection of the machine can have been redirected")
        return original_destination(wire.transport.get_extra_info("socket"))


class _SocketListener:
    def __init__(self, servers: list[asyncio.Server]) -> None:
        self._servers = servers
        self.addresses: list[Address] = [tuple(s.getsockname()[:2]) for one in servers for s in one.sockets]

    def close(self) -> None:
        for server in self._servers:
            server.close()


def _hosts(host: str) -> list[str]:
    """What to listen on: *host*, or if that is empty whatever reaches all the addresses of this machine."""
    if host:
        return [host]
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return ["0.0.0.0"]
    return ["0.0.0.0", "::"]


def is_ip(host: str) -> bool:
    """Whether *host* is an IPv4 or IPv6 address rather than a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_local(host: str) -> bool:
    """Whether the IP address *host* is one of this machine's: whether one can listen there."""
    if host.startswith("127.") or host in ("::1", "0.0.0.0", "::"):
        return True
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((host, 0))
    except OSError:
        return False
    return True


def _address_info(address: Address) -> aiohappyeyeballs.AddrInfoType:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    return (family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", address)


def _names(addresses: Sequence[Address]) -> str:
    return ", ".join(map(shown_address, addresses))


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno and error.errno > 0:
        return os.strerror(error.errno)
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
