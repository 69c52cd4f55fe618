"""A TLS server that sends WebSocket messages back and swallows uploads: in threads, as clients are few."""

from __future__ import annotations

import base64
import hashlib
import socket
import ssl
import threading
from pathlib import Path

from frames import CLOSE, frame, read_frame

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Echo:
    """Serves on a free port while its ``with`` block runs."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._tls.load_cert_chain(certificate, key)
        self._tls.set_alpn_protocols(["http/1.1"])
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Echo:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._tls.wrap_socket(client, server_side=True) as secured:
                _answer(secured)
        except OSError:
            client.close()  # the proxy has left, or was ended


def _answer(client: ssl.SSLSocket) -> None:
    """Read one request; echo if it asks for WebSocket, else say how long its body was."""
    data = bytearray()
    while b"\r\n\r\n" not in data:
        if not (piece := client.recv(65536)):
            return
        data += piece
    head, _, rest = bytes(data).partition(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    if b"upgrade" in fields:
        key = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key"))
        accept = base64.b64encode(hashlib.sha1(key.partition(b": ")[2] + _GUID).digest())
        upgraded = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        client.sendall(upgraded + b"Sec-WebSocket-Accept: %b\r\n\r\n" % accept)
        _echo(client, bytearray(rest))
    else:
        size = str(_swallow(client, int(fields[b"content-length"]), len(rest)))
        client.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(size)}\r\n\r\n{size}".encode())


def _echo(client: ssl.SSLSocket, data: bytearray) -> None:
    while True:
        while found := read_frame(data):
            opcode, payload, size = found
            del data[:size]
            client.sendall(frame(payload, opcode=opcode))
            if opcode == CLOSE:
                return
        if not (piece := client.recv(65536 * 2)):
            return
        data += piece


def _swallow(client: ssl.SSLSocket, length: int, received: int) -> int:
    place = memoryview(bytearray(1 << 18))
    while received < length:
        if not (size := client.recv_into(place)):
            break
        received += size
    return received
