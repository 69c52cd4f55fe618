"""A client that checks every byte, as generators that yield where they wait (`talks`)."""

from __future__ import annotations

import base64
import re
import select
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

from frames import frame, read_frame
from origin import body
from talks import TIMEOUT, Talk

_LENGTH = re.compile(rb"\r\nContent-Length: *(\d+)", re.IGNORECASE)


def trusting(ca: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(ca))


def connect(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setblocking(False)
    return connection


def secured(connection: socket.socket, trust: ssl.SSLContext) -> Talk[ssl.SSLSocket]:
    """TLS to ``localhost``, whose certificate *trust* has to accept."""
    tls = trust.wrap_socket(connection, server_hostname="localhost", do_handshake_on_connect=False)
    while True:
        try:
            tls.do_handshake()
            return tls
        except ssl.SSLWantReadError:
            yield tls, select.EPOLLIN


def tunnel(proxy: int, port: int, trust: ssl.SSLContext) -> Talk[ssl.SSLSocket]:
    """CONNECT through the proxy at port *proxy* to *port*, and TLS in it."""
    connection = connect(proxy)
    target = f"localhost:{port}"
    yield from send(connection, f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
    head = yield from _head(connection)
    if b" 200 " not in head[:16]:
        raise ValueError(f"CONNECT was answered {head[:40]!r}")
    return (yield from secured(connection, trust))


def send(connection: socket.socket, data: bytes) -> Talk[None]:
    while data:
        try:
            data = data[connection.send(data) :]
        except (BlockingIOError, ssl.SSLWantWriteError):
            yield connection, select.EPOLLOUT


def receive(connection: socket.socket) -> Talk[bytes]:
    while True:
        try:
            data = connection.recv(65536)
        except (BlockingIOError, ssl.SSLWantReadError):
            yield connection, select.EPOLLIN
        else:
            if not data:
                raise EOFError("the proxy closed the connection")
            return data


def _head(connection: socket.socket) -> Talk[bytes]:
    data = yield from receive(connection)
    while b"\r\n\r\n" not in data:
        data += yield from receive(connection)
    return data


def get(connection: socket.socket, url: str) -> Talk[None]:
    """Ask for *url*, on a connection that is kept. Raises ValueError unless the answer is the right one."""
    expected = body(url.rpartition("/")[2])
    host = url.split("/")[2] if "://" in url else "localhost"
    request = f"GET {url} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n"
    yield from send(connection, request.encode())
    data = yield from _head(connection)
    length = _LENGTH.search(data)
    if b" 200 " not in data[:16] or not length or int(length[1]) != len(expected):
        raise ValueError(f"{url} was answered {data[:60]!r}")
    size = data.index(b"\r\n\r\n") + 4 + len(expected)
    while len(data) < size:
        data += yield from receive(connection)
    if not data.endswith(expected):
        raise ValueError(f"{url} has another body")


def websocket(proxy: int, port: int, trust: ssl.SSLContext, size: int) -> Talk[Callable[[], Talk[None]]]:
    """Open a WebSocket; what is returned sends one message of *size* bytes and waits for it to come back."""
    connection = yield from tunnel(proxy, port, trust)
    key = base64.b64encode(bytes(16)).decode()
    upgrade = f"GET /echo HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    request = f"{upgrade}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
    yield from send(connection, request.encode())
    head = yield from _head(connection)
    if b" 101 " not in head[:16]:
        raise ValueError(f"the upgrade was answered {head[:40]!r}")
    payload = body("1m")[:size]
    message = frame(payload, b"mask")

    def echo() -> Talk[None]:
        yield from send(connection, message)
        data = bytearray((yield from receive(connection)))
        while not (found := read_frame(data)):
            data += yield from receive(connection)
        if found[1] != payload:
            raise ValueError("another message came back")

    return echo
