"""A peer: events in, bytes out, a bounded inbox, and the many ways to lose the other side."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from proxyfw.exceptions import ConnectionProblem, LocalProtocolError, PeerGone, ProtocolError
from proxyfw.net.peer import INBOX_LIMIT, Patience, Peer
from proxyfw.net.watch import Watch
from proxyfw.protocol.events import END, Data, End, RequestHead, ResponseHead
from proxyfw.protocol.http1 import ServerCodec
from proxyfw.testing import End as Client
from proxyfw.testing import pipe

POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture
async def watch() -> AsyncIterator[Watch]:
    watch = Watch()
    yield watch
    watch.close()


def connect(watch: Watch, patience: Patience | None = None) -> tuple[Client, Peer]:
    near, far = pipe()
    return Client(near), Peer(far, ServerCodec(), watch, patience or Patience())


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_events_come_in_order_and_bytes_go_out(watch: Watch) -> None:
    client, peer = connect(watch)
    client.write(POST % 3 + b"abc")
    assert isinstance(await peer.receive(), RequestHead)
    assert await peer.receive() == Data(b"abc")
    assert type(await peer.receive()) is End
    peer.send(ResponseHead(204, [], b"No Content"), END)
    assert await client.head() == b"HTTP/1.1 204 No Content\r\n\r\n"
    client.write(GET)
    await settle()
    assert not peer.unread
    peer.next_cycle()
    assert isinstance(await peer.receive(), RequestHead)


async def test_a_full_inbox_pauses_the_wire_until_half_of_it_is_taken(watch: Watch) -> None:
    client, peer = connect(watch)
    size = 16 * 65536
    client.write(POST % size)
    for _ in range(16):
        client.write(bytes(65536))
    await settle()
    taken = 0
    await peer.receive()
    held = sum(len(event.data) for event in peer._inbox if isinstance(event, Data))
    assert INBOX_LIMIT < held <= INBOX_LIMIT + 65536
    while type(event := await peer.receive()) is not End:
        assert isinstance(event, Data)
        taken += len(event.data)
    assert taken == size


async def test_what_came_before_a_violation_is_handed_out_first(watch: Watch) -> None:
    client, peer = connect(watch)
    client.write(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n")
    assert isinstance(await peer.receive(), RequestHead)
    assert await peer.receive() == Data(b"abc")
    with pytest.raises(ProtocolError, match="chunk"):
        await peer.receive()
    client.write(b"more of it")
    await settle()
    assert not peer.unread


async def test_whoever_waits_is_told_that_the_other_side_left(watch: Watch) -> None:
    client, peer = connect(watch)
    reasons: list[ConnectionProblem] = []
    peer.on_gone = reasons.append
    waiting = asyncio.create_task(peer.receive())
    await settle()
    client.abort()
    with pytest.raises(PeerGone, match="reset"):
        await waiting
    assert reasons == [peer.gone]
    assert peer.wire.closed


async def test_a_half_closed_client_is_there_for_a_while(watch: Watch) -> None:
    client, peer = connect(watch, Patience(half_closed=0.001))
    gone = asyncio.Event()
    peer.on_gone = lambda reason: gone.set()
    client.write(GET)
    client.write_eof()
    assert isinstance(await peer.receive(), RequestHead)
    assert type(await peer.receive()) is End
    assert peer.gone is None
    await gone.wait()
    assert isinstance(peer.gone, PeerGone)


async def test_drain_waits_for_a_slow_reader_and_notices_that_it_left(watch: Watch) -> None:
    client, peer = connect(watch)
    client.write(GET)
    await peer.receive()
    client.wire.pause()
    peer.send(ResponseHead(200, [], b"OK"), Data(bytes(400_000)))
    waiting = asyncio.create_task(peer.drain())
    await settle()
    assert not waiting.done()
    client.wire.resume()
    await waiting
    client.wire.pause()
    peer.send(Data(bytes(400_000)))
    waiting = asyncio.create_task(peer.drain())
    await settle()
    client.abort()
    with pytest.raises(PeerGone):
        await waiting


async def test_patience_is_for_who_is_waited_for(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    """5.1.27."""
    now = [1000.0]
    monkeypatch.setattr(watch.loop, "time", lambda: now[0])
    client, peer = connect(watch, Patience(idle=100, head=10))
    assert peer.deadline == 1100
    now[0] = 1050
    client.write(b"GET / HT")
    await settle()
    assert peer.deadline == 1060
    now[0] = 1055
    client.write(b"TP/1.1\r\n")
    await settle()
    assert peer.deadline == 1060
    client.write(b"Host: a\r\n\r\n")
    await settle()
    assert peer.deadline == 1155
    peer.busy = True
    now[0] = 1200
    watch._tick()
    assert peer.gone is None
    assert peer.deadline == 1300
    await peer.receive()
    await peer.receive()
    waiting = asyncio.create_task(peer.receive())
    await settle()
    now[0] = 1301
    watch._tick()
    with pytest.raises(PeerGone, match="in time"):
        await waiting


async def test_a_fault_in_the_codec_loses_one_peer_with_one_line(
    watch: Watch, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """5.6.119."""

    def broken(codec: ServerCodec, data: bytes) -> None:
        raise ZeroDivisionError("oops")

    client, peer = connect(watch)
    monkeypatch.setattr(ServerCodec, "receive", broken)
    client.write(GET)
    client.write(GET)
    with pytest.raises(ProtocolError, match="internal error: ZeroDivisionError: oops"):
        await peer.receive()
    await settle()
    assert [record.levelno for record in caplog.records if record.levelno >= logging.ERROR] == [logging.ERROR]


async def test_what_cannot_be_said_is_refused_and_something_else_can_be_said(watch: Watch) -> None:
    client, peer = connect(watch)
    client.write(GET)
    await peer.receive()
    with pytest.raises(LocalProtocolError, match="X-Bad"):
        peer.send(ResponseHead(200, [(b"X-Bad", b"a\nb")], b"OK"), END)
    peer.send(ResponseHead(502, [], b"Bad Gateway"), END)
    assert (await client.head()).startswith(b"HTTP/1.1 502 ")


async def test_detaching_gives_back_what_nobody_has_used(watch: Watch) -> None:
    client, peer = connect(watch)
    client.write(b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\nearly")
    await peer.receive()
    await peer.receive()
    peer.send(ResponseHead(200, [], b"OK"), END)
    lobby = peer.detach()
    client.write(b" late")
    await settle()
    assert lobby.data == b"early late"


async def test_abort_and_close_are_told_once(watch: Watch) -> None:
    client, peer = connect(watch)
    reasons: list[ConnectionProblem] = []
    peer.on_gone = reasons.append
    peer.close()
    peer.abort()
    assert await client.rest() == b""
    assert len(reasons) == 1
