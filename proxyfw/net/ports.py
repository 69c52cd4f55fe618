"""Ports of this machine as bound sockets, for one process or shared by several.

A shared port belongs to all the sockets bound to it; the kernel gives each connection to one of them, and the
datagrams of one sender always to the same one while the group stays as it is.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import sys
from collections.abc import Sequence

_PLATFORM: str = sys.platform
_TRIES = 20
_ABSENT = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


def sharing_option(platform: str = _PLATFORM) -> int | None:
    """The socket option that shares a port evenly, or None where the system has none.

    Elsewhere than on Linux and DragonFly, SO_REUSEPORT gives all connections to one of the sockets.
    """
    if platform.startswith("freebsd"):
        return 0x00010000  # SO_REUSEPORT_LB, which Python names only lately
    if platform.startswith(("linux", "dragonfly")):
        return getattr(socket, "SO_REUSEPORT", None)
    return None


async def bind(hosts: Sequence[str], port: int, kind: int, share: int | None = None) -> list[socket.socket]:
    """Sockets of *kind* (SOCK_STREAM, SOCK_DGRAM) on every address of *hosts*, all with the same port.

    Port 0 is any free one; *share* is the option to share it by. An address of a host that this machine lacks
    is passed over if there is another. Raises OSError, and leaves nothing bound then.
    """
    loop = asyncio.get_running_loop()
    bound: list[socket.socket] = []
    absent: OSError | None = None
    try:
        for host in hosts:
            infos = await loop.getaddrinfo(host, port, type=kind, flags=socket.AI_PASSIVE)
            for family, address in dict.fromkeys((info[0], info[4]) for info in infos):
                try:
                    bound.append(_bound(family, kind, (address[0], port, *address[2:]), share))
                except OSError as e:
                    if e.errno not in _ABSENT:
                        raise
                    absent = e
                else:
                    port = bound[0].getsockname()[1]
        if absent and not bound:
            raise absent
    except BaseException:
        close(bound)
        raise
    return bound


def _bound(family: int, kind: int, address: tuple[object, ...], share: int | None) -> socket.socket:
    sock = socket.socket(family, kind)
    try:
        if kind == socket.SOCK_STREAM:  # connections that have ended do not keep us from their port
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if share is not None:
            sock.setsockopt(socket.SOL_SOCKET, share, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setblocking(False)
        sock.bind(address)
    except BaseException:
        sock.close()
        raise
    return sock


async def claim(hosts: Sequence[str], port: int, kind: int) -> int:
    """Make sure that nobody else has *port*, sharing or not; of port 0, find one free for both kinds.

    Sharing alone would not notice another program of the same user that shares it too. Raises OSError.
    """
    if port:
        close(await bind(hosts, port, kind))
        return port
    for tries_left in reversed(range(_TRIES)):
        streams = await bind(hosts, 0, socket.SOCK_STREAM)
        number: int = streams[0].getsockname()[1]
        try:
            close(await bind(hosts, number, socket.SOCK_DGRAM))
        except OSError as e:
            if e.errno != errno.EADDRINUSE or not tries_left:
                raise
        else:
            break
        finally:
            close(streams)
    return number


def close(sockets: Sequence[socket.socket]) -> None:
    """Give them all up."""
    for sock in sockets:
        sock.close()
