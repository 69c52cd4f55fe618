"""What the page for users of mitmproxy says is so; its tables are made, and checked, by docs/generate.py."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from tree import ROOT, snippets

from proxyfw import flowfilter
from proxyfw.cli.main import program
from proxyfw.http import HTTPFlow, Request
from proxyfw.testing import http_flow, world

PAGE = "docs/howto/coming-from-mitmproxy.md"
TEXT = (ROOT / PAGE).read_text(encoding="utf-8")
NAMES = tomllib.loads((ROOT / "docs" / "mitmproxy.toml").read_text(encoding="utf-8"))
SCRIPT, PROGRAM, EMBEDDED = snippets(PAGE)


@pytest.fixture
def script(tmp_path: Path) -> str:
    path = tmp_path / "teapot.py"
    path.write_text(SCRIPT)
    return str(path)


async def test_the_script_runs_as_it_stands(script: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    async with world(scripts=[script], teapot_path="/pot") as w:
        client = w.client()
        client.write(b"GET http://nobody.example/pot HTTP/1.1\r\nHost: nobody.example\r\n\r\n")
        answer = await client.message()
    assert answer.startswith(b"HTTP/1.1 418 ")
    assert answer.endswith(b"\r\n\r\nshort and stout")
    assert b"\r\nX-Pot: 1\r\n" in answer
    assert "tea for 127.0.0.1" in caplog.text


async def test_what_is_not_there_is_refused_by_name(script: str, tmp_path: Path) -> None:
    (tmp_path / "web.py").write_text("from mitmproxy.tools import web\n")
    with pytest.raises(Exception, match=r"web\.py:1: .*use tools\.dump\.DumpMaster"):
        async with world(scripts=[str(tmp_path / "web.py")]):
            pass


async def test_scripts_may_read_and_set_every_option(script: str, caplog: pytest.LogCaptureFixture) -> None:
    async with world(scripts=[script], default_addons=["access", "flows", "dumper"]) as w:
        options = w.proxy.options
        missing = {name for name in NAMES["options"] if name not in options}
        assert missing <= addon_options()
        options.upstream_cert = False
        assert "option upstream_cert has no effect in proxyfw: " in caplog.text


def addon_options() -> set[str]:
    """Those that come with an addon which the test above does not load."""
    documented = (ROOT / "docs" / "reference" / "options.md").read_text(encoding="utf-8")
    return set(re.findall(r"^\| `(\w+)`", documented, re.MULTILINE))


@pytest.mark.parametrize("words", [[sys.executable], [sys.executable, "-m", "proxyfw", "run"]])
def test_the_program_finds_what_it_imports(words: list[str], tmp_path: Path) -> None:
    path = tmp_path / "program.py"
    text = PROGRAM if len(words) == 1 else PROGRAM.partition("as_mitmproxy()\n")[2]
    path.write_text(text + "\nassert Options().listen_host == '127.0.0.1'; print(DumpMaster.__module__)\n")
    done = subprocess.run([*words, str(path)], capture_output=True, text=True, timeout=30)
    assert done.stdout == "proxyfw.alias.tools.dump\n", done.stderr


async def test_the_embedded_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    scope: dict[str, object] = {"__name__": "snippet"}
    exec(EMBEDDED, scope)
    main = scope["main"]
    assert callable(main)
    await main(object())


def flow_of(method: str, host: str) -> HTTPFlow:
    return http_flow(Request.make(method, f"http://{host}/"), 200)


def test_filters_bind_as_they_read() -> None:
    chosen = flowfilter.parse("~m GET | ~m POST ~d x")
    bracketed = flowfilter.parse("(~m GET | ~m POST) ~d x")
    for flow, plain, brackets in (
        (flow_of("GET", "other"), True, False),
        (flow_of("POST", "other"), False, False),
        (flow_of("POST", "x"), True, True),
    ):
        assert (bool(chosen(flow)), bool(bracketed(flow))) == (plain, brackets)


async def test_values_by_default_and_how_to_have_those_of_mitmproxy() -> None:
    async with world() as w:
        options = w.proxy.options
        assert (options.stream_large_bodies, options.connection_strategy) == (5 << 20, "lazy")
        assert options.listen_host == "127.0.0.1"
        options.set("stream_large_bodies=", "connection_strategy=eager")
        assert (options.stream_large_bodies, options.connection_strategy) == (None, "eager")


def test_flags_in_the_first_minutes_exist() -> None:
    flags = {flag for parameter in program.params for flag in parameter.opts}
    used = set(re.findall(r"`proxyfw [^`]*?(--?[a-z-]+)", TEXT)) - {"--"}
    assert used
    assert used <= flags


@pytest.mark.parametrize("kind", ["options", "commands", "flags"])
def test_every_name_is_in_its_table(kind: str) -> None:
    for name in NAMES[kind]:
        assert f"| `{name}` | " in TEXT


def test_the_tables_refer_to_what_is_in_them() -> None:
    assert len(NAMES["hooks"]) == 46
    for name in re.findall(r"(?:see the option|as) `(\w+)`", TEXT):
        assert name in NAMES["options"] or name in ("cut", "export")
