"""``import mitmproxy``: in scripts it is ours, whenever they do it; elsewhere nothing has changed."""

from __future__ import annotations

import builtins
import importlib
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import proxyfw
from proxyfw import ctx, flow, http, script, tcp, testing
from proxyfw.exceptions import AddonError


@pytest.fixture
def scripts() -> Iterator[script.ScriptLoader]:
    with testing.addon_test_context() as context:
        yield script.ScriptLoader(context.addons)


def loaded(scripts: script.ScriptLoader, path: Path, text: str) -> Any:
    path.write_text(textwrap.dedent(text))
    return ctx.master.addons.get(scripts.add(path))


def test_a_script_finds_ours_by_every_way_of_importing(scripts: script.ScriptLoader, tmp_path: Path) -> None:
    module = loaded(
        scripts,
        tmp_path / "ways.py",
        """
        import mitmproxy
        import mitmproxy.http
        import mitmproxy.net.http.url as url
        from mitmproxy import ctx, http
        from mitmproxy.flow import Error
        from mitmproxy.http import *
        from mitmproxy.proxy.layers import TCPLayer
        root = mitmproxy.tcp.TCPFlow

        def request(flow: mitmproxy.http.HTTPFlow) -> None: ...
        """,
    )
    assert module.http is module.mitmproxy.http is http
    assert module.HTTPFlow is http.HTTPFlow
    assert module.Error is flow.Error
    assert module.url.hostport("http", "example.com", 80) == "example.com"
    assert not [name for name in sys.modules if name.partition(".")[0] == "mitmproxy"]


def test_imports_inside_functions_work_at_any_time(scripts: script.ScriptLoader, tmp_path: Path) -> None:
    module = loaded(
        scripts,
        tmp_path / "late.py",
        """
        def request(flow):
            from mitmproxy import http
            import mitmproxy.exceptions
            flow.response = http.Response.make(418)

        class Nested:
            from mitmproxy import tcp
        """,
    )
    flow = testing.http_flow(response=None)
    module.request(flow)
    assert isinstance(flow.response, http.Response)


def test_import_module_of_a_script_knows_it_too(scripts: script.ScriptLoader, tmp_path: Path) -> None:
    (tmp_path / "compat_asked_for.py").write_text("from mitmproxy import http\n")
    module = loaded(
        scripts,
        tmp_path / "by_name.py",
        """
        import importlib, importlib.util
        from importlib import import_module
        helper = importlib.import_module("compat_asked_for")
        spec = importlib.util.find_spec("json")

        def request(flow):
            return import_module("mitmproxy.http"), importlib.import_module(".tcp", "mitmproxy")
        """,
    )
    assert module.request(None) == (http, tcp)
    assert module.helper.http is http
    assert module.spec
    assert importlib.import_module is not module.import_module
    assert not [name for name in sys.modules if name.partition(".")[0] == "mitmproxy"]


def test_helpers_beside_a_script_have_it_too(scripts: script.ScriptLoader, tmp_path: Path) -> None:
    (tmp_path / "compat_helper.py").write_text(
        "def make():\n    from mitmproxy import http\n    return http\n"
    )
    package = tmp_path / "compat_package"
    package.mkdir()
    (package / "__init__.py").write_text("from .inside import tcp\n")
    (package / "inside.py").write_text("from mitmproxy import tcp\n")
    module = loaded(
        scripts,
        tmp_path / "with_helpers.py",
        """
        import compat_helper
        def request(flow):
            import compat_package
            return compat_package
        import compat_package
        """,
    )
    assert module.compat_helper.make() is http
    assert module.request(None).tcp.TCPFlow


def test_packages_that_know_the_other_proxy_have_it_too(
    scripts: script.ScriptLoader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a script imports is given the alias if it asks for it; the rest is left as it is."""
    site = tmp_path / "site-packages"
    site.mkdir()
    (site / "compat_knowing.py").write_text("from mitmproxy import http\n")
    (site / "compat_ignorant.py").write_text("value = 1\n")
    monkeypatch.syspath_prepend(str(site))
    try:
        module = loaded(
            scripts,
            tmp_path / "user.py",
            "import compat_knowing, compat_ignorant\ndef request(flow): ...\n",
        )
        assert module.compat_knowing.http is http
        assert vars(module.compat_ignorant)["__builtins__"] is vars(builtins)
    finally:
        for name in ("compat_knowing", "compat_ignorant"):
            sys.modules.pop(name, None)


def test_an_installed_package_is_neither_used_nor_disturbed(
    scripts: script.ScriptLoader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = tmp_path / "site" / "mitmproxy"
    installed.mkdir(parents=True)
    (installed / "__init__.py").write_text("real = True\n")
    (installed / "http.py").write_text("real = True\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    try:
        import mitmproxy.http as real  # type: ignore[import-not-found,unused-ignore]

        module = loaded(
            scripts,
            tmp_path / "beside.py",
            "from mitmproxy import http\ndef request(flow):\n    import mitmproxy.tcp as t\n    return t",
        )
        assert module.http is http
        assert module.request(None) is tcp
        assert sys.modules["mitmproxy.http"] is real
        assert real.real
        assert __import__("mitmproxy").real
        with pytest.raises(ImportError, match="has been imported already"):
            proxyfw.as_mitmproxy()
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == "mitmproxy"]:
            del sys.modules[name]


def test_nothing_global_is_replaced(scripts: script.ScriptLoader, tmp_path: Path) -> None:
    before = builtins.__import__
    loaded(scripts, tmp_path / "some.py", "import mitmproxy\ndef request(flow): ...\n")
    assert builtins.__import__ is before
    with pytest.raises(ModuleNotFoundError):
        __import__("mitmproxy")


def test_the_proxy_starts_without_the_alias() -> None:
    code = """
        import sys, proxyfw
        from proxyfw import testing
        with testing.addon_test_context(): pass
        print(*(m for m in sys.modules if m.startswith('proxyfw.alias')))
    """
    out = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True
    ).stdout
    assert out.split() == []


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("from mitmproxy.proxy.config import ProxyConfig", "use mitmproxy.tools.dump.DumpMaster"),
        ("from mitmproxy.proxy.protocol import Layer", "use the hook next_layer"),
        ("import mitmproxy.models", "import HTTPFlow from mitmproxy.http"),
        ("from mitmproxy import controller", "delete the decorator"),
        ("from mitmproxy.tools.web.master import WebMaster", "use tools.dump.DumpMaster"),
        ("from mitmproxy.exceptions import TcpDisconnect", "client_disconnected"),
        ("from mitmproxy.http import Nothing", "docs/reference/mitmproxy-names.md"),
        ("import mitmproxy.nothing.at.all", "docs/reference/mitmproxy-names.md"),
        ("import mitmproxy\nmitmproxy.nothing", "docs/reference/mitmproxy-names.md"),
    ],
)
def test_what_cannot_be_had_says_what_to_use(
    scripts: script.ScriptLoader, tmp_path: Path, line: str, says: str
) -> None:
    with pytest.raises(AddonError, match=r"Error: ") as caught:
        loaded(scripts, tmp_path / "old.py", line)
    assert says in str(caught.value)
    assert "old.py" in str(caught.value)


def test_a_fault_of_the_alias_itself_is_not_taken_for_a_missing_module(
    scripts: script.ScriptLoader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proxyfw.alias.SAME", {"faulty": "compat_faulty"})
    (tmp_path / "compat_faulty.py").write_text("import no_such_library")
    with pytest.raises(AddonError, match="No module named 'no_such_library'"):
        loaded(scripts, tmp_path / "x.py", "import mitmproxy.faulty")


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_program_asks_for_the_alias_in_one_line() -> None:
    out = run("""
        from proxyfw import as_mitmproxy; as_mitmproxy()
        as_mitmproxy()
        import importlib, sys
        import mitmproxy.net.http.url
        from mitmproxy import http, ctx
        from mitmproxy.tools.dump import DumpMaster
        from mitmproxy.contentviews import base
        import mitmproxy.io.io
        import proxyfw.http
        assert http is proxyfw.http is importlib.import_module("mitmproxy.http")
        assert http is sys.modules["mitmproxy.http"]
        assert http.__spec__.name == "proxyfw.http"
        try:
            import mitmproxy.proxy.config
        except ModuleNotFoundError as problem:
            print(problem)
    """)
    assert "DumpMaster" in out
