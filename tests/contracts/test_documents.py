"""The code and the commands in README and docs do what the text around them says."""

from __future__ import annotations

import asyncio
import inspect
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, build_opener

import pytest
from click.testing import CliRunner
from tree import ROOT, snippets

from proxyfw import http
from proxyfw.cli.main import program
from proxyfw.hookspecs import request as proxyfw_request
from proxyfw.hookspecs import response as proxyfw_response
from proxyfw.testing import addon_test_context, http_flow, world

DOCUMENTS = sorted(
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")]
)
README = (ROOT / "README.md").read_text(encoding="utf-8")
RUN, TEST = (block.strip() for block in snippets("README.md", "sh"))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory in which a first run may leave its files."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return tmp_path


def run_python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return done.stdout


# README


class Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"hi")

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def page() -> Iterator[str]:
    """The URL of a page on this machine."""
    with HTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


@pytest.mark.usefixtures("home")
def test_the_command_that_runs_the_main_job(page: str) -> None:
    venv, install, run = RUN.split(" && ")
    assert venv == "python3 -m venv .venv"
    assert install == ".venv/bin/pip install ."
    program, *arguments = shlex.split(run)
    command = [str(Path(sys.executable).parent / Path(program).name), *arguments, "--listen-port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as proxy:
        try:
            assert proxy.stderr
            address = re.search(r"listening on (\S+)", proxy.stderr.readline())
            assert address
            opener = build_opener(ProxyHandler({"http": f"http://{address[1]}"}))
            with opener.open(page, timeout=10) as answer:
                assert answer.headers["x-proxyfw"] == "hello"
                assert answer.read() == b"hi"
        finally:
            proxy.send_signal(signal.SIGINT)
    assert proxy.returncode == 0


def test_the_command_that_runs_the_tests_is_the_one_that_ci_runs() -> None:
    assert TEST == "python3 -m venv .venv && .venv/bin/pip install tox && .venv/bin/tox"
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    found = re.search(r"^command=\$\((grep .* README\.md)\)$", ci, re.MULTILINE)
    assert found
    out = subprocess.run(
        ["bash", "-c", found[1]], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert out.strip() == TEST


async def test_the_readme_addon(tmp_path: Path) -> None:
    addon, *_ = snippets("README.md")
    (tmp_path / "hello.py").write_text(addon)
    assert len(addon.splitlines()) == 3
    async with world(scripts=[str(tmp_path / "hello.py")]) as w:
        flow = http_flow("http://example.com/", http.Response.make(200, "Example Domain"))
        await w.proxy.addons.call(proxyfw_response, flow)
        assert flow.response
        assert flow.response.text == "Sample Domain"
        assert flow.addon_errors == []


@pytest.mark.usefixtures("home")
def test_the_readme_program() -> None:
    _, program, _ = snippets("README.md")
    assert re.fullmatch(r"listening at http://127\.0\.0\.1:\d+\n", run_python(program))


def test_the_readme_test() -> None:
    *_, test = snippets("README.md")
    scope: dict[str, object] = {"__name__": "snippet"}
    exec(test, scope)
    function = scope["test_teapot"]
    assert callable(function)
    function()


# docs


@pytest.mark.parametrize("number", range(len(snippets("docs/howto/test-your-addon.md"))))
def test_the_tests_of_the_how_to(number: int) -> None:
    scope: dict[str, object] = {"__name__": "snippet"}
    exec(snippets("docs/howto/test-your-addon.md")[number], scope)
    (function,) = (thing for name, thing in scope.items() if name.startswith("test_"))
    assert callable(function)
    if inspect.iscoroutinefunction(function):
        asyncio.run(function())
    else:
        function()


@pytest.mark.usefixtures("home")
async def test_the_upstream_of_the_how_to() -> None:
    (addon,) = snippets("docs/howto/modes.md")
    scope: dict[str, Any] = {}
    exec(addon, scope)
    flow = http_flow("http://hidden.onion/")
    scope["request"](flow)
    assert flow.server_conn.via == ("socks5h", ("127.0.0.1", 9050))


def test_the_program_of_the_how_to() -> None:
    (program,) = snippets("docs/howto/embed.md")
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+\n", run_python(program))


async def test_the_steps_of_the_tutorial(tmp_path: Path) -> None:
    three_lines, answering, _, test, _ = snippets("docs/tutorial.md")
    path = tmp_path / "hello.py"
    for code, expected in ((three_lines, 404), (answering, 200)):
        path.write_text(code)
        async with world(scripts=[str(path)]) as w:
            flow = http_flow("https://hello.example/?name=Ada", 404 if code is three_lines else None)
            await w.proxy.addons.call(proxyfw_request, flow)
            await w.proxy.addons.call(proxyfw_response, flow)
        assert flow.response
        assert flow.response.status_code == expected
        assert flow.response.headers["x-hello"] == "from my addon"
    assert "def test_it_greets" in test


@pytest.mark.usefixtures("home")
def test_the_test_of_the_tutorial(tmp_path: Path) -> None:
    _, _, addon, test, _ = snippets("docs/tutorial.md")
    (tmp_path / "hello.py").write_text(addon)
    (tmp_path / "test_hello.py").write_text(test)
    assert "1 passed" in run_pytest(tmp_path)


def run_pytest(folder: Path, **environment: str) -> str:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    safe = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
    safe["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # they take seconds, and nothing here needs one
    done = subprocess.run(
        command, cwd=folder, env={**safe, **environment}, capture_output=True, text=True, timeout=50
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.usefixtures("home")
def test_the_package_of_the_tutorial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, _, addon, _, test = snippets("docs/tutorial.md")
    monkeypatch.chdir(tmp_path)
    written = CliRunner().invoke(program, ["addons", "new", "greeter"]).output
    assert f"addons new greeter\n{written}```" in (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    (tmp_path / "greeter" / "src" / "greeter" / "__init__.py").write_text(addon)
    (tmp_path / "greeter" / "tests" / "test_greeter.py").write_text(test)
    assert "1 passed" in run_pytest(tmp_path / "greeter", PYTHONPATH=str(tmp_path / "greeter" / "src"))


@pytest.mark.usefixtures("home")
def test_the_slip_of_the_tutorial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hello.py").write_text(snippets("docs/tutorial.md")[2])
    command = "-s hello.py --set greting=x"
    said = CliRunner().invoke(program, command.split(), prog_name="proxyfw").stderr
    assert said.startswith("proxyfw: ")
    text = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    assert f"proxyfw {command}\n{said}```" in text


def test_the_mistake_of_the_tutorial(tmp_path: Path) -> None:
    _, answering, *_ = snippets("docs/tutorial.md")
    broken = answering.replace('"hello.example":', '"hello.example"')
    assert broken != answering
    (line,) = (n for n, text in enumerate(broken.splitlines(), 1) if text.endswith('"hello.example"'))
    assert f"hello.py:{line}: SyntaxError: expected ':'" in (ROOT / "docs" / "tutorial.md").read_text()


# Links and commands everywhere


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(document: Path) -> None:
    text = re.sub(r"```.*?```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        file, _, anchor = target.partition("#")
        if "://" in target:
            continue
        place = document.parent / file if file else document
        assert place.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", place.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in [re.sub(r"[^\w -]", "", h).strip().lower().replace(" ", "-") for h in headings]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_examples_that_are_named_exist(document: Path) -> None:
    for name in re.findall(r"examples/\w+\.py", document.read_text(encoding="utf-8")):
        assert (ROOT / name).exists()


def test_options_that_are_set_in_the_documents_exist() -> None:
    known = set(re.findall(r"^\| `(\w+)`", (ROOT / "docs/reference/options.md").read_text(), re.MULTILINE))
    for example in (ROOT / "examples").glob("*.py"):
        known |= set(re.findall(r'add_option\(\s*"(\w+)"', example.read_text(encoding="utf-8")))
    for document in DOCUMENTS:
        for name in re.findall(r"--set ([a-z_]+)=", document.read_text(encoding="utf-8")):
            assert name in known | {"greeting", "greting"}, (document, name)


def test_a_slip_of_a_hooks_name_is_refused_as_the_documents_say() -> None:
    text = (ROOT / "docs" / "reference" / "loading.md").read_text(encoding="utf-8")
    found = re.search(r"slip of a hook's \(`(\w+)`, `(\w+)`\)", text)
    assert found
    for name in found.groups():
        addon = type("Slip", (), {name: lambda self, flow: None})()
        with pytest.raises(Exception, match="did you mean"), addon_test_context(addon):
            pass
