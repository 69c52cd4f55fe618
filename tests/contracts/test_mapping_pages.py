"""The pages about rules that lead elsewhere: their rules and their commands do what is said around them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from tree import ROOT, snippets

from proxyfw import ctx
from proxyfw.connection import ServerConnectionHookData
from proxyfw.http import HTTPFlow, Request
from proxyfw.proxy import Proxy
from proxyfw.rules import dry_run
from proxyfw.testing import client_connection, http_flow, server_connection

ADDONS = ("dns_map", "map_local", "map_remote", "rules", "upstream")


def of_rules(page: str) -> Proxy:
    """A proxy with the rules that *page* begins with."""
    made = Proxy(
        {"rules": YAML(typ="safe").load(snippets(f"docs/howto/{page}.md", "yaml")[0])}, default_addons=ADDONS
    )
    made.addons.rules.check()
    return made


def of_flags(page: str) -> Proxy:
    """A proxy with the options that *page* shows without a file."""
    command = next(text for text in snippets(f"docs/howto/{page}.md", "sh") if "--rules" not in text)
    _, *words = shlex.split(command)
    names = {"--upstream": "upstream_rules"}
    options: dict[str, list[str]] = {}
    for flag, value in zip(words[::2], words[1::2], strict=True):
        options.setdefault(names.get(flag, flag.removeprefix("--").replace("-", "_")), []).append(value)
    return Proxy(options, default_addons=ADDONS)


async def asked(proxy: Proxy, url: str) -> HTTPFlow:
    with ctx.use(proxy):
        flow = http_flow(Request.make("GET", url), response=None)
        _, after = await dry_run(proxy.addons.rules.current, flow)
    assert isinstance(after, HTTPFlow)
    return after


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    directory = tmp_path / "build" / "css"
    directory.mkdir(parents=True)
    (directory / "app.css").write_text("body {}")
    return tmp_path


async def test_map_local(build: Path) -> None:
    url = "https://www.example.com/assets/css/app.css?v=3"
    rules = Proxy(default_addons=ADDONS)
    (text,) = snippets("docs/howto/map-local.md", "yaml")
    (build / "rules.yaml").write_text(text)
    rules.options.update(rules_file=[str(build / "rules.yaml")])
    rules.addons.rules.check()
    for proxy in (rules, of_flags("map-local")):
        response = (await asked(proxy, url)).response
        assert response
        assert response.text == "body {}"


@pytest.mark.parametrize("make", [of_rules, of_flags])
async def test_map_remote(make: Callable[[str], Proxy]) -> None:
    proxy = make("map-remote")
    flow = await asked(proxy, "https://api.example.com/v1/users?x")
    assert flow.request.url == "http://localhost:8000/api/users?x"


@pytest.mark.parametrize("make", [of_rules, of_flags])
async def test_dns_map(make: Callable[[str], Proxy]) -> None:
    data = ServerConnectionHookData(server_connection(("shop.example.com", 443)), client_connection())
    pending = make("dns-map").addons.rules.current.run("server_connect", (data,))
    assert pending
    await pending
    assert data.addresses == [("127.0.0.1", 8443)]


def test_what_can_stand_in_dns_map() -> None:
    page = (ROOT / "docs/howto/dns-map.md").read_text()
    table = page.partition("| | |")[2].partition("\n\n")[0]
    entries = re.findall(r"`(\S+=\S+)`", table)
    assert len(entries) > 6
    for entry in entries:
        proxy = Proxy({"dns_map": [entry]}, default_addons=ADDONS)
        assert len(proxy.addons.rules) == 1


async def test_upstream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORP_PROXY", "user:password")
    for proxy, direct in ((of_rules("upstream"), "x.dev"), (of_flags("upstream"), "other")):
        via = (await asked(proxy, "http://wiki.corp.example/")).server_conn.via
        assert via == ("http", ("proxy.corp.example", 3128))
        assert via
        assert via.credentials == "user:password"
        domain = "corp.example" if direct == "x.dev" else "example"
        assert (await asked(proxy, f"http://{direct}.{domain}/")).server_conn.via is None


def test_upstream_entries_of_the_page() -> None:
    page = (ROOT / "docs/howto/upstream.md").read_text()
    entries = re.findall(r"\| `([^`]+=[^`(]+)` \|$", page, re.MULTILINE)
    assert len(entries) == 3
    assert len(Proxy({"upstream_rules": entries}, default_addons=ADDONS).addons.rules) == 3


def test_the_script_that_switches_an_entry_off() -> None:
    (code,) = snippets("docs/howto/dns-map.md")
    names: dict[str, object] = {}
    exec(compile(code, "dns-map.md", "exec"), names)
    proxy = of_flags("dns-map")
    with ctx.use(proxy):
        names["running"]()  # type: ignore[operator]
    assert proxy.commands.execute("dns.list") == ["off shop.example.com=127.0.0.1:8443"]
