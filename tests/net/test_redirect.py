"""Reading where a redirected connection was going."""

from __future__ import annotations

import socket
import sys

import pytest

from proxyfw.exceptions import ConnectError
from proxyfw.net.network import SocketNetwork
from proxyfw.net.redirect import original_destination, read_sockaddr
from proxyfw.testing import pipe


def native(family: int) -> bytes:
    return family.to_bytes(2, sys.byteorder)


def test_ipv4() -> None:
    raw = native(socket.AF_INET) + b"\x01\xbb\xc0\x00\x02\x01" + bytes(8)
    assert read_sockaddr(raw) == ("192.0.2.1", 443)


def test_ipv6() -> None:
    raw = (
        native(socket.AF_INET6)
        + b"\x00\x50"
        + bytes(4)
        + b"\x20\x01\x0d\xb8"
        + bytes(11)
        + b"\x01"
        + bytes(4)
    )
    assert read_sockaddr(raw) == ("2001:db8::1", 80)


@pytest.mark.parametrize("raw", [b"", native(socket.AF_UNIX) + bytes(14), native(socket.AF_INET6) + bytes(6)])
def test_nonsense(raw: bytes) -> None:
    with pytest.raises(ConnectError, match="makes no sense"):
        read_sockaddr(raw)


@pytest.mark.skipif(sys.platform != "linux", reason="SO_ORIGINAL_DST is Linux")
def test_a_connection_that_nobody_redirected() -> None:
    with socket.socket() as sock, pytest.raises(ConnectError, match="was it redirected here"):
        original_destination(sock)


def test_another_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "plan9")
    with socket.socket() as sock, pytest.raises(ConnectError, match="needs Linux"):
        original_destination(sock)


async def test_only_sockets_are_redirected() -> None:
    with pytest.raises(ConnectError, match="only a connection of the machine"):
        SocketNetwork().original_destination(pipe()[0])
