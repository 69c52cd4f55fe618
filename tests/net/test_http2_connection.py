"""HTTP/2 connections over wires in memory: streams, turns, windows, farewells, patience."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from proxyfw.exceptions import LocalProtocolError, PeerGone, ProtocolError
from proxyfw.net.http2_roles import ClientConnection, ServerConnection
from proxyfw.net.http2_stream import OUTBOX_LIMIT, Http2Stream
from proxyfw.net.memory import MemoryWire, pipe
from proxyfw.net.peer import Patience
from proxyfw.net.watch import Watch
from proxyfw.protocol.events import END, Data, End, Event, RequestHead, ResponseHead
from proxyfw.protocol.http2 import MAX_STREAMS, STREAM_WINDOW, Codec, ErrorCodes

ASK = RequestHead(b"GET", b"/", [], authority=b"a.example")
OK = ResponseHead(200, [])


class Pair:
    """A client and a server that are connected."""

    def __init__(self, watch: Watch, max_streams: int = MAX_STREAMS, **client: float) -> None:
        near, far = pipe()
        self.wires: tuple[MemoryWire, MemoryWire] = near, far
        self.accepted: asyncio.Queue[Http2Stream] = asyncio.Queue()
        how = {"keepalive": 0.0, "keep": 60.0} | client
        self.client = ClientConnection(near, Codec(client=True), watch, Patience(), **how)
        codec = Codec(client=False, max_streams=max_streams)
        self.server = ServerConnection(far, codec, watch, Patience(), self.accepted.put_nowait)
        self.client.start()
        self.server.start()

    async def ask(self, *events: Event) -> tuple[Http2Stream, Http2Stream]:
        """A stream, from both sides."""
        stream = await self.client.open()
        stream.send(ASK, *events)
        async with asyncio.timeout(5):
            return stream, await self.accepted.get()


@pytest.fixture
async def watch() -> AsyncIterator[Watch]:
    watch = Watch()
    yield watch
    watch.close()


async def message(stream: Http2Stream) -> list[Event]:
    """All that comes up to the end."""
    events: list[Event] = []
    async with asyncio.timeout(5):
        while not events or type(events[-1]) is not End:
            events.append(await stream.receive())
    return events


async def test_a_request_and_its_answer(watch: Watch) -> None:
    pair = Pair(watch)
    near, far = await pair.ask(Data(b"body"), END)
    head, *rest = await message(far)
    assert isinstance(head, RequestHead)
    assert rest == [Data(b"body"), END]
    assert not far.wants_continue
    far.send(OK, Data(b"answer"), END)
    assert (await message(near))[1:] == [Data(b"answer"), END]
    far.release()
    near.release()
    assert pair.client.streams == pair.server.streams == {}


async def test_what_comes_in_one_step_goes_out_in_one_write(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = Pair(watch)
    streams = [await pair.client.open() for _ in range(50)]
    await asyncio.sleep(0)
    writes: list[bytes] = []
    write = MemoryWire.write

    def noted(wire: MemoryWire, data: bytes) -> None:
        if wire is pair.wires[0]:
            writes.append(data)
        write(wire, data)

    monkeypatch.setattr(MemoryWire, "write", noted)
    for stream in streams:
        stream.send(ASK, END)
    for _ in range(50):
        await pair.accepted.get()
    assert len(writes[0]) > 50 * 9
    assert len(writes) < 5


async def test_a_client_that_waits_to_be_told_to_continue(watch: Watch) -> None:
    pair = Pair(watch)
    stream = await pair.client.open()
    stream.send(RequestHead(b"POST", b"/", [(b"Expect", b"100-continue")], authority=b"a"))
    far = await pair.accepted.get()
    await far.receive()
    assert far.wants_continue
    stream.send(Data(b"x"))
    await far.receive()
    assert not far.wants_continue


async def test_streams_wait_for_their_turn_in_order(watch: Watch) -> None:
    """5.4.80."""
    pair = Pair(watch, max_streams=1)
    first, far = await pair.ask(END)
    assert pair.client.full
    waiting = [asyncio.create_task(pair.client.open()) for _ in range(3)]
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    waiting[1].cancel()
    far.send(OK, END)
    await message(first)
    second = await waiting[0]
    assert not waiting[2].done()
    second.release()  # without having been used
    assert await waiting[2]


async def test_those_who_wait_are_turned_away_when_the_connection_ends(watch: Watch) -> None:
    pair = Pair(watch, max_streams=1)
    await pair.ask()
    waiting = asyncio.create_task(pair.client.open())
    await asyncio.sleep(0)
    pair.wires[0].abort()
    with pytest.raises(PeerGone) as caught:
        await waiting
    assert caught.value.unprocessed
    assert not pair.client.reusable
    with pytest.raises(PeerGone):
        await pair.client.open()


async def test_a_stream_that_is_not_read_stops_at_its_window(watch: Watch) -> None:
    """5.4.81."""
    pair = Pair(watch)
    near, far = await pair.ask()
    near.send(Data(bytes(1_000_000)))
    draining = asyncio.create_task(near.drain())
    for _ in range(50):
        await asyncio.sleep(0)
    assert near.pending == 1_000_000 - STREAM_WINDOW
    assert not draining.done()
    other, _ = await pair.ask(END)
    other.send(Data(b"dropped: it has ended"))
    size = 0
    while size < 1_000_000 - OUTBOX_LIMIT // 2:
        event = await far.receive()
        size += len(event.data) if isinstance(event, Data) else 0
    await draining


async def test_crumbs_are_joined(watch: Watch) -> None:
    pair = Pair(watch)
    near, far = await pair.ask()
    await far.receive()
    for _ in range(1000):
        near.send(Data(b"0123456789"))
        await asyncio.sleep(0)
    near.send(END)
    pieces = [event.data for event in await message(far) if isinstance(event, Data)]
    assert b"".join(pieces) == b"0123456789" * 1000
    assert len(pieces) < 10


async def test_a_reset_tells_both_sides_of_the_story(watch: Watch) -> None:
    """5.4.78."""
    pair = Pair(watch)
    near, far = await pair.ask()
    told: list[Exception] = []
    far.on_gone = told.append
    near.abort(ErrorCodes.HTTP_1_1_REQUIRED)
    await far.receive()
    with pytest.raises(PeerGone, match="HTTP_1_1_REQUIRED") as caught:
        await far.receive()
    assert caught.value.code == ErrorCodes.HTTP_1_1_REQUIRED
    assert told == [caught.value]
    assert far.can_say(ErrorCodes.HTTP_1_1_REQUIRED)
    assert not far.can_say(ErrorCodes.CANCEL)
    with pytest.raises(PeerGone):
        await near.receive()
    near.abort()  # again is nothing


async def test_codes_that_speak_of_another_connection_are_not_passed_on(watch: Watch) -> None:
    pair = Pair(watch)
    near, far = await pair.ask()
    await far.receive()
    far.abort(ErrorCodes.FLOW_CONTROL_ERROR)
    with pytest.raises(PeerGone) as caught:
        await near.receive()
    assert caught.value.code == ErrorCodes.INTERNAL_ERROR


async def test_what_cannot_be_said_leaves_the_connection_as_it_was(watch: Watch) -> None:
    pair = Pair(watch, max_streams=1)
    stream = await pair.client.open()
    with pytest.raises(LocalProtocolError):
        stream.send(RequestHead(b"G T", b"/", []))
    stream.release()
    stream.release()
    near, far = await pair.ask(END)
    far.send(OK, END)
    await message(near)


async def test_winding_up_lets_streams_be_completed(watch: Watch) -> None:
    """5.4.79."""
    pair = Pair(watch)
    near, far = await pair.ask(END)
    pair.server.wind_up()
    await asyncio.sleep(0)
    far.send(OK, Data(b"still"), END)
    assert Data(b"still") in await message(near)
    far.release()
    near.release()
    async with asyncio.timeout(5):
        await pair.server.ended()
    assert pair.client.gone


async def test_streams_after_the_farewell_were_not_processed(watch: Watch) -> None:
    """5.4.79."""
    pair = Pair(watch)
    first, far = await pair.ask(END)
    second = await pair.client.open()
    pair.server.wind_up()
    second.send(ASK, END)
    with pytest.raises(PeerGone) as caught:
        await second.receive()
    assert caught.value.unprocessed
    far.send(OK, END)
    assert (await message(first))[-1] == END


async def test_a_lost_connection_is_told_to_all(watch: Watch) -> None:
    pair = Pair(watch)
    near, far = await pair.ask()
    waiting = asyncio.create_task(near.receive())
    draining = asyncio.create_task(pair.server.ended())
    await asyncio.sleep(0)
    pair.wires[1].abort()
    with pytest.raises(PeerGone) as caught:
        await waiting
    assert not caught.value.unprocessed
    await draining
    assert far.gone
    near.send(Data(b"nowhere"))
    near.release()
    far.release()


async def test_a_peer_that_breaks_the_rules_fails_all_streams_with_the_reason(watch: Watch) -> None:
    pair = Pair(watch)
    near, _ = await pair.ask()
    pair.wires[1].write(b"\0\0\0\1\4\0\0\0\0")  # HEADERS of no stream
    with pytest.raises(ProtocolError, match="PROTOCOL_ERROR"):
        await near.receive()


async def test_stories_that_are_still_being_broken_off_count(watch: Watch) -> None:
    """5.4.83."""
    pair = Pair(watch)
    stories = []
    for _ in range(MAX_STREAMS):
        near, far = await pair.ask()
        near.abort()
        stories.append(far)
    refused = await pair.client.open()
    refused.send(ASK, END)
    with pytest.raises(PeerGone) as caught:
        await refused.receive()
    assert caught.value.unprocessed
    stories[0].release()
    assert await pair.ask(END)


async def test_silence_is_broken_by_a_ping_and_then_given_up(watch: Watch) -> None:
    """5.4.87."""
    pair = Pair(watch, keepalive=58)
    near, _ = await pair.ask(END)
    pair.client.expired()
    await asyncio.sleep(0.01)
    pair.client.expired()  # an answer has come
    assert not near.gone
    pair.wires[0].pause()
    pair.client.expired()
    with pytest.raises(PeerGone, match="no answer to a PING"):
        await near.receive()


async def test_a_stream_loses_patience_only_with_those_it_waits_for(watch: Watch) -> None:
    pair = Pair(watch)
    near, far = await pair.ask(END)
    near.expired()
    assert not near.gone
    waiting = asyncio.create_task(near.receive())
    await asyncio.sleep(0)
    near.expired()
    with pytest.raises(PeerGone, match="nothing was received in time"):
        await waiting
    await message(far)
    with pytest.raises(PeerGone):
        await far.receive()


async def test_an_unused_connection_goes_home(watch: Watch) -> None:
    pair = Pair(watch)
    near, far = await pair.ask(END)
    pair.server.expired()
    assert not pair.server.gone
    far.send(OK, END)
    await message(near)
    far.release()
    near.release()
    pair.client.expired()
    assert pair.client.gone
    async with asyncio.timeout(5):
        await pair.server.ended()


async def test_a_fault_of_ours_in_reading_ends_one_connection(
    watch: Watch, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair, other = Pair(watch), Pair(watch)
    near, _ = await pair.ask(END)

    def fail(data: bytes) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(pair.client.codec, "receive", fail)
    pair.wires[1].write(b"anything")
    with pytest.raises(ProtocolError, match="internal error"):
        await near.receive()
    assert "internal error" in caplog.text
    assert await other.ask(END)
