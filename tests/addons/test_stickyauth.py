"""The addon stickyauth: what is remembered for whom, and what is never sent elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from proxyfw import ctx
from proxyfw.exceptions import OptionsError
from proxyfw.http import Request
from proxyfw.proxy import Proxy
from proxyfw.rules import dry_run
from proxyfw.testing import http_flow
from proxyfw_addons.stickyauth import Memory

URL = "https://example.com/a"


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    made = Proxy(default_addons=("rules", "stickyauth"))
    with ctx.use(made):
        yield made


def sent(proxy: Proxy, url: str = URL, authorization: str | None = None) -> str | None:
    """The Authorization with which a request goes out."""
    headers = {"Authorization": authorization} if authorization else {}
    flow = http_flow(Request.make("GET", url, headers=headers), response=None)
    assert proxy.addons.rules.current.run("request", (flow,)) is None
    return flow.request.headers.get("authorization")


def test_a_request_without_gets_what_its_origin_was_last_sent(proxy: Proxy) -> None:
    proxy.options.stickyauth = "~all"
    assert sent(proxy) is None
    assert sent(proxy, authorization="Basic YTpi") == "Basic YTpi"
    assert sent(proxy, "https://example.com/b") == "Basic YTpi"
    assert sent(proxy, authorization="Bearer x") == "Bearer x"
    assert sent(proxy) == "Bearer x"


@pytest.mark.parametrize(
    "url",
    ["http://example.com/", "https://example.com:8443/", "https://a.example.com/", "https://other.test/"],
)
def test_another_origin_never_gets_it(proxy: Proxy, url: str) -> None:
    proxy.options.stickyauth = "~all"
    sent(proxy, authorization="Basic YTpi")
    assert sent(proxy, url) is None


def test_the_filter_says_who_gets_it_not_who_is_remembered(proxy: Proxy) -> None:
    proxy.options.stickyauth = "~u /app"
    sent(proxy, "https://example.com/login", "Basic YTpi")
    assert sent(proxy, "https://example.com/app/1") == "Basic YTpi"
    assert sent(proxy, "https://example.com/") is None


def test_a_rule_remembers_and_sends_for_the_flows_it_is_for(proxy: Proxy) -> None:
    proxy.options.rules = [{"match": {"path": "/app/*"}, "action": "stickyauth"}]
    sent(proxy, "https://example.com/login", "Basic no")
    assert sent(proxy, "https://example.com/app/1") is None
    sent(proxy, "https://example.com/app/login", "Basic yes")
    assert sent(proxy, "https://example.com/app/1") == "Basic yes"


@pytest.mark.parametrize("authorization", ["NTLM abc", "Negotiate abc", "negotiate", " "])
def test_what_belongs_to_a_connection_is_not_remembered(proxy: Proxy, authorization: str) -> None:
    proxy.options.stickyauth = "~all"
    sent(proxy, authorization=authorization)
    assert sent(proxy) is None


def test_off_it_costs_nothing(proxy: Proxy) -> None:
    assert proxy.addons.rules.current.hooks == frozenset()
    proxy.options.stickyauth = "~all"
    proxy.options.stickyauth = None
    assert proxy.addons.rules.current.hooks == frozenset()


async def test_a_dry_run_remembers_nothing(proxy: Proxy) -> None:
    proxy.options.stickyauth = "~all"
    await dry_run(
        proxy.addons.rules.current, http_flow(Request.make("GET", URL, headers={"Authorization": "x"}))
    )
    assert sent(proxy) is None


def test_a_filter_that_cannot_be_read_is_refused(proxy: Proxy) -> None:
    with pytest.raises(OptionsError, match="stickyauth: "):
        proxy.options.stickyauth = "~nothing"


def test_memory_has_a_bound() -> None:
    memory = Memory()
    for number in range(2000):
        memory.keep(Request.make("GET", f"http://{number}.test/", headers={"Authorization": "x"}))
    last, first = (Request.make("GET", f"http://{number}.test/") for number in (1999, 0))
    assert (memory.give(last), memory.give(first)) == (True, False)
