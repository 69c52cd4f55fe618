"""An origin on the loopback interface that keeps what arrives, as it arrives."""

from __future__ import annotations

import queue
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

Field = tuple[bytes, bytes]


@dataclass
class Arrived:
    """A request, as an origin has read it."""

    method: bytes
    target: bytes
    fields: list[Field] = field(default_factory=list)
    body: bytes = b""

    def get(self, name: bytes) -> bytes | None:
        """The first value of a field."""
        return next((value for key, value in self.fields if key.lower() == name.lower()), None)


_ANSWER = b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class _Handler(socketserver.StreamRequestHandler):
    timeout = 20

    def handle(self) -> None:
        method, target, _ = self.rfile.readline().rstrip(b"\r\n").split(b" ")
        arrived = Arrived(method, target)
        while line := self.rfile.readline().rstrip(b"\r\n"):
            name, _, value = line.partition(b":")
            arrived.fields.append((name, value.strip()))
        if arrived.get(b"expect"):
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if arrived.get(b"transfer-encoding"):
            while size := int(self.rfile.readline(), 16):
                arrived.body += self.rfile.read(size)
                self.rfile.readline()
        else:
            arrived.body = self.rfile.read(int(arrived.get(b"content-length") or 0))
        self.server.arrived.put(arrived)  # type: ignore[attr-defined]
        self.wfile.write(_ANSWER)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True


class Origin:
    """Where it listens, and what has arrived."""

    def __init__(self, server: _Server) -> None:
        self._queue: queue.Queue[Arrived] = queue.Queue()
        server.arrived = self._queue  # type: ignore[attr-defined]
        self.port: int = server.server_address[1]

    def next(self) -> Arrived:
        """The next request that has arrived."""
        return self._queue.get(timeout=10)

    @property
    def empty(self) -> bool:
        """Whether no other has arrived."""
        return self._queue.empty()


@contextmanager
def origin() -> Iterator[Origin]:
    """An origin, while the block runs."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield Origin(server)
        finally:
            server.shutdown()
            thread.join()
