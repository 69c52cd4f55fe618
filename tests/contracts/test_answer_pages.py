"""The pages about rules that answer: their rules and their commands do what is said around them."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from tree import snippets

from proxyfw.http import HTTPFlow, Request
from proxyfw.proxy import Proxy
from proxyfw.rules import dry_run
from proxyfw.testing import http_flow

ADDONS = ("block", "block_hosts", "cors", "mock", "redirect", "rules")


def proxy(page: str, number: int) -> Proxy:
    """A proxy with the rules of a block of YAML in *page*."""
    (text,) = snippets(f"docs/howto/{page}.md", "yaml")[number : number + 1]
    found = YAML(typ="safe").load(text)
    made = Proxy(found if isinstance(found, dict) else {"rules": found}, default_addons=ADDONS)
    made.addons.rules.check()
    return made


def flagged(page: str, number: int, tmp_path: Path) -> Proxy:
    """A proxy with the options of a command in *page*."""
    (command,) = snippets(f"docs/howto/{page}.md", "sh")[number : number + 1]
    _, *words = shlex.split(command)
    names = {"--block-host": "block_hosts"}
    options: dict[str, list[str]] = {}
    for flag, value in zip(words[::2], words[1::2], strict=True):
        name = names.get(flag, flag.removeprefix("--").replace("-", "_"))
        options.setdefault(name, []).append(value.replace("@", f"@{tmp_path}/"))
    return Proxy(options, default_addons=ADDONS)


async def asked(proxy: Proxy, method: str, url: str, body: str = "", **headers: str) -> HTTPFlow:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    flow = http_flow(Request.make(method, url, body, named), response=None)
    _, after = await dry_run(proxy.addons.rules.current, flow)
    assert isinstance(after, HTTPFlow)
    return after


async def status(proxy: Proxy, url: str, method: str = "GET", **headers: str) -> int | str | None:
    """The status of the answer, what else has happened, or None."""
    flow = await asked(proxy, method, url, **headers)
    return flow.response.status_code if flow.response else str(flow.error) if flow.error else None


async def answer(proxy: Proxy, url: str, method: str = "GET") -> Any:
    """The answer's JSON."""
    flow = await asked(proxy, method, url)
    assert flow.response
    return json.loads(flow.response.text or "")


async def test_mock(tmp_path: Path) -> None:
    login = "https://api.example.com/login"
    assert await answer(proxy("mock", 0), login, "POST") == {"token": "abc", "user": 7}
    assert await status(proxy("mock", 0), login) is None
    (tmp_path / "users.json").write_text("[]")
    flags = flagged("mock", 1, tmp_path)
    assert await answer(flags, login) == {"token": "abc"}
    assert await answer(flags, "http://api.example.com/v1/users") == []
    users = proxy("mock", 1)
    assert await answer(users, "https://api.example.com/users/7?name=bob") == {"id": "7", "name": "bob"}
    assert await answer(users, "https://api.example.com/users/8") == {"id": "8", "name": "nobody"}
    orders = proxy("mock", 2)
    assert [await status(orders, "https://api.example.com/orders") for _ in range(4)] == [503, 503, 200, 200]


async def test_block(tmp_path: Path) -> None:
    rules = proxy("block", 0)
    assert await status(rules, "https://ad.doubleclick.net/x") == 403
    assert await status(rules, "https://pay.example.com/x") == (
        "blocked by rule the payment service is down: reset"
    )
    assert await status(rules, "https://example.com/") is None
    flags = flagged("block", 1, tmp_path)
    assert await status(flags, "https://ad.doubleclick.net/x") == 404
    assert await status(flags, "https://pay.example.com/x") == "blocked by rule block_list[1]: reset"


@pytest.mark.parametrize("as_flags", [False, True])
async def test_allow(as_flags: bool, tmp_path: Path) -> None:
    made = flagged("block", 2, tmp_path) if as_flags else proxy("block", 1)
    assert await status(made, "https://www.shop.example/") is None
    assert await status(made, "https://api.example.com/v1/x") is None
    assert await status(made, "https://api.example.com/v2/x") == 403


async def test_block_hosts(tmp_path: Path) -> None:
    for made in (flagged("block-hosts", 0, tmp_path), proxy("block-hosts", 0)):
        assert await status(made, "https://www.google-analytics.com/") == 503
        assert await status(made, "http://localhost:9229/") == 503
        assert await status(made, "http://localhost/") is None
    rule = proxy("block-hosts", 1)
    assert await status(rule, "http://a.ads.example/pixel/1") == 503
    assert await status(rule, "http://a.ads.example/") is None


async def test_redirect(tmp_path: Path) -> None:
    flow = await asked(proxy("redirect", 0), "GET", "http://shop.example/a?b=c")
    assert flow.response
    assert (flow.response.status_code, flow.response.headers["location"]) == (
        308,
        "https://shop.example/a?b=c",
    )
    flow = await asked(flagged("redirect", 1, tmp_path), "GET", "http://old.example/a")
    assert flow.response
    assert flow.response.headers["location"] == "https://new.example/a"


async def test_cors(tmp_path: Path) -> None:
    for made in (proxy("cors", 0), flagged("cors", 1, tmp_path)):
        flow = await asked(
            made,
            "OPTIONS",
            "https://api.example.com/x",
            origin="http://localhost:3000",
            access_control_request_method="PUT",
        )
        assert flow.response
        assert flow.response.status_code == 204
        assert flow.response.headers["access-control-allow-origin"] == "http://localhost:3000"
        assert flow.response.headers["access-control-allow-credentials"] == "true"
