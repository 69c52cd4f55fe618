"""The mock addon: what clients get, from the rule, from files and from templates; in sequence, and late."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from proxyfw.exceptions import OptionsError
from proxyfw.http import HTTPFlow, Request
from proxyfw.proxy import Proxy
from proxyfw.rules import RuleBook, dry_run
from proxyfw.testing import World, http_flow, in_virtual_time, world
from proxyfw_addons.mock import Mock, Mocking
from proxyfw_addons.rules import RuleFiles

GET = b"GET http://example.com/a?q=1&q=2 HTTP/1.1\r\nHost: example.com\r\nX-Id: 7\r\nCookie: c=d\r\n\r\n"
HEAD = GET.replace(b"GET", b"HEAD")
TEXT = "text/plain; charset=utf-8"
Data = dict[str, Any]


def mocking(*actions: Data, **options: Any) -> Any:
    rules = [{"name": f"mock {i}", "action": {"type": "mock", **each}} for i, each in enumerate(actions, 1)]
    return world(addons=[Mocking(), RuleFiles()], rules=rules, **options)


def made(**options: Any) -> Proxy:
    proxy = Proxy(default_addons=(), addons=[Mocking(), RuleFiles()], **options)
    proxy.addons.rules.check()
    return proxy


async def answer(w: World, request: bytes = GET) -> tuple[str, list[str], bytes]:
    """Status line, header fields and body."""
    client = w.client()
    client.write(request)
    head = await client.head()
    lines = head.decode().rstrip().split("\r\n")
    length = next((int(line[15:]) for line in lines if line.lower().startswith("content-length:")), 0)
    body = b"" if request.startswith(b"HEAD") else await client.exactly(length)
    return lines[0], lines[1:], body


async def body(w: World, request: bytes = GET) -> bytes:
    return (await answer(w, request))[2]


async def test_it_answers_and_never_contacts_the_origin() -> None:
    """features 20 and 31: what the client got is in the flow."""
    action = {
        "status": 201, "reason": "Made", "body": "hällo",
        "headers": {"X-A": ["1", "2"], "Content-Type": "text/x-own"},
    }  # fmt: skip
    async with mocking(action) as w:
        w.origin()
        line, fields, content = await answer(w)
        assert line == "HTTP/1.1 201 Made"
        assert fields == ["X-A: 1", "X-A: 2", "Content-Type: text/x-own", "Content-Length: 6"]
        assert content == "hällo".encode()
        assert w.network.dialled == []
        (flow,) = await w.ended()
        assert isinstance(flow, HTTPFlow)
        assert flow.response
        assert flow.response.content == content
        assert flow.trace
        assert flow.trace.answered_by == "mock 1"


@pytest.mark.parametrize(
    ("action", "kind", "content"),
    [
        ({}, None, b""),
        ({"body": "text"}, TEXT, b"text"),
        ({"body": "{not json"}, TEXT, b"{not json"),
        ({"body": '{"a": 1}'}, "application/json", b'{"a": 1}'),
        ({"body": " <!DOCTYPE html>\n"}, "text/html; charset=utf-8", b" <!DOCTYPE html>\n"),
        ({"body": "<html>"}, "text/html; charset=utf-8", b"<html>"),
        ({"body": "<?xml version='1.0'?>"}, "application/xml", b"<?xml version='1.0'?>"),
        ({"body": "<svg/>"}, "image/svg+xml", b"<svg/>"),
        ({"json": {"a": [1, None]}}, "application/json", b'{"a": [1, null]}'),
        ({"json": None}, "application/json", b"null"),
        ({"body": "text", "headers": {"content-type": None}}, None, b"text"),
    ],
)
async def test_the_content_type_is_guessed(action: Data, kind: str | None, content: bytes) -> None:
    async with mocking(action) as w:
        _, fields, seen = await answer(w)
        assert seen == content
        assert [field for field in fields if field.lower().startswith("content-type")] == (
            [f"Content-Type: {kind}"] if kind else []
        )


async def test_dates_in_rule_files_are_text(tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text("- action: {type: mock, json: {at: 2026-01-31}}\n")
    async with world(addons=[Mocking(), RuleFiles()], rules_file=[str(file)]) as w:
        assert await body(w) == b'{"at": "2026-01-31"}'


async def test_a_status_without_a_body() -> None:
    async with mocking({"status": 204}) as w:
        assert await answer(w) == ("HTTP/1.1 204 No Content", [], b"")


async def test_head_is_answered_like_get_but_for_the_body() -> None:
    async with mocking({"body": "12345"}) as w:
        client = w.client()
        client.write(HEAD + GET)
        first = await client.head()
        assert b"\r\nContent-Length: 5\r\n" in first
        second = await client.message()
        assert second == first + b"12345"
        flow = (await w.ended(2))[0]
        assert isinstance(flow, HTTPFlow)
        assert flow.response
        assert not flow.response.raw_content


async def test_a_body_file_is_read_on_each_use(tmp_path: Path) -> None:
    """features 19: what is in it now."""
    file = tmp_path / "answer.json"
    async with mocking({"body_file": str(file)}) as w:
        for text in ('{"n": 1}', '{"n": 2}'):
            file.write_text(text)
            _, fields, content = await answer(w)
            assert content == text.encode()
            assert "Content-Type: application/json" in fields


@pytest.mark.parametrize(
    ("make", "reason"), [(False, "No such file or directory"), (True, "it is not a file")]
)
async def test_a_file_that_is_not_there_is_no_success(
    make: bool, reason: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """features 19: a clear 5xx, whatever the status that was meant, and a line in the log."""
    file = tmp_path / "missing"
    if make:
        file.mkdir()
    async with mocking({"body_file": str(file)}, {"body": "never"}) as w:
        line, _, content = await answer(w)
        assert line.startswith("HTTP/1.1 500 ")
        assert content.decode() == f"mock, rule mock 1: cannot read {file}: {reason}\n"
        (flow,) = await w.ended()
        assert flow.trace
        assert flow.trace.answered_by == "mock 1"
        assert flow.addon_errors
        assert w.network.dialled == []
    assert f"failed in request: cannot read {file}: {reason}" in caplog.text
    assert "Traceback" not in caplog.text


async def test_whatever_fails_the_origin_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """features 20."""

    async def fail(*_: object) -> None:
        raise RuntimeError("oops")

    monkeypatch.setattr(Mock, "made_for", fail)
    async with mocking({}) as w:
        assert await body(w) == b"mock, rule mock 1: oops\n"
        assert w.network.dialled == []


async def test_templates_have_values_of_the_request(tmp_path: Path) -> None:
    file = tmp_path / "t.txt"
    file.write_text("{{ request.json.user }}|{{ request.text | length }}")
    post = GET.replace(b"GET", b"POST").replace(b"\r\n\r\n", b"\r\nContent-Length: 15\r\n\r\n")
    text = (
        "{{ request.method }} {{ request.scheme }}://{{ request.host }}:{{ request.port }}{{ request.path }} "
        "{{ request.query.q }} {{ request.headers['x-id'] }} {{ request.cookies.c }} "
        "{{ number }} {{ found[0] }}"
    )
    async with mocking(
        {"sequence": [
            {"template": True, "body": text, "headers": {"X-Echo": "<{{ request.headers['x-id'] }}>"}},
            {"template": True, "json": {"n": ["{{ number }}", 2], "form": "{{ request.form.a }}"}},
            {"template": True, "body_file": str(file)},
            {"body": "{{ number }}"},
        ]},
    ) as w:  # fmt: skip
        _, fields, content = await answer(w)
        assert content.decode() == "GET http://example.com:80/a 1 7 d 1 http://example.com/a?q=1&q=2"
        assert "X-Echo: <7>" in fields
        form = post.replace(b"\r\n\r\n", b"\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n")
        assert await body(w, form + b"a=12&a=34567890") == b'{"n": ["2", 2], "form": "12"}'
        assert await body(w, post + b'{"user": "bob"}') == b"bob|15"
        assert await body(w) == b"{{ number }}"


async def test_what_wildcards_found_and_chance_with_a_seed() -> None:
    action = {"type": "mock", "template": True, "body": "{{ found[1] }} {{ random(1, 1000) }}"}
    rules = [{"match": {"url": "*/a"}, "action": action}]
    seen = []
    for _ in range(2):
        async with world(addons=[Mocking(), RuleFiles()], rules=rules, rules_seed="s") as w:
            seen.append([await body(w), await body(w)])
    assert seen[0] == seen[1]
    assert seen[0][0] != seen[0][1]
    assert seen[0][0].startswith(b"http://example.com ")


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        ({"body": "{{ request.json.x }}"}, "the template fails: JSONDecodeError"),
        ({"body": "{{ request.query.nothing }}"}, "the template fails: UndefinedError: 'dict object' has no"),
        ({"body": "{{ request._request }}"}, "the template fails: SecurityError"),
        (
            {"body": "x", "headers": {"X-A": "{{ 'a\\r\\nb' }}"}},
            "headers: X-A would be 'a\\r\\nb', which is more than one",
        ),
    ],
)
async def test_a_template_that_fails_is_no_success(action: Data, reason: str) -> None:
    async with mocking({"template": True, **action}) as w:
        line, _, content = await answer(w)
        assert line.startswith("HTTP/1.1 500 ")
        assert reason in content.decode()


async def test_a_file_that_is_no_template(tmp_path: Path) -> None:
    file = tmp_path / "t"
    async with mocking({"template": True, "body_file": str(file)}) as w:
        file.write_bytes(b"a\xff")
        assert b"is no template: it is not UTF-8 at byte 1" in await body(w)
        file.write_bytes(b"\n{{")
        assert b"the template cannot be read: line 2: " in await body(w)


@pytest.mark.parametrize(("after", "seen"), [("last", b"a b b b"), ("loop", b"a b a b"), ("origin", b"a b")])
async def test_a_sequence_of_answers(after: str, seen: bytes) -> None:
    async with mocking({"sequence": [{"body": "a"}, {"body": "b"}], "after": after}) as w:
        origin = w.origin()
        bodies = [await body(w) for _ in range(2 if after == "origin" else 4)]
        assert b" ".join(bodies) == seen
        assert w.network.dialled == []
        if after == "origin":
            client = w.client()
            client.write(GET)
            (await origin.accept()).write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\no")
            assert (await client.message()).endswith(b"\r\n\r\no")


async def test_times_leave_the_rest_to_the_next_rule() -> None:
    """features 16: exactly two of ten at the same time."""
    rules = [
        {"times": 2, "action": {"type": "mock", "body": "a", "delay": "1ms"}},
        {"action": {"type": "mock", "body": "b"}},
    ]
    async with world(addons=[Mocking(), RuleFiles()], rules=rules) as w:
        assert sorted(await asyncio.gather(*[body(w) for _ in range(10)])) == [b"a"] * 2 + [b"b"] * 8


async def test_a_match_without_anything_is_for_all() -> None:
    """features 8."""
    rules = [{"match": {}, "action": {"type": "mock", "body": "a"}}]
    async with world(addons=[Mocking(), RuleFiles()], rules=rules) as w:
        assert await body(w) == b"a"


@in_virtual_time
async def test_the_answer_comes_late_if_wanted() -> None:
    async with mocking({"body": "late", "delay": "1h"}, idle_timeout="2h") as w:
        began = asyncio.get_running_loop().time()
        assert await body(w) == b"late"
        assert asyncio.get_running_loop().time() - began == pytest.approx(3600, abs=0.1)


@in_virtual_time
async def test_a_client_that_leaves_is_not_waited_for() -> None:
    async with mocking({"body": "late", "delay": "1h"}) as w:
        client = w.client()
        client.write(GET)
        client.close()
        (flow,) = await w.ended()
        assert str(flow.error) == "client disconnected"
        assert asyncio.get_running_loop().time() < 60


async def test_a_websocket_is_refused() -> None:
    upgrade = GET.replace(b"\r\n\r\n", b"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    async with mocking({"sequence": [{"body": "hi"}, {"status": 403, "body": "no"}]}) as w:
        line, _, content = await answer(w, upgrade)
        assert line.startswith("HTTP/1.1 501 ")
        assert b"use the action websocket_mock" in content
        assert (await answer(w, upgrade))[0].startswith("HTTP/1.1 403 ")


async def test_the_option(tmp_path: Path) -> None:
    file = tmp_path / "a.html"
    file.write_text("<p>")
    async with world(
        addons=[Mocking()], mock=["|~m POST|.|posted", f"|example[.]com/b|@{file}", "|/a|a"]
    ) as w:
        assert await body(w) == b"a"
        assert await body(w, GET.replace(b"GET", b"POST")) == b"posted"
        _, fields, content = await answer(w, GET.replace(b"/a", b"/b"))
        assert content == b"<p>"
        assert "Content-Type: text/html; charset=utf-8" in fields
        w.proxy.options.update(mock=[])
        assert w.proxy.addons.rules.current.hooks == frozenset()


@pytest.mark.parametrize(
    ("action", "message"),
    [
        ({"status": 101}, "action: status: 101 is no status to end with"),
        ({"body": "a", "json": 1}, "an answer has one body: write body or json, not all"),
        ({"body": "a", "status": 204}, "body: an answer with status 204 has no body"),
        ({"body": "{{", "template": True}, "the template cannot be read: line 1"),
        ({"json": {"a": ["{{"]}, "template": True}, "the template cannot be read: line 1"),
        ({"headers": {"a": "b\nc"}}, "headers: a would be 'b.nc', which is more than one line"),
        ({"reason": "a\r\nb"}, "reason would be 'a.r.nb', which is more than one line"),
        ({"sequence": [{"status": 99}]}, r"action.sequence\[0\]: status: 99 is no status"),
        ({"sequence": [{}], "body": "a"}, "body: with a sequence, write it in each answer"),
        ({"after": "loop"}, "after: loop says what comes after a sequence"),
        ({"delay": 3}, "action.delay: 3 is no duration"),
        ({"bodyfile": "x"}, "did you mean body_file"),
    ],
)
def test_mistakes_in_rules_are_explained(action: Data, message: str) -> None:
    with pytest.raises(OptionsError, match=message):
        made(rules=[{"action": {"type": "mock", **action}}])


def test_mistakes_in_specs_are_explained() -> None:
    with pytest.raises(OptionsError, match=r"mock: '\|\|x' has no url-regex"):
        made(mock=["||x"])


async def test_a_dry_run_does_not_wait() -> None:
    """features 33."""
    book = RuleBook()
    book.define("mock", Mock)
    book.provide("test", book.read([{"name": "it", "action": {"type": "mock", "delay": "1h", "body": "a"}}]))
    trace, after = await dry_run(
        book.current, http_flow(Request.make("GET", "http://a.example/"), response=None)
    )
    assert trace.answered_by == "it"
    assert isinstance(after, HTTPFlow)
    assert after.response
    assert after.response.content == b"a"


def test_only_what_always_answers_says_so() -> None:
    """For `proxyfw rules lint`: features 34."""
    assert Mock().answers
    assert not Mock(sequence=[Mock()], after="origin").answers


def test_it_acts_once_for_a_request() -> None:
    assert Mock.hooks() == ["request"]
