"""The faults addon: what clients see of each fault, and what the flow keeps of it. Time is virtual."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from clocks import now, seconds_of
from ruamel.yaml import YAML

from proxyfw import ctx
from proxyfw.exceptions import OptionsError
from proxyfw.http import HTTPFlow, Response
from proxyfw.proxy import Proxy
from proxyfw.rules import Action, Hit, Match, Rule, dry_run, lint
from proxyfw.testing import End, Recorder, World, http_flow, in_virtual_time, world
from proxyfw_addons.faults import Faults
from proxyfw_addons.rules import RuleFiles
from proxyfw_addons.throttle import Throttling

GET = b"GET http://example.com/a HTTP/1.1\r\nHost: example.com\r\n\r\n"
BODY = bytes(range(100))
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + BODY
Data = dict[str, Any]


@dataclass
class Say(Action):
    """Answer."""

    def request(self, flow: HTTPFlow, hit: Hit) -> None:
        flow.response = Response.make(200, BODY)


def faulty(*rules: Data, addons: tuple[object, ...] = (), **options: Any) -> Any:
    return world(addons=[Faults(), RuleFiles(), *addons], rules=list(rules), **options)


def fault(kind: str, **fields: Any) -> Data:
    return {"name": kind, "action": {"type": "fault", "kind": kind, **fields}}


async def answered(w: World, answer: bytes = OK) -> End:
    """A client whose request the origin has answered, or would have if it had been asked."""
    origin, client = w.origin(), w.client()
    client.write(GET)
    server = await origin.accept()
    await server.head()
    server.write(answer)
    return client


def split(seen: bytes) -> tuple[bytes, bytes]:
    head, _, body = seen.partition(b"\r\n\r\n")
    return head, body


@pytest.mark.parametrize(("kind", "reset"), [("reset", True), ("empty", False)])
def test_no_answer_at_all(kind: str, reset: bool) -> None:
    @in_virtual_time
    async def run() -> None:
        async with faulty(fault(kind)) as w:
            w.origin()
            client = w.client()
            client.write(GET)
            assert await client.rest() == b""
            assert client.reset is reset
            assert w.network.dialled == []
            (flow,) = await w.ended()
            assert flow.trace
            assert flow.trace.answered_by == kind

    run()


@in_virtual_time
async def test_hang_answers_never_until_the_client_leaves() -> None:
    recorder = Recorder()
    async with faulty(fault("hang"), addons=(recorder,)) as w:
        client = w.client()
        client.write(GET)
        await asyncio.sleep(3600)
        assert client.received == b""
        assert not client.eof
        client.abort()
        assert await seconds_of(w.ended()) < 0.01
        assert recorder.hooks[-2] == "error: client disconnected"
        assert w.network.dialled == []


@in_virtual_time
async def test_hang_may_end() -> None:
    async with faulty(fault("hang", time="30s")) as w:
        client = w.client()
        client.write(GET)
        assert await seconds_of(client.rest()) == pytest.approx(30, abs=0.01)
        assert not client.reset


@in_virtual_time
async def test_garbage_is_no_http_and_the_same_with_the_same_seed() -> None:
    async def once() -> bytes:
        async with faulty(fault("garbage", size=200), rules_seed="1") as w:
            client = w.client()
            client.write(GET)
            seen: bytes = await client.rest()
            assert not client.reset
            assert w.network.dialled == []
            return seen

    seen = await once()
    assert len(seen) == 200
    assert not seen.startswith(b"HTTP")
    assert await once() == seen


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(("kind", "reset"), [("close", False), ("reset", True)])
def test_the_connection_ends_in_the_body(kind: str, reset: bool, streamed: bool) -> None:
    @in_virtual_time
    async def run() -> None:
        options: Data = {"stream_large_bodies": "10"} if streamed else {}
        async with faulty(fault(kind, after=30), **options) as w:
            client = await answered(w)
            head, body = split(await client.rest())
            assert b"Content-Length: 100" in head
            assert body == BODY[:30]
            assert client.reset is reset
            (flow,) = await w.ended()
            assert isinstance(flow, HTTPFlow)
            assert flow.response
            assert flow.error
            assert flow.response.raw_content in (BODY[:30], None)

    run()


@in_virtual_time
async def test_half_of_the_body_is_what_comes_if_nothing_else_is_said() -> None:
    async with faulty(fault("close")) as w:
        client = await answered(w)
        assert split(await client.rest())[1] == BODY[:50]


@in_virtual_time
async def test_a_body_that_is_shorter_passes() -> None:
    async with faulty(fault("close", after="1k")) as w:
        client = await answered(w)
        assert (await client.message()).endswith(BODY)
        client.close()
        (flow,) = await w.ended()
        assert flow.error is None


@in_virtual_time
async def test_a_truncated_body_looks_whole() -> None:
    async with faulty(fault("truncate", after=30)) as w:
        client = await answered(w)
        head, body = split(await client.message())
        assert b"Content-Length: 30" in head
        assert body == BODY[:30]
        (flow,) = await w.ended()
        assert isinstance(flow, HTTPFlow)
        assert flow.response
        assert flow.response.raw_content == BODY[:30]
        assert flow.response.headers["content-length"] == "30"


@in_virtual_time
async def test_a_streamed_body_can_be_truncated_too() -> None:
    async with faulty(fault("truncate", after=30), stream_large_bodies="10") as w:
        client = await answered(w)
        seen = await client.until(lambda got: got.endswith(b"0\r\n\r\n"))
        assert split(seen)[1] == b"1e\r\n" + BODY[:30] + b"\r\n0\r\n\r\n"


@pytest.mark.parametrize("streamed", [False, True])
def test_a_garbage_body_has_a_good_head(streamed: bool) -> None:
    @in_virtual_time
    async def run() -> None:
        options: Data = {"stream_large_bodies": "10"} if streamed else {}
        async with faulty(fault("garbage_body"), **options) as w:
            client = await answered(w)
            if streamed:
                seen = await client.until(lambda got: got.endswith(b"0\r\n\r\n"))
            else:
                seen = await client.message()
            assert seen.startswith(b"HTTP/1.1 200 OK\r\n")
            assert BODY not in seen
            assert len(seen) > 130

    run()


@in_virtual_time
async def test_a_body_comes_in_drops() -> None:
    async with faulty(fault("dribble", chunks=5, time="10s")) as w:
        client = await answered(w)
        await client.head()
        began = now()
        for number in range(1, 6):
            await client.exactly(20)
            assert now() - began == pytest.approx(2 * number, abs=0.01)
        assert client.received == b""


@in_virtual_time
async def test_a_body_of_unknown_length_comes_in_drops() -> None:
    async with faulty(fault("dribble", chunks=2, time="2s"), stream_large_bodies="10") as w:
        chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n" + BODY + b"\r\n0\r\n\r\n"
        client = await answered(w, chunked)
        took = await seconds_of(client.until(lambda got: got.endswith(b"0\r\n\r\n")))
        assert took == pytest.approx(2, abs=0.01)


@in_virtual_time
async def test_the_connection_is_closed_late() -> None:
    async with faulty(fault("slow_close", time="4s")) as w:
        client = await answered(w)
        assert await seconds_of(client.message()) < 0.01
        assert await seconds_of(client.rest()) == pytest.approx(4, abs=0.01)
        assert not client.reset


@in_virtual_time
async def test_a_client_that_leaves_a_slow_fault_frees_its_origin() -> None:
    for kind in ("dribble", "slow_close"):
        async with faulty(fault(kind, time="1h")) as w:
            client = await answered(w)
            await client.head()
            client.abort()
            assert await seconds_of(w.ended()) < 0.01


@in_virtual_time
async def test_faults_and_slow_networks_go_together() -> None:
    async with faulty(
        fault("dribble", chunks=2, time="2s"), addons=(Throttling(),), throttle="down=400bit"
    ) as w:
        client = await answered(w)
        await client.head()
        assert await seconds_of(client.exactly(50)) == pytest.approx(1 + 1, rel=0.03)
        assert await seconds_of(client.exactly(50)) == pytest.approx(1 + 1, rel=0.03)


@pytest.mark.parametrize(("kind", "seen"), [("reset", b""), ("close", BODY[:50])])
def test_answers_of_other_rules_are_broken_like_any(kind: str, seen: bytes) -> None:
    @in_virtual_time
    async def run() -> None:
        async with faulty(fault(kind)) as w:
            w.proxy.addons.rules.add(Rule("say", Match(), (Say(),)))
            client = w.client()
            client.write(GET)
            assert split(await client.rest())[1] == seen
            assert w.network.dialled == []

    run()


@in_virtual_time
async def test_answers_that_match_may_be_lost() -> None:
    rule = {**fault("reset"), "match": {"status": "2xx"}}
    async with faulty(rule) as w:
        client = await answered(w)
        assert await client.rest() == b""
        assert client.reset


@in_virtual_time
async def test_a_part_of_the_requests_fails_and_always_the_same() -> None:
    rule = {**fault("reset"), "match": {"chance": "50%"}}

    async def once() -> list[bool]:
        seen = []
        async with faulty(rule, rules_seed="3") as w:
            w.network.unknown.add("example.com")
            for _ in range(20):
                client = w.client()
                client.write(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
                await client.rest()
                seen.append(client.reset)
        return seen

    first = await once()
    assert 3 < sum(first) < 17
    assert await once() == first


@pytest.mark.parametrize("kind", ["reset", "empty"])
def test_raw_streams_are_ended(kind: str) -> None:
    @in_virtual_time
    async def run() -> None:
        async with faulty(fault(kind), mode=["reverse:tcp://example.com:9000"]) as w:
            w.origin("example.com", 9000)
            client = w.client()
            assert await client.rest() == b""
            assert client.reset is (kind == "reset")

    run()


@in_virtual_time
async def test_the_option_breaks_everything_or_what_a_filter_matches() -> None:
    async with world(addons=[Faults()], fault=["|~d other.test|hang", "/~m GET/close after=10"]) as w:
        client = await answered(w)
        assert split(await client.rest())[1] == BODY[:10]
    async with world(addons=[Faults()], fault=["reset"]) as w:
        client = w.client()
        client.write(GET)
        await client.rest()
        assert client.reset


@in_virtual_time
async def test_a_dry_run_says_what_would_be() -> None:
    proxy = Proxy(default_addons=(), addons=[Faults()], fault=["hang"])
    trace, copy = await dry_run(proxy.addons.rules.current, http_flow())
    assert str(trace.steps[-1]) == "note: fault[0] matched (hang)"
    assert copy.error
    assert copy.error.msg == "fault hang, rule fault[0]"


def test_lint_knows_which_faults_answer() -> None:
    proxy = Proxy(default_addons=(), addons=[Faults()], fault=["dribble", "reset", "garbage"])
    (found,) = lint(proxy.addons.rules)
    assert found.startswith("fault[2] (fault: 'garbage') can never run: fault[1] (fault: 'reset') answers")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("explode", "fault: 'explode': action.kind: must be one of reset, empty"),
        ("close time=1s", "time means nothing to close"),
        ("dribble chunks=0", "chunks: 0 is not 1 or more"),
        ("/~m GET", "must be one of reset, empty"),
        ("after=5", "kind is missing"),
    ],
)
def test_what_is_wrong_with_the_option_is_said(spec: str, message: str) -> None:
    with pytest.raises(OptionsError, match=message):
        Proxy(default_addons=(), addons=[Faults()], fault=[spec])


def test_a_condition_that_comes_too_late_is_refused() -> None:
    proxy = Proxy(default_addons=(), addons=[Faults()])
    with ctx.use(proxy), pytest.raises(OptionsError, match="is not yet known when the action acts"):
        proxy.addons.rules.read([{**fault("dribble"), "match": {"message": "x"}}])


def test_what_the_page_shows_can_be_read() -> None:
    page = (Path(__file__).parents[2] / "docs/howto/faults.md").read_text(encoding="utf-8")
    proxy = Proxy(default_addons=(), addons=[Faults()])
    shown = [YAML(typ="safe").load(block) for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)]
    assert shown
    for data in shown:
        if isinstance(data, dict):
            proxy.options.update(**data)
        else:
            assert proxy.addons.rules.read(data)
    for spec in re.findall(r'--fault "([^"]+)"', page):
        proxy.options.update(fault=[spec])
        assert len(proxy.addons.rules) == 1
