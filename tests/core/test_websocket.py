"""The story of a WebSocket connection, on a network in memory: messages, control frames, ends, addons."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websocket_ends import Recorder, Talker, last, record

from proxyfw.core import websocket as story
from proxyfw.exceptions import ProxyfwError
from proxyfw.http import HTTPFlow
from proxyfw.protocol.permessage_deflate import Deflate
from proxyfw.protocol.websocket import Close, Fragment, Ping, Pong, WebSocketCodec
from proxyfw.testing import End, World, world

KEY = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
ACCEPT = b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
DEFLATE = b"Sec-WebSocket-Extensions: permessage-deflate\r\n"


def ask(*lines: bytes, upgrade: bytes = b"websocket") -> bytes:
    return (
        b"GET http://example.com/socket HTTP/1.1\r\nHost: example.com\r\n"
        b"Upgrade: " + upgrade + b"\r\nConnection: Upgrade\r\n" + KEY + b"".join(lines) + b"\r\n"
    )


def accept(*lines: bytes, upgrade: bytes = b"websocket") -> bytes:
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: " + upgrade + b"\r\nConnection: Upgrade\r\n"
        + ACCEPT + b"".join(lines) + b"\r\n"
    )  # fmt: skip


async def opened(
    w: World, *asked: bytes, answered: tuple[bytes, ...] = (), deflate: Deflate | None = None
) -> tuple[Talker, Talker]:
    """A client and an origin that have shaken hands."""
    origin = w.origin() if not w.network.dialled else w.origin(f"host{len(w.network.dialled)}.example")
    name = b"example.com" if not w.network.dialled else b"host%d.example" % len(w.network.dialled)
    client = w.client()
    client.write(ask(*asked).replace(b"example.com", name))
    server = await origin.accept()
    await server.head()
    server.write(accept(*answered))
    assert (await client.head()).startswith(b"HTTP/1.1 101 ")
    return Talker(client, True, deflate), Talker(server, False, deflate)


@asynccontextmanager
async def sockets(*addons: object, **options: Any) -> AsyncIterator[tuple[World, Talker, Talker]]:
    async with world(addons=addons, **options) as w:
        yield w, *(await opened(w))


# What happens, in order


async def test_hooks_in_order_and_each_end_once() -> None:
    """5.5.88: the flow ends after the WebSocket does."""
    recorder = Recorder()
    async with sockets(recorder) as (w, client, server):
        client.text("ping")
        assert await server.data() == b"ping"
        server.text("pong")
        assert await client.data() == b"pong"
        assert w.flows == []
        client.send(Close(1000, "done"))
        assert await server.event() == Close(1000, "done")
        server.send(Close(1000, "done"))
        assert await client.event() == Close(1000, "done")
        assert await client.end.rest() == b""
        assert await server.end.rest() == b""
        (flow,) = await w.ended()
    assert recorder.hooks == [
        "requestheaders", "request", "responseheaders", "response", "websocket_start", ">ping", "<pong",
        "websocket_end 1000", "flow_end",
    ]  # fmt: skip
    data = record(flow)
    assert (data.closed_by_client, data.close_code, data.close_reason) == (True, 1000, "done")
    assert data.timestamp_end
    assert flow.error is None
    assert not flow.live
    assert flow.control is None
    assert [(m.from_client, m.content, m.is_text) for m in data.messages] == [
        (True, b"ping", True),
        (False, b"pong", True),
    ]


async def test_fragments_stay_as_they_are_and_a_ping_between_them_goes_ahead() -> None:
    """5.5.88 and features 63: to the byte, also where a fragment ends within a character."""
    snow = "☃".encode()
    fragments = (Fragment(snow[:1], True, False), Fragment(snow[1:], True, False), Fragment(b"", True, True))
    async with sockets(Recorder()) as (_, client, server):
        client.send(fragments[0], Ping(b"?"), *fragments[1:])
        assert [await server.event() for _ in range(4)] == [Ping(b"?"), *fragments]
        server.send(*fragments)
        wire = WebSocketCodec(False).send(*fragments)
        assert await client.end.exactly(len(wire)) == wire


async def test_text_and_binary_stay_what_they_are() -> None:
    """5.5.90."""
    async with sockets() as (_, client, server):
        for one, other in ((client, server), (server, client)):
            for message in (Fragment(b"text", True), Fragment(b"\xff\x00", False), Fragment(b"", True)):
                one.send(message)
                assert await other.event() == message


async def test_what_comes_with_the_101_is_not_lost() -> None:
    async with world() as w:
        origin, client = w.origin(), w.client()
        client.write(ask() + WebSocketCodec(True).send(Fragment(b"early", True)))
        server = await origin.accept()
        await server.head()
        server.write(accept() + WebSocketCodec(False).send(Fragment(b"hello", True)))
        await client.head()
        assert await Talker(client, True).data() == b"hello"
        assert await Talker(server, False).data() == b"early"


async def test_pings_and_pongs_are_relayed_both_ways() -> None:
    """5.5.91."""
    async with sockets(Recorder()) as (_, client, server):
        for one, other in ((client, server), (server, client)):
            one.send(Ping(b"a"), Pong(b"b"), Ping())
            assert [await other.event() for _ in range(3)] == [Ping(b"a"), Pong(b"b"), Ping()]


# Addons change things


async def test_messages_are_edited_and_dropped_both_ways() -> None:
    """5.5.90 and features 64."""

    class Editor:
        def websocket_message(self, flow: HTTPFlow) -> None:
            message = last(flow)
            if b"drop" in message.content:
                message.drop()
            message.content = message.content.replace(b"old", b"brand new")

    async with sockets(Editor()) as (_, client, server):
        for one, other in ((client, server), (server, client)):
            one.text("an old one", "drop me", "as it is")
            assert [await other.data(), await other.data()] == [b"an brand new one", b"as it is"]


async def test_an_edited_message_is_one_frame_of_its_kind() -> None:
    class Editor:
        def websocket_message(self, flow: HTTPFlow) -> None:
            last(flow).content += b"!"

    async with sockets(Editor()) as (_, client, server):
        client.send(Fragment(b"a", False, False), Fragment(b"b", False))
        assert await server.event() == Fragment(b"ab!", False)
        server.send(Fragment(b"a", True, False), Fragment(b"b", True))
        assert await client.event() == Fragment(b"ab!", True)


async def test_injection_both_ways_while_traffic_flows() -> None:
    """5.5.90 and features 65: flagged, and through the hook like any other."""
    recorder = Recorder()
    async with sockets(recorder) as (w, client, server):
        client.text("one")
        assert await server.data() == b"one"
        record(recorder.flow).inject(False, "to server")
        record(recorder.flow).inject(True, b"to client")
        client.text("two")
        assert [await server.event(), await server.event()] == [
            Fragment(b"to server", True),
            Fragment(b"two", True),
        ]
        assert await client.event() == Fragment(b"to client", False)
        # not into the middle of a message
        server.send(Fragment(b"three ", True, False))
        server.send(Ping())
        assert await client.event() == Ping()
        record(recorder.flow).inject(True, "between")
        assert await client.data() == b"between"
        server.send(Fragment(b"four", True))
        assert [await client.data(), await client.data()] == [b"three ", b"four"]
        server.send(Close(1000))
        assert await client.closed() == Close(1000)
        with pytest.raises(ProxyfwError, match="closing"):
            record(recorder.flow).inject(True, "too late")
        await w.ended()
        with pytest.raises(ProxyfwError, match="closed"):
            record(recorder.flow).inject(True, "too late")
    assert recorder.hooks[5:8] == [">one", ">to server!", "<to client!"]


async def test_an_addon_greets_before_anybody_speaks_and_answers_from_a_hook() -> None:
    class Host:
        def websocket_start(self, flow: HTTPFlow) -> None:
            record(flow).inject(True, "welcome")

        def websocket_message(self, flow: HTTPFlow) -> None:
            if last(flow).content == b"ask":
                last(flow).drop()
                record(flow).inject(True, "answer")

    async with sockets(Host()) as (_, client, server):
        assert await client.data() == b"welcome"
        client.text("ask", "rest")
        assert await client.data() == b"answer"
        assert await server.data() == b"rest"


async def test_a_slow_hook_delays_only_its_socket_and_keeps_the_order() -> None:
    """5.5.90 and features 67: and ``messages[-1]`` is the message all the time."""
    held = asyncio.Event()
    seen: list[tuple[bytes, bytes]] = []

    class Slow:
        async def websocket_message(self, flow: HTTPFlow) -> None:
            before = last(flow).content
            if before == b"slow":
                await held.wait()
            seen.append((before, last(flow).content))

    async with world(addons=[Slow()]) as w:
        client, server = await opened(w)
        other_client, other_server = await opened(w)
        client.text("slow", "second", "third")
        server.text("back")
        other_client.text("free")
        assert await other_server.data() == b"free"
        assert server.end.received == b""
        # the socket does not seem dead meanwhile
        client.send(Ping(b"alive?"))
        assert await server.event() == Ping(b"alive?")
        server.send(Pong(b"alive?"))
        assert await client.event() == Pong(b"alive?")
        held.set()
        assert [await server.data() for _ in range(3)] == [b"slow", b"second", b"third"]
        assert await client.data() == b"back"
    assert all(before == after for before, after in seen)


async def test_an_intercepted_message_waits_until_it_is_resumed() -> None:
    """Features 67."""

    class Breakpoint:
        flow: HTTPFlow

        def websocket_message(self, flow: HTTPFlow) -> None:
            if last(flow).content == b"stop":
                self.flow = flow
                flow.intercept()

    breakpoint = Breakpoint()
    async with sockets(breakpoint) as (_, client, server):
        client.text("stop", "after")
        client.send(Ping())
        assert await server.event() == Ping()
        last(breakpoint.flow).content = b"changed"
        breakpoint.flow.resume()
        assert [await server.data(), await server.data()] == [b"changed", b"after"]


async def test_a_flow_may_be_reverted_while_it_lasts() -> None:
    class Reverting:
        def request(self, flow: HTTPFlow) -> None:
            flow.backup()

        def websocket_message(self, flow: HTTPFlow) -> None:
            flow.revert()

    async with sockets(Reverting()) as (w, client, server):
        client.text("one", "two")
        assert [await server.data(), await server.data()] == [b"one", b"two"]
        client.end.close()
        (flow,) = await w.ended()
    assert len(record(flow).messages) == 2


@pytest.mark.parametrize("content", [b"\xff", "text"])
async def test_an_edit_that_cannot_be_said_closes_the_socket(
    content: object, caplog: pytest.LogCaptureFixture
) -> None:
    class Wrong:
        def websocket_message(self, flow: HTTPFlow) -> None:
            last(flow).content = content  # type: ignore[assignment]

    async with sockets(Wrong()) as (w, client, server):
        client.text("a")
        for end in (client, server):
            close = await end.closed()
            assert isinstance(close, Close)
            assert close.code == 1011
        (flow,) = await w.ended()
    assert flow.error
    assert "content of a" in flow.error.msg
    assert "content of a" in caplog.text


async def test_an_addon_that_fails_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    class Failing:
        def websocket_message(self, flow: HTTPFlow) -> None:
            raise ValueError("oops")

    async with sockets(Failing()) as (_, client, server):
        client.text("a")
        assert await server.data() == b"a"
    assert "oops" in caplog.text


# How it ends


@pytest.mark.parametrize("by_client", [True, False], ids=["client", "server"])
@pytest.mark.parametrize("close", [Close(1001, "gönn dir"), Close(4321, ""), Close()], ids=repr)
async def test_close_codes_and_reasons_are_relayed(by_client: bool, close: Close) -> None:
    """5.5.91 and features 63."""
    async with sockets(Recorder()) as (w, client, server):
        one, other = (client, server) if by_client else (server, client)
        one.send(close)
        assert await other.event() == close
        other.text("still speaking")
        assert await one.data() == b"still speaking"
        other.send(Close(1000, "yes"))
        assert await one.event() == Close(1000, "yes")
        (flow,) = await w.ended()
    data = record(flow)
    assert (data.closed_by_client, data.close_code, data.close_reason) == (
        by_client,
        close.code,
        close.reason,
    )
    assert flow.error is None


async def test_both_close_at_once() -> None:
    async with sockets() as (w, client, server):
        client.send(Close(1000, "c"))
        server.send(Close(1001, "s"))
        assert await server.event() == Close(1000, "c")
        assert await client.event() == Close(1001, "s")
        await w.ended()


@pytest.mark.parametrize("by_client", [True, False], ids=["client", "server"])
@pytest.mark.parametrize("how", [End.close, End.abort, End.write_eof])
async def test_an_abrupt_end_is_1006_and_ends_once(by_client: bool, how: Callable[[End], None]) -> None:
    """5.5.91: what had been said before is delivered."""
    recorder = Recorder()
    async with sockets(recorder) as (w, client, server):
        one, other = (client, server) if by_client else (server, client)
        one.text("last words")
        assert await other.data() == b"last words"
        how(one.end)
        assert await other.end.rest() == b""
        (flow,) = await w.ended()
    assert recorder.hooks[-2:] == ["websocket_end 1006", "flow_end"]
    assert "error" not in recorder.hooks
    data = record(flow)
    assert (data.closed_by_client, data.close_code, data.close_reason) == (by_client, 1006, "")
    assert flow.error
    assert flow.error.msg.startswith(f"the {'client' if by_client else 'server'} left the WebSocket")


async def test_who_leaves_after_its_close_frame_is_not_abrupt() -> None:
    async with sockets() as (w, client, server):
        client.send(Close(1000, "bye"))
        client.end.close()
        assert await server.event() == Close(1000, "bye")
        server.end.close()
        (flow,) = await w.ended()
    assert record(flow).close_code == 1000
    assert flow.error is None


async def test_a_close_that_is_never_answered_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(story, "_CLOSE_PATIENCE", 0.01)
    async with sockets(idle_timeout=0.04) as (w, client, server):
        client.send(Close(1000, "bye"))
        assert await server.event() == Close(1000, "bye")
        assert await client.end.rest() == b""
        (flow,) = await w.ended()
    assert record(flow).close_code == 1000


async def test_silence_closes_both_sides_with_1001() -> None:
    async with sockets(idle_timeout=0.05) as (w, client, server):
        close = Close(1001, "nothing was sent for 0.05 s")
        assert await client.closed() == close
        assert await server.closed() == close
        (flow,) = await w.ended()
    assert record(flow).closed_by_client is None
    assert flow.error


async def test_a_proxy_that_stops_closes_both_sides_with_1001() -> None:
    recorder = Recorder()
    async with world(addons=[recorder], shutdown_timeout=0.01) as w:
        client, server = await opened(w)
        await w.proxy.stop()
        assert await client.closed() == Close(1001, "the proxy is stopping")
        assert await server.closed() == Close(1001, "the proxy is stopping")
    assert recorder.hooks[-2:] == ["websocket_end 1001", "flow_end"]


@pytest.mark.parametrize("hook", ["websocket_start", "websocket_message"])
async def test_kill_in_a_hook_closes_both_sides(hook: str) -> None:
    """5.6.102."""

    class Killer:
        def websocket_start(self, flow: HTTPFlow) -> None:
            if hook == "websocket_start":
                flow.kill()

        def websocket_message(self, flow: HTTPFlow) -> None:
            flow.kill()

    recorder = Recorder()
    async with sockets(Killer(), recorder) as (w, client, server):
        client.text("secret")
        assert await client.end.rest() == b""
        assert await server.end.rest() == b""
        (flow,) = await w.ended()
    assert str(flow.error) == "Connection killed."
    assert recorder.hooks[-2:] == ["websocket_end 1006", "flow_end"]


async def test_kill_from_elsewhere_wakes_what_waits() -> None:
    """5.6.102: also a message that is held."""
    recorder = Recorder()
    async with world(addons=[recorder]) as w:
        gate = w.gate("websocket_message")
        client, server = await opened(w)
        client.text("held")
        await gate.reached()
        recorder.flow.kill()
        gate.release()
        assert await client.end.rest() == b""
        assert await server.end.rest() == b""
        await w.ended()
    assert recorder.hooks[-2:] == ["websocket_end 1006", "flow_end"]


@pytest.mark.parametrize("by_client", [True, False], ids=["client", "server"])
@pytest.mark.parametrize(
    ("wire", "code"), [(b"\x83\x00", 1002), (b"\x81\x01\xff", 1007), (b"\x88\x02\x03\xed", 1002)]
)
async def test_who_breaks_the_protocol_is_told_how_and_the_other_that_it_is_over(
    by_client: bool, wire: bytes, code: int
) -> None:
    """5.5.88: as Autobahn wants it."""
    if by_client:
        wire = wire[:1] + bytes([wire[1] | 0x80]) + bytes(4) + wire[2:]
    async with sockets() as (w, client, server):
        one, other = (client, server) if by_client else (server, client)
        one.text("good")
        assert await other.data() == b"good"
        one.end.write(wire)
        told = await one.closed()
        assert isinstance(told, Close)
        assert told.code == code
        innocent = await other.closed()
        assert isinstance(innocent, Close)
        assert innocent.code == 1011
        assert "broke the WebSocket protocol" in innocent.reason
        (flow,) = await w.ended()
    assert flow.error
    assert (record(flow).closed_by_client, record(flow).close_code) == (by_client, code)


async def test_a_message_over_the_limit_is_1009() -> None:
    async with sockets(websocket_message_limit="1k") as (w, client, server):
        client.send(Fragment(bytes(1024), False))
        assert await server.data() == bytes(1024)
        client.send(Fragment(bytes(1025), False))
        close = await client.closed()
        assert isinstance(close, Close)
        assert close.code == 1009
        await server.closed()
        await w.ended()


async def test_who_does_not_read_its_close_frame_is_left_after_a_moment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(story, "_LINGER", 0.01)
    async with sockets() as (w, client, server):
        client.end.write(b"\xff\xff")
        await w.ended()
        assert (await client.end.rest())[:1] == b"\x88"
        assert (await server.end.rest())[:1] == b"\x88"


# Memory


async def test_back_pressure_both_ways() -> None:
    """5.1.37 for sockets: who does not read stops who writes, and nothing is lost."""
    async with sockets() as (_, client, server):
        for one, other in ((server, client), (client, server)):
            other.end.wire.pause()
            sent = 0
            message = one.codec.send(Fragment(bytes(60_000), False))
            while one.end.wire.writable and sent < 10_000:
                one.end.write(message)
                sent += 1
                await asyncio.sleep(0)
            assert 0 < sent < 60
            other.end.wire.resume()
            for _ in range(sent):
                assert await other.data() == bytes(60_000)


async def test_one_direction_that_is_stuck_does_not_stop_the_other() -> None:
    async with sockets() as (_, client, server):
        client.end.wire.pause()
        while server.end.wire.writable:
            server.send(Fragment(bytes(60_000), False))
            await asyncio.sleep(0)
        client.text("still heard")
        assert await server.data() == b"still heard"


async def test_only_the_latest_messages_are_kept() -> None:
    recorder = Recorder()
    async with sockets(recorder, keep_messages="10k") as (w, client, server):
        for number in range(100):
            client.text(f"{number:01000}")
            assert await server.data() == b"%01000d" % number
        client.end.close()
        (flow,) = await w.ended()
    data = record(flow)
    assert len(data.messages) < 10
    assert data.forgotten + len(data.messages) == 100
    assert data.messages[-1].text == f"{99:01000}"
    assert len([hook for hook in recorder.hooks if hook.startswith(">")]) == 100


async def test_endless_fragments_do_not_cost_more_than_their_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(story, "_MOST_FRAGMENTS", 3)
    async with sockets() as (_, client, server):
        for count in (3, 4, 5):
            parts = [Fragment(bytes([48 + n]), True, n == count - 1) for n in range(count)]
            client.send(*parts)
            found = [await server.event() for _ in range(min(count, 4))]
            expected = [*parts[:3], Fragment(b"".join(part.data for part in parts[3:]), True)]
            assert found == expected[:count]


# The handshake


async def test_unknown_extensions_are_not_offered_and_everything_else_is_forwarded() -> None:
    """5.5.89."""
    async with world() as w:
        origin, client = w.origin(), w.client()
        client.write(
            ask(
                b"Sec-WebSocket-Extensions: x-foo, permessage-deflate; client_max_window_bits\r\n",
                b"Sec-WebSocket-Protocol: chat, superchat\r\n",
            )
        )
        server = await origin.accept()
        head = await server.head()
        assert b"\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n" in head
        assert b"x-foo" not in head
        assert b"\r\nSec-WebSocket-Protocol: chat, superchat\r\n" in head
        assert KEY in head
        server.write(accept(b"Sec-WebSocket-Protocol: superchat\r\n"))
        answer = await client.head()
        assert b"\r\nSec-WebSocket-Protocol: superchat\r\n" in answer
        assert ACCEPT in answer


@pytest.mark.parametrize("edit", [False, True])
async def test_deflate_end_to_end(edit: bool) -> None:
    """5.5.89 and features 68: an edited message is compressed again."""

    class Editor:
        def websocket_message(self, flow: HTTPFlow) -> None:
            assert last(flow).content == b"hello " * 100
            if edit:
                last(flow).content = b"goodbye " * 100

    async with world(addons=[Editor()]) as w:
        client, server = await opened(w, DEFLATE, answered=(DEFLATE,), deflate=Deflate())
        expected = b"goodbye " * 100 if edit else b"hello " * 100
        for one, other in ((client, server), (server, client)):
            one.send(Fragment(b"hello " * 100, True, True, True))
            wire = await other.end.until(lambda data: len(data) > 2)
            assert len(wire) < 60
            assert list(other.codec.receive(wire)) == [Fragment(expected, True, True, True)]


async def test_an_uncompressed_message_stays_so_where_others_are_compressed() -> None:
    async with world() as w:
        client, server = await opened(w, DEFLATE, answered=(DEFLATE,), deflate=Deflate())
        client.send(Fragment(b"hello " * 100, True, True, False))
        assert await server.event() == Fragment(b"hello " * 100, True, True, False)


@pytest.mark.parametrize("with_client", [True, False], ids=["client", "origin"])
async def test_deflate_on_one_side_only(with_client: bool) -> None:
    """5.5.89 and features 68: an addon agrees upon it with one side, and not with the other."""

    class Between:
        def request(self, flow: HTTPFlow) -> None:
            flow.request.headers.pop("Sec-WebSocket-Extensions", None)
            if not with_client:
                flow.request.headers["Sec-WebSocket-Extensions"] = "permessage-deflate"

        def response(self, flow: HTTPFlow) -> None:
            assert flow.response
            flow.response.headers.pop("Sec-WebSocket-Extensions", None)
            if with_client:
                flow.response.headers["Sec-WebSocket-Extensions"] = "permessage-deflate"

    async with world(addons=[Between()]) as w:
        client, server = await opened(w, DEFLATE, answered=() if with_client else (DEFLATE,))
        one, other = (client, server) if with_client else (server, client)
        one.codec = WebSocketCodec(one is client, Deflate())
        one.send(Fragment(b"hello " * 100, True, True, True))
        assert await other.event() == Fragment(b"hello " * 100, True)
        other.text("hello")
        assert await one.data() == b"hello"


async def test_an_extension_that_nobody_offered_is_passed_through_unread(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with world() as w:
        client, server = await opened(w, answered=(b"Sec-WebSocket-Extensions: x-foo\r\n",))
        client.end.write(b"\xf3anything")
        assert await server.end.exactly(9) == b"\xf3anything"
        (flow, *_) = await w.ended()
    assert isinstance(flow, HTTPFlow)
    assert flow.websocket is None
    assert "x-foo" in caplog.text


async def test_the_option_turns_it_off() -> None:
    recorder = Recorder()
    async with world(addons=[recorder], websocket=False) as w:
        origin, client = w.origin(), w.client()
        client.write(ask(b"Sec-WebSocket-Extensions: x-foo\r\n"))
        server = await origin.accept()
        assert b"x-foo" in await server.head()
        server.write(accept(b"Sec-WebSocket-Extensions: x-foo\r\n"))
        await client.head()
        client.write(b"\xf3whatever")
        assert await server.exactly(9) == b"\xf3whatever"
    assert recorder.hooks == ["requestheaders", "request", "responseheaders", "response", "flow_end"]


async def test_101_for_anything_else_is_a_raw_tunnel() -> None:
    """5.5.92."""
    recorder = Recorder()
    async with world(addons=[recorder]) as w:
        origin, client = w.origin(), w.client()
        client.write(ask(upgrade=b"chatter/2"))
        server = await origin.accept()
        assert b"\r\nUpgrade: chatter/2\r\n" in await server.head()
        server.write(accept(upgrade=b"chatter/2") + b"hi")
        await client.head()
        assert await client.exactly(2) == b"hi"
        client.write(b"\x00\xff any bytes")
        assert await server.exactly(12) == b"\x00\xff any bytes"
        server.close()
        assert await client.rest() == b""
    assert recorder.hooks == ["requestheaders", "request", "responseheaders", "response", "flow_end"]


@pytest.mark.parametrize("status", [b"200 OK", b"403 Forbidden", b"426 Upgrade Required"])
async def test_a_refused_upgrade_is_an_ordinary_response(status: bytes) -> None:
    """5.5.93: and the connections go on."""
    recorder = Recorder()
    answer = b"HTTP/1.1 " + status + b"\r\nContent-Length: 2\r\n\r\nno"
    async with world(addons=[recorder]) as w:
        origin, client = w.origin(), w.client()
        client.write(ask())
        server = await origin.accept()
        for _ in range(2):
            await server.head()
            server.write(answer)
            assert await client.message() == answer
            client.write(ask())
        assert len(w.network.dialled) == 1
    assert recorder.hooks[:5] == ["requestheaders", "request", "responseheaders", "response", "flow_end"]


async def test_a_thousand_messages_in_one_read(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    async with sockets(Recorder()) as (_, client, server):
        client.text(*[str(number) for number in range(1000)])
        assert [await server.data() for _ in range(1000)] == [b"%d" % number for number in range(1000)]
    assert not caplog.records
