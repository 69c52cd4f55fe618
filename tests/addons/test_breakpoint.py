"""Breakpoints: what rules hold, where, for how long, and how what is held goes on."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from proxyfw import ctx, hookspecs
from proxyfw.dns import DNSMessage, Question, RecordType
from proxyfw.exceptions import CommandError, OptionsError
from proxyfw.flow import Pause
from proxyfw.http import HTTPFlow
from proxyfw.protocol.dns import pack
from proxyfw.protocol.websocket import Fragment, WebSocketCodec
from proxyfw.rules import dry_run
from proxyfw.testing import End, World, http_flow, world

GET = b"GET http://example.com/a HTTP/1.1\r\nHost: example.com\r\n\r\n"
POST = b"POST http://example.com/a HTTP/1.1\r\nHost: example.com\r\nContent-Length: 3\r\n\r\nabc"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
UPGRADE = (
    b"GET http://example.com/chat HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\n"
    b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
ACCEPT = (
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)
ADDONS = ("flows", "intercept", "breakpoint")


class Pauses:
    """Notes what is held and how it ends."""

    def __init__(self) -> None:
        self.begun: asyncio.Queue[Pause] = asyncio.Queue()
        self.ended: asyncio.Queue[Pause] = asyncio.Queue()

    def flow_paused(self, pause: Pause) -> None:
        self.begun.put_nowait(pause)

    def flow_resumed(self, pause: Pause) -> None:
        self.ended.put_nowait(pause)


def stop(match: dict[str, Any] | None = None, **config: Any) -> dict[str, Any]:
    """A rule that holds for ever unless it says otherwise."""
    return {"name": "stop", "match": match or {}, "action": {"type": "breakpoint", "timeout": "0s", **config}}


def proxy(pauses: Pauses, *rules: dict[str, Any], **options: Any) -> Any:
    names = ("rules", *ADDONS) if rules else ADDONS
    if rules:
        options["rules"] = list(rules)
    return world(default_addons=names, addons=[pauses], **options)


async def asked(w: World, request: bytes = GET) -> tuple[End, End]:
    """A client that has sent *request*, and the origin that has got it."""
    origin, client = w.origin(), w.client()
    client.write(request)
    server = await origin.accept()
    await server.head()
    return client, server


def pending(w: World) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = w.proxy.commands.call("intercept.pending")
    return found


async def test_a_request_is_held_edited_and_goes_on() -> None:
    """Features 56 and 57, mitmproxy 5.6.103: method, URL, headers and body reach the origin edited."""
    pauses = Pauses()
    async with proxy(pauses, stop({"host": "example.com", "method": "POST"})) as w:
        origin, client = w.origin("example.net"), w.client()
        client.write(POST)
        pause = await pauses.begun.get()
        assert w.network.dialled == []
        (entry,) = pending(w)
        assert entry == {
            "flow": pause.flow.id, "hook": "request", "since": pause.since, "ended": "",
            "timeout": 0.0, "then": None, "by": "breakpoint stop",
        }  # fmt: skip
        for edit in ("url http://example.net/b", "method PUT", "header 'X-A: 1'", "body edited"):
            w.proxy.commands.execute(f"flow.set @intercepted {edit}")
        w.proxy.commands.execute("flow.resume @intercepted")
        server = await origin.accept()
        message = await server.message()
        assert message.startswith(b"PUT /b HTTP/1.1\r\nHost: example.net\r\n")
        assert b"X-A: 1\r\n" in message
        assert message.endswith(b"\r\n\r\nedited")
        server.write(OK)
        assert await client.message() == OK
        assert (await pauses.ended.get()).ended == "resumed"
        assert pending(w) == []


async def test_a_held_request_is_answered_without_the_origin() -> None:
    """Features 57: mock."""
    pauses = Pauses()
    async with proxy(pauses, stop()) as w:
        client = w.client()
        client.write(GET)
        await pauses.begun.get()
        w.proxy.commands.execute("flow.respond @intercepted 418 teapot")
        assert (await client.message()).endswith(b"\r\n\r\nteapot")
        assert w.network.dialled == []


async def test_a_held_request_is_aborted() -> None:
    """Features 57: the client's connection ends without an answer."""
    pauses = Pauses()
    async with proxy(pauses, stop()) as w:
        client = w.client()
        client.write(GET)
        await pauses.begun.get()
        w.proxy.commands.execute("flow.kill @intercepted")
        assert await client.rest() == b""
        assert (await pauses.ended.get()).ended == "killed"
        assert w.network.dialled == []


async def test_both_holds_twice_and_is_one_use() -> None:
    pauses = Pauses()
    async with proxy(pauses, {**stop(at="both"), "times": 1}) as w:
        origin, client = w.origin(), w.client()
        client.write(GET)
        assert (await pauses.begun.get()).hook == "request"
        w.proxy.commands.execute("flow.resume @intercepted")
        server = await origin.accept()
        await server.head()
        server.write(OK)
        assert (await pauses.begun.get()).hook == "response"
        w.proxy.commands.execute("flow.resume @intercepted")
        assert await client.message() == OK
        client.write(GET)
        await server.head()
        server.write(OK)
        assert await client.message() == OK
        assert pauses.begun.empty()


async def test_heads_are_held_before_the_bodies() -> None:
    """Mitmproxy 5.6.103: at headers."""
    pauses = Pauses()
    async with proxy(pauses, stop(at="headers")) as w:
        origin, client = w.origin(), w.client()
        client.write(POST.removesuffix(b"abc"))
        assert (await pauses.begun.get()).hook == "requestheaders"
        client.write(b"abc")
        w.proxy.commands.execute("flow.resume @intercepted")
        server = await origin.accept()
        await server.message()
        server.write(OK.removesuffix(b"hi"))
        pause = await pauses.begun.get()
        assert pause.hook == "responseheaders"
        assert isinstance(pause.flow, HTTPFlow)
        assert pause.flow.response
        pause.flow.response.status_code = 203
        w.proxy.commands.execute("flow.resume @intercepted")
        server.write(b"hi")
        assert (await client.message()).startswith(b"HTTP/1.1 203 ")


@pytest.mark.parametrize(
    ("match", "held", "passes"),
    [
        ({"status": ">499"}, 503, 404),
        ({"filter": "~c >499"}, 503, 404),
        ({"filter": "~c <300"}, 200, 404),
        ({"status": "4xx"}, 404, 503),
        ({"filter": "~c >499 | ~hs 'x-odd: 404'"}, 404, 403),
        ({"filter": "~c >399 & ~hs 'x-odd: 503'"}, 503, 404),
        ({"filter": "~bs 'body of 503'"}, 503, 404),
    ],
)
async def test_conditions_on_the_response(match: dict[str, Any], held: int, passes: int) -> None:
    """Features 59: numbers are compared, and `and` and `or` honoured."""
    pauses = Pauses()
    async with proxy(pauses, stop(match, at="response")) as w:
        client, server = await asked(w)
        for status in (passes, held):
            body = b"body of %d" % status
            head = b"HTTP/1.1 %d X\r\nx-odd: %d\r\nContent-Length: %d\r\n\r\n" % (status, status, len(body))
            server.write(head + body)
            if status == passes:
                assert await client.message() == head + body
                client.write(GET)
                await server.head()
        assert (await pauses.begun.get()).hook == "response"
        w.proxy.commands.execute("flow.resume @intercepted")
        assert await client.message() == head + body


@pytest.mark.parametrize("at", ["response", "both"])
@pytest.mark.parametrize(("seconds", "held"), [(0.4, False), (1.5, True)])
async def test_conditions_on_the_duration(at: str, seconds: float, held: bool) -> None:
    """Features 59: `duration greaterThan 1000` is ``~dur >1s``."""
    flow = http_flow()
    assert flow.response
    flow.response.timestamp_end = flow.request.timestamp_start + seconds
    async with proxy(Pauses(), stop({"filter": "~dur >1s"}, at=at)) as w:
        with ctx.use(w.proxy):
            for hook in (hookspecs.requestheaders, hookspecs.request):
                await w.proxy.addons.call(hook, flow)
                assert not flow.intercepted
            await w.proxy.addons.call(hookspecs.response, flow)
    assert flow.intercepted == held


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (stop({"statsu": 500}), "there is no 'statsu' here; did you mean status"),
        (stop({"status": 500}), "status: is not yet known when the action acts"),
        (stop({"message": "x"}, at="both"), "message: is not yet known when the action acts"),
        (stop(at="end"), "must be one of request, response, both, headers"),
        (stop(at=[]), "nothing is ever held"),
        (stop(then="mock"), "must be one of continue, abort"),
        (stop(timeout=30), "write it with its unit"),
        (stop(timout="3s"), "did you mean timeout"),
    ],
)
async def test_what_cannot_be_is_refused(rule: dict[str, Any], message: str) -> None:
    """Features 59: an unknown field is refused."""
    with pytest.raises(OptionsError) as caught:
        async with proxy(Pauses(), rule):
            pass
    assert message in str(caught.value)


@pytest.mark.parametrize(("then", "rest"), [("continue", OK), ("abort", b"")])
async def test_a_rule_has_its_own_time(then: str, rest: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """Features 58: whatever the options say; what happened is told by a hook and in the log."""
    pauses = Pauses()
    options = {"intercept_timeout": 0, "intercept_timeout_action": "kill" if then == "continue" else "resume"}
    async with proxy(pauses, stop(timeout="1ms", then=then), **options) as w:
        origin, client = w.origin(), w.client()
        client.write(GET)
        pause = await pauses.ended.get()
        assert (pause.ended, pause.timeout) == ("timeout", 0.001)
        assert pending(w) == []
        if then == "continue":
            (await origin.accept()).write(OK)
        assert await client.rest() == rest if then == "abort" else await client.message() == rest
    assert "was held after request for 0.001 s" in caplog.text
    assert "by breakpoint stop" in caplog.text


async def test_without_a_time_of_its_own_it_is_that_of_the_option() -> None:
    """Features 58: 30 seconds, unless somebody says otherwise."""
    rule = stop()
    del rule["action"]["timeout"]
    pauses = Pauses()
    async with proxy(pauses, rule) as w:
        client = w.client()
        client.write(GET)
        await pauses.begun.get()
        assert [entry["timeout"] for entry in pending(w)] == [30.0]


async def test_of_two_rules_the_first_holds() -> None:
    pauses = Pauses()
    rules = ({**stop(), "name": "one"}, {**stop(timeout="1ms"), "name": "two"})
    async with proxy(pauses, *rules, intercept="~all") as w:
        w.client().write(GET)
        pause = await pauses.begun.get()
        assert (pause.by, pause.timeout) == ("breakpoint one", 0.0)


async def test_a_client_that_leaves_takes_its_entry_along() -> None:
    """Features 60."""
    pauses = Pauses()
    async with proxy(pauses, stop()) as w:
        client = w.client()
        client.write(GET)
        await pauses.begun.get()
        client.abort()
        assert (await pauses.ended.get()).ended == "gone"
        assert pending(w) == []


async def test_what_is_not_held_cannot_be_resumed_and_others_stay() -> None:
    """Features 61: of a flow that nobody knows, and of one that has gone on."""
    pauses = Pauses()
    async with proxy(pauses, stop()) as w:
        origin, client, other = w.origin(), w.client(), w.client()
        client.write(GET)
        first = await pauses.begun.get()
        other.write(GET)
        second = await pauses.begun.get()
        with pytest.raises(CommandError):
            w.proxy.commands.execute("flow.resume @nobody")
        w.proxy.commands.execute(f"flow.resume {first.flow.id}")
        await (await origin.accept()).head()
        with pytest.raises(CommandError, match="not intercepted"):
            w.proxy.commands.execute(f"flow.resume {first.flow.id}")
        assert [entry["flow"] for entry in pending(w)] == [second.flow.id]
        assert second.flow.intercepted


async def test_stopping_with_held_flows_ends_cleanly() -> None:
    """Features 62: they go on, here to an origin that is not there."""
    pauses = Pauses()
    async with proxy(pauses, stop()) as w:
        client = w.client()
        client.write(GET)
        await pauses.begun.get()
    assert (await client.rest()).startswith(b"HTTP/1.1 502 ")
    assert pauses.ended.get_nowait().ended


async def test_one_message_is_held_and_later_ones_stay_in_order() -> None:
    """Features 67: messages that the rule does not mean wait behind it, and are not held."""
    pauses = Pauses()
    match = {"message": "two", "sender": "client"}
    async with proxy(pauses, stop(match, at="message")) as w:
        client, server = await asked(w, UPGRADE)
        server.write(ACCEPT)
        await client.head()
        codec, arriving = WebSocketCodec(True, None), WebSocketCodec(False, None)
        client.write(codec.send(*(Fragment(text, True) for text in (b"one", b"two", b"three"))))
        pause = await pauses.begun.get()
        assert pause.hook == "websocket_message"
        assert isinstance(pause.flow, HTTPFlow)
        assert pause.flow.websocket
        (event,) = arriving.receive(await server.until(bool))
        assert isinstance(event, Fragment)
        assert event.data == b"one"
        w.proxy.commands.execute("flow.set @intercepted message 2")
        w.proxy.commands.execute("flow.resume @intercepted")
        received: list[bytes | bytearray] = []
        while len(received) < 2:
            events = arriving.receive(await server.until(bool))
            received += [event.data for event in events if isinstance(event, Fragment)]
        assert received == [b"2", b"three"]
        assert pauses.begun.empty()


async def test_only_a_websocket_has_a_message_to_edit() -> None:
    pauses = Pauses()
    async with proxy(pauses, stop()) as w:
        w.client().write(GET)
        await pauses.begun.get()
        with pytest.raises(CommandError, match="has no WebSocket message"):
            w.proxy.commands.execute("flow.set @intercepted message x")


async def test_queries_are_held() -> None:
    pauses = Pauses()
    options: dict[str, Any] = {"mode": ["dns@53"], "dns_name_servers": ["192.0.2.53"]}
    async with proxy(pauses, stop({"host": "app.test"}), **options) as w:
        client = w.datagram_client()
        client.send(pack(DNSMessage(0.0, 7, True, questions=[Question("app.test", RecordType.A)])))
        assert (await pauses.begun.get()).hook == "dns_request"


async def test_a_rule_that_is_added_holds_the_very_next_request() -> None:
    """Features 2.2, trap 1: not only in a store; and it holds no more once it is removed."""
    pauses = Pauses()
    async with proxy(pauses) as w:
        assert not w.proxy.addons.wants(hookspecs.request)
        rule = w.proxy.addons.rules.add(stop())
        origin, client = w.origin(), w.client()
        client.write(GET)
        await pauses.begun.get()
        w.proxy.addons.rules.remove(rule)
        assert not w.proxy.addons.wants(hookspecs.request)
        w.proxy.commands.execute("flow.resume @intercepted")
        server = await origin.accept()
        await server.head()
        server.write(OK)
        await client.message()
        client.write(GET)
        assert (await server.head()).startswith(b"GET /a ")


async def test_only_the_hooks_that_are_named_are_there() -> None:
    async with proxy(Pauses(), stop(at="responseheaders")) as w:
        hooks = {name for name in hookspecs.HOOKS if w.proxy.addons.wants(hookspecs.HOOKS[name])}
    assert "responseheaders" in hooks
    assert not hooks & {"requestheaders", "request", "response", "websocket_message", "tcp_message"}


async def test_nothing_is_held_where_nobody_would_let_it_go(caplog: pytest.LogCaptureFixture) -> None:
    async with world(default_addons=("rules", "breakpoint"), rules=[stop()]) as w:
        client, server = await asked(w)
        server.write(OK)
        assert await client.message() == OK
    assert "nothing is held" in caplog.text


async def test_a_dry_run_says_it_and_does_not_hold() -> None:
    async with proxy(Pauses(), stop()) as w:
        trace, copy = await dry_run(w.proxy.addons.rules.current, http_flow())
    assert not copy.intercepted
    assert "request: stop matched" in [str(step) for step in trace]


@pytest.mark.parametrize(
    ("text", "hooks", "seconds"),
    [
        ("/~m GET", ["request"], 30.0),
        ("//", ["request"], 30.0),
        ("|~u /a|both|0s|abort", ["request", "response"], 0.0),
    ],
)
async def test_specs(text: str, hooks: list[str], seconds: float) -> None:
    pauses = Pauses()
    async with proxy(pauses, breakpoints=[text]) as w:
        origin, client = w.origin(), w.client()
        client.write(GET)
        for hook in hooks:
            pause = await pauses.begun.get()
            assert (pause.hook, pause.timeout) == (hook, seconds)
            w.proxy.commands.execute("flow.resume @intercepted")
            if hook == "request":
                (await origin.accept()).write(OK)
        assert await client.message() == OK


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("~m GET", "first character must be one that separates"),
        ("/~c x", "~c x"),
        ("/~m GET/reply", "'reply' is none of request, response"),
        ("/~m GET/both/soon", "'soon' is not a time"),
        ("/~m GET/both/1s/mock", "'mock' is none of continue, abort"),
        ("/~u /a/both/1s/abort", "too many parts"),
    ],
)
async def test_a_spec_that_cannot_be_is_refused(text: str, message: str) -> None:
    with pytest.raises(OptionsError) as caught:
        async with proxy(Pauses(), breakpoints=[text]):
            pass
    assert message in str(caught.value)
    assert str(caught.value).startswith("breakpoints[0]: ")
    assert "write /filter[/at[/timeout[/continue or abort]]]" in str(caught.value)


async def test_the_examples_of_the_page(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/howto/breakpoints.md").read_text(encoding="utf-8")
    rules = page.partition("```yaml\n")[2].partition("```")[0]
    file = tmp_path / "rules.yaml"
    file.write_text(rules)
    pauses = Pauses()
    async with world(default_addons=("rules", *ADDONS), addons=[pauses], rules_file=[str(file)]) as w:
        client = w.client()
        client.write(POST.replace(b"example.com", b"shop.example"))
        pause = await pauses.begun.get()
        assert (pause.hook, pause.timeout, pause.then) == ("request", 10.0, "kill")
        w.proxy.commands.execute("flow.kill @intercepted")
        await client.rest()
