"""The pages about rules that modify: their rules, commands and code do what is said around them."""

from __future__ import annotations

import asyncio
import shlex

import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML
from tree import snippets

from proxyfw.cli.main import program
from proxyfw.http import HTTPFlow, Request, Response
from proxyfw.options import Options
from proxyfw.proxy import Proxy
from proxyfw.rules import dry_run
from proxyfw.testing import http_flow

HTML = {"Content-Type": "text/html"}
CSP = "Content-Security-Policy"


def with_rules(page: str, number: int = 0) -> Proxy:
    """A proxy with the rules of a block of YAML in *page*."""
    return Proxy(rules=YAML(typ="safe").load(snippets(f"docs/howto/{page}.md", "yaml")[number]))


def by_flags(page: str, monkeypatch: pytest.MonkeyPatch) -> Options:
    """What the last command in *page* sets."""
    found: list[Options] = []

    async def run(self: Proxy) -> None:
        found.append(self.options)

    monkeypatch.setattr(Proxy, "run", run)
    _, *words = shlex.split(snippets(f"docs/howto/{page}.md", "sh")[-1])
    result = CliRunner().invoke(program, words, prog_name="proxyfw")
    assert result.exit_code == 0, result.output
    return found[-1]


def after(proxy: Proxy, request: Request, response: Response | None = None) -> HTTPFlow:
    flow = http_flow(request, response or Response.make(200))
    _, result = asyncio.run(dry_run(proxy.addons.rules.current, flow))
    assert isinstance(result, HTTPFlow)
    assert result.response
    assert result.addon_errors == []
    return result


def test_modify_requests() -> None:
    request = Request.make(
        "GET",
        "https://api.example.com/v1/users?page=1",
        headers={"Host": "api.example.com", "cookie": "a", "X-Internal-Id": "1", "x-env": "live"},
    )
    flow = after(with_rules("modify"), request)
    assert flow.request.url == "https://staging.example.com/v2/users?page=2"
    assert flow.request.headers.fields == [(b"Host", b"staging.example.com"), (b"x-env", b"staging")]


def test_modify_responses() -> None:
    page = Response.make(200, "<body>x.old.example</body>", {**HTML, "Server": "x"})
    flow = after(with_rules("modify"), Request.make("GET", "https://www.example.com/"), page)
    assert flow.response
    assert "server" not in flow.response.headers
    assert flow.response.text == (
        '<body>x.new.example<script src="https://localhost:3000/debug.js"></script></body>'
    )


def test_modify_json() -> None:
    user = Response.make(200, '{"role": "user", "expires": 1, "tags": []}')
    flow = after(with_rules("modify", 1), Request.make("GET", "https://api.example.com/users/1"), user)
    assert flow.response
    assert flow.response.json() == {"role": "admin", "tags": ["tested"]}


def test_what_the_origin_sent_can_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    rule = {"action": {"type": "modify_response", "status": 404}}
    flow = after(Proxy(rules=[rule]), Request.make("GET", "http://example.com/"))
    scope: dict[str, object] = {}
    exec(snippets("docs/howto/modify.md")[0], scope)
    hook = scope["response"]
    assert callable(hook)
    hook(flow)
    assert capsys.readouterr().out == "200 became 404\n"


def test_modify_by_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    given = by_flags("modify", monkeypatch)
    made = Proxy(modify_headers=list(given.modify_headers), modify_body=list(given.modify_body))
    answer = Response.make(200, "x.old.example", {"Server": "x"})
    flow = after(made, Request.make("GET", "http://example.com/"), answer)
    assert flow.response
    assert flow.request.headers["x-env"] == "staging"
    assert ("server" in flow.response.headers, flow.response.text) == (False, "x.new.example")


def test_anticache(monkeypatch: pytest.MonkeyPatch) -> None:
    given = by_flags("anticache", monkeypatch)
    assert (given.anticache, given.anticomp) == (True, True)
    request = Request.make("GET", "http://example.com/a.js", headers={"If-None-Match": "x"})
    flow = after(with_rules("anticache"), request)
    assert list(flow.request.headers.items()) == [("accept-encoding", "identity")]


def test_sticky(monkeypatch: pytest.MonkeyPatch) -> None:
    given = by_flags("sticky", monkeypatch)
    assert (given.stickycookie, given.stickyauth) == ("~d example.com", "~d example.com")
    (rule,) = with_rules("sticky").addons.rules
    assert len(rule.actions) == 2


def test_strip_csp(monkeypatch: pytest.MonkeyPatch) -> None:
    assert by_flags("strip-csp", monkeypatch).strip_csp is True
    request = Request.make("GET", "https://www.example.com/")
    policy = {CSP: "form-action x; script-src y; img-src z", **HTML}
    left = []
    for number in range(3):
        page = f"<meta http-equiv='{CSP}' content='script-src y'><p>"
        flow = after(with_rules("strip-csp", number), request, Response.make(200, page, policy))
        assert flow.response
        left.append((flow.response.headers.get(CSP), "<meta" in (flow.response.text or "")))
    assert left == [(None, True), ("form-action x; img-src z", True), (policy[CSP], False)]
