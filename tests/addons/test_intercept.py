"""The intercept addon: what it holds, the list of it, and how everything that is held ends."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from proxyfw import hookspecs
from proxyfw.dns import DNSFlow, DNSMessage, Question, RecordType
from proxyfw.exceptions import CommandError, OptionsError
from proxyfw.flow import Pause
from proxyfw.http import HTTPFlow
from proxyfw.protocol.dns import pack
from proxyfw.protocol.websocket import Fragment, WebSocketCodec
from proxyfw.testing import World, world

GET = b"GET http://example.com/a HTTP/1.1\r\nHost: example.com\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
UPGRADE = (
    b"GET http://example.com/chat HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\n"
    b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
ACCEPT = (
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)
FOR_EVER: dict[str, Any] = {"intercept_timeout": 0}
CONNECT = b"CONNECT db.example:5432 HTTP/1.1\r\nHost: db.example:5432\r\n\r\n"


class Pauses:
    """Notes what is held and how it ends."""

    def __init__(self) -> None:
        self.begun: asyncio.Queue[Pause] = asyncio.Queue()
        self.ended: asyncio.Queue[Pause] = asyncio.Queue()

    def flow_paused(self, pause: Pause) -> None:
        self.begun.put_nowait(pause)

    async def flow_resumed(self, pause: Pause) -> None:
        self.ended.put_nowait(pause)


class Script:
    """Holds every request by itself."""

    def request(self, flow: HTTPFlow) -> None:
        flow.intercept()


def pending(w: World) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = w.proxy.commands.call("intercept.pending")
    return found


async def test_a_request_waits_is_edited_and_goes_on() -> None:
    """Features 56 and 57, mitmproxy 5.6.103: the origin sees nothing before, and the edit after."""
    pauses = Pauses()
    async with world(addons=["flows", "intercept", pauses], intercept="~u /a & ~q", **FOR_EVER) as w:
        origin, client = w.origin(), w.client()
        client.write(GET)
        pause = await pauses.begun.get()
        assert pending(w) == [pause.get_state()]
        assert pause.get_state() == {
            "flow": pause.flow.id, "hook": "request", "since": pause.since, "ended": "",
            "by": "", "then": None, "timeout": 0.0,
        }  # fmt: skip
        assert w.network.dialled == []
        commands = w.proxy.commands
        commands.execute(f"flow.set {pause.flow.id} path /edited")
        commands.execute("flow.set @intercepted header 'X-Edited: yes'")
        commands.execute("flow.resume @intercepted")
        server = await origin.accept()
        head = await server.head()
        assert head.startswith(b"GET /edited HTTP/1.1\r\n")
        assert b"X-Edited: yes\r\n" in head
        server.write(OK)
        assert await client.message() == OK
        assert (await pauses.ended.get()).ended == "resumed"
        assert pending(w) == []


async def test_a_held_request_is_answered_and_the_origin_never_asked() -> None:
    """Features 57."""
    pauses = Pauses()
    async with world(addons=["flows", "intercept", pauses], intercept="~q", **FOR_EVER) as w:
        client = w.client()
        client.write(GET)
        await pauses.begun.get()
        w.proxy.commands.execute("flow.respond @intercepted 418 'by hand\\n' 'X-By: hand'")
        message = await client.message()
        assert message.startswith(b"HTTP/1.1 418 ")
        assert b"X-By: hand\r\n" in message
        assert message.endswith(b"\r\n\r\nby hand\n")
        assert w.network.dialled == []


async def test_a_held_request_is_broken_off() -> None:
    """Features 57: an abort closes the client's connection."""
    pauses = Pauses()
    async with world(addons=["flows", "intercept", pauses], intercept="~q", **FOR_EVER) as w:
        client = w.client()
        client.write(GET)
        await pauses.begun.get()
        w.proxy.commands.execute("flow.kill @intercepted")
        assert await client.rest() == b""
        assert (await pauses.ended.get()).ended == "killed"
        assert pending(w) == []


async def test_responses_are_held_by_what_they_are() -> None:
    """Features 59: a 503 waits, a 404 does not."""
    pauses = Pauses()
    async with world(addons=["flows", "intercept", pauses], intercept="~c >499", **FOR_EVER) as w:
        origin, client = w.origin(), w.client()
        client.write(GET)
        server = await origin.accept()
        await server.head()
        server.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        assert b" 404 " in await client.head()
        client.write(GET)
        await server.head()
        server.write(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
        assert (await pauses.begun.get()).hook == "response"
        w.proxy.commands.execute("flow.set @intercepted status_code 200")
        w.proxy.commands.execute("flow.resume @all")
        assert await client.head() == b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(("action", "rest"), [("resume", OK), ("kill", b"")])
async def test_time_runs_out(action: str, rest: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """Features 58: a script's own pause too, and it is said."""
    pauses = Pauses()
    options: dict[str, Any] = {"intercept_timeout": 0.001, "intercept_timeout_action": action}
    async with world(addons=["intercept", Script(), pauses], **options) as w:
        origin, client = w.origin(), w.client()
        client.write(GET)
        pause = await pauses.ended.get()
        assert (pause.hook, pause.ended) == ("request", "timeout")
        assert pending(w) == []
        if action == "resume":
            (await origin.accept()).write(OK)
            assert await client.message() == rest
        else:
            assert await client.rest() == rest
    assert "was held after request for 0.001 s" in caplog.text


async def test_a_script_may_say_for_how_long_and_what_then(caplog: pytest.LogCaptureFixture) -> None:
    class Impatient:
        def request(self, flow: HTTPFlow) -> None:
            flow.intercept(timeout=0.001, then="kill", by="a script")
            flow.intercept(timeout=0)  # it is held already, on the terms of the first

    pauses = Pauses()
    async with world(addons=["intercept", Impatient(), pauses], **FOR_EVER) as w:
        client = w.client()
        client.write(GET)
        assert await client.rest() == b""
        assert (await pauses.ended.get()).by == "a script"
    assert "for 0.001 s by a script: killed" in caplog.text


async def test_a_client_that_leaves_takes_its_entry_along() -> None:
    """Features 60."""
    pauses = Pauses()
    async with world(addons=["flows", "intercept", Script(), pauses], **FOR_EVER) as w:
        client = w.client()
        client.write(GET)
        await pauses.begun.get()
        client.abort()
        assert (await pauses.ended.get()).ended == "gone"
        assert pending(w) == []
        assert w.network.dialled == []


async def test_resuming_what_is_unknown_or_over_disturbs_nobody() -> None:
    """Features 61."""
    pauses = Pauses()
    addons = ["flows", "intercept", "view", pauses]
    async with world(addons=addons, intercept="~u /a & ~q", **FOR_EVER) as w:
        commands, origin = w.proxy.commands, w.origin()
        one, other = w.client(), w.client()
        other.write(GET.replace(b"/a", b"/b"))
        (await origin.accept()).write(OK)
        await other.message()
        (over,) = await w.ended()
        one.write(GET)
        pause = await pauses.begun.get()
        for selector, message in [
            ("@1234", "no flow has the id '1234'"),
            (over.id, f"flow {over.id} is not intercepted"),
            ("~u\\ /b", "is not intercepted"),
        ]:
            with pytest.raises(CommandError, match=message):
                commands.execute(f"flow.resume {selector}")
        with pytest.raises(CommandError, match="is over: nothing to kill"):
            commands.execute(f"flow.kill {over.id}")
        assert pending(w) == [pause.get_state()]
        assert pause.flow.intercepted


async def test_stopping_with_held_flows() -> None:
    """Features 62."""
    pauses = Pauses()
    async with world(addons=["intercept", Script(), pauses], **FOR_EVER) as w:
        client = w.client()
        client.write(GET)
        pause = await pauses.begun.get()
    assert pause.ended
    assert not pause.flow.live
    assert [flow.error is not None for flow in w.flows] == [True]


async def test_without_a_filter_nothing_is_asked_for_each_request() -> None:
    async with world(addons=["intercept"]) as w:
        calls, options = w.proxy.addons, w.proxy.options
        assert not calls.calls.wants(hookspecs.request)
        options.update(intercept="~q")
        assert calls.calls.wants(hookspecs.request)
        assert calls.calls.wants(hookspecs.tcp_message)
        options.update(intercept_active=False)
        assert not calls.calls.wants(hookspecs.request)
        options.update(intercept_active=True)
        assert calls.calls.wants(hookspecs.dns_request)
        options.update(intercept=None)
        assert not calls.calls.wants(hookspecs.request)


async def test_what_scripts_have_made_of_a_request_is_what_counts() -> None:
    class Edit:
        def request(self, flow: HTTPFlow) -> None:
            flow.request.path = "/edited"

    pauses = Pauses()
    async with world(addons=["intercept", Edit(), pauses], intercept="~u /edited & ~q", **FOR_EVER) as w:
        client = w.client()
        client.write(GET)
        assert (await pauses.begun.get()).hook == "request"


async def test_a_wrong_filter_changes_nothing() -> None:
    async with world(addons=["intercept"], intercept="~q") as w:
        with pytest.raises(OptionsError, match="intercept: "):
            w.proxy.options.update(intercept="~nosuch")
        assert w.proxy.options.intercept == "~q"
        assert w.proxy.addons.calls.wants(hookspecs.request)


async def test_messages_of_a_raw_stream_are_held_one_by_one() -> None:
    """Features 67, for TCP."""
    pauses = Pauses()
    async with world(addons=["flows", "intercept", pauses], intercept="~tcp", **FOR_EVER) as w:
        origin, client = w.origin("db.example", 5432), w.client()
        client.write(CONNECT)
        await client.head()
        client.write(b"one")
        server = await origin.accept()
        assert (await pauses.begun.get()).hook == "tcp_message"
        client.write(b"two")
        assert not server.received
        w.proxy.commands.execute("flow.resume @intercepted")
        assert await server.exactly(3) == b"one"
        await pauses.begun.get()
        w.proxy.commands.execute("flow.resume @intercepted")
        assert await server.exactly(3) == b"two"


async def test_messages_of_a_websocket_stay_in_order() -> None:
    """Features 67: one is held, the next waits behind it."""
    pauses = Pauses()
    async with world(addons=["flows", "intercept", pauses], intercept="~websocket", **FOR_EVER) as w:
        origin, client = w.origin(), w.client()
        client.write(UPGRADE)
        server = await origin.accept()
        await server.head()
        server.write(ACCEPT)
        await client.head()
        codec = WebSocketCodec(True, None)
        client.write(codec.send(Fragment(b"one", True), Fragment(b"two", True)))
        arriving = WebSocketCodec(False, None)
        for text in (b"one", b"two"):
            pause = await pauses.begun.get()
            assert pause.hook == "websocket_message"
            assert isinstance(pause.flow, HTTPFlow)
            assert pause.flow.websocket
            assert pause.flow.websocket.messages[-1].content == text
            assert not server.received
            w.proxy.commands.execute("flow.resume @intercepted")
            (event,) = arriving.receive(await server.until(bool))
            assert isinstance(event, Fragment)
            assert event.data == text


async def test_datagrams_are_held() -> None:
    pauses = Pauses()
    options: dict[str, Any] = {"mode": ["reverse:udp://game.example:9000@7000"], **FOR_EVER}
    async with world(addons=["flows", "intercept", pauses], intercept="~udp", **options) as w:
        server = w.datagram_origin("game.example", 9000)
        client = w.datagram_client()
        client.send(b"hello")
        assert (await pauses.begun.get()).hook == "udp_message"
        assert server.waiting == 0
        w.proxy.commands.execute("flow.resume @intercepted")
        assert (await server.receive())[0] == b"hello"


async def test_queries_are_held() -> None:
    pauses = Pauses()
    options: dict[str, Any] = {"mode": ["dns@53"], "dns_name_servers": ["192.0.2.53"], **FOR_EVER}
    async with world(addons=["flows", "intercept", pauses], intercept="~dns & ~q", **options) as w:
        client = w.datagram_client()
        client.send(pack(DNSMessage(0.0, 7, True, questions=[Question("app.test", RecordType.A)])))
        pause = await pauses.begun.get()
        assert pause.hook == "dns_request"
        assert isinstance(pause.flow, DNSFlow)
        pause.flow.response = pause.flow.request.fail(3)
        w.proxy.commands.execute("flow.resume @intercepted")
        assert (await client.receive())[0][:2] == b"\0\7"


async def test_replays_are_not_held() -> None:
    async with world(addons=["intercept", "replay", "view"], intercept_active=False, intercept="~all") as w:
        origin, client = w.origin(), w.client()
        client.write(GET)
        server = await origin.accept()
        await server.head()
        server.write(OK)
        (flow,) = await w.ended()
        w.proxy.options.update(intercept_active=True)
        again = asyncio.create_task(w.proxy.replay(flow))
        await server.head()
        server.write(OK)
        assert (await again).response is not None
