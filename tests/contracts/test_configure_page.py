"""The page about configuration: its file is usable, its commands work, its list of who wins is the order."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from tree import ROOT, loaded, snippets

from proxyfw import config, ctx
from proxyfw.cli.main import program
from proxyfw.options import Options
from proxyfw.proxy import Proxy
from proxyfw.testing import http_flow

PAGE = "docs/howto/configure.md"
TEXT = (ROOT / PAGE).read_text(encoding="utf-8")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".proxyfw").mkdir()
    return tmp_path


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Options]:
    """The options of proxies that would have run."""
    found: list[Options] = []

    async def run(self: Proxy) -> None:
        found.append(self.options)

    monkeypatch.setattr(Proxy, "run", run)
    return found


def proxyfw(*words: str) -> str:
    result = CliRunner().invoke(program, words, prog_name="proxyfw")
    assert result.exit_code == 0, result.stderr
    return result.stdout


def test_the_file_sets_what_it_says(home: Path) -> None:
    (text,) = snippets(PAGE, "yaml")
    (home / "config.yaml").write_text(text)
    proxy = Proxy(confdir=str(home))
    config.load(proxy.options, home / "config.yaml")
    assert proxy.options.deferred == []
    assert (proxy.options.listen_port, proxy.options.mode) == (8081, ["regular", "socks5@1080"])
    assert (proxy.options.stream_large_bodies, proxy.options.idle_timeout) == (10 * 2**20, 300)


def test_the_commands_write_what_they_are_said_to(home: Path, started: list[Options]) -> None:
    made = {}
    for block in snippets(PAGE, "sh"):
        words, _, file = block.strip().removeprefix("proxyfw ").partition(" > ~/")
        made[file] = proxyfw(*shlex.split(words))
        if file:
            (home / file).write_text(made[file])
    assert json.loads(made[".proxyfw/schema.json"])["properties"]["listen_port"]
    assert "listen_port: 8081" in (home / ".proxyfw" / "config.yaml").read_text().splitlines()
    proxyfw()
    assert [name for name in started[0] if started[0].has_changed(name)] == ["listen_port"]


def test_each_wins_over_those_above_it(
    home: Path, started: list[Options], monkeypatch: pytest.MonkeyPatch
) -> None:
    variable, text = re.findall(r"`(PROXYFW_LISTEN_PORT)=(\d+)`", TEXT)[0]
    spec, flag = re.findall(r"`--set (listen_port=\d+)`", TEXT)[0], re.findall(r"`(-p \d+)`", TEXT)[0]
    proxyfw()
    (home / ".proxyfw" / "config.yaml").write_text(snippets(PAGE, "yaml")[0])
    proxyfw()
    monkeypatch.setenv(variable, text)
    proxyfw()
    proxyfw("--set", spec)
    proxyfw(*flag.split(), "--set", spec)
    assert [options.listen_port for options in started] == [None, 8081, 8082, 8083, 8084]


def test_the_error_is_the_one_that_is_shown(home: Path) -> None:
    (home / ".proxyfw" / "config.yaml").write_text("# a\n\nlisten_prot: 1\n")
    result = CliRunner().invoke(program, [], prog_name="proxyfw")
    (shown,) = snippets(PAGE, "text")
    assert result.stderr.strip() == shown.strip().replace("/home/ada", str(home))


def test_the_addon_has_its_options_and_its_flag(home: Path, started: list[Options]) -> None:
    (code,) = snippets(PAGE, "python")
    script = home / "own.py"
    script.write_text(code)
    answers = json.dumps([{"url": "example.com", "text": "hello"}])
    proxyfw("-s", str(script), "--pause", "2s", "--set", f"answers={answers}")
    flow = http_flow("http://example.com/")
    with ctx.use(SimpleNamespace(options=started[0])):
        loaded(script).request(flow)
    assert flow.comment == "hello after 2s"
    assert "--pause" in proxyfw("-s", str(script), "--help")
