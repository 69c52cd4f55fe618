"""Raw TCP on a network in memory: what hooks see and may do, and how streams end."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from proxyfw.exceptions import ProxyfwError
from proxyfw.flow import Flow
from proxyfw.tcp import TCPFlow
from proxyfw.testing import End, World, world

CONNECT = b"CONNECT db.example:5432 HTTP/1.1\r\nHost: db.example:5432\r\n\r\n"
SSH = b"SSH-2.0-OpenSSH_9.9\r\n"


class Recorder:
    def __init__(self) -> None:
        self.hooks: list[str] = []
        self.flow: Any = None

    def tcp_start(self, flow: TCPFlow) -> None:
        self.flow = flow
        self.hooks.append("start")

    def tcp_message(self, flow: TCPFlow) -> None:
        message = flow.messages[-1]
        self.hooks.append(f"{'>' if message.from_client else '<'}{message.content.decode()}")

    def tcp_end(self, flow: TCPFlow) -> None:
        self.hooks.append("end")

    def tcp_error(self, flow: TCPFlow) -> None:
        self.hooks.append(f"error: {flow.error}")

    def flow_end(self, flow: Flow) -> None:
        if isinstance(flow, TCPFlow):
            self.hooks.append("flow_end")


async def tunnel(w: World, first: bytes = b"hello") -> tuple[End, End]:
    """Both ends of a raw stream on which *first* has been said by the client."""
    origin = w.origin("db.example", 5432)
    client = w.client()
    client.write(CONNECT)
    await client.head()
    client.write(first)
    return client, await origin.accept()


async def tcp_flows(w: World) -> list[TCPFlow]:
    await w.ended(2)  # the CONNECT's and the stream's
    return [flow for flow in w.flows if isinstance(flow, TCPFlow)]


async def test_messages_both_ways_and_an_end_in_order() -> None:
    """5.5.94: half-close in each direction."""
    recorder = Recorder()
    async with world(addons=[recorder]) as w:
        client, server = await tunnel(w)
        assert await server.exactly(5) == b"hello"
        client.write_eof()
        assert await server.rest() == b""
        server.write(b"answer to all")
        assert await client.exactly(13) == b"answer to all"
        server.write(b" and more")
        server.write_eof()
        assert await client.rest() == b" and more"
        (flow,) = await tcp_flows(w)
    assert recorder.hooks == ["start", ">hello", "<answer to all", "< and more", "end", "flow_end"]
    assert (flow.bytes_from_client, flow.bytes_from_server, flow.error, flow.live) == (5, 22, None, False)
    assert flow.server_conn.address == ("db.example", 5432)


async def test_the_server_may_close_its_side_first() -> None:
    """5.5.94: half-close, the other direction."""
    recorder = Recorder()
    async with world(addons=[recorder]) as w:
        client, server = await tunnel(w)
        await server.exactly(5)
        server.write(b"bye")
        server.write_eof()
        assert await client.rest() == b"bye"
        client.write(b"still here")
        assert await server.exactly(10) == b"still here"
        client.close()
        assert await server.rest() == b""
        await tcp_flows(w)
    assert recorder.hooks == ["start", ">hello", "<bye", ">still here", "end", "flow_end"]


async def test_an_edit_may_change_the_length_and_empty_content_is_not_sent() -> None:
    """5.5.94."""

    class Editor:
        def tcp_message(self, flow: TCPFlow) -> None:
            message = flow.messages[-1]
            message.content = message.content.replace(b"secret", b"").replace(b"a", b"aaaa")

    async with world(addons=[Editor()]) as w:
        client, server = await tunnel(w, b"a")
        assert await server.exactly(4) == b"aaaa"
        client.write(b"secret")
        client.write_eof()
        assert await server.rest() == b""
        server.write(b"a.")
        server.close()
        assert await client.rest() == b"aaaa."
        (flow,) = await tcp_flows(w)
    assert [message.content for message in flow.messages] == [b"aaaa", b"", b"aaaa."]


async def test_a_slow_hook_keeps_the_order_and_sees_its_own_message() -> None:
    seen: list[bytes] = []

    class Slow:
        def __init__(self) -> None:
            self.go = asyncio.Event()

        async def tcp_message(self, flow: TCPFlow) -> None:
            message = flow.messages[-1]
            if message.content == b"one":
                await self.go.wait()
            assert flow.messages[-1] is message
            seen.append(message.content)

    slow = Slow()
    async with world(addons=[slow]) as w:
        gate = w.gate("tcp_message")
        client, server = await tunnel(w, b"one")
        server.write(b"from the server")
        client.write(b"two")
        slow.go.set()
        await gate.reached()
        assert server.received == b""
        gate.release()
        assert await server.exactly(6) == b"onetwo"
        assert await client.exactly(15) == b"from the server"
    assert seen.index(b"one") < seen.index(b"two")


async def test_a_reset_is_an_error_and_reaches_the_other_side() -> None:
    recorder = Recorder()
    async with world(addons=[recorder]) as w:
        client, server = await tunnel(w)
        await server.exactly(5)
        client.abort()
        await server.rest()
        assert server.reset
        await tcp_flows(w)
    assert recorder.hooks == [
        "start", ">hello", "error: the connection to the client was lost: connection reset", "flow_end",
    ]  # fmt: skip


async def test_killing_closes_both_sides_at_once_even_within_a_hook() -> None:
    recorder = Recorder()
    async with world(addons=[recorder]) as w:
        gate = w.gate("tcp_message")
        client, server = await tunnel(w)
        flow = await gate.reached()
        flow.kill()
        assert await client.rest() == b""
        assert await server.rest() == b""
        gate.release()
        await tcp_flows(w)
    assert recorder.hooks == ["start", ">hello", "error: Connection killed.", "flow_end"]


async def test_killing_in_tcp_start_sends_nothing() -> None:
    class Killer(Recorder):
        def tcp_start(self, flow: TCPFlow) -> None:
            super().tcp_start(flow)
            flow.kill()

    killer = Killer()
    async with world(addons=[killer]) as w:
        _, server = await tunnel(w)
        assert await server.rest() == b""
        await tcp_flows(w)
    assert killer.hooks == ["start", "error: Connection killed.", "flow_end"]


async def test_bytes_are_injected_both_ways_while_traffic_flows() -> None:
    recorder = Recorder()
    async with world(addons=[recorder]) as w:
        client, server = await tunnel(w)
        await server.exactly(5)
        recorder.flow.inject(True, b"to client")
        recorder.flow.inject(False, b"to server")
        assert await client.exactly(9) == b"to client"
        assert await server.exactly(9) == b"to server"
        client.write_eof()
        await server.rest()
        with pytest.raises(ProxyfwError, match="the server has been told that no more comes"):
            recorder.flow.inject(False, b"late")
        with pytest.raises(TypeError, match="must be bytes, not str"):
            recorder.flow.inject(True, "text")
        server.close()
        (flow,) = await tcp_flows(w)
    assert [(m.from_client, m.injected) for m in flow.messages] == [
        (True, False),
        (False, True),
        (True, True),
    ]
    assert recorder.hooks == ["start", ">hello", "<to client", ">to server", "end", "flow_end"]
    with pytest.raises(ProxyfwError, match="not under way"):
        flow.inject(True, b"later still")


async def test_an_intercepted_message_waits_for_resume() -> None:
    class Breakpoint:
        def tcp_message(self, flow: TCPFlow) -> None:
            flow.intercept()

    async with world(addons=[Breakpoint()]) as w:
        gate = w.gate("tcp_message")
        client, server = await tunnel(w)
        flow = await gate.reached()
        gate.release()
        client.write(b"next")
        await asyncio.sleep(0)
        assert server.received == b""
        flow.messages[-1].content = b"changed"
        flow.resume()
        assert await server.exactly(7) == b"changed"


async def test_content_that_is_not_bytes_ends_the_stream_and_says_why() -> None:
    class Wrong:
        def tcp_message(self, flow: Any) -> None:
            flow.messages[-1].content = "text"

    async with world(addons=[Wrong()]) as w:
        _, server = await tunnel(w)
        assert await server.rest() == b""
        (flow,) = await tcp_flows(w)
    assert flow.error is not None
    assert flow.error.msg == "an addon set the content of a message to str, not bytes"


@pytest.mark.parametrize("upwards", [True, False])
async def test_a_side_that_does_not_read_slows_the_other(upwards: bool) -> None:
    """Back-pressure both ways: memory stays flat whatever one side sends."""
    async with world(addons=[Recorder()]) as w:
        client, server = await tunnel(w, b"x")
        await server.exactly(1)
        source, sink = (client, server) if upwards else (server, client)
        sink.wire.pause()
        sent = 0
        async with asyncio.timeout(5):
            while source.wire.writable:
                source.write(bytes(65536))
                sent += 65536
                for _ in range(10):
                    await asyncio.sleep(0)
        assert sent < 4 << 20
        source.write_eof()
        sink.wire.resume()
        assert len(await sink.rest()) == sent


async def test_without_tcp_hooks_only_the_facts_are_kept() -> None:
    async with world() as w:
        client, server = await tunnel(w)
        await server.exactly(5)
        server.write(b"data")
        server.close()
        assert await client.rest() == b"data"
        client.close()
        (flow,) = await tcp_flows(w)
    assert (flow.messages, flow.bytes_from_client, flow.bytes_from_server) == ([], 5, 4)


async def test_a_server_that_cannot_be_reached_is_an_error_of_the_stream() -> None:
    recorder = Recorder()
    async with world(addons=[recorder]) as w:
        client = w.client()
        client.write(CONNECT)
        await client.head()
        client.write(SSH)
        await client.rest()
        (flow,) = await tcp_flows(w)
    assert flow.error is not None
    assert recorder.hooks == [f"error: {flow.error}", "flow_end"]
    assert "refused" in flow.error.msg


async def test_a_server_may_speak_first() -> None:
    """5.2.44: an SSH-like server greets a client that waits."""
    recorder = Recorder()
    async with world(addons=[recorder], sniff_timeout=0.01) as w:
        origin = w.origin("db.example", 5432)
        client = w.client()
        client.write(CONNECT)
        await client.head()
        server = await origin.accept()
        server.write(SSH)
        assert await client.exactly(len(SSH)) == SSH
        client.write(b"GET is what this client says\r\n")
        assert await server.exactly(30) == b"GET is what this client says\r\n"
        assert len(w.network.dialled) == 1
        client.close()
        server.close()
        await tcp_flows(w)
    assert recorder.hooks[1] == "<" + SSH.decode()


async def test_a_server_may_say_all_and_leave_before_the_client_speaks() -> None:
    async with world(addons=[Recorder()], sniff_timeout=0.01) as w:
        origin = w.origin("db.example", 5432)
        client = w.client()
        client.write(CONNECT)
        await client.head()
        server = await origin.accept()
        server.write(b"Friday, 20 November 2026\r\n")
        server.close()
        assert await client.rest() == b"Friday, 20 November 2026\r\n"
        assert len(w.network.dialled) == 1


async def test_a_client_that_is_only_slow_still_speaks_http() -> None:
    """5.2.44: silence at first does not make raw TCP of it."""
    async with world(sniff_timeout=0.01) as w:
        origin = w.origin("db.example", 5432)
        client = w.client()
        client.write(CONNECT)
        await client.head()
        server = await origin.accept()
        client.write(b"GET / HTTP/1.1\r\nHost: db.example:5432\r\n\r\n")
        await server.head()
        server.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        assert (await client.head()).startswith(b"HTTP/1.1 204 ")
        assert len(w.network.dialled) == 1


async def test_tcp_hosts_are_raw_even_if_they_look_like_http() -> None:
    recorder = Recorder()
    async with world(addons=[recorder], tcp_hosts=[r"^db\.example:"]) as w:
        _, server = await tunnel(w, b"GET / HTTP/1.1\r\n\r\n")
        assert await server.exactly(18) == b"GET / HTTP/1.1\r\n\r\n"
    assert recorder.hooks[:2] == ["start", ">GET / HTTP/1.1\r\n\r\n"]


@pytest.mark.parametrize("shown", [False, True])
async def test_ignored_hosts_make_flows_only_if_they_are_to_be_shown(shown: bool) -> None:
    recorder = Recorder()
    async with world(addons=[recorder], ignore_hosts=["db"], show_ignored_hosts=shown) as w:
        client, server = await tunnel(w, b"GET / HTTP/1.1\r\n\r\n")
        await server.exactly(18)
        client.close()
        await server.rest()
        server.close()
        await w.ended(2 if shown else 1)
    assert ("flow_end" in recorder.hooks) is shown


async def test_without_rawtcp_such_connections_are_closed() -> None:
    async with world(addons=[Recorder()], rawtcp=False) as w:
        w.origin("db.example", 5432)
        client = w.client()
        client.write(CONNECT)
        await client.head()
        client.write(SSH)
        assert await client.rest() == b""
        assert w.network.dialled == []


async def test_101_for_another_protocol_is_a_raw_tunnel() -> None:
    """5.5.92."""
    recorder = Recorder()
    async with world(addons=[recorder]) as w:
        origin = w.origin()
        client = w.client()
        client.write(
            b"GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\n"
            b"Connection: upgrade\r\nUpgrade: chess\r\n\r\nmore"
        )
        server = await origin.accept()
        await server.head()
        server.write(b"HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: chess\r\n\r\ne4")
        assert (await client.head()).startswith(b"HTTP/1.1 101 ")
        assert await client.exactly(2) == b"e4"
        client.write(b"e5")
        assert (await server.until(lambda got: got.endswith(b"e5"))) in (b"moree5", b"e5")
        client.write_eof()
        await server.rest()
        server.close()
        await w.ended(2)
    assert recorder.hooks[0] == "start"
    assert recorder.hooks[-2:] == ["end", "flow_end"]


async def test_a_proxy_that_stops_ends_its_streams() -> None:
    recorder = Recorder()
    async with world(addons=[recorder], shutdown_timeout=0.01) as w:
        _, server = await tunnel(w)
        await server.exactly(5)
    assert recorder.hooks == ["start", ">hello", "error: the proxy is stopping", "flow_end"]


async def test_silence_ends_a_stream() -> None:
    recorder = Recorder()
    async with world(addons=[recorder], idle_timeout=0.05) as w:
        client, server = await tunnel(w)
        await server.exactly(5)
        await client.rest()
        await tcp_flows(w)
    assert recorder.hooks[-2:] == ["error: no byte in either direction for 0.05 s", "flow_end"]
