"""Proxies that run one example, and the exchanges that tests have with them, in memory."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from proxyfw.testing import End, World, world

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.py"))


@asynccontextmanager
async def running(name: str, **options: Any) -> AsyncIterator[World]:
    """A proxy that runs the example *name*."""
    async with world(scripts=[str(EXAMPLES / f"{name}.py")], **options) as w:
        yield w


def module_of(w: World, name: str) -> ModuleType:
    """The example as the proxy has loaded it."""
    module = w.proxy.addons.get(f"{name}.py")
    assert isinstance(module, ModuleType)
    return module


def request(url: str, *fields: str, method: str = "GET", body: bytes = b"") -> bytes:
    host = url.split("/")[2]
    head = [f"{method} {url} HTTP/1.1", f"Host: {host}", f"Content-Length: {len(body)}", *fields, "", ""]
    return "\r\n".join(head).encode() + body


def response(body: bytes, *fields: str) -> bytes:
    head = ["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *fields, "", ""]
    return "\r\n".join(head).encode() + body


async def ask(w: World, *args: Any, **kwargs: Any) -> bytes:
    """The answer to one request on a connection of its own."""
    client = w.client()
    client.write(request(*args, **kwargs))
    return await client.message()


async def exchange(w: World, sent: bytes, answer: bytes, origin: str = "example.com") -> tuple[bytes, bytes]:
    """What the origin received, and what the client did."""
    server = w.origin(origin)
    client = w.client()
    client.write(sent)
    connection = await server.accept()
    received = await connection.message()
    connection.write(answer)
    return received, await client.message()


async def hello_to(w: World, host: str) -> tuple[End, bytes]:
    """A client inside a tunnel to *host* that has sent its ClientHello; and that hello."""
    client = w.client()
    client.write(f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n".encode())
    assert (await client.head()).startswith(b"HTTP/1.1 200 ")
    out = ssl.MemoryBIO()
    talk = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), out, server_hostname=host)
    with pytest.raises(ssl.SSLWantReadError):
        talk.do_handshake()
    hello = out.read()
    client.write(hello)
    return client, hello
