"""Datagrams on a network in memory: associations, what hooks see and may do, how flows end."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from proxyfw.connection import Client, ServerConnectionHookData
from proxyfw.exceptions import OptionsError, ProxyfwError
from proxyfw.flow import Flow
from proxyfw.testing import World, world
from proxyfw.udp import UDPFlow

MODE = ["reverse:udp://game.example:9000@7000"]


class Recorder:
    def __init__(self) -> None:
        self.hooks: list[str] = []
        self.flow: Any = None

    def client_connected(self, client: Client) -> None:
        self.hooks.append(f"client {client.transport_protocol}")

    def server_connected(self, data: ServerConnectionHookData) -> None:
        self.hooks.append(f"server {data.server.transport_protocol}")

    def udp_start(self, flow: UDPFlow) -> None:
        self.flow = flow
        self.hooks.append("start")

    def udp_message(self, flow: UDPFlow) -> None:
        message = flow.messages[-1]
        self.hooks.append(f"{'>' if message.from_client else '<'}{message.content.decode()}")

    def udp_end(self, flow: UDPFlow) -> None:
        self.hooks.append("end")

    def udp_error(self, flow: UDPFlow) -> None:
        self.hooks.append(f"error: {flow.error}")

    def flow_end(self, flow: Flow) -> None:
        self.hooks.append("flow_end")


async def test_datagrams_both_ways_until_they_cease() -> None:
    recorder = Recorder()
    async with world(addons=[recorder], mode=MODE, udp_idle_timeout=0.05) as w:
        origin = w.datagram_origin("game.example", 9000)
        client = w.datagram_client()
        client.send(b"ping")
        data, source = await origin.receive()
        origin.send(b"pong", source)
        assert (data, await client.receive()) == (b"ping", (b"pong", w.proxy.address))
        (flow,) = await w.ended()
    assert recorder.hooks == ["client udp", "server udp", "start", ">ping", "<pong", "end", "flow_end"]
    assert isinstance(flow, UDPFlow)
    assert (flow.bytes_from_client, flow.bytes_from_server, flow.error, flow.live) == (4, 4, None, False)
    assert flow.server_conn.address == ("game.example", 9000)
    assert flow.client_conn.proxy_mode == "reverse:udp://game.example:9000"


async def test_each_client_has_a_flow_of_its_own() -> None:
    async with world(addons=[Recorder()], mode=MODE) as w:
        origin = w.datagram_origin("game.example", 9000)
        one, two = w.datagram_client(), w.datagram_client()
        one.send(b"1")
        two.send(b"2")
        first, second = await origin.receive(), await origin.receive()
        assert first[1] != second[1]
        origin.send(b"for two", second[1])
        origin.send(b"for one", first[1])
        assert (await one.receive())[0] == b"for one"
        assert (await two.receive())[0] == b"for two"


async def test_datagrams_are_edited_dropped_and_injected() -> None:
    class Editor(Recorder):
        def udp_message(self, flow: UDPFlow) -> None:
            super().udp_message(flow)
            message = flow.messages[-1]
            if message.content == b"drop":
                message.content = b""
            elif not message.injected:
                message.content = b"<%b>" % message.content

    editor = Editor()
    async with world(addons=[editor], mode=MODE) as w:
        origin = w.datagram_origin("game.example", 9000)
        client = w.datagram_client()
        client.send(b"drop")
        client.send(b"edit")
        data, source = await origin.receive()
        assert data == b"<edit>"
        origin.send(b"drop", source)
        editor.flow.inject(True, b"to client")
        editor.flow.inject(False, b"to server")
        assert (await client.receive())[0] == b"to client"
        assert (await origin.receive())[0] == b"to server"
    with pytest.raises(ProxyfwError, match="not under way"):
        editor.flow.inject(True, b"late")


async def test_an_empty_datagram_is_a_datagram() -> None:
    async with world(addons=[Recorder()], mode=MODE) as w:
        origin = w.datagram_origin("game.example", 9000)
        w.datagram_client().send(b"")
        assert (await origin.receive())[0] == b""


async def test_a_killed_flow_sends_nothing_and_is_an_error() -> None:
    recorder = Recorder()
    async with world(addons=[recorder], mode=MODE) as w:
        origin = w.datagram_origin("game.example", 9000)
        gate = w.gate("udp_message")
        w.datagram_client().send(b"x")
        flow = await gate.reached()
        flow.kill()
        gate.release()
        await w.ended()
        assert origin.waiting == 0
    assert recorder.hooks[-3:] == [">x", "error: Connection killed.", "flow_end"]


async def test_an_intercepted_datagram_waits() -> None:
    class Breakpoint:
        def udp_message(self, flow: UDPFlow) -> None:
            flow.intercept()

    async with world(addons=[Breakpoint()], mode=MODE) as w:
        origin = w.datagram_origin("game.example", 9000)
        gate = w.gate("udp_message")
        w.datagram_client().send(b"x")
        flow = await gate.reached()
        gate.release()
        flow.messages[-1].content = b"y"
        await asyncio.sleep(0)
        assert origin.waiting == 0
        flow.resume()
        assert (await origin.receive())[0] == b"y"


async def test_a_server_that_is_not_there_is_an_error() -> None:
    recorder = Recorder()
    async with world(addons=[recorder], mode=MODE) as w:
        w.datagram_client().send(b"x")
        (flow,) = await w.ended()
    assert recorder.hooks[-2:] == [f"error: {flow.error}", "flow_end"]
    assert "the server cannot be reached: Connection refused" in str(flow.error)


async def test_a_server_without_an_address_is_an_error() -> None:
    recorder = Recorder()
    async with world(addons=[recorder], mode=MODE) as w:
        w.network.unknown.add("game.example")
        w.datagram_client().send(b"x")
        (flow,) = await w.ended()
    assert recorder.hooks == ["client udp", f"error: {flow.error}", "flow_end"]
    assert "cannot resolve 'game.example'" in str(flow.error)


async def test_content_that_is_not_bytes_ends_the_flow_and_says_why() -> None:
    class Wrong:
        def udp_message(self, flow: Any) -> None:
            flow.messages[-1].content = "text"

    async with world(addons=[Wrong()], mode=MODE) as w:
        w.datagram_origin("game.example", 9000)
        w.datagram_client().send(b"x")
        (flow,) = await w.ended()
    assert str(flow.error) == "an addon set the content of a message to str, not bytes"


async def test_an_addon_refuses_a_client() -> None:
    class Refuse:
        def client_connected(self, client: Client) -> None:
            client.error = "not you"

    async with world(addons=[Refuse()], mode=MODE) as w:
        w.datagram_origin("game.example", 9000)
        gate = w.gate("client_disconnected")
        w.datagram_client().send(b"x")
        await gate.reached()
        gate.release()
        assert w.network.datagrams.dialled == [w.proxy.address]  # by the client
        assert w.flows == []


async def test_an_addon_resolves_the_name() -> None:
    class Map:
        def server_connect(self, data: ServerConnectionHookData) -> None:
            data.addresses = [("10.0.0.5", 9001)]

    async with world(addons=[Map()], mode=MODE) as w:
        w.network.hosts["other.example"] = ["10.0.0.5"]
        origin = w.datagram_origin("other.example", 9001)
        w.datagram_client().send(b"x")
        assert (await origin.receive())[0] == b"x"


async def test_without_udp_hooks_only_the_facts_are_kept() -> None:
    async with world(mode=MODE, udp_idle_timeout=0.05) as w:
        origin = w.datagram_origin("game.example", 9000)
        client = w.datagram_client()
        client.send(b"ping")
        origin.send(b"answer", (await origin.receive())[1])
        await client.receive()
        (flow,) = await w.ended()
    assert isinstance(flow, UDPFlow)
    assert (flow.messages, flow.bytes_from_client, flow.bytes_from_server) == ([], 4, 6)


@pytest.mark.parametrize("shown", [False, True])
async def test_ignored_hosts_make_flows_only_if_they_are_to_be_shown(shown: bool) -> None:
    recorder = Recorder()
    options: dict[str, Any] = {"ignore_hosts": ["game"], "show_ignored_hosts": shown}
    async with world(addons=[recorder], mode=MODE, **options) as w:
        origin = w.datagram_origin("game.example", 9000)
        w.datagram_client().send(b"x")
        await origin.receive()
    assert ("flow_end" in recorder.hooks) is shown


async def test_a_proxy_that_stops_ends_flows_in_order() -> None:
    recorder = Recorder()
    async with world(addons=[recorder], mode=MODE) as w:
        origin = w.datagram_origin("game.example", 9000)
        w.datagram_client().send(b"x")
        await origin.receive()
    assert recorder.hooks[-3:] == [">x", "end", "flow_end"]


async def test_what_nobody_can_keep_up_with_is_dropped() -> None:
    """Memory stays flat while a hook takes its time."""
    async with world(addons=[Recorder()], mode=MODE) as w:
        origin = w.datagram_origin("game.example", 9000)
        gate = w.gate("udp_message")
        client = w.datagram_client()
        for _ in range(1000):
            client.send(bytes(1000))
        await gate.reached()
        gate.release()
        received = 0
        while received < 250:
            await origin.receive()
            received += 1
        assert origin.waiting < 30


async def test_modes_of_other_transports_may_share_a_port() -> None:
    modes = ["regular@7000", *MODE]
    async with world(addons=[Recorder()], mode=modes) as w:
        w.datagram_origin("game.example", 9000)
        assert w.client(7000)
        with pytest.raises(OptionsError, match="both listen on port 7000"):
            w.proxy.options.mode = [*modes, "reverse:udp://other.example:1@7000"]


async def test_a_port_can_change_between_transports_while_the_proxy_runs() -> None:
    async with world(mode=["regular@7000"]) as w:
        origin = w.datagram_origin("game.example", 9000)
        w.proxy.options.mode = MODE
        await w.proxy.settled()
        assert not listens(w, 7000)
        w.datagram_client().send(b"x")
        assert (await origin.receive())[0] == b"x"
        w.proxy.options.mode = ["regular@7000"]
        await w.proxy.settled()
        assert listens(w, 7000)
        await w.ended()


def listens(w: World, port: int) -> bool:
    return w.network.reach(("127.0.0.1", port)) is not None
