"""The block addon: what clients see of it, what it leaves alone, and its two lists."""

from __future__ import annotations

from typing import Any

import pytest

from proxyfw import flow as flows
from proxyfw.exceptions import OptionsError
from proxyfw.http import HTTPFlow, Request
from proxyfw.proxy import Proxy
from proxyfw.rules import RuleBook, dry_run
from proxyfw.testing import Recorder, World, http_flow, world
from proxyfw_addons.block import Allow, Block, Blocking
from proxyfw_addons.rules import RuleFiles

GET = b"GET http://example.com/a HTTP/1.1\r\nHost: example.com\r\n\r\n"
POST = b"POST http://example.com/a HTTP/1.1\r\nHost: example.com\r\nContent-Length: 6\r\n\r\n"
Data = dict[str, Any]


def blocking(*rules: Data, addons: tuple[object, ...] = (), **options: Any) -> Any:
    return world(addons=[Blocking(), RuleFiles(), *addons], rules=list(rules), **options)


def made(**options: Any) -> Proxy:
    proxy = Proxy(default_addons=(), addons=[Blocking(), RuleFiles()], **options)
    proxy.addons.rules.check()
    return proxy


async def answer(w: World, request: bytes = GET) -> bytes:
    client = w.client()
    client.write(request)
    return await client.message()


async def passes(w: World, request: bytes = GET) -> bool:
    """Whether the proxy looks for the origin, which is not there."""
    return (await answer(w, request)).startswith(b"HTTP/1.1 502 ")


async def test_it_answers_403_and_names_the_rule_and_never_dials() -> None:
    """mitmproxy 5.6.104."""
    async with blocking({"name": "no trackers", "action": "block"}) as w:
        w.origin()
        seen = await answer(w)
        assert seen.startswith(b"HTTP/1.1 403 Forbidden\r\n")
        assert seen.endswith(b"\r\n\r\nblocked by proxyfw, rule no trackers\n")
        assert w.network.dialled == []
        (flow,) = await w.ended()
        assert flow.metadata["blocklisted"] is True
        assert flow.trace
        assert flow.trace.answered_by == "no trackers"


@pytest.mark.parametrize(
    ("action", "seen", "reset"),
    [
        ({"status": 404, "body": "gone"}, b"HTTP/1.1 404 Not Found", False),
        ({"how": "close"}, b"", False),
        ({"how": "reset"}, b"", True),
    ],
)
async def test_each_way_can_be_told_from_the_others(action: Data, seen: bytes, reset: bool) -> None:
    """features 21."""
    async with blocking({"action": {"type": "block", **action}}) as w:
        client = w.client()
        client.write(GET)
        if seen:
            assert (await client.message()).partition(b"\r\n")[0] == seen
        else:
            assert await client.rest() == b""
        assert client.reset is reset
        assert (await w.ended())[0].metadata["blocklisted"]
        assert w.network.dialled == []


async def test_drop_never_answers_until_the_client_leaves() -> None:
    """features 21: no answer, no end."""
    recorder = Recorder()
    async with blocking({"action": {"type": "block", "how": "drop"}}, addons=(recorder,)) as w:
        dropped = w.client()
        dropped.write(GET)
        other = w.client()
        other.write(GET.replace(b"/a", b"/b"))
        other.abort()
        (flow,) = await w.ended()
        assert isinstance(flow, HTTPFlow)
        assert flow.request.path == "/b"
        assert str(flow.error) == "blocked by rule block#1: drop"
        assert (dropped.received, dropped.eof) == (b"", False)
        dropped.abort()
        await w.ended(2)
        assert w.network.dialled == []


async def test_a_proxy_with_dropped_requests_stops() -> None:
    async with blocking({"action": {"type": "block", "how": "drop"}}) as w:
        gate = w.gate("client_connected")
        client = w.client()
        client.write(GET)
        await gate.reached()
        gate.release()
    assert client.eof


async def test_a_body_is_not_waited_for() -> None:
    """The rest of the request does not come, and the answer does."""
    async with blocking({"action": "block"}) as w:
        expecting = POST.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n")
        assert (await answer(w, expecting)).startswith(b"HTTP/1.1 403 ")


async def test_a_match_that_asks_for_the_body_waits_for_it() -> None:
    async with blocking({"match": {"body": "*secret*"}, "action": "block"}) as w:
        assert (await answer(w, POST + b"secret")).startswith(b"HTTP/1.1 403 ")
        assert await passes(w, POST + b"public")
        assert await passes(w)


async def test_earlier_rules_answer_first_though_they_do_so_later() -> None:
    block = {"name": "all", "action": "block"}
    early = {"match": {"path": "/a"}, "action": {"type": "block", "status": 404}}
    by_body = {"match": {"body": "x*"}, "action": {"type": "block", "status": 410}}
    async with blocking(early, by_body, block) as w:
        assert (await answer(w)).startswith(b"HTTP/1.1 404 ")
        elsewhere = POST.replace(b"/a", b"/b")
        assert (await answer(w, elsewhere + b"xxxxxx")).startswith(b"HTTP/1.1 410 ")
        assert (await answer(w, elsewhere + b"yyyyyy")).startswith(b"HTTP/1.1 403 ")


async def test_what_an_allow_rule_before_it_matches_is_left_alone() -> None:
    """An allow list of rules, which copies of the flow do not inherit."""
    rules: list[Data] = [
        {"match": {"path": "/a"}, "action": "allow"},
        {"action": "block"},
        {"match": {"path": "/b"}, "action": "allow"},
    ]
    async with blocking(*rules) as w:
        assert await passes(w)
        assert (await answer(w, GET.replace(b"/a", b"/b"))).startswith(b"HTTP/1.1 403 ")
        flow = w.flows[0]
        assert "note: block#2 matched (an allow rule has matched)" in [str(step) for step in flow.trace or ()]
        assert flow.metadata["allowlisted"] != flow.copy().id


async def test_actions_of_one_rule_keep_their_order() -> None:
    async with blocking({"action": ["allow", "block"]}) as w:
        assert await passes(w)
    async with blocking({"action": ["block", "allow"]}) as w:
        assert (await answer(w)).startswith(b"HTTP/1.1 403 ")


async def test_a_head_request_is_answered_without_a_body() -> None:
    async with blocking({"action": "block"}) as w:
        seen = await answer(w, GET.replace(b"GET", b"HEAD"))
        assert seen.startswith(b"HTTP/1.1 403 ")
        assert seen.endswith(b"\r\n\r\n")
        (flow,) = await w.ended()
        assert isinstance(flow, HTTPFlow)
        assert flow.response
        assert flow.response.content == b""


async def test_block_list() -> None:
    """mitmproxy 5.6.104: status, empty body, 444 kills; the first that matches."""
    specs = ["/~u a$/404", ":~u /a|/b:410", "/~u c$/444"]
    async with blocking(block_list=specs) as w:
        assert await answer(w) == b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"
        assert (await answer(w, GET.replace(b"/a", b"/b"))).startswith(b"HTTP/1.1 410 Gone\r\n")
        client = w.client()
        client.write(GET.replace(b"/a", b"/c"))
        assert await client.rest() == b""
        assert client.reset
        assert await passes(w, GET.replace(b"/a", b"/d"))
        assert [flow.metadata.get("blocklisted") for flow in w.flows] == [True, True, True, None]
        w.proxy.options.update(block_list=[])
        assert await passes(w)


async def test_what_has_an_answer_or_an_error_is_not_blocked() -> None:
    book = RuleBook()
    book.define("block", Block)
    book.provide("test", book.read([{"action": "block"}]))
    answered, failed = http_flow(), http_flow(response=None)
    failed.error = flows.Error("failed")
    for flow in (answered, failed):
        assert book.current.run("requestheaders", (flow,)) is None
        assert "blocklisted" not in flow.metadata


async def test_allow_list_blocks_all_the_rest() -> None:
    async with blocking(allow_list=["~u /a$", "~m POST & ~bq yes"]) as w:
        assert await passes(w)
        assert (await answer(w, GET.replace(b"/a", b"/b"))).startswith(b"HTTP/1.1 403 ")
        post = POST.replace(b"/a", b"/b")
        assert await passes(w, post + b"yesyes")
        assert (await answer(w, post + b"nonono")).endswith(b"blocked by proxyfw, rule allow_list\n")
        w.proxy.options.update(allow_list=[])
        assert await passes(w, GET.replace(b"/a", b"/b"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"block_list": ["/~u x"]}, "block_list: '/~u x' is not a spec: write /filter/status"),
        ({"block_list": ["//404"]}, "says nothing of what to block: write /filter/status"),
        ({"block_list": ["/~u x/y/404"]}, "'y/404' in '/~u x/y/404' is not a status .* begin the spec with"),
        ({"block_list": ["/~u x/²"]}, "'²' in .* is not a status from 200 to 999"),
        ({"block_list": ["/~q x y (/404"]}, "block_list: the filter in '/~q x y"),
        ({"allow_list": ["~m GET", "~zz"]}, r"allow_list\[1\]: match.filter: .*~zz"),
        (
            {"rules": [{"action": {"type": "block", "how": "close", "status": 404}}]},
            "how: close sends nothing",
        ),
        ({"rules": [{"action": {"type": "block", "status": 101}}]}, "status: 101 is no status to end with"),
    ],
)
def test_mistakes_are_explained(options: Data, message: str) -> None:
    with pytest.raises(OptionsError, match=message):
        made(**options)


@pytest.mark.parametrize("how", ["close", "reset", "drop", "status"])
async def test_a_dry_run_says_what_would_be_done(how: str) -> None:
    """features 33."""
    book = RuleBook()
    book.define("block", Block)
    book.define("allow", Allow)
    book.provide("test", book.read([{"name": "it", "action": {"type": "block", "how": how}}]))
    request = Request.make("GET", "http://example.com/")
    trace, after = await dry_run(book.current, http_flow(request, response=None))
    assert trace.answered_by == "it"
    assert isinstance(after, HTTPFlow)
    assert (after.response is not None) is (how == "status")


def test_without_rules_there_are_no_hooks() -> None:
    assert made().addons.rules.current.hooks == frozenset()
