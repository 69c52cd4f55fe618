"""Commands that run the proxy, wherever docs show them, are understood as they stand."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner
from tree import ROOT, snippets

from proxyfw.cli.loaded import check_waiting, proxy_of
from proxyfw.cli.main import program
from proxyfw.cli.settings import Settings
from proxyfw.rules import Rule

PAGES = (
    "anticache",
    "block",
    "block-hosts",
    "breakpoints",
    "cors",
    "delay",
    "dns-map",
    "faults",
    "map-local",
    "map-remote",
    "mock",
    "modify",
    "redact",
    "redirect",
    "rules",
    "ssl-passthrough",
    "sticky",
    "strip-csp",
    "throttle",
    "upstream",
    "websocket-mock",
)

_ELSEWHERE = {"--rules", "-w"}
"""What other tests know of: rule files, and files that are written."""
_WITHOUT_RULES = {"redact", "ssl-passthrough"}


def _shown(page: str) -> list[str]:
    lines = [
        line
        for text in snippets(f"docs/howto/{page}.md", "sh")
        for line in text.replace("\\\n", " ").splitlines()
    ]
    return [line for line in lines if line.startswith("proxyfw -") and not _ELSEWHERE & set(line.split())]


COMMANDS = [(page, line) for page in PAGES for line in _shown(page)]


@pytest.mark.parametrize(("page", "line"), COMMANDS)
def test_a_shown_command_is_understood(
    page: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    Path("build").mkdir()
    _, *words = shlex.split(line, comments=True)
    for word in words:
        if "@" in word and "=" not in word:
            Path(word.rpartition("@")[2].strip("|")).write_text("{}")
    started: list[list[Rule]] = []
    monkeypatch.setattr("proxyfw.cli.run.run", lambda settings: started.append(_rules(settings)))
    result = CliRunner().invoke(program, words, prog_name="proxyfw", catch_exceptions=False)
    assert (result.exit_code, result.output) == (0, ""), page
    (rules,) = started
    assert bool(rules) is (page not in _WITHOUT_RULES)


def _rules(settings: Settings) -> list[Rule]:
    """The rules that a proxy with *settings* would run under."""
    proxy = proxy_of(settings)
    check_waiting(proxy.options, settings.addon_names())
    proxy.addons.rules.check()
    return list(proxy.addons.rules)


def test_every_page_about_a_feature_shows_what_to_write() -> None:
    for page in PAGES:
        text = (ROOT / f"docs/howto/{page}.md").read_text(encoding="utf-8")
        before, block, _ = text.partition("```")
        assert block, page
        assert len(before.splitlines()) < 6, page
