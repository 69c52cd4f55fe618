"""Where a connection was going before the kernel redirected it here: Linux, IPv4 and IPv6."""

from __future__ import annotations

import ipaddress
import os
import socket
import struct
import sys

from proxyfw.exceptions import ConnectError

from .wire import Address

_SO_ORIGINAL_DST = 80
"""The same number for IPv4 (linux/netfilter_ipv4.h) and IPv6 (linux/netfilter_ipv6/ip6_tables.h)."""
_SOCKADDR_IN, _SOCKADDR_IN6 = 16, 28


def original_destination(sock: socket.socket) -> Address:
    """The address that the client of *sock* dialled. Raises ConnectError if nobody has redirected it."""
    if sys.platform != "linux":
        raise ConnectError("mode transparent needs Linux")
    try:
        if _is_ipv6(sock):
            return read_sockaddr(sock.getsockopt(socket.IPPROTO_IPV6, _SO_ORIGINAL_DST, _SOCKADDR_IN6))
        return read_sockaddr(sock.getsockopt(socket.IPPROTO_IP, _SO_ORIGINAL_DST, _SOCKADDR_IN))
    except OSError as e:
        reason = os.strerror(e.errno) if e.errno else str(e)
        raise ConnectError(
            f"the kernel does not say where this connection was going ({reason}): was it redirected here,"
            " by nft or iptables, with REDIRECT on this machine?"
        ) from e


def read_sockaddr(raw: bytes) -> Address:
    """Host and port of a ``struct sockaddr_in`` or ``sockaddr_in6``. Raises ConnectError if it is neither."""
    family = int.from_bytes(raw[:2], sys.byteorder)
    if family == socket.AF_INET and len(raw) >= 8:
        (port,) = struct.unpack_from("!H", raw, 2)
        return str(ipaddress.IPv4Address(raw[4:8])), port
    if family == socket.AF_INET6 and len(raw) >= 24:
        (port,) = struct.unpack_from("!H", raw, 2)
        return str(ipaddress.IPv6Address(raw[8:24])), port
    raise ConnectError(f"the kernel's answer about a redirected connection makes no sense: {raw.hex()}")


def _is_ipv6(sock: socket.socket) -> bool:
    """Not for IPv4 that comes to an IPv6 socket: that is IPv4 to the kernel's table."""
    return sock.family == socket.AF_INET6 and not sock.getpeername()[0].startswith("::ffff:")
