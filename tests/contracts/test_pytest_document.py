"""The pages about pytest and ``proxyfw exec``: what they show is run, what they list is all there is."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
from tree import ROOT, snippets

from proxyfw.child.roots import Roots
from proxyfw.child.variables import variables
from proxyfw.cli.main import program
from proxyfw.testing import LiveProxy, ProxyClient
from proxyfw.testkit.plugin import _SCOPES

pytest_plugins = ["pytester"]

PAGE = "docs/howto/test-with-pytest.md"
EXEC = (ROOT / "docs/howto/exec.md").read_text(encoding="utf-8")
INI = "[pytest]\nasyncio_mode=auto\nasyncio_default_fixture_loop_scope=function\n"


def test_the_tests_of_the_page(
    proxy: LiveProxy, proxy_client: ProxyClient, pytester: pytest.Pytester
) -> None:
    proxy.route().reply()
    proxy_client.get("https://api.example/")  # so that what this imports is imported once only
    codes = [code for code in snippets(PAGE) if "def test_" in code]
    for number, code in enumerate(codes):
        (pytester.path / f"test_{number}.py").write_text(code, encoding="utf-8")
    strict, session = snippets(PAGE, "ini")
    pytester.makeini(INI)
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:hypothesispytest")
    result.assert_outcomes(passed=len(codes))
    assert len(codes) == 9
    assert strict == "[pytest]\nproxyfw_strict = true\n"
    assert session == "[pytest]\nproxyfw_scope = session\n"


def test_the_fixtures_of_the_page(
    proxy: LiveProxy, proxy_client: ProxyClient, pytester: pytest.Pytester
) -> None:
    proxy.route().reply()
    proxy_client.get("https://api.example/")
    overriding, wider = [code for code in snippets(PAGE) if "def test_" not in code]
    stubs = "class MyAddon: pass\ndef start_service(proxy): return proxy\n"
    pytester.makeini(INI + "proxyfw_scope = session\n")
    session = overriding.replace("@pytest.fixture", '@pytest.fixture(scope="session")')
    pytester.makeconftest(session + stubs + wider)
    pytester.makepyfile(
        "def test_it(service, proxy):\n"
        "    assert service == proxy.url\n"
        "    assert proxy.proxy.options.ssl_insecure\n"
        "    assert 'proxyauth' in proxy.proxy.addons\n"
    )
    pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:hypothesispytest").assert_outcomes(
        passed=1
    )


def test_the_page_lists_scopes_and_what_a_proxy_offers() -> None:
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    assert f"`{'`, `'.join(_SCOPES)}`" in text.replace("\n", " ")
    row = next(line for line in text.splitlines() if line.startswith("| `proxy` |"))
    for name in re.findall(r"`\.(\w+)", row):
        assert hasattr(LiveProxy, name), name


def test_the_variables_of_exec_are_those_of_the_page() -> None:
    roots = Roots(*map(Path, ("ca.pem", "bundle.pem", "bundle.p12")))
    given = variables("http://127.0.0.1:1", roots, {})
    rows = [line for line in EXEC.splitlines() if line.startswith("| `")]
    listed = {name for row in rows for name in re.findall(r"`(\w+)`", row.split(" | ")[0])}
    small = {"http_proxy", "https_proxy", "all_proxy", "no_proxy"}
    assert set(given) == listed | small
    assert "in small letters too" in rows[0]


@pytest.mark.parametrize("line", "".join(snippets("docs/howto/exec.md", "sh")).splitlines())
def test_the_commands_of_exec(line: str) -> None:
    name, word, *arguments = shlex.split(line)
    command = program.commands[word]
    context = click.Context(command, info_name=name)
    command.parse_args(context, arguments)
    assert context.params["command"] == arguments[arguments.index("--") + 1 :]
