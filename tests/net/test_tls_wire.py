"""TLS over a pipe in memory: what the wire above sees of records, ends and faults."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from proxyfw.certs import Authority
from proxyfw.exceptions import TlsError
from proxyfw.net.contexts import LeafContexts, OriginContexts, Terms, Trust
from proxyfw.net.memory import MemoryWire, pipe
from proxyfw.net.tls import TlsWire
from proxyfw.net.wire import HIGH_WATER
from proxyfw.testing import End

AUTHORITY = Authority.create("wire tests")
LEAF = AUTHORITY.issue(["example.test"])


class PythonEnd:
    """A TLS client by Python's ssl at one end of a pipe."""

    def __init__(self, wire: MemoryWire, context: ssl.SSLContext | None = None) -> None:
        if context is None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.load_verify_locations(cadata=AUTHORITY.cert.to_pem().decode())
        self.end = End(wire)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.ssl = context.wrap_bio(self.incoming, self.outgoing, server_hostname="example.test")

    async def handshake(self) -> None:
        while True:
            try:
                self.ssl.do_handshake()
            except ssl.SSLWantReadError:
                self.flush()
                self.incoming.write(await self.end.until(bool))
            else:
                return self.flush()

    def flush(self) -> None:
        self.end.write(self.outgoing.read())

    def write(self, data: bytes) -> None:
        self.ssl.write(data)
        self.flush()

    async def read(self) -> bytes:
        while True:
            try:
                return self.ssl.read(1 << 20)
            except ssl.SSLWantReadError:
                self.incoming.write(await self.end.until(bool))
            except ssl.SSLZeroReturnError:
                return b""

    def close_notify(self) -> None:
        with pytest.raises(ssl.SSLWantReadError):
            self.ssl.unwrap()
        self.flush()


def server_side(wire: MemoryWire, terms: Terms = Terms()) -> TlsWire:  # noqa: B008 - frozen
    return TlsWire(wire, LeafContexts(terms).connection(LEAF, [b"http/1.1"]))


async def joined() -> tuple[PythonEnd, TlsWire, End]:
    """A client, the wire it is connected to, and what receives from that wire."""
    near, far = pipe()
    client, wire = PythonEnd(near), server_side(far)
    await asyncio.gather(client.handshake(), wire.handshake(5))
    return client, wire, End(wire)


async def test_bytes_go_both_ways() -> None:
    client, _, server = await joined()
    client.write(b"question")
    assert await server.exactly(8) == b"question"
    server.write(b"answer")
    assert await client.read() == b"answer"


async def test_early_bytes_are_kept_for_whoever_comes() -> None:
    """What arrives with the end of the handshake is there when somebody listens."""
    near, far = pipe()
    client, wire = PythonEnd(near), server_side(far)
    done = asyncio.create_task(wire.handshake(5))
    await client.handshake()
    client.write(b"at once")
    await done
    assert await End(wire).exactly(7) == b"at once"


async def test_large_writes_are_whole() -> None:
    client, _, server = await joined()
    data = bytes(range(256)) * 8192
    server.write(data)
    received = b""
    while len(received) < len(data):
        received += await client.read()
    assert received == data


async def test_close_notify_is_an_end_and_a_plain_end_is_a_truncation() -> None:
    """5.3.70."""
    client, wire, server = await joined()
    client.close_notify()
    await server.rest()
    assert server.eof
    assert not wire.truncated
    client, wire, server = await joined()
    client.end.write_eof()
    await server.rest()
    assert wire.truncated


async def test_a_half_closed_wire_still_writes() -> None:
    client, wire, server = await joined()
    client.close_notify()
    await server.rest()
    wire.write(b"the rest")
    assert await client.read() == b"the rest"


async def test_closing_says_goodbye_once() -> None:
    client, wire, _ = await joined()
    wire.write(b"last")
    wire.close()
    wire.close()
    assert await client.read() == b"last"
    assert await client.read() == b""


async def test_writing_to_a_closed_wire_harms_nobody() -> None:
    _, wire, server = await joined()
    wire.close()
    await server.rest()
    wire.write(b"too late")
    wire.write_eof()
    wire.abort()


async def test_data_before_a_fault_arrives_before_the_fault() -> None:
    """A good record and a bad one in the same segment."""
    client, wire, server = await joined()
    client.ssl.write(b"good")
    client.end.write(client.outgoing.read() + b"\x17\x03\x03\x00\x20" + bytes(32))
    assert await server.exactly(4) == b"good"
    await server.rest()
    assert isinstance(wire.failure, TlsError)


async def test_an_abort_is_a_loss_not_an_end() -> None:
    client, wire, server = await joined()
    client.end.abort()
    await server.rest()
    assert server.reset
    assert isinstance(wire.failure, ConnectionResetError)


@pytest.mark.parametrize("cut", [True, False])
async def test_a_handshake_that_fails_says_why(cut: bool) -> None:
    near, far = pipe()
    wire = server_side(far)
    end = End(near)
    if cut:
        end.close()
    else:
        end.write(b"GET / HTTP/1.1\r\n\r\n")
    with pytest.raises(TlsError) as caught:
        await wire.handshake(5)
    expected = (
        "closed the connection during the TLS handshake" if cut else "plain HTTP where TLS was expected"
    )
    assert expected in str(caught.value)


async def test_a_handshake_has_its_time() -> None:
    _, far = pipe()
    with pytest.raises(TlsError, match=r"not complete within 0\.01 s"):
        await server_side(far).handshake(0.01)


async def test_back_pressure_goes_through() -> None:
    """A wire whose bytes nobody takes is not writable, and is again when they are taken."""
    client, wire, server = await joined()
    client.end.wire.pause()
    while wire.writable:
        server.write(bytes(1 << 16))
        await asyncio.sleep(0)
    client.end.wire.resume()
    async with asyncio.timeout(5):
        while not wire.writable:
            client.end.received = b""
            await asyncio.sleep(0)


async def test_a_paused_wire_stops_the_sender() -> None:
    client, wire, _ = await joined()
    wire.pause()
    sent = 0
    while client.end.wire.writable:
        client.write(bytes(1 << 14))
        sent += 1 << 14
        await asyncio.sleep(0)
    assert sent < 2 * HIGH_WATER


async def test_tls_inside_tls(tmp_path: Path) -> None:
    """5.3.69: two of our own wires on each side."""
    trusted = tmp_path / "ca.pem"
    trusted.write_bytes(AUTHORITY.cert.to_pem())
    contexts = OriginContexts(Terms(), Trust(ca_file=str(trusted)))
    near, far = pipe()
    outer = TlsWire(near, contexts.connection("example.test", 443, "example.test", [])), server_side(far)
    await asyncio.gather(*(wire.handshake(5) for wire in outer))
    inner = (
        TlsWire(outer[0], contexts.connection("example.test", 443, "example.test", [])),
        TlsWire(outer[1], LeafContexts(Terms()).connection(LEAF, [])),
    )
    await asyncio.gather(*(wire.handshake(5) for wire in inner))
    receiver = End(inner[1])
    inner[0].write(b"deep inside")
    inner[0].close()
    assert await receiver.rest() == b"deep inside"
    assert not inner[1].truncated
