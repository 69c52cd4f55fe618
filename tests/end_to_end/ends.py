"""Both ends of a conversation through a real proxy on real sockets, made of Python's ssl and nothing of ours.

Every layer reads and writes bytes by hand, so a test can split, cut or spoil them where it likes.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from inspect import signature
from pathlib import Path
from typing import Any, Protocol

from proxyfw import hookspecs
from proxyfw.certs import Authority, Leaf
from proxyfw.exceptions import ConnectError
from proxyfw.net.network import SocketNetwork
from proxyfw.net.wire import Address
from proxyfw.proxy import Proxy

PATIENCE = 20.0
"""Seconds after which a test that waits for what never comes fails. Never spent by one that passes."""


class Layer(Protocol):
    async def read(self) -> bytes: ...
    async def write(self, data: bytes) -> None: ...
    async def write_eof(self) -> None: ...
    def close(self) -> None: ...


class Plain:
    """TCP. What is left of it is a reset if `abort` is called."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def read(self) -> bytes:
        return await self.reader.read(1 << 18)

    async def write(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def write_eof(self) -> None:
        self.writer.write_eof()

    def close(self) -> None:
        self.writer.close()

    def abort(self) -> None:
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


class Tls:
    """TLS by Python's ssl over any layer, in either role."""

    def __init__(
        self,
        inner: Layer,
        context: ssl.SSLContext,
        server_hostname: str | None = None,
        *,
        server_side: bool = False,
        session: ssl.SSLSession | None = None,
        piece: int | None = None,
    ) -> None:
        """*piece*: the most bytes of a handshake that are written at once."""
        self.inner = inner
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.ssl = context.wrap_bio(
            self.incoming, self.outgoing, server_side, server_hostname, session=session
        )
        self.truncated = False
        """The stream ended without close_notify."""
        self._piece = piece

    async def handshake(self) -> None:
        while True:
            try:
                self.ssl.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush(self._piece)
                await self._more()
            except ssl.SSLError:
                await self._flush()
                raise
            else:
                return await self._flush(self._piece)

    async def read(self) -> bytes:
        while True:
            try:
                return self.ssl.read(1 << 18)
            except ssl.SSLWantReadError:
                await self._flush()
                await self._more()
            except ssl.SSLZeroReturnError:
                return b""
            except ssl.SSLEOFError:
                self.truncated = True
                return b""

    async def write(self, data: bytes) -> None:
        self.ssl.write(data)
        await self._flush()

    async def write_eof(self) -> None:
        """Send close_notify, and go on reading."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self.ssl.unwrap()
        await self._flush()

    def close(self) -> None:
        self.inner.close()

    async def _more(self) -> None:
        data = await self.inner.read()
        if data:
            self.incoming.write(data)
        else:
            self.incoming.write_eof()

    async def _flush(self, piece: int | None = None) -> None:
        data = self.outgoing.read()
        size = piece or len(data) or 1
        for at in range(0, len(data), size):
            await self.inner.write(data[at : at + size])


class Conversation:
    """HTTP by hand over the outermost of any number of layers."""

    def __init__(self, plain: Plain) -> None:
        self.plain = plain
        self.layer: Layer = plain
        self.received = b""

    @property
    def tls(self) -> Tls:
        assert isinstance(self.layer, Tls)
        return self.layer

    @property
    def ssl_object(self) -> ssl.SSLObject:
        return self.tls.ssl

    async def start_tls(self, context: ssl.SSLContext, server_hostname: str | None = None, **how: Any) -> Tls:
        """Add a layer of TLS. Raises ssl.SSLError."""
        layer = Tls(self.layer, context, server_hostname, **how)
        if self.received:
            layer.incoming.write(self.received)
            self.received = b""
        async with asyncio.timeout(PATIENCE):
            await layer.handshake()
        self.layer = layer
        return layer

    async def send(self, data: bytes) -> None:
        async with asyncio.timeout(PATIENCE):
            await self.layer.write(data)

    async def until(self, wanted: Callable[[bytes], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not wanted(self.received):
                data = await self.layer.read()
                if not data:
                    raise EOFError(f"the connection ended after {self.received!r}")
                self.received += data

    async def head(self) -> bytes:
        """The bytes up to the end of the next head; what follows stays."""
        await self.until(lambda received: b"\r\n\r\n" in received)
        head, separator, self.received = self.received.partition(b"\r\n\r\n")
        return head + separator

    async def exactly(self, size: int) -> bytes:
        await self.until(lambda received: len(received) >= size)
        data, self.received = self.received[:size], self.received[size:]
        return data

    async def message(self) -> bytes:
        """A head, and a body as long as its Content-Length says."""
        head = await self.head()
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                return head + await self.exactly(int(line[15:]))
        return head

    async def rest(self) -> bytes:
        """Everything up to the end of the stream."""
        async with asyncio.timeout(PATIENCE):
            while data := await self.layer.read():
                self.received += data
        data, self.received = self.received, b""
        return data

    async def connect(self, host: str, port: int, extra: bytes = b"") -> bytes:
        """Ask the proxy for a tunnel; its whole answer. *extra* goes right behind the head."""
        authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        head = f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n"
        await self.send(head.encode() + extra)
        return await self.message()

    async def get(self, path: str = "/", host: str = "example.test", headers: str = "") -> bytes:
        """The whole answer to a GET."""
        await self.send(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n".encode())
        return await self.message()

    def close(self) -> None:
        self.plain.close()


Handler = Callable[[Conversation], Awaitable[None]]


def answer(body: bytes, status: str = "200 OK", headers: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


class Origin:
    """A server on a free port: TLS if it has a context; answers every request with its first line."""

    def __init__(self, context: ssl.SSLContext | None, handler: Handler | None) -> None:
        self.context = context
        self.handler = handler
        self.port = 0
        self.connections = 0
        self.requests: list[bytes] = []
        self.resumed: list[bool] = []
        """For each handshake whether it resumed a session."""
        self.client_certificates: list[dict[str, Any] | None] = []
        self.failures: list[Exception] = []
        self._server: asyncio.Server
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, host: str = "127.0.0.1") -> None:
        self._server = await asyncio.start_server(self._accept, host, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.connections += 1
        talk = Conversation(Plain(reader, writer))
        try:
            if self.context:
                await talk.start_tls(self.context, server_side=True)
                self.resumed.append(bool(talk.ssl_object.session_reused))
                self.client_certificates.append(talk.ssl_object.getpeercert())
            await (self.handler or self._answer)(talk)
        except asyncio.CancelledError:
            pass  # the test is over; asyncio would log it as an error
        except (OSError, EOFError) as e:
            self.failures.append(e)
        finally:
            talk.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _answer(self, talk: Conversation) -> None:
        while True:
            request = await talk.message()
            self.requests.append(request)
            await talk.send(answer(request.partition(b"\r\n")[0]))


class Names(SocketNetwork):
    """Sockets of this machine, but every name leads to it, except those in `unknown`."""

    def __init__(self) -> None:
        self.unknown: set[str] = set()
        self.dialled: list[Address] = []

    async def resolve(self, host: str, port: int) -> list[Address]:
        if host in self.unknown:
            raise ConnectError(f"cannot resolve {host!r}: Name or service not known")
        if host[-1].isdigit() or ":" in host:
            return [(host, port)]
        return [("127.0.0.1", port)]

    async def connect(self, addresses: Any, timeout: float) -> Any:
        self.dialled.extend(addresses)
        return await super().connect(addresses, timeout)


class Recorder:
    """Keeps what every hook was called with, in order, and lets a test wait for it."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []
        self._changed = asyncio.Event()

    def note(self, name: str, data: Any) -> None:
        self.calls.append((name, data))
        self._changed.set()

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.calls]

    def of(self, name: str) -> list[Any]:
        return [data for called, data in self.calls if called == name]

    async def saw(self, name: str, count: int = 1) -> Any:
        """Wait until the hook *name* was called *count* times; what the last call was given."""
        async with asyncio.timeout(PATIENCE):
            while len(self.of(name)) < count:
                self._changed.clear()
                await self._changed.wait()
        return self.of(name)[count - 1]


def _recording(name: str) -> Callable[[Recorder, Any], None]:
    def hook(self: Recorder, data: Any) -> None:
        self.note(name, data)

    hook.__name__ = name
    return hook


for _name, _spec in hookspecs.HOOKS.items():
    if _name == "flow_end" or (
        hookspecs.GROUPS[_name] in ("connection", "HTTP", "TLS") and len(signature(_spec).parameters) == 1
    ):
        setattr(Recorder, _name, _recording(_name))


class Field:
    """What a test plays on: proxies, origins and clients, all gone when it ends."""

    def __init__(self, directory: Path, authority: Authority, stack: AsyncExitStack) -> None:
        self.directory = directory
        self.authority = authority
        """Signs the origins' certificates."""
        self.ca_file = directory / "origins-ca.pem"
        self.ca_file.write_bytes(authority.cert.to_pem())
        self.network = Names()
        self._stack = stack
        self._files = 0

    async def proxy(self, *addons: object, **options: Any) -> Proxy:
        """A proxy with a directory of its own that trusts the test's authority, unless *options* differ."""
        if not {"ssl_verify_upstream_trusted_ca", "ssl_verify_upstream_trusted_confdir"} & options.keys():
            options["ssl_verify_upstream_trusted_ca"] = str(self.ca_file)
        options.setdefault("confdir", str(self.directory / "confdir"))
        options.setdefault("listen_port", 0)
        proxy = Proxy(options, addons=addons, default_addons=(), network=self.network)
        return await self._stack.enter_async_context(proxy)

    def file(self, content: bytes) -> str:
        """The path of a new file."""
        self._files += 1
        path = self.directory / f"file{self._files}.pem"
        path.write_bytes(content)
        return str(path)

    def server_context(self, leaf: Leaf | None = None, *names: str) -> ssl.SSLContext:
        """How an origin does TLS; without *leaf*, with a good certificate for *names*."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        leaf = leaf or self.authority.issue(names or ("example.test", "127.0.0.1"))
        context.load_cert_chain(self.file(leaf.to_pem()))
        return context

    async def origin(
        self,
        handler: Handler | None = None,
        *,
        context: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
    ) -> Origin:
        """An HTTPS origin, by default with a good certificate."""
        return await self._start(Origin(context or self.server_context(), handler), host)

    async def plain_origin(self, handler: Handler | None = None) -> Origin:
        """An origin without TLS."""
        return await self._start(Origin(None, handler), "127.0.0.1")

    async def _start(self, origin: Origin, host: str) -> Origin:
        await origin.start(host)
        self._stack.push_async_callback(origin.stop)
        return origin

    def trust(self, proxy: Proxy, **attributes: Any) -> ssl.SSLContext:
        """What a client has that installed *proxy*'s authority and is as strict as Python can be."""
        context = ssl.create_default_context(cafile=str(proxy.ca_cert_path))
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        for name, value in attributes.items():
            setattr(context, name, value)
        return context

    def distrust(self) -> ssl.SSLContext:
        """What a client has that trusts only the origins' authority."""
        return ssl.create_default_context(cafile=str(self.ca_file))

    async def dial(self, proxy: Proxy) -> Conversation:
        """A connection to *proxy* on which nothing has been said."""
        host, port = proxy.address[:2]
        reader, writer = await asyncio.open_connection(host, port, limit=1 << 18)

        async def close() -> None:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

        self._stack.push_async_callback(close)
        return Conversation(Plain(reader, writer))

    async def tunnel(self, proxy: Proxy, port: int, host: str = "example.test") -> Conversation:
        """A connection on which CONNECT has been answered with 200."""
        talk = await self.dial(proxy)
        head = await talk.connect(host, port)
        assert head.startswith(b"HTTP/1.1 200 "), head
        return talk

    async def secure(
        self,
        proxy: Proxy,
        port: int,
        host: str = "example.test",
        context: ssl.SSLContext | None = None,
        **how: Any,
    ) -> Conversation:
        """A tunnel with TLS inside, as a browser makes it."""
        talk = await self.tunnel(proxy, port, host)
        await talk.start_tls(context or self.trust(proxy), host, **how)
        return talk

    async def unused_port(self) -> int:
        """A port on which nobody listens."""
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            port: int = sock.getsockname()[1]
            return port
