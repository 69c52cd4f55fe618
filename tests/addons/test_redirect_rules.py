"""The redirect addon: where it sends clients, and when it does not."""

from __future__ import annotations

from typing import Any

import pytest

from proxyfw.exceptions import OptionsError
from proxyfw.http import HTTPFlow, Request
from proxyfw.proxy import Proxy
from proxyfw.testing import http_flow, world
from proxyfw_addons.redirect import Redirects
from proxyfw_addons.rules import RuleFiles

HERE = "http://old.example/a/b?x=1&x=2"


def made(**options: Any) -> Proxy:
    proxy = Proxy(default_addons=(), addons=[Redirects(), RuleFiles()], **options)
    proxy.addons.rules.check()
    return proxy


def asked(proxy: Proxy, url: str = HERE) -> HTTPFlow:
    flow = http_flow(Request.make("GET", url), response=None)
    proxy.addons.rules.current.run("request", (flow,))
    return flow


def location(url: str = HERE, match: dict[str, Any] | None = None, **action: Any) -> str | None:
    flow = asked(made(rules=[{"match": match or {}, "action": {"type": "redirect", **action}}]), url)
    return flow.response.headers["location"] if flow.response else None


async def test_the_client_is_sent_elsewhere_and_nothing_is_dialled() -> None:
    rules = [
        {"match": {"url": "http://*/*"}, "action": {"type": "redirect", "to": "https://$1/$2", "status": 308}}
    ]
    async with world(addons=[Redirects(), RuleFiles()], rules=rules) as w:
        client = w.client()
        client.write(b"GET http://example.com/a%20b?q HTTP/1.1\r\nHost: example.com\r\n\r\n")
        answer = (await client.message()).lower()
        assert answer.startswith(b"http/1.1 308 permanent redirect\r\n")
        assert b"\r\nlocation: https://example.com/a%20b\r\n" in answer
        assert w.network.dialled == []


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ({"to": "https://new.example/"}, "https://new.example/"),
        ({"to": "https://new.example", "preserve_path": True}, "https://new.example/a/b"),
        ({"to": "https://new.example/v2/", "preserve_path": True}, "https://new.example/v2/a/b"),
        ({"to": "https://new.example/", "preserve_query": True}, "https://new.example/?x=1&x=2"),
        ({"to": "/n?y=3", "preserve_query": True, "preserve_path": True}, "/n/a/b?y=3&x=1&x=2"),
        ({"to": "/schöner ort#oben"}, "/sch%C3%B6ner%20ort#oben"),
    ],
)
def test_path_and_query_go_along_if_wanted(action: dict[str, Any], expected: str) -> None:
    assert location(**action) == expected


def test_two_slashes_in_the_path_are_no_host() -> None:
    found = location("http://old.example//evil.example/x", to="https://new.example", preserve_path=True)
    assert found == "https://new.example//evil.example/x"


def test_groups_of_regular_expressions() -> None:
    match = {"url": r"/^http:..(\w+)[.]example.(\w+)/"}
    assert location(match=match, to="https://$2.example/$1") == "https://a.example/old"


@pytest.mark.parametrize("to", ["http://old.example/a/b?x=1&x=2", "/a/b?x=1&x=2"])
def test_nobody_is_sent_to_where_they_are(to: str) -> None:
    assert location(to=to) is None


def test_the_option() -> None:
    proxy = made(
        redirect=["|http://old[.]example/(.*)|https://new.example/$1", "/~m POST/.*/https://$$1.example/"]
    )
    flow = asked(proxy)
    assert flow.response
    assert flow.response.status_code == 302
    assert flow.response.headers["location"] == "https://new.example/a/b?x=1&x=2"
    assert asked(proxy, "http://other.example/").response is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"redirect": ["|x"]}, r"redirect: '\|x' is not a spec: write /\[filter/\]url-regex/location"),
        ({"redirect": ["|x|"]}, "has an empty part"),
        ({"redirect": ["|(|/y"]}, r"redirect: '\|\(\|/y': match.url: .*is not a regular expression"),
        ({"rules": [{"action": {"type": "redirect", "to": "/", "status": 200}}]}, "must be one of 301, 302"),
        ({"rules": [{"action": "redirect"}]}, "to is missing"),
        ({"rules": [{"action": {"type": "redirect", "to": "http://[x"}}]}, "action: Invalid IPv6 URL"),
    ],
)
def test_mistakes_are_explained(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionsError, match=message):
        made(**options)
