"""Requests that are sent to another URL than they name."""

from __future__ import annotations

from typing import Any

import pytest

from proxyfw.exceptions import OptionsError
from proxyfw.http import HTTPFlow, Request
from proxyfw.proxy import Proxy
from proxyfw.rules import dry_run
from proxyfw.testing import http_flow, world
from proxyfw_addons.map_remote import RemoteMapping

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def mapping(*specs: str, rules: list[dict[str, Any]] | None = None) -> Proxy:
    options: dict[str, Any] = {"map_remote": specs, **({"rules": rules} if rules else {})}
    return Proxy(options, default_addons=("rules",) if rules else (), addons=[RemoteMapping()])


def rule(match: dict[str, Any] | None = None, **action: Any) -> list[dict[str, Any]]:
    return [{"name": "there", "match": match or {}, "action": {"type": "map_remote", **action}}]


async def mapped(proxy: Proxy, url: str, **headers: str) -> HTTPFlow:
    asked = http_flow(Request.make("POST", url, b"body", {"Host": "example.com", **headers}), response=None)
    _, flow = await dry_run(proxy.addons.rules.current, asked)
    assert isinstance(flow, HTTPFlow)
    assert flow.request.content == b"body"
    return flow


URL = "http://example.com/v1/users?q=1"


@pytest.mark.parametrize(
    ("specs", "url"),
    [
        (["|example.com|other.test"], "http://other.test/v1/users?q=1"),
        (["|/v1/(.*)|/v2/\\1&x"], "http://example.com/v2/users?q=1&x"),
        (["|~m POST|^http://|https://"], "https://example.com/v1/users?q=1"),
        (["|~m GET|^http://|https://"], URL),
        (["|example|a.test:8000/?u="], "http://a.test:8000/?u=.com/v1/users?q=1"),
        (["|nothing|other"], URL),
        (["|example.com|b.test", "|b.test|c.test", "|example|never"], "http://c.test/v1/users?q=1"),
    ],
)
async def test_specs_substitute_in_the_url_one_after_the_other(specs: list[str], url: str) -> None:
    """mitmproxy 5.6.106: regex groups, scheme, port; Host follows once."""
    flow = await mapped(mapping(*specs), URL)
    assert flow.request.url == flow.request.pretty_url == url
    assert flow.request.headers.get_all("host") == [url.split("/")[2]]


async def test_a_url_that_stays_the_same_is_not_touched() -> None:
    """mitmproxy 5.6.106: assigned only if changed, as the request may go elsewhere than Host says."""
    asked = http_flow(Request.make("GET", "http://192.0.2.7/"), response=None)
    asked.request.headers["host"] = "example.com"
    _, flow = await dry_run(mapping("|example|example").addons.rules.current, asked)
    assert isinstance(flow, HTTPFlow)
    assert (flow.request.host, flow.request.headers["host"]) == ("192.0.2.7", "example.com")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("|a", "map_remote: '|a' is not a spec: write |[filter|]url-regex|replacement"),
        ("|~x|a|b", "map_remote: the filter in '|~x|a|b' cannot be read: "),
        ("|(|b", "map_remote: '|(|b': match.url: /(/ is not a regular expression: "),
        ("|a|\\2", "action: '\\\\2' cannot take the place of 'a': invalid group reference 2"),
        ("|~c 404|a|b", "map_remote: '|~c 404|a|b': match.filter: is not yet known when"),
    ],
)
def test_specs_that_cannot_be_are_refused(spec: str, message: str) -> None:
    with pytest.raises(OptionsError) as caught:
        mapping(spec)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("action", "url"),
    [
        ({"to": "https://staging.test"}, "https://staging.test/v1/users?q=1"),
        ({"to": "https://staging.test/"}, "https://staging.test/v1/users?q=1"),
        ({"to": "http://staging.test:81/api"}, "http://staging.test:81/api?q=1"),
        ({"to": "http://staging.test/api?k"}, "http://staging.test/api?k"),
        ({"to": "http://staging.test/api?k", "preserve_query": True}, "http://staging.test/api?k&q=1"),
        ({"to": "http://staging.test/api", "preserve_path": True}, "http://staging.test/api/v1/users?q=1"),
        (
            {"to": "http://staging.test", "preserve_path": False, "preserve_query": False},
            "http://staging.test/",
        ),
        ({"to": "https://$1.staging.test/$2"}, "https://example.com.staging.test/users?q=1"),
        ({"to": "wss://chat.test"}, "https://chat.test/v1/users?q=1"),
        ({"to": "http://[2001:db8::7]:81"}, "http://[2001:db8::7]:81/v1/users?q=1"),
        ({"replace": {"^http:": "https:", "users$": "never", "v(1)": r"v\g<1>0"}}, None),
    ],
)
async def test_rules_keep_or_drop_path_and_query(action: dict[str, Any], url: str | None) -> None:
    """features 24."""
    flow = await mapped(mapping(rules=rule({"url": "http://*/v1/*"}, **action)), URL)
    url = url or "https://example.com/v10/users?q=1"
    assert flow.request.url == url
    assert flow.request.headers["host"] == url.split("/")[2]
    assert str([*(flow.trace or ())][-1]) == f"note: there matched (sent to {url})"


async def test_host_can_stay_what_the_client_named() -> None:
    """features 24."""
    flow = await mapped(mapping(rules=rule(to="http://staging.test:81", keep_host=True)), URL)
    assert flow.request.url == "http://staging.test:81/v1/users?q=1"
    assert flow.request.headers.get_all("host") == ["example.com"]
    modern = http_flow(Request.make("GET", URL), response=None)
    modern.request.http_version, modern.request.authority = "HTTP/2.0", "example.com"
    proxy = mapping(rules=rule(to="http://staging.test:81", keep_host=True))
    _, kept = await dry_run(proxy.addons.rules.current, modern)
    assert isinstance(kept, HTTPFlow)
    assert (kept.request.host, kept.request.authority) == ("staging.test", "example.com")


@pytest.mark.parametrize(
    ("action", "message"),
    [
        ({}, "give one of to (a URL) and replace"),
        ({"to": "http://a.test", "replace": {"a": "b"}}, "give one of to (a URL) and replace"),
        ({"to": "a.test"}, "URL 'a.test' has no scheme"),
        ({"to": "ftp://a.test"}, "must begin with http://, https://, ws:// or wss://"),
        ({"to": "http://a.test:99999"}, "port '99999'"),
        ({"replace": {"(": ""}}, "'(' is not a regular expression"),
        ({"replace": {"a": "b"}, "preserve_path": True}, "leave preserve_path and preserve_query out"),
    ],
)
async def test_actions_that_cannot_be_are_refused(action: dict[str, Any], message: str) -> None:
    proxy = mapping()
    with pytest.raises(OptionsError) as caught:
        proxy.addons.rules.read(rule(**action))
    assert message in str(caught.value)


async def test_what_turns_out_to_be_no_url_is_answered_and_sent_nowhere() -> None:
    flow = await mapped(mapping("|http://example.com|nowhere"), URL)
    assert flow.response
    assert flow.response.status_code == 502
    assert flow.response.text == (
        "map_remote, rule map_remote[0]: URL 'nowhere/v1/users?q=1' has no scheme: write it as http://host/path\n"
    )


async def test_the_other_origin_gets_method_headers_and_body_and_tls_is_taken_off() -> None:
    """features 24, mitmproxy 5.6.106: nothing is dialled where the client wanted to go."""
    async with world(addons=[RemoteMapping()], map_remote=["|https://example.com|http://dev.test:8000"]) as w:
        dev, client = w.origin("dev.test", 8000), w.client()
        client.write(
            b"PUT https://example.com/a?b HTTP/1.1\r\nHost: example.com\r\nX-A: 1\r\n"
            b"Content-Length: 4\r\n\r\nbody"
        )
        server = await dev.accept()
        assert await server.message() == (
            b"PUT /a?b HTTP/1.1\r\nHost: dev.test:8000\r\nX-A: 1\r\nContent-Length: 4\r\n\r\nbody"
        )
        server.write(OK)
        assert await client.message() == OK
        (flow,) = await w.ended()
        assert flow.server_conn.address == ("dev.test", 8000)
        assert len(w.network.dialled) == 1


async def test_bodies_that_are_streamed_go_there_too() -> None:
    async with world(
        addons=[RemoteMapping()], map_remote=["|example.com|dev.test"], stream_large_bodies="3"
    ) as w:
        dev, client = w.origin("dev.test"), w.client()
        client.write(
            b"PUT http://example.com/ HTTP/1.1\r\nHost: example.com\r\nContent-Length: 4\r\n\r\nbody"
        )
        server = await dev.accept()
        assert (await server.message()).endswith(b"\r\n\r\nbody")


async def test_websockets_are_sent_there_too() -> None:
    async with world(addons=[RemoteMapping()], map_remote=["|^http://chat.test|http://dev.test:81"]) as w:
        dev, client = w.origin("dev.test", 81), w.client()
        client.write(
            b"GET http://chat.test/ws HTTP/1.1\r\nHost: chat.test\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            b"Sec-WebSocket-Version: 13\r\n\r\n"
        )
        server = await dev.accept()
        head = await server.head()
        assert head.startswith(b"GET /ws HTTP/1.1\r\nHost: dev.test:81\r\n")
        server.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\x81\x02hi"
        )
        assert (await client.head()).startswith(b"HTTP/1.1 101 ")
        assert await client.exactly(4) == b"\x81\x02hi"


def test_nothing_is_done_without_rules() -> None:
    proxy = mapping()
    assert len(proxy.addons.rules) == 0
    proxy.options.update(map_remote=["|a|b"])
    assert proxy.addons.rules.current.hooks == {"request"}
    proxy.options.update(map_remote=[])
    assert proxy.addons.rules.current.hooks == set()
