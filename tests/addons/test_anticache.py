"""The addons anticache and anticomp: what they take from requests, when, and that off they are not there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from proxyfw import ctx
from proxyfw.http import Request
from proxyfw.proxy import Proxy
from proxyfw.testing import http_flow

FIELDS = [
    ("Host", "example.com"),
    ("If-None-Match", '"a"'),
    ("Accept-Encoding", "gzip, br"),
    ("if-modified-since", "Sun, 06 Nov 1994 08:49:37 GMT"),
    ("If-Match", '"a"'),
]
WHOLE = [field for field in FIELDS if field[0].lower() not in ("if-none-match", "if-modified-since")]
PLAIN = [(name, "identity" if name == "Accept-Encoding" else value) for name, value in FIELDS]


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    made = Proxy(default_addons=("rules", "anticache", "anticomp"))
    with ctx.use(made):
        yield made


def requested(proxy: Proxy, url: str = "http://example.com/") -> list[tuple[str, str]]:
    flow = http_flow(Request.make("GET", url, headers=FIELDS), response=None)
    assert proxy.addons.rules.current.run("request", (flow,)) is None
    return list(flow.request.headers.items(multi=True))


@pytest.mark.parametrize(("option", "expected"), [("anticache", WHOLE), ("anticomp", PLAIN)])
def test_an_option_that_is_off_costs_nothing(
    proxy: Proxy, option: str, expected: list[tuple[str, str]]
) -> None:
    assert proxy.addons.rules.current.hooks == frozenset()
    on: dict[str, Any] = {option: True}
    proxy.options.update(**on)
    assert requested(proxy) == expected
    proxy.options.reset()
    assert proxy.addons.rules.current.hooks == frozenset()
    assert requested(proxy) == FIELDS


@pytest.mark.parametrize(("action", "expected"), [("anticache", WHOLE), ("anticomp", PLAIN)])
def test_a_rule_says_for_which_requests(proxy: Proxy, action: str, expected: list[tuple[str, str]]) -> None:
    proxy.options.update(rules=[{"match": {"path": "/page"}, "action": action}])
    assert requested(proxy, "http://example.com/page") == expected
    assert requested(proxy) == FIELDS


def test_who_takes_anything_takes_nothing_compressed(proxy: Proxy) -> None:
    """A request without Accept-Encoding says that any will do. RFC 9110 section 12.5.3."""
    proxy.options.update(anticomp=True)
    flow = http_flow(response=None)
    proxy.addons.rules.current.run("request", (flow,))
    assert flow.request.headers["accept-encoding"] == "identity"
