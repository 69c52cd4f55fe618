"""The addon strip_csp: what is left of policies."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from proxyfw import ctx
from proxyfw.exceptions import OptionsError
from proxyfw.http import Headers, Response
from proxyfw.proxy import Proxy
from proxyfw.rules import original_response
from proxyfw.testing import http_flow

POLICY = "default-src 'self';  Script-Src 'none'; img-src *; frame-ancestors 'none'; SANDBOX; report-uri /x"
CSP = "content-security-policy"


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    made = Proxy(default_addons=("rules", "strip_csp"))
    with ctx.use(made):
        yield made


def answered(proxy: Proxy, *fields: tuple[str, str]) -> list[tuple[str, str]]:
    flow = http_flow("http://example.com/", Response.make(200))
    assert flow.response
    flow.response.headers = Headers.of(fields)
    assert proxy.addons.rules.current.run("responseheaders", (flow,)) is None
    return list(flow.response.headers.items(multi=True))


def kept(proxy: Proxy, policy: str, keep: Any) -> str | None:
    proxy.options.rules = [{"action": {"type": "strip_csp", "keep": keep}}]
    return dict(answered(proxy, (CSP, policy))).get(CSP)


def test_by_default_all_policies_go(proxy: Proxy) -> None:
    """features 2.12."""
    proxy.options.strip_csp = True
    fields = [
        ("Server", "x"),
        ("Content-Security-Policy", POLICY),
        ("content-security-policy", "img-src *"),
        ("Content-Security-Policy-Report-Only", POLICY),
        ("X-Frame-Options", "DENY"),
    ]
    assert answered(proxy, *fields) == [fields[0], fields[4]]


def test_off_it_costs_nothing(proxy: Proxy) -> None:
    assert proxy.addons.rules.current.hooks == frozenset()
    proxy.options.strip_csp_keep = ["true"]
    assert proxy.addons.rules.current.hooks == frozenset()


@pytest.mark.parametrize(
    ("keep", "expected"),
    [
        (True, "img-src *; report-uri /x"),
        (["script-src"], "Script-Src 'none'; img-src *; report-uri /x"),
        ("Default-Src", "default-src 'self'; img-src *; report-uri /x"),
        ([], "img-src *; report-uri /x"),
    ],
)
def test_policies_may_be_kept_without_what_keeps_tools_out(proxy: Proxy, keep: Any, expected: str) -> None:
    """features 2.12."""
    assert kept(proxy, POLICY, keep) == expected


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("sandbox", None),
        ("sandbox, img-src *", " img-src *"),
        ("img-src *;, font-src  x ", "img-src *;, font-src  x "),
        ("child-src x; form-action y; frame-src z; navigate-to a; script-src-elem b; trusted-types c", None),
        ("require-trusted-types-for 'script'", None),
        ("", None),
    ],
)
def test_what_is_left_stays_as_it_was_written(proxy: Proxy, policy: str, expected: str | None) -> None:
    assert kept(proxy, policy, True) == expected


def test_the_option_names_what_is_kept(proxy: Proxy) -> None:
    proxy.options.update(strip_csp=True, strip_csp_keep=["true"])
    assert answered(proxy, (CSP, "img-src *; script-src x")) == [(CSP, "img-src *")]
    proxy.options.strip_csp_keep = ["script-src"]
    assert answered(proxy, (CSP, "img-src *; script-src x")) == [(CSP, "img-src *; script-src x")]


@pytest.mark.parametrize(
    ("name", "message"),
    [("sandbox", "sandbox is always removed"), ("img-src", "'img-src' need not be named: write child-src, ")],
)
def test_what_cannot_be_named_is_refused(proxy: Proxy, name: str, message: str) -> None:
    with pytest.raises(OptionsError, match=f"strip_csp_keep: {re.escape(message)}"):
        proxy.options.strip_csp_keep = [name]
    with pytest.raises(OptionsError, match=re.escape(message)):
        proxy.addons.rules.read([{"action": {"type": "strip_csp", "keep": [name]}}])


def test_what_the_origin_sent_is_kept(proxy: Proxy) -> None:
    """Features 31."""
    proxy.options.strip_csp = True
    flow = http_flow("http://example.com/", Response.make(200, b"", {"Content-Security-Policy": POLICY}))
    proxy.addons.rules.current.run("responseheaders", (flow,))
    origin = original_response(flow)
    assert origin
    assert origin.headers[CSP] == POLICY
    assert [str(step) for step in flow.trace or ()][-1] == f"note: strip_csp matched ({CSP}: removed)"
