"""The block_hosts addon: which hosts and ports a pattern means, and what the client is told."""

from __future__ import annotations

from typing import Any

import pytest

from proxyfw.exceptions import OptionsError
from proxyfw.http import HTTPFlow, Request
from proxyfw.proxy import Proxy
from proxyfw.testing import http_flow, world
from proxyfw_addons.block_hosts import BlockingHosts
from proxyfw_addons.rules import RuleFiles


def made(**options: Any) -> Proxy:
    return Proxy(default_addons=(), addons=[BlockingHosts(), RuleFiles()], **options)


def blocked(proxy: Proxy, url: str, method: str = "GET") -> HTTPFlow:
    flow = http_flow(Request.make(method, url), response=None)
    proxy.addons.rules.current.run("requestheaders", (flow,))
    return flow


@pytest.mark.parametrize(
    ("pattern", "url", "expected"),
    [
        ("ads.example", "http://ads.example/", True),
        ("ads.example", "https://ADS.example/", True),
        ("ads.example", "https://www.ads.example/", False),
        ("ads.example", "https://ads.example:8443/", False),
        ("ads.example:8443", "https://ads.example:8443/", True),
        ("ads.example:8443", "https://ads.example/", False),
        ("ads.example:*", "https://ads.example:1234/", True),
        ("*.google.com", "https://www.google.com/", True),
        ("*.google.com", "https://google.com/", False),
        ("*.google.com", "https://evilgoogle.com/", False),
        ("*", "http://localhost:3000/", True),
        ("/^ads?[.]/", "http://ad.example/", True),
        ("[::1]:8080", "http://[::1]:8080/", True),
        ("[::1]", "http://[::1]/", True),
    ],
)
def test_which_hosts_are_meant(pattern: str, url: str, expected: bool) -> None:
    """features 2.12 and 9: as in Cypress; the apex is not below itself."""
    assert (blocked(made(block_hosts=[pattern]), url).response is not None) is expected


async def test_the_client_is_told_the_pattern_and_nothing_is_dialled() -> None:
    """features 2.12."""
    async with world(addons=[BlockingHosts()], block_hosts=["other.example", "*.ads.example"]) as w:
        client = w.client()
        client.write(b"GET http://a.ads.example/x HTTP/1.1\r\nHost: a.ads.example\r\n\r\n")
        answer = await client.message()
        assert answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
        assert b"\r\nx-proxyfw-matched-blocked-host: *.ads.example\r\n" in answer
        assert answer.endswith(b"\r\n\r\nblocked by proxyfw: the host matches *.ads.example\n")
        assert w.network.dialled == []


def test_head_is_answered_without_a_body() -> None:
    response = blocked(made(block_hosts=["ads.example"]), "http://ads.example/", "HEAD").response
    assert response
    assert response.content == b""


def test_as_an_action_it_names_the_pattern_that_matched() -> None:
    proxy = made(rules=[{"match": {"host": ["a.example", "*.b.example"]}, "action": "block_hosts"}])
    proxy.addons.rules.check()
    response = blocked(proxy, "http://x.b.example/").response
    assert response
    assert response.headers["x-proxyfw-matched-blocked-host"] == "*.b.example"


@pytest.mark.parametrize("pattern", ["https://ads.example", "ads.example/path", " "])
def test_mistakes_are_explained(pattern: str) -> None:
    with pytest.raises(OptionsError, match=r"block_hosts: .* is not a host: write host\[:port\]"):
        made(block_hosts=[pattern])


def test_a_regular_expression_that_cannot_be_read() -> None:
    with pytest.raises(OptionsError, match=r"block_hosts: '/a\(/': match.host: .* not a regular expression"):
        made(block_hosts=["/a(/"])
