"""How rules meet flows: order, what answers, what is counted, what the trace says."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from proxyfw.connection import ServerConnectionHookData
from proxyfw.dns import DNSFlow, DNSMessage, Question
from proxyfw.exceptions import OptionsError
from proxyfw.http import HTTPFlow, Request, Response
from proxyfw.model.trace import MOST_STEPS
from proxyfw.rules import Action, Hit, Rule, RuleBook, Trace, dry_run
from proxyfw.testing import client_connection, http_flow, server_connection, websocket_flow


@dataclass
class Tag(Action):
    """Note its name on both sides."""

    value: str = "x"

    def request(self, flow: HTTPFlow, hit: Hit) -> None:
        flow.request.headers.add("x-tag", hit.expand(self.value))

    def response(self, flow: HTTPFlow, hit: Hit) -> None:
        assert flow.response
        flow.response.headers.add("x-tag", f"{self.value}{hit.number}")


@dataclass
class Say(Action):
    status: int = 200
    answers = True

    async def request(self, flow: HTTPFlow, hit: Hit) -> None:
        await asyncio.sleep(0)
        flow.response = Response.make(self.status, b"said")


@dataclass
class Send(Action):
    to: str

    def request(self, flow: HTTPFlow, hit: Hit) -> None:
        flow.request.url = hit.expand(self.to)


@dataclass
class Break(Action):
    later: bool = False

    def request(self, flow: HTTPFlow, hit: Hit) -> Any:
        if not self.later:
            raise ValueError("broken")
        return self._late()

    async def _late(self) -> None:
        await asyncio.sleep(0)
        raise OptionsError("broken late")


@dataclass
class Kill(Action):
    def request(self, flow: HTTPFlow, hit: Hit) -> None:
        flow.live = True
        flow.kill()


@dataclass
class Early(Action):
    def requestheaders(self, flow: HTTPFlow, hit: Hit) -> None:
        flow.request.headers["x-early"] = "1"


@dataclass
class After(Action):
    def response(self, flow: HTTPFlow, hit: Hit) -> None:
        hit.note("seen")


@dataclass
class Count(Action):
    def websocket_message(self, flow: HTTPFlow, hit: Hit) -> None:
        flow.metadata["count"] = flow.metadata.get("count", 0) + 1


@dataclass
class Drop(Action):
    def websocket_message(self, flow: HTTPFlow, hit: Hit) -> None:
        assert flow.websocket
        flow.websocket.messages[-1].drop()

    def dns_request(self, flow: DNSFlow, hit: Hit) -> None:
        assert flow.response is None

    def dns_response(self, flow: DNSFlow, hit: Hit) -> None:
        hit.note("answered")


@dataclass
class Refuse(Action):
    def server_connect(self, data: ServerConnectionHookData, hit: Hit) -> None:
        data.server.error = "refused"


TYPES = (Tag, Say, Send, Break, Kill, Early, After, Count, Drop, Refuse)


def book(*rules: dict[str, Any]) -> RuleBook:
    made = RuleBook()
    for kind in TYPES:
        made.define(kind.__name__.lower(), kind)
    made.provide("test", made.read(list(rules)))
    return made


def get(url: str = "http://example.com/a") -> HTTPFlow:
    return http_flow(Request.make("GET", url), response=None)


async def run(rules: RuleBook, flow: HTTPFlow, *hooks: str) -> HTTPFlow:
    for hook in hooks or ("requestheaders", "request"):
        pending = rules.current.run(hook, (flow,))
        if pending is not None:
            await pending
    return flow


def tags(flow: HTTPFlow) -> list[str]:
    return flow.request.headers.get_all("x-tag")


async def test_lower_priority_runs_first_and_equal_ones_in_their_order() -> None:
    """features 17."""
    rules = book(
        {"action": {"type": "tag", "value": "b"}},
        {"action": {"type": "tag", "value": "c"}},
        {"action": {"type": "tag", "value": "a"}, "priority": -1},
    )
    assert tags(await run(rules, get())) == ["a", "b", "c"]


async def test_rules_added_in_code_run_before_all_others_the_newest_first() -> None:
    rules = book({"action": {"type": "tag", "value": "c"}, "priority": -9})
    older = rules.add({"action": {"type": "tag", "value": "b"}})
    rules.add({"action": {"type": "tag", "value": "a"}})
    assert tags(await run(rules, get())) == ["a", "b", "c"]
    rules.remove(older)
    assert tags(await run(rules, get())) == ["a", "c"]
    with pytest.raises(OptionsError, match="has been removed"):
        rules.remove(older)


async def test_the_first_that_answers_is_the_last_that_runs() -> None:
    """features 32: who answered, and who was not asked any more."""
    rules = book(
        {"name": "first", "action": "tag"},
        {"name": "teapot", "action": {"type": "say", "status": 418}},
        {"name": "never", "action": "tag"},
    )
    flow = await run(rules, get())
    assert flow.response
    assert flow.response.status_code == 418
    assert flow.trace
    assert flow.trace.answered_by == "teapot"
    assert [str(step) for step in flow.trace] == [
        "request: first matched",
        "request: teapot matched",
        "request: never was not looked at: teapot had answered",
    ]
    assert flow.trace.matched() == ["first", "teapot"]


async def test_what_another_addon_has_answered_is_left_alone() -> None:
    rules = book({"name": "late", "action": "tag"})
    flow = get()
    flow.response = Response.make(204)
    await run(rules, flow, "request")
    assert tags(flow) == []
    assert [str(step) for step in flow.trace or ()] == [
        "request: late was not looked at: another addon had answered"
    ]


async def test_later_rules_see_what_earlier_ones_did() -> None:
    """features 30."""
    rules = book(
        {"match": {"host": "example.com"}, "action": {"type": "send", "to": "http://other.test/b"}},
        {"name": "there", "match": {"host": "other.test"}, "action": {"type": "tag", "value": "there"}},
        {"name": "here", "match": {"host": "example.com"}, "action": {"type": "tag", "value": "here"}},
        {
            "name": "seen",
            "match": {"headers": {"x-tag": "there"}},
            "action": {"type": "tag", "value": "both"},
        },
    )
    flow = await run(rules, get())
    assert flow.request.url == "http://other.test/b"
    assert tags(flow) == ["there", "both"]


async def test_several_actions_of_one_rule_run_in_their_order() -> None:
    rules = book({"action": [{"type": "tag", "value": "a"}, "say", {"type": "tag", "value": "never"}]})
    flow = await run(rules, get())
    assert tags(flow) == ["a"]
    assert flow.response is not None


async def test_what_wildcards_stand_for_can_be_used() -> None:
    rules = book({"match": {"url": "http://*/*"}, "action": {"type": "send", "to": "https://$1.test/$2?$$1"}})
    flow = await run(rules, get("http://example.com/a/b"))
    assert flow.request.url == "https://example.com.test/a/b?$1"


async def test_times_counts_uses_and_two_of_ten_concurrent_requests_are_two() -> None:
    """features 16."""
    rules = book({"name": "twice", "times": 2, "action": "say"}, {"name": "rest", "action": "tag"})
    flows = [get() for _ in range(10)]
    await asyncio.gather(*(run(rules, flow) for flow in flows))
    assert sum(flow.response is not None for flow in flows) == 2
    assert [str(step) for step in flows[-1].trace or ()][:1] == ["request: twice has been used up: 2 times"]


async def test_a_rule_that_keeps_its_name_goes_on_counting_when_rules_change() -> None:
    rules = book({"name": "once", "times": 1, "action": "say"})
    await run(rules, get())
    rules.provide("test", rules.read([{"name": "once", "times": 1, "action": "tag"}]))
    assert tags(await run(rules, get())) == []


async def test_rules_that_match_act_on_the_response_too_and_are_counted_once() -> None:
    rules = book(
        {"name": "both", "match": {"host": "example.com"}, "times": 1, "action": "tag"},
        {"match": {"host": "example.com"}, "action": {"type": "send", "to": "http://other.test/"}},
    )
    flow = await run(rules, get())
    flow.response = Response.make(200)
    await run(rules, flow, "responseheaders", "response")
    assert flow.response.headers.get_all("x-tag") == ["x1"]
    assert rules.current.active[0].used == 1


async def test_conditions_on_the_response_decide_when_it_is_there() -> None:
    rules = book({"name": "failed", "match": {"status": "5xx"}, "action": "tag"})
    flow = await run(rules, get())
    assert tags(flow) == []
    flow.response = Response.make(503)
    await run(rules, flow, "responseheaders", "response")
    assert flow.response.headers.get_all("x-tag") == ["x1"]


async def test_the_trace_names_every_rule_and_the_field_that_failed() -> None:
    """features 32."""
    rules = book(
        {"name": "host", "match": {"host": "other.test"}, "action": "tag"},
        {"name": "path", "match": {"path": "/b", "method": "GET"}, "action": "tag"},
        {"name": "header", "match": {"headers": {"x-a": "1"}}, "action": "tag"},
        {"name": "off", "enabled": False, "action": "tag"},
    )
    flow = await run(rules, get())
    assert flow.trace
    assert {(step.rule, step.outcome, step.detail) for step in flow.trace} == {
        ("host", "missed", "host"),
        ("path", "missed", "path"),
        ("header", "missed", "headers.x-a"),
    }
    assert len(flow.trace) == 3
    state = flow.get_state()
    copy = HTTPFlow.from_state(state)
    assert copy.trace
    assert copy.trace.steps == flow.trace.steps
    assert state["trace"]["other_hosts"] == 1


async def test_a_rule_that_the_flow_never_came_to_is_not_said_to_be_for_another_host() -> None:
    """features 32."""
    rules = book(
        {"name": "any", "match": {"status": 503}, "action": "tag"},
        {"name": "other", "match": {"host": "other.test", "status": 503}, "action": "tag"},
    )
    flow = await run(rules, get())
    assert flow.trace
    assert [(step.rule, step.outcome) for step in flow.trace] == [("any", "late"), ("other", "missed")]
    assert flow.get_state()["trace"]["other_hosts"] == 1


@pytest.mark.parametrize("later", [False, True])
async def test_an_action_that_fails_is_reported_and_the_rest_runs(
    later: bool, caplog: pytest.LogCaptureFixture
) -> None:
    rules = book({"name": "bad", "action": {"type": "break", "later": later}}, {"action": "tag"})
    flow = await run(rules, get())
    assert tags(flow) == ["x"]
    assert flow.addon_errors == [f"rule bad (rules[0]): {'broken late' if later else 'ValueError: broken'}"]
    assert "rule bad (rules[0]) failed in request: " in caplog.text
    assert ("Traceback" in caplog.text) is not later
    assert [step.outcome for step in flow.trace or ()] == ["matched", "failed", "matched"]


async def test_a_flow_that_a_rule_killed_is_left_alone() -> None:
    rules = book({"name": "kill", "action": "kill"}, {"action": "tag"})
    flow = await run(rules, get())
    assert tags(flow) == []
    assert flow.trace
    assert flow.trace.answered_by == "kill"


async def test_a_flow_ends_under_the_rules_it_began_with() -> None:
    rules = book({"name": "old", "action": "tag"})
    flow = await run(rules, get())
    rules.provide("test", rules.read([{"name": "new", "action": {"type": "tag", "value": "new"}}]))
    flow.response = Response.make(200)
    assert flow.trace
    flow.trace.rules.run("response", (flow,))
    assert flow.response.headers.get_all("x-tag") == ["x1"]


async def test_messages_are_decided_about_one_by_one() -> None:
    rules = book({"match": {"message": "ping*", "sender": "client"}, "action": "count"})
    flow = websocket_flow((True, "ping 1"))
    assert flow.websocket
    for from_client, content in ((True, "other"), (False, "ping"), (True, "ping 2")):
        await run(rules, flow, "websocket_message")
        flow.websocket.messages.extend(websocket_flow((from_client, content)).websocket.messages)  # type: ignore[union-attr]
    await run(rules, flow, "websocket_message")
    assert flow.metadata["count"] == 2


async def test_connections_have_rules_too() -> None:
    rules = book({"match": {"host": "a.test"}, "action": "refuse"}, {"name": "second", "action": "refuse"})
    data = ServerConnectionHookData(server_connection(("a.test", 1)), client_connection())
    assert rules.current.run("server_connect", (data,)) is None
    assert data.server.error == "refused"
    assert rules.current.active[1].used == 0


async def test_chance_is_repeatable_with_a_seed_and_independent_of_other_rules() -> None:
    """features 40."""

    async def chosen(*more: dict[str, Any]) -> list[int]:
        rules = book({"name": "some", "match": {"chance": 0.5}, "action": "tag"}, *more)
        rules.reseed("7")
        return [number for number in range(40) if tags(await run(rules, get()))]

    first = await chosen()
    assert 5 < len(first) < 35
    other = {"name": "other", "match": {"chance": 0.5}, "action": "after"}
    assert await chosen(other) == first


async def test_only_hooks_with_something_to_do_are_wanted() -> None:
    assert book().current.hooks == frozenset()
    assert book({"action": "early", "enabled": False}).current.hooks == frozenset()
    assert book({"action": "early"}, {"action": "after"}).current.hooks == {"requestheaders", "response"}
    assert book({"action": ["early", "say"]}).current.hooks == {"requestheaders", "request"}
    waits = book({"match": {"body": "x"}, "action": ["early", "say"]})
    assert waits.current.hooks == {"request"}


async def test_hosts_that_come_and_go_take_no_more_memory_than_a_bound() -> None:
    rules = book({"match": {"host": "*.test"}, "action": "tag"}).current
    for number in range(10_000):
        rules.concerning("request", f"{number}.example")
    assert len(rules._seen) <= 4096


async def test_a_dry_run_of_a_websocket_asks_about_each_message() -> None:
    """features 33."""
    rules = book({"name": "both", "match": {"message": "*o*"}, "action": "drop"})
    recorded = websocket_flow((True, b"one"), (False, b"two"), (True, b"three"))
    trace, copy = await dry_run(rules.current, recorded)
    assert [step.outcome for step in trace] == ["matched", "matched", "missed"]
    assert isinstance(copy, HTTPFlow)
    assert copy.websocket
    assert [message.dropped for message in copy.websocket.messages] == [True, True, False]
    assert recorded.websocket
    assert not any(message.dropped for message in recorded.websocket.messages)
    answered, copy = await dry_run(book({"name": "say", "action": "say"}).current, recorded)
    assert answered.answered_by == "say"
    assert isinstance(copy, HTTPFlow)
    assert copy.websocket is None


async def test_a_dry_run_of_a_query_of_dns_asks_before_and_after_the_answer() -> None:
    rules = book({"name": "drop", "match": {"host": "example.com"}, "action": "drop"})
    recorded = DNSFlow(client_connection(), server_connection())
    recorded.request = DNSMessage(0, 1, True, questions=[Question("example.com")])
    recorded.response = recorded.request.succeed([])
    trace, _ = await dry_run(rules.current, recorded)
    assert [str(step) for step in trace] == ["dns_request: drop matched", "note: drop matched (answered)"]


def test_the_trace_of_a_long_connection_keeps_how_it_began_and_the_latest() -> None:
    trace = Trace()
    for number in range(100_000):
        trace.add(str(number), "websocket_message", "matched")
    assert len(trace.steps) <= MOST_STEPS
    assert trace.steps[0].rule == "0"
    assert trace.steps[-1000].rule == "99000"


async def test_a_dry_run_changes_a_copy_only() -> None:
    """features 33."""
    rules = book(
        {"name": "tag", "action": "tag"},
        {"name": "server", "match": {"status": 404}, "action": "after"},
    )
    recorded = http_flow(Request.make("GET", "http://example.com/"), Response.make(404))
    trace, copy = await dry_run(rules.current, recorded)
    assert "x-tag" not in recorded.request.headers
    assert isinstance(copy, HTTPFlow)
    assert tags(copy) == ["x"]
    assert trace.matched() == ["tag", "server"]
    assert [str(step) for step in trace][-1] == "note: server matched (seen)"


async def test_a_dry_run_of_a_rule_that_answers() -> None:
    trace, copy = await dry_run(book({"name": "say", "action": "say"}).current, http_flow())
    assert trace.answered_by == "say"
    assert isinstance(copy, HTTPFlow)
    assert copy.response
    assert copy.response.content == b"said"


def test_where_a_rule_is_written_is_part_of_its_name() -> None:
    (rule,) = book({"name": "a", "action": "tag"})
    assert isinstance(rule, Rule)
    assert str(rule) == "a (rules[0])"


@dataclass
class Stop(Action):
    early = True

    def request(self, flow: HTTPFlow, hit: Hit) -> None:
        flow.response = Response.make(403)

    requestheaders = request


async def early(*rules: dict[str, Any]) -> list[str]:
    """What happens in `requestheaders`, to a GET of http://example.com/a."""
    made = RuleBook()
    for kind in (*TYPES, Stop):
        made.define(kind.__name__.lower(), kind)
    made.provide("test", made.read(list(rules)))
    flow = await run(made, get(), "requestheaders")
    steps = [str(step) for step in flow.trace.steps] if flow.trace else []
    await run(made, flow, "request")
    assert flow.response
    assert flow.response.status_code == 403
    return steps


async def test_what_answers_early_does_so_if_no_rule_before_it_has_anything_left_to_do() -> None:
    stop = {"name": "stop", "action": "stop"}
    acted = ["requestheaders: stop matched"]
    assert await early(stop, {"action": "tag"}) == acted
    assert await early({"action": "early"}, stop) == ["requestheaders: early#1 matched", *acted]
    assert await early({"action": "after"}, stop) == acted
    elsewhere = {"match": {"host": "other.test"}, "action": "tag"}
    assert await early(elsewhere, stop) == acted


async def test_who_has_answered_early_is_named_later() -> None:
    made = RuleBook()
    made.define("stop", Stop)
    made.define("tag", Tag)
    made.provide("test", made.read([{"name": "stop", "action": "stop"}, {"name": "tag", "action": "tag"}]))
    flow = await run(made, get())
    assert [str(step) for step in flow.trace or ()] == [
        "requestheaders: stop matched",
        "request: tag was not looked at: stop had answered",
    ]


async def test_otherwise_it_waits_its_turn_and_is_not_decided_before() -> None:
    stop = {"name": "stop", "action": "stop", "times": 1}
    assert await early({"action": "tag"}, stop) == []
    assert await early({"match": {"body": "x"}, "action": "stop"}, stop) == []
    assert await early({"action": ["tag", "stop"]}) == []
    assert await early({"action": {"type": "send", "to": "http://x.test/"}}, stop) == []


async def test_rules_of_two_sources_with_one_name_are_counted_apart() -> None:
    rules = book({"name": "same", "times": 1, "match": {"host": "a.test"}, "action": "tag"})
    rules.provide(
        "other", rules.read([{"name": "same", "times": 2, "match": {"host": "b.test"}, "action": "tag"}])
    )
    await run(rules, get("http://b.test/"))
    rules.provide("third", rules.read([{"name": "third", "match": {"host": "c.test"}, "action": "tag"}]))
    assert [active.used for active in rules.current.active] == [0, 1, 0]
    assert tags(await run(rules, get("http://a.test/"))) == ["x"]
