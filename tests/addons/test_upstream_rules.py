"""Upstream proxies by host."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from proxyfw import ctx
from proxyfw.exceptions import OptionsError
from proxyfw.http import HTTPFlow, Request
from proxyfw.proxy import Proxy
from proxyfw.rules import dry_run
from proxyfw.testing import End, World, http_flow, world
from proxyfw_addons.map_remote import RemoteMapping
from proxyfw_addons.rules import RuleFiles
from proxyfw_addons.upstream import UpstreamRules

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
PROXY = "http://user:s3cret@up.test:3128"
BASIC = b"Proxy-Authorization: Basic dXNlcjpzM2NyZXQ=\r\n"


def get(host: str, more: bytes = b"") -> bytes:
    return b"GET http://%b/a HTTP/1.1\r\nHost: %b\r\n%b\r\n" % (host.encode(), host.encode(), more)


def ruled(*entries: str, rules: list[dict[str, Any]] | None = None, **options: Any) -> Any:
    addons = [UpstreamRules(), RemoteMapping(), RuleFiles()]
    return world(addons=addons, upstream_rules=entries, rules=rules or [], **options)


def through(match: dict[str, Any], **action: Any) -> dict[str, Any]:
    return {"match": match, "action": {"type": "upstream", **action}}


async def tunnel(w: World, host: str = "app.test") -> End:
    client = w.client()
    client.write(f"CONNECT {host}:5432 HTTP/1.1\r\nHost: {host}:5432\r\n\r\n".encode())
    assert await client.head() == ESTABLISHED
    client.write(b"\0raw")
    return client


async def test_plain_requests_to_a_host_go_through_its_proxy() -> None:
    """trap 10, features 52: with credentials; other hosts are reached directly."""
    async with ruled(f"app.test={PROXY}") as w:
        proxy, other, client = w.origin("up.test", 3128), w.origin("other.test"), w.client()
        client.write(get("app.test"))
        upstream = await proxy.accept()
        assert await upstream.head() == get("app.test", BASIC)
        upstream.write(OK)
        await client.message()
        client.write(get("other.test"))
        server = await other.accept()
        assert await server.head() == b"GET /a HTTP/1.1\r\nHost: other.test\r\n\r\n"
        server.write(OK)
        await client.message()
        flows = await w.ended(2)
        assert [flow.server_conn.via for flow in flows] == [("http", ("up.test", 3128)), None]


async def test_websockets_and_tunnels_go_through_it_too() -> None:
    """trap 21."""
    async with ruled(f"*.test={PROXY}", "direct.test=direct") as w:
        proxy, direct, client = w.origin("up.test", 3128), w.origin("direct.test", 5432), w.client()
        client.write(get("app.test", b"Upgrade: websocket\r\nConnection: Upgrade\r\n"))
        upstream = await proxy.accept()
        assert await upstream.head() == (
            b"CONNECT app.test:80 HTTP/1.1\r\nHost: app.test:80\r\n" + BASIC + b"\r\n"
        )
        upstream.write(ESTABLISHED)
        assert b"Upgrade: websocket" in await upstream.head()
        await tunnel(w)
        second = await proxy.accept()
        assert (await second.head()).startswith(b"CONNECT app.test:5432 ")
        second.write(ESTABLISHED)
        assert await second.exactly(4) == b"\0raw"
        await tunnel(w, "direct.test")
        assert await (await direct.accept()).exactly(4) == b"\0raw"


@pytest.mark.parametrize(("scheme", "asked"), [("socks5", b"\5\1\0\1"), ("socks5h", b"\5\1\0\3\x08app.test")])
async def test_plain_requests_go_through_socks(scheme: str, asked: bytes) -> None:
    """trap 10, features 52: SOCKS is not forgotten for http://, and names are resolved there if so wished."""
    async with ruled(f"app.test={scheme}://user:pw@up.test") as w:
        if scheme == "socks5h":
            w.network.unknown.add("app.test")
        proxy, client = w.origin("up.test", 1080), w.client()
        client.write(get("app.test"))
        upstream = await proxy.accept()
        await upstream.exactly(4)
        upstream.write(b"\5\2")
        assert await upstream.exactly(9) == b"\1\4user\2pw"
        upstream.write(b"\1\0")
        assert (await upstream.exactly(len(asked))) == asked
        await upstream.exactly(6 if scheme == "socks5" else 2)
        upstream.write(b"\5\0\0\1\0\0\0\0\0\0")
        assert (await upstream.head()).startswith(b"GET /a HTTP/1.1\r\n")


@pytest.mark.parametrize(
    ("host", "port"),
    [("app.test", 1), ("a.app.test", 2), ("a.b.test", 3), ("app.example", 0)],
)
async def test_what_names_one_host_comes_before_wildcards_and_those_in_their_order(
    host: str, port: int
) -> None:
    """features 9."""
    entries = ["*.app.test=http://up.test:2", "*.test=http://up.test:3", "app.test=http://up.test:1"]
    flow = await chosen([], entries, f"http://{host}/")
    assert flow.server_conn.via == (("http", ("up.test", port)) if port else None)


async def chosen(rules: list[dict[str, Any]], entries: list[str], url: str) -> HTTPFlow:
    addons = [UpstreamRules(), RemoteMapping(), RuleFiles()]
    proxy = Proxy(default_addons=(), addons=addons, rules=rules, upstream_rules=entries)
    proxy.addons.rules.check()
    asked = http_flow(Request.make("GET", url), response=None)
    with ctx.use(proxy):
        _, flow = await dry_run(proxy.addons.rules.current, asked)
    assert isinstance(flow, HTTPFlow)
    return flow


@pytest.mark.parametrize(
    ("url", "via"),
    [
        ("http://a.test/special", "first.test"),
        ("http://a.test/else", "second.test"),
        ("http://mapped.test/", "third.test"),
        ("http://by.test/", None),
        ("http://x.lan/", None),
    ],
)
async def test_rules_choose_by_whatever_they_match_and_the_first_decides(url: str, via: str | None) -> None:
    rules = [
        through({"path": "/special"}, proxy="http://first.test:1"),
        through(
            {"host": ["a.test", "by.test", "*.lan"]}, proxy="http://second.test", bypass=["by.*", "*.lan"]
        ),
        {"match": {"host": "mapped.test"}, "action": {"type": "map_remote", "to": "http://c.test"}},
    ]
    flow = await chosen(
        rules, ["*.test=http://last.test", "c.test=socks5h://third.test", "mapped.test=direct"], url
    )
    assert (flow.server_conn.via.address[0] if flow.server_conn.via else None) == via
    note = [str(step) for step in flow.trace or () if "upstream proxy: " in step.detail]
    assert len(note) == 1
    assert ("none" in note[0]) is (via is None)


async def test_a_rule_wins_over_the_mode() -> None:
    """features 52."""
    entries = ("app.test=http://other.test:1", "direct.test=direct")
    async with ruled(*entries, mode=["upstream:http://mode.test:3128"]) as w:
        by_host = {
            "app.test": w.origin("other.test", 1),
            "else.test": w.origin("mode.test", 3128),
            "direct.test": w.origin("direct.test"),
        }
        client = w.client()
        for host, origin in by_host.items():
            client.write(get(host))
            server = await origin.accept()
            await server.head()
            server.write(OK)
            await client.message()


async def test_other_credentials_for_the_proxy_of_the_mode_hold_when_a_request_is_repeated() -> None:
    async with ruled(f"app.test={PROXY}", mode=["upstream:http://mode:pw@up.test:3128"]) as w:
        proxy, client = w.origin("up.test", 3128), w.client()
        client.write(get("app.test"))
        upstream = await proxy.accept()
        assert BASIC in await upstream.head()
        upstream.write(OK)
        await client.message()
        client.write(get("app.test"))
        await upstream.head()
        upstream.close()  # as one that had been idle for too long
        assert await (await proxy.accept()).head() == get("app.test", BASIC)


@pytest.mark.parametrize("path", ["/a", "/b"])
async def test_what_was_connected_ahead_serves_only_the_same_way(path: str) -> None:
    """A tunnel to the host goes through one proxy, requests for some path through another."""
    rules = [
        through({"path": "/b"}, proxy="http://b.test:1"),
        through({"host": "app.test"}, proxy="http://a.test:1"),
    ]
    async with ruled(rules=rules, connection_strategy="eager") as w:
        a, b, client = w.origin("a.test", 1), w.origin("b.test", 1), w.client()
        client.write(b"CONNECT app.test:80 HTTP/1.1\r\nHost: app.test:80\r\n\r\n")
        ahead = await a.accept()
        assert (await ahead.head()).startswith(b"CONNECT app.test:80 ")
        ahead.write(ESTABLISHED)
        assert await client.head() == ESTABLISHED
        client.write(f"GET {path} HTTP/1.1\r\nHost: app.test\r\n\r\n".encode())
        if path == "/b":
            assert await ahead.rest() == b""
            ahead = await b.accept()
            assert (await ahead.head()).startswith(b"GET http://app.test/b HTTP/1.1")
        else:
            assert (await ahead.head()).startswith(b"GET /a HTTP/1.1")


async def test_the_password_is_told_to_the_proxy_alone(caplog: pytest.LogCaptureFixture) -> None:
    """features 53: not in logs, traces, states, answers or representations."""
    caplog.set_level(logging.DEBUG)
    async with ruled(f"app.test={PROXY}") as w:
        proxy, client = w.origin("up.test", 3128), w.client()
        client.write(get("app.test"))
        upstream = await proxy.accept()
        assert BASIC in await upstream.head()
        upstream.write(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n")
        answer = await client.message()
        assert answer.startswith(b"HTTP/1.1 502 ")
        (flow,) = await w.ended()
        (rule,) = w.proxy.addons.rules
        shown = [
            repr(flow.get_state()), json.dumps([str(step) for step in flow.trace or ()]), answer.decode(),
            repr(flow.server_conn), repr(flow.server_conn.via), repr(rule), str(rule), caplog.text,
        ]  # fmt: skip
        assert "upstream proxy: http://up.test:3128" in shown[1]
        for text in shown:
            assert "s3cret" not in text
            assert "dXNlcjpzM2NyZXQ" not in text


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("http://u:s3cret@up.test", "entry 1 is not of the form host=proxy, as *.test=http://proxy:3128"),
        ("http://u:s3c=ret@up.test", "entry 1 is not of the form"),
        ("app.test=", "entry 1 is not of the form"),
        (
            "app.test=up.test:3128",
            "upstream_rules: app.test: action: proxy must be direct, or a URL as http://",
        ),
        ("app.test=ftp://u:s3cret@up.test", "schemes are http, https, socks5, socks5h"),
        ("app.test=http://u:s3/cret@up.test:x", "proxy must be direct"),
        ("app.test=http://u:s3cret@up.test:70000", "70000 is not a port"),
        ("app.test=http://s3cret@up.test", "proxy: write http://user:password@host"),
    ],
)
def test_what_cannot_be_is_refused_without_the_password(entry: str, message: str) -> None:
    """features 53."""
    with pytest.raises(OptionsError) as caught:
        Proxy(default_addons=(), addons=[UpstreamRules()], upstream_rules=[entry])
    assert message in str(caught.value)
    assert "s3" not in str(caught.value)


async def test_credentials_can_be_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule files are kept in repositories."""
    monkeypatch.setenv("UP", "user:p@s:s")
    flow = await chosen([through({}, proxy="http://up.test", auth="$UP")], [], "http://app.test/")
    assert flow.server_conn.via
    assert flow.server_conn.via.credentials == "user:p@s:s"
    spelled = await chosen([through({}, proxy="http://user:p%40s:s@up.test")], [], "http://app.test/")
    assert spelled.server_conn.via
    assert spelled.server_conn.via.credentials == "user:p@s:s"


@pytest.mark.parametrize("value", [None, "s3cret"])
async def test_without_credentials_nothing_is_sent(
    value: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And rules can be checked where the variable is not set."""
    if value:
        monkeypatch.setenv("UP", value)
    reason = "company: no user:password for http://up.test:80 in the environment variable $UP"
    rule = {"name": "company", **through({"host": "app.test"}, proxy="http://up.test", auth="$UP")}
    async with ruled(rules=[rule]) as w:
        client = w.client()
        client.write(get("app.test"))
        assert (await client.message()).endswith(f"\r\n\r\n{reason}\n".encode())
        await tunnel(w)
        assert reason in {str(flow.error) for flow in await w.ended(3)}
        assert w.network.dialled == []


@pytest.mark.parametrize(
    ("action", "message"),
    [
        ({"proxy": "http://up.test", "auth": "s3cret"}, "auth must be user:password"),
        ({"proxy": "http://u:p@up.test", "auth": "a:b"}, "leave auth out"),
    ],
)
def test_credentials_that_cannot_be(action: dict[str, Any], message: str) -> None:
    proxy = Proxy(default_addons=(), addons=[UpstreamRules()])
    with pytest.raises(OptionsError) as caught:
        proxy.addons.rules.read([through({}, **action)])
    assert message in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_nothing_is_done_without_entries() -> None:
    proxy = Proxy(default_addons=(), addons=[UpstreamRules()])
    assert proxy.addons.rules.current.hooks == set()
    with pytest.raises(OptionsError, match="two entries for 'a'"):
        proxy.options.update(upstream_rules=["a=direct", "a=http://b"])
