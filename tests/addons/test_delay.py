"""The delay addon: how long, where, and what happens to who leaves meanwhile. Time is virtual."""

from __future__ import annotations

import re
import statistics
from pathlib import Path
from random import Random
from typing import Any

import pytest
from clocks import now, seconds_of
from ruamel.yaml import YAML

from proxyfw import ctx
from proxyfw.exceptions import OptionsError
from proxyfw.proxy import Proxy
from proxyfw.rules import Duration, dry_run
from proxyfw.testing import Recorder, World, http_flow, in_virtual_time, world
from proxyfw_addons.delay import Delay, Delaying
from proxyfw_addons.rules import RuleFiles

GET = b"GET http://example.com/a HTTP/1.1\r\nHost: example.com\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
Data = dict[str, Any]


def delaying(*rules: Data, addons: tuple[object, ...] = (), **options: Any) -> Any:
    return world(addons=[Delaying(), RuleFiles(), *addons], rules=list(rules), **options)


async def ask(w: World, origin: Any) -> tuple[float, float]:
    """When a request reaches *origin*, and its answer the client."""
    client, began = w.client(), now()
    client.write(GET)
    server = await origin.accept()
    await server.head()
    asked = now() - began
    server.write(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    server.close()
    await client.message()
    client.close()
    return asked, now() - began


@in_virtual_time
async def test_a_delay_with_variance_stays_within_it_and_varies() -> None:
    """features 29."""
    rule = {"action": {"type": "delay", "delay": "300ms", "variance": "100ms"}}
    async with delaying(rule, rules_seed="1") as w:
        origin = w.origin()
        seen = [await ask(w, origin) for _ in range(50)]
        assert all(0.2 <= asked <= 0.4 for asked, _ in seen)
        assert len({round(asked, 6) for asked, _ in seen}) > 40
        assert all(answered - asked < 0.001 for asked, answered in seen)
        flow = (await w.ended(50))[0]
        assert flow.trace
        assert "delayed for " in str(flow.trace.steps[-1])


@in_virtual_time
async def test_it_may_wait_with_the_answer() -> None:
    rule = {"action": {"type": "delay", "delay": "2s", "before": "answering"}}
    async with delaying(rule) as w:
        asked, answered = await ask(w, w.origin())
        assert asked < 0.001
        assert answered == pytest.approx(2, abs=0.001)


@in_virtual_time
async def test_a_streamed_answer_begins_late() -> None:
    rule = {"match": {"status": 200}, "action": {"type": "delay", "delay": "2s", "before": "answering"}}
    async with delaying(rule, stream_large_bodies="1") as w:
        origin, client = w.origin(), w.client()
        client.write(GET)
        server = await origin.accept()
        await server.head()
        server.write(OK)
        assert await seconds_of(client.head()) == pytest.approx(2, abs=0.001)


@in_virtual_time
async def test_delays_of_several_rules_add_up() -> None:
    rules = [{"name": str(number), "action": {"type": "delay", "delay": "1s"}} for number in range(2)]
    async with delaying(*rules) as w:
        asked, _ = await ask(w, w.origin())
        assert asked == pytest.approx(2, abs=0.001)


@in_virtual_time
async def test_a_client_that_leaves_frees_everything_at_once() -> None:
    recorder = Recorder()
    async with delaying({"action": {"type": "delay", "delay": "1h"}}, addons=(recorder,)) as w:
        gate = w.gate("requestheaders")
        client = w.client()
        client.write(GET)
        await gate.reached()
        gate.release()
        client.abort()
        assert await seconds_of(w.ended()) < 0.001
        assert w.network.dialled == []
        assert recorder.hooks[-2:] == ["error: client disconnected", "flow_end"]


@in_virtual_time
async def test_each_message_of_one_side_may_be_delayed() -> None:
    """features 64."""
    rule = {
        "match": {"sender": "server"},
        "action": {"type": "delay", "delay": "5s", "before": "messages"},
    }
    async with delaying(rule, mode=["reverse:tcp://example.com:9000"]) as w:
        origin = w.origin("example.com", 9000)
        client = w.client()
        client.write(b"\x00there")
        server = await origin.accept()
        assert await seconds_of(server.exactly(6)) < 0.001
        server.write(b"back")
        assert await seconds_of(client.exactly(4)) == pytest.approx(5, abs=0.001)
        client.close()
        server.close()


@in_virtual_time
async def test_the_option_delays_everything_or_what_a_filter_matches() -> None:
    specs = ["300ms", "|~d other.test|1s", "/~m GET/ 100ms variance=0s"]
    async with world(addons=[Delaying()], delay=specs) as w:
        asked, _ = await ask(w, w.origin())
        assert asked == pytest.approx(0.4, abs=0.001)


def test_a_log_normal_delay_has_its_median_and_a_long_tail() -> None:
    delay, random = Delay(median=Duration("200ms"), sigma=0.5), Random(7)
    seen = sorted(delay.seconds(random) for _ in range(4001))
    assert statistics.median(seen) == pytest.approx(0.2, rel=0.05)
    assert statistics.mean(seen) > 0.215  # exp(sigma² / 2) times the median is 0.227
    assert seen[0] > 0
    capped = Delay(median=Duration("200ms"), sigma=2.0, max=Duration("1s"))
    assert max(capped.seconds(random) for _ in range(1000)) == 1


@in_virtual_time
async def test_chance_is_repeatable() -> None:
    async def once() -> list[float]:
        rule = {"name": "some", "action": {"type": "delay", "median": "100ms"}}
        async with delaying(rule, rules_seed="x") as w:
            origin = w.origin()
            return [round((await ask(w, origin))[0], 9) for _ in range(5)]

    assert await once() == await once()


@in_virtual_time
async def test_a_dry_run_does_not_wait() -> None:
    proxy = Proxy(
        default_addons=("rules",), addons=[Delaying()], rules=[{"action": {"type": "delay", "delay": "1h"}}]
    )
    began = now()
    trace, _ = await dry_run(proxy.addons.rules.current, http_flow())
    assert now() == began
    assert str(trace.steps[-1]) == "note: delay#1 matched (delayed for 3600000 ms)"


@pytest.mark.parametrize(
    ("action", "message"),
    [
        ({}, "needs either delay, as 300ms, or median and sigma"),
        ({"delay": "1s", "median": "1s"}, "needs either delay"),
        ({"delay": 300}, "300 is no duration"),
        ({"delay": "100ms", "variance": "200ms"}, "variance 200ms is more than the delay of 100ms"),
        ({"median": "1s", "variance": "1s"}, "variance belongs to delay"),
        ({"median": "1s", "sigma": -1}, "sigma -1 is not between 0 and 10"),
        ({"delay": "1s", "before": "lunch"}, "must be one of forwarding, answering, messages"),
    ],
)
def test_what_is_wrong_is_said(action: Data, message: str) -> None:
    proxy = Proxy(default_addons=(), addons=[Delaying()])
    with ctx.use(proxy), pytest.raises(OptionsError, match=message):
        proxy.addons.rules.read([{"action": {"type": "delay", **action}}])


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("", "'' is not a spec"),
        ("300", r"delay: '300': action.delay: '300' is no duration"),
        ("/~q(/300ms", "the filter in"),
        ("300ms variance=1ms variance=2ms", "says variance twice"),
        ("300ms speed=2", "there is no 'speed' here"),
    ],
)
def test_what_is_wrong_with_the_option_is_said(spec: str, message: str) -> None:
    with pytest.raises(OptionsError, match=message):
        Proxy(default_addons=(), addons=[Delaying()], delay=[spec])


def test_a_condition_that_comes_too_late_is_refused() -> None:
    proxy = Proxy(default_addons=(), addons=[Delaying()])
    with pytest.raises(OptionsError, match="is not yet known when the action acts"):
        proxy.addons.rules.read([{"match": {"status": 503}, "action": {"type": "delay", "delay": "1s"}}])


def test_what_the_page_shows_can_be_read() -> None:
    page = (Path(__file__).parents[2] / "docs/howto/delay.md").read_text(encoding="utf-8")
    proxy = Proxy(default_addons=(), addons=[Delaying()])
    shown = [YAML(typ="safe").load(block) for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)]
    assert shown
    for data in shown:
        if isinstance(data, dict):
            proxy.options.update(**data)
        else:
            assert proxy.addons.rules.read(data)
    for spec in re.findall(r'--delay "([^"]+)"', page):
        proxy.options.update(delay=[spec])
        assert len(proxy.addons.rules) == 1
