"""Memory under lasting load: what grows with traffic, and what a connection that does nothing costs.

``PROXYFW_TEST_SOAK=full`` makes it last: some minutes instead of some seconds.
"""

from __future__ import annotations

import asyncio
import os
import re
import resource
import select
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import cast

import pytest

pytestmark = [
    pytest.mark.end_to_end,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc"),
]

FULL = os.environ.get("PROXYFW_TEST_SOAK") == "full"
CONNECTIONS = 50
WARM_UP, REQUESTS, STREAMS, IDLE = (20_000, 200_000, 100_000, 10_000) if FULL else (2_000, 5_000, 2_500, 300)
SPARE_FILES = 200
"""Descriptors that a process needs beside those of idle connections."""
GROWTH = 1.0
"""MiB, beyond which memory grows with traffic: the allocator's own ups and downs are below."""
PER_CONNECTION = 80.0
"""KiB, for each idle intercepted connection."""

PAGE = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1024\r\n\r\n" + b"x" * 1024
ANSWERING = """
from proxyfw import http

def request(flow):
    flow.response = http.Response.make(200, b"x" * 1024, {"Content-Type": "text/plain"})
"""


class Subject:
    """A proxy as users run it, in a process of its own."""

    def __init__(self, home: Path, *args: str) -> None:
        self.ca = home / "proxyfw-ca-cert.pem"
        command = [sys.executable, "-m", "proxyfw", "-p", "0", "--confdir", str(home), "--flow-detail", "0"]
        self._process = subprocess.Popen([*command, *args], stderr=subprocess.PIPE, text=True)
        assert self._process.stderr
        while not (found := re.search(r"listening on 127\.0\.0\.1:(\d+)", self._process.stderr.readline())):
            assert self._process.poll() is None
        self.port = int(found[1])

    @property
    def memory(self) -> float:
        """What is resident, in MiB."""
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)

    def end(self) -> None:
        self._process.terminate()
        self._process.communicate()


class Origin(asyncio.Protocol):
    """Answers each read with a page: requests are small, and one comes at a time."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._transport.write(PAGE)


class Load:
    """Requests by several connections, each with one at a time under way."""

    def __init__(self, request: bytes, count: int) -> None:
        self.request = request
        self.left = count
        self.unanswered = count
        self.done = asyncio.get_running_loop().create_future()

    def answered(self) -> None:
        self.unanswered -= 1
        if not self.unanswered:
            self.done.set_result(None)


class Client(asyncio.Protocol):
    """One connection of a `Load`."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._answer += data
        if len(self._answer) >= len(PAGE):
            assert self._answer == PAGE
            self._answer = b""
            self._load.answered()
            self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._load.done.done():
            self._load.done.set_exception(exc or ConnectionError("the proxy has closed a connection"))

    def _ask(self) -> None:
        if self._load.left:
            self._load.left -= 1
            self._transport.write(self._load.request)


@pytest.fixture
async def origin() -> AsyncIterator[int]:
    """The port of an origin."""
    server = await asyncio.get_running_loop().create_server(Origin, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "script.py").write_text(ANSWERING)
    return tmp_path


async def ask(subject: Subject, request: bytes, count: int) -> None:
    """Have *count* requests answered."""
    loop = asyncio.get_running_loop()
    load = Load(request, count)
    opened = [
        await loop.create_connection(lambda: Client(load), "127.0.0.1", subject.port)
        for _ in range(CONNECTIONS)
    ]
    await load.done
    for transport, _ in opened:
        transport.close()


def report(record: pytest.FixtureRequest, what: str, figure: float, unit: str) -> None:
    """Leave a figure in the report of the tests, and on the screen of those who want to see it."""
    print(f"{what}: {figure:.2f} {unit}")
    record.node.user_properties.append((what, f"{figure:.2f} {unit}"))


async def test_requests_leave_nothing_behind(home: Path, origin: int, request: pytest.FixtureRequest) -> None:
    host = b"127.0.0.1:%d" % origin
    get = b"GET http://%b/page HTTP/1.1\r\nHost: %b\r\nAccept: */*\r\n\r\n" % (host, host)
    subject = Subject(home)
    try:
        await ask(subject, get, WARM_UP)
        before = subject.memory
        await ask(subject, get, REQUESTS)
        growth = subject.memory - before
    finally:
        subject.end()
    report(request, f"growth by {REQUESTS} requests", growth, f"MiB, from {before:.1f}")
    assert growth < GROWTH


@pytest.fixture
def h2load() -> str:
    path = shutil.which("h2load")
    if path is None:
        pytest.skip("h2load is not installed")
    return path


def test_streams_leave_nothing_behind(home: Path, h2load: str, request: pytest.FixtureRequest) -> None:
    """All on one connection."""
    subject = Subject(home, "-m", "reverse:http://127.0.0.1:1", "-s", str(home / "script.py"))
    try:
        address = f"http://127.0.0.1:{subject.port}/"

        def run(count: int) -> str:
            command = [h2load, "-c", "1", "-m", "50", "-n", str(count), address]
            return subprocess.run(command, capture_output=True, text=True, check=True).stdout

        run(WARM_UP)
        before = subject.memory
        assert f"{STREAMS} succeeded, 0 failed" in run(STREAMS)
        growth = subject.memory - before
    finally:
        subject.end()
    report(request, f"growth by {STREAMS} streams", growth, f"MiB, from {before:.1f}")
    assert growth < GROWTH


@pytest.fixture
def room() -> Iterator[int]:
    """How many connections this process, and one that it starts, can hold open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield min(IDLE, hard - SPARE_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def intercepted(subject: Subject, context: ssl.SSLContext) -> socket.socket:
    """A connection on which one request has been answered over TLS, and that is silent from now on."""
    client = socket.create_connection(("127.0.0.1", subject.port), 60)
    client.sendall(b"CONNECT origin.invalid:443 HTTP/1.1\r\nHost: origin.invalid:443\r\n\r\n")
    assert b" 200 " in client.recv(4096)
    secure = context.wrap_socket(client, server_hostname="origin.invalid")
    secure.sendall(b"GET / HTTP/1.1\r\nHost: origin.invalid\r\n\r\n")
    received = b""
    while not received.endswith(b"\r\n\r\n" + b"x" * 1024):
        received += secure.recv(4096)
    return socket.socket(fileno=secure.detach())  # of the client, only what the kernel has is left


def closed(clients: list[socket.socket]) -> int:
    """How many of them the proxy has closed."""
    poll = select.poll()
    for client in clients:
        poll.register(client, select.POLLRDHUP)
    return len(poll.poll(0))


def test_idle_intercepted_connections_are_small(
    home: Path, room: int, request: pytest.FixtureRequest
) -> None:
    subject = Subject(home, "-s", str(home / "script.py"))
    opened: list[socket.socket] = []
    try:
        context = ssl.create_default_context(cafile=subject.ca)
        opened = [intercepted(subject, context) for _ in range(100)]
        before = subject.memory
        opened += [intercepted(subject, context) for _ in range(room - len(opened))]
        each = (subject.memory - before) * 1024 / (room - 100)
        assert not closed(opened)
    finally:
        for client in opened:
            client.close()
        subject.end()
    report(request, f"memory of each of {room} idle intercepted connections", each, "KiB")
    assert each < PER_CONNECTION
