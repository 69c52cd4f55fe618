"""Clients and origins in memory that speak HTTP/2 by the h2 library, and TLS where that is needed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache

from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.settings import SettingCodes, Settings
from OpenSSL import SSL

from proxyfw.certs import Authority, Leaf
from proxyfw.net.contexts import LeafContexts, Terms
from proxyfw.net.tls import TlsWire
from proxyfw.net.wire import Wire
from proxyfw.testing import End, Origin, World

PATIENCE = 5.0
Fields = Sequence[tuple[bytes, bytes]]


@dataclass
class Heard:
    """What has arrived on one stream."""

    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    informational: list[list[tuple[bytes, bytes]]] = field(default_factory=list)
    body: bytes = b""
    trailers: list[tuple[bytes, bytes]] | None = None
    ended: bool = False
    reset: int | None = None
    in_one_frame: bool = False
    """The head ended the stream."""

    def __getitem__(self, name: bytes) -> bytes:
        return dict(self.headers)[name]

    def get(self, name: bytes) -> bytes | None:
        return dict(self.headers).get(name)

    @property
    def over(self) -> bool:
        return self.ended or self.reset is not None


class Talker:
    """One end of an HTTP/2 connection. Unless it is *slow*, it gives back the windows of what it gets."""

    def __init__(
        self,
        wire: Wire,
        client: bool,
        settings: dict[SettingCodes, int] | None = None,
        upgraded: bool = False,
    ) -> None:
        self.wire = wire
        self.streams: dict[int, Heard] = {}
        self.slow: set[int] = set()
        self.gone = False
        self.farewell: int | None = None
        """The code of a GOAWAY."""
        self._unread = b""
        self.carried: dict[int, StreamWire] = {}
        """Streams that carry bytes of something else."""
        self.pings = 0
        self.pongs = 0
        self.answers_pings = True
        self._changed = asyncio.Event()
        config = H2Configuration(
            client,
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
            normalize_inbound_headers=False,
        )
        self.h2 = H2Connection(config)
        if settings is not None:
            self.h2.local_settings = Settings(client, settings)
        if upgraded:
            self.h2.initiate_upgrade_connection()
        else:
            self.h2.initiate_connection()
        self.flush()
        wire.attach(self)

    def flush(self) -> None:
        if data := self.h2.data_to_send():
            self.wire.write(data)

    async def until(self, ready: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not ready():
                self._changed.clear()
                await self._changed.wait()

    # Saying something

    def head(self, stream_id: int, headers: Fields, end: bool = False) -> None:
        self.h2.send_headers(stream_id, headers, end_stream=end)
        self.flush()

    def data(self, stream_id: int, data: bytes, end: bool = False) -> None:
        """Send a small piece of a body."""
        self.h2.send_data(stream_id, data, end_stream=end)
        self.flush()

    async def body(self, stream_id: int, data: bytes, end: bool = True) -> None:
        """Send a body of any size as windows allow."""
        while data:
            await self.until(lambda: self.h2.local_flow_control_window(stream_id))
            size = min(self.h2.local_flow_control_window(stream_id), self.h2.max_outbound_frame_size)
            self.data(stream_id, data[:size], end and size >= len(data))
            data = data[size:]

    def reset(self, stream_id: int, code: int) -> None:
        self.h2.reset_stream(stream_id, code)
        self.flush()

    def heard(self, stream_id: int) -> Heard:
        return self.streams.setdefault(stream_id, Heard())

    async def whole(self, stream_id: int) -> Heard:
        """The message on this stream, when it is complete or was reset."""
        await self.until(lambda: self.heard(stream_id).over or self.gone)
        return self.heard(stream_id)

    async def broken(self, stream_id: int) -> int | None:
        """The code with which this stream was reset, once it has been."""
        await self.until(lambda: self.heard(stream_id).reset is not None or self.gone)
        return self.heard(stream_id).reset

    def take(self, stream_id: int, size: int) -> None:
        """A slow end makes up its mind and takes *size* bytes of what it has got."""
        self.h2.acknowledge_received_data(size, stream_id)
        self.flush()

    # What the wire calls

    def data_received(self, data: bytes) -> None:
        if self.gone:
            return
        self._unread += data
        while size := self._frame_size():
            frame, self._unread = self._unread[:size], self._unread[size:]
            if frame[3:4] == b"\7" and not frame.startswith(b"PRI"):
                self.farewell = int.from_bytes(frame[13:17], "big")  # of which h2 would make too much
                continue
            for event in self.h2.receive_data(frame):
                self._note(event)
        self.flush()
        self._changed.set()

    def _frame_size(self) -> int:
        """The size of the frame that `_unread` begins with, 0 if it is not complete."""
        if self._unread.startswith(b"PRI"):
            size = 24
        else:
            size = 9 + int.from_bytes(self._unread[:3], "big") if len(self._unread) >= 9 else 10**9
        return size if len(self._unread) >= size else 0

    def _note(self, event: events.Event) -> None:
        if isinstance(event, events.RequestReceived | events.ResponseReceived):
            self.heard(event.stream_id).headers = [(bytes(n), bytes(v)) for n, v in event.headers]
            self.heard(event.stream_id).in_one_frame = event.stream_ended is not None
        elif isinstance(event, events.InformationalResponseReceived):
            self.heard(event.stream_id).informational.append([(bytes(n), bytes(v)) for n, v in event.headers])
        elif isinstance(event, events.TrailersReceived):
            self.heard(event.stream_id).trailers = [(bytes(n), bytes(v)) for n, v in event.headers]
        elif isinstance(event, events.DataReceived):
            self._note_data(event)
        elif isinstance(event, events.StreamEnded):
            self.heard(event.stream_id).ended = True
            if wire := self.carried.get(event.stream_id):
                wire.deliver_eof()
        elif isinstance(event, events.StreamReset):
            self._note_reset(event.stream_id, int(event.error_code))
        elif isinstance(event, events.PingReceived):
            self.pings += 1
        elif isinstance(event, events.PingAckReceived):
            self.pongs += 1

    def _note_data(self, event: events.DataReceived) -> None:
        if wire := self.carried.get(event.stream_id):
            wire.arrived(event.data, event.flow_controlled_length)
            return
        self.heard(event.stream_id).body += event.data
        if event.stream_id not in self.slow:
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)

    def _note_reset(self, stream_id: int, code: int) -> None:
        self.heard(stream_id).reset = code
        if wire := self.carried.get(stream_id):
            wire.deliver_loss(ConnectionResetError(code))

    def eof_received(self) -> None:
        self.gone = True
        self._changed.set()

    def connection_lost(self, reason: Exception | None) -> None:
        self.gone = True
        self._changed.set()

    def writable_changed(self) -> None:
        self._changed.set()


class StreamWire(Wire):
    """One stream of *talker* as a wire. It is given windows back as it is read."""

    def __init__(self, talker: Talker, stream_id: int) -> None:
        super().__init__()
        self._talker = talker
        self._id = stream_id
        self._finished = False
        self._unread: list[bytes] | None = None
        talker.carried[stream_id] = self
        if body := talker.heard(stream_id).body:
            self.receiver.data_received(body)

    def arrived(self, data: bytes, size: int) -> None:
        if self._unread is not None:
            self._unread.append(data)
            return
        self._talker.h2.acknowledge_received_data(size, self._id)
        self.receiver.data_received(data)

    def pause(self) -> None:
        self._unread = self._unread or []

    def resume(self) -> None:
        unread, self._unread = self._unread or [], None
        for data in unread:
            self.arrived(data, len(data))
        self._talker.flush()

    @property
    def room(self) -> int:
        """Bytes that may be sent now."""
        return self._talker.h2.local_flow_control_window(self._id)

    def write(self, data: bytes) -> None:
        if self.closed or self._finished:
            return
        size = self._talker.h2.max_outbound_frame_size
        for start in range(0, len(data), size):
            self._talker.data(self._id, data[start : start + size])

    def write_eof(self) -> None:
        if not (self.closed or self._finished):
            self._finished = True
            self._talker.data(self._id, b"", True)

    def close(self) -> None:
        self.write_eof()

    def abort(self) -> None:
        self._talker.reset(self._id, ErrorCodes.CANCEL)


def get(path: bytes = b"/", method: bytes = b"GET", *fields: tuple[bytes, bytes]) -> Fields:
    """The header list of a request to example.com."""
    return [
        (b":method", method), (b":scheme", b"https"), (b":authority", b"example.com"), (b":path", path),
        *fields,
    ]  # fmt: skip


class H2Client(Talker):
    """A client. *upgraded*: stream 1 is a request that it has sent in HTTP/1.1."""

    def __init__(
        self, wire: Wire, settings: dict[SettingCodes, int] | None = None, upgraded: bool = False
    ) -> None:
        super().__init__(wire, True, settings, upgraded)

    def ask(self, headers: Fields | None = None, body: bytes = b"", end: bool = True) -> int:
        """Send a request, or so much of it; its stream."""
        stream_id = self.h2.get_next_available_stream_id()
        self.head(stream_id, headers or get(), end and not body)
        if body:
            self.data(stream_id, body, end)
        return stream_id

    async def fetch(self, headers: Fields | None = None, body: bytes = b"") -> Heard:
        """Send a small request and wait for the whole answer."""
        return await self.whole(self.ask(headers, body))


class H2Origin(Talker):
    """An origin's end of one connection."""

    def __init__(self, wire: Wire, settings: dict[SettingCodes, int] | None = None) -> None:
        self._next = 1
        super().__init__(wire, False, settings)

    async def asked(self) -> tuple[int, Heard]:
        """The next request, of which at least the head has arrived."""
        stream_id = self._next
        await self.until(lambda: self.heard(stream_id).headers or self.gone)
        self._next += 2
        return stream_id, self.heard(stream_id)

    def answer(self, stream_id: int, body: bytes = b"", *fields: tuple[bytes, bytes]) -> None:
        """Send a small complete answer with status 200."""
        self.head(stream_id, [(b":status", b"200"), *fields], not body)
        if body:
            self.data(stream_id, body, True)

    async def serve(self, answer: Callable[[Heard], bytes] = lambda heard: heard[b":path"]) -> None:
        """Answer everything at once, until the connection ends."""
        while True:
            stream_id, _ = await self.asked()
            if self.gone:
                return
            self.answer(stream_id, answer(await self.whole(stream_id)))


@cache
def _leaf() -> Leaf:
    return Authority.create("Origins in memory").issue(["example.com"])


def unclaimed(end: End) -> Wire:
    """The wire of *end*, with what has come meanwhile."""
    return end.wire.detach(end.received).wire


async def secured(end: End, *alpn: bytes) -> TlsWire:
    """TLS on an origin's end of a connection."""
    wire = TlsWire(unclaimed(end), LeafContexts(Terms()).connection(_leaf(), alpn))
    await wire.handshake(PATIENCE)
    return wire


async def h2_origin(
    origin: Origin, settings: dict[SettingCodes, int] | None = None, *, tls: bool = True
) -> H2Origin:
    """The next connection to *origin*, which speaks HTTP/2."""
    end = await origin.accept()
    return H2Origin(await secured(end, b"h2", b"http/1.1") if tls else unclaimed(end), settings)


async def h1_origin(origin: Origin, *, tls: bool = True) -> End:
    """The next connection to *origin*, which speaks HTTP/1.1."""
    end = await origin.accept()
    return End(await secured(end, b"http/1.1")) if tls else end


async def tunnel(w: World, port: int = 443) -> End:
    """A tunnel to example.com."""
    end = w.client()
    end.write(b"CONNECT example.com:%d HTTP/1.1\r\nHost: example.com:%d\r\n\r\n" % (port, port))
    assert (await end.head()).startswith(b"HTTP/1.1 200 ")
    return end


async def tls_client(w: World, *alpn: bytes, port: int = 443) -> TlsWire:
    """A client inside TLS inside a tunnel, that offers *alpn*."""
    end = await tunnel(w, port)
    ssl = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD))
    ssl.set_connect_state()
    ssl.set_tlsext_host_name(b"example.com")
    if alpn:
        ssl.set_alpn_protos(list(alpn))
    wire = TlsWire(unclaimed(end), ssl)
    await wire.handshake(PATIENCE)
    return wire


async def h2_client(w: World, settings: dict[SettingCodes, int] | None = None) -> H2Client:
    wire = await tls_client(w, b"h2", b"http/1.1")
    assert wire.ssl.get_alpn_proto_negotiated() == b"h2"
    return H2Client(wire, settings)


async def h1_client(w: World) -> End:
    return End(await tls_client(w, b"http/1.1"))
