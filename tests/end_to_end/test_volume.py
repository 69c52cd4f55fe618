"""Large bodies through HTTPS interception: all arrives, memory stays flat, the slower side sets the pace."""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from ends import Conversation, Field, answer

from proxyfw.certs import Authority

pytestmark = pytest.mark.end_to_end

MEBIBYTE = 1 << 20
BLOCK = os.urandom(MEBIBYTE)
FEW, MANY = 64, 2048
"""Blocks in a body."""
STALL = 0.3
"""Seconds after which a writer that gets no further counts as held up."""


def digest_of(blocks: int) -> str:
    found = hashlib.sha256()
    for _ in range(blocks):
        found.update(BLOCK)
    return found.hexdigest()


class Sender:
    """Writes blocks; notes when the other side has stopped taking them."""

    def __init__(self) -> None:
        self.sent = 0
        self.stalled = asyncio.Event()

    async def send(self, talk: Conversation, blocks: int) -> None:
        for _ in range(blocks):
            try:
                async with asyncio.timeout(STALL):
                    await talk.layer.write(BLOCK)
            except TimeoutError:  # the block is in the buffer of the transport all the same
                self.stalled.set()
                await talk.plain.writer.drain()
            self.sent += 1


async def digest_from(talk: Conversation, blocks: int) -> str:
    """The digest of what comes, piece by piece."""
    found, left = hashlib.sha256(talk.received), blocks * MEBIBYTE - len(talk.received)
    while left:
        data = await talk.layer.read()
        assert data, f"{left} bytes are missing"
        found.update(data)
        left -= len(data)
    return found.hexdigest()


async def test_a_download_by_a_slow_reader(field: Field) -> None:
    """64 MiB: the origin is held up as long as the client does not read, and nothing is lost."""
    sender = Sender()

    async def serve(talk: Conversation) -> None:
        await talk.message()
        await talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (FEW * MEBIBYTE))
        await sender.send(talk, FEW)

    proxy = await field.proxy()
    origin = await field.origin(serve)
    talk = await field.secure(proxy, origin.port)
    talk.plain.writer.transport.pause_reading()  # type: ignore[attr-defined]
    await talk.send(b"GET /large HTTP/1.1\r\nHost: example.test\r\n\r\n")
    await asyncio.wait_for(sender.stalled.wait(), 20)
    assert sender.sent < FEW // 2
    talk.plain.writer.transport.resume_reading()  # type: ignore[attr-defined]
    assert b"200 OK" in await talk.head()
    assert await digest_from(talk, FEW) == digest_of(FEW)


async def test_an_upload_to_a_slow_origin(field: Field) -> None:
    """64 MiB: the client is held up as long as the origin does not read, and nothing is lost."""
    digests: list[str] = []
    go_on = asyncio.Event()

    async def serve(talk: Conversation) -> None:
        await talk.head()
        talk.plain.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await go_on.wait()
        talk.plain.writer.transport.resume_reading()  # type: ignore[attr-defined]
        digests.append(await digest_from(talk, FEW))
        await talk.send(answer(b"thanks"))

    proxy = await field.proxy()
    origin = await field.origin(serve)
    talk = await field.secure(proxy, origin.port)
    sender = Sender()
    await talk.send(b"POST / HTTP/1.1\r\nHost: example.test\r\nContent-Length: %d\r\n\r\n" % (FEW * MEBIBYTE))
    sending = asyncio.create_task(sender.send(talk, FEW))
    await asyncio.wait_for(sender.stalled.wait(), 20)
    assert sender.sent < FEW // 2
    go_on.set()
    await sending
    assert (await talk.message()).endswith(b"thanks")
    assert digests == [digest_of(FEW)]


# Gigabytes: the proxy in a process of its own, both ends in threads


PROXY = """
import asyncio, sys
from proxyfw.proxy import Proxy

async def main():
    confdir, ca, = sys.argv[1:]
    proxy = Proxy(listen_port=0, confdir=confdir, ssl_verify_upstream_trusted_ca=ca, default_addons=())
    async with proxy:
        print(*proxy.address, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

asyncio.run(main())
"""


class Apart:
    """A proxy in another process."""

    def __init__(self, process: subprocess.Popen[str], ca: Path) -> None:
        assert process.stdout
        host, port = process.stdout.readline().split()
        self.address = (host, int(port))
        self.process = process
        self.context = ssl.create_default_context(cafile=str(ca))

    def memory(self, what: str) -> int:
        """Bytes of memory: ``VmRSS`` now, ``VmHWM`` at most ever."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(what):
                return int(line.split()[1]) * 1024
        raise LookupError(what)

    def connect(self, port: int) -> ssl.SSLSocket:
        sock = socket.create_connection(self.address, timeout=60)
        sock.sendall(b"CONNECT localhost:%d HTTP/1.1\r\nHost: localhost\r\n\r\n" % port)
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += sock.recv(1)
        assert b" 200 " in head
        return self.context.wrap_socket(sock, server_hostname="localhost")


@pytest.fixture
def apart(tmp_path: Path, authority: Authority) -> Iterator[Apart]:
    """A proxy whose memory can be measured."""
    ca = tmp_path / "origins-ca.pem"
    ca.write_bytes(authority.cert.to_pem())
    confdir = tmp_path / "confdir"
    with subprocess.Popen(
        [sys.executable, "-c", PROXY, str(confdir), str(ca)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        yield Apart(process, confdir / "proxyfw-ca-cert.pem")
        assert process.stdin
        process.stdin.close()
        assert process.wait(20) == 0


class BlockingOrigin:
    """``GET /N`` is answered with N blocks, an upload with its digest; one connection after the other."""

    def __init__(self, directory: Path, authority: Authority) -> None:
        pem = directory / "origin.pem"
        pem.write_bytes(authority.issue(["localhost"]).to_pem())
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(pem)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        while True:
            try:
                raw, _ = self.listener.accept()
            except OSError:
                return
            with self.context.wrap_socket(raw, server_side=True) as sock:
                self._answer(sock)

    def _answer(self, sock: ssl.SSLSocket) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            data = sock.recv(1)
            if not data:
                return
            head += data
        blocks = int(head.split()[1][1:])
        if head.startswith(b"GET"):
            size = blocks * MEBIBYTE
            sock.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % size)
            for _ in range(blocks):
                sock.sendall(BLOCK)
        else:
            body = received(sock, blocks * MEBIBYTE).encode()
            sock.sendall(answer(body, headers="Connection: close\r\n"))
        sock.recv(1)

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(10)


@pytest.fixture
def blocking_origin(tmp_path: Path, authority: Authority) -> Iterator[BlockingOrigin]:
    """An HTTPS server in a thread."""
    with closing(BlockingOrigin(tmp_path, authority)) as origin:
        yield origin


def received(sock: ssl.SSLSocket, size: int, pause: float = 0) -> str:
    """The digest of the next *size* bytes; *pause* seconds after each quarter of a mebibyte."""
    buffer = bytearray(MEBIBYTE // 4)
    view, found, since = memoryview(buffer), hashlib.sha256(), 0
    while size:
        count = sock.recv_into(view[: min(size, len(view))])
        assert count, f"{size} bytes are missing"
        found.update(view[:count])
        size -= count
        since += count
        if pause and since >= len(view):
            since = 0
            time.sleep(pause)
    return found.hexdigest()


def download(proxy: Apart, port: int, blocks: int, pause: float = 0) -> str:
    with proxy.connect(port) as sock:
        sock.sendall(b"GET /%d HTTP/1.1\r\nHost: localhost\r\n\r\n" % blocks)
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += sock.recv(1)
        assert b" 200 " in head, head
        return received(sock, blocks * MEBIBYTE, pause)


def upload(proxy: Apart, port: int, blocks: int) -> str:
    with proxy.connect(port) as sock:
        size = blocks * MEBIBYTE
        sock.sendall(b"POST /%d HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % (blocks, size))
        for _ in range(blocks):
            sock.sendall(BLOCK)
        response = b""
        while len(response.partition(b"\r\n\r\n")[2]) < 64:
            data = sock.recv(4096)
            assert data, response
            response += data
        return response[-64:].decode()


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize("way", ["download", "slow download", "upload"])
def test_two_gibibytes(apart: Apart, blocking_origin: BlockingOrigin, way: str, record_property: Any) -> None:
    """Memory grows by less than 64 MiB, and the hashes are equal."""
    port = blocking_origin.port
    download(apart, port, 16)
    upload(apart, port, 16)
    before = apart.memory("VmRSS")
    started = time.monotonic()
    if way == "upload":
        digest = upload(apart, port, MANY)
    else:
        digest = download(apart, port, MANY, 0.001 if way.startswith("slow") else 0)
    seconds = time.monotonic() - started
    grown = apart.memory("VmHWM") - before
    record_property("seconds", round(seconds, 1))
    record_property("grown_mebibytes", round(grown / MEBIBYTE, 1))
    print(f"{way}: {seconds:.1f} s, {MANY / seconds:.0f} MiB/s, memory grew by {grown / MEBIBYTE:.1f} MiB")
    assert digest == digest_of(MANY)
    assert grown < 64 * MEBIBYTE
