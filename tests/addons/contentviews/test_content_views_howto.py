"""The code of docs/howto/content-views.md does what the page says."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

from proxyfw import http
from proxyfw.addonmanager import AddonManager
from proxyfw.script import ScriptLoader
from proxyfw.testing import addon_test_context, http_flow

PAGE = Path(__file__).parents[3] / "docs" / "howto" / "content-views.md"
VIEW, TEST, USE = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "jwt_view.py").write_text(VIEW)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "jwt_view", raising=False)
    return tmp_path


@pytest.mark.usefixtures("folder")
def test_the_view_passes_its_test() -> None:
    assert len([line for line in VIEW.splitlines() if line]) <= 15
    scope: dict[str, Any] = {"__name__": "snippet"}
    exec(TEST, scope)
    scope["test_a_token_is_readable"]()


def test_the_view_works_as_a_script(folder: Path) -> None:
    with addon_test_context() as context:
        ScriptLoader(context.addons).add(folder / "jwt_view.py")
        assert _shown(context.addons, b"eyJ9.gIGB.x").view_name == "raw"
        good = b"eyJhbGciOiJub25lIn0.eyJzdWIiOiJBZGEifQ.x"
        assert _shown(context.addons, good).text == '{"alg":"none"}\n{"sub":"Ada"}'


def _shown(addons: AddonManager, data: bytes) -> Any:
    return addons.contentviews.prettify_message(http.Response.make(200, data))


def test_the_use_in_code_of_ones_own(capsys: pytest.CaptureFixture[str]) -> None:
    scope: dict[str, Any] = {}
    exec(USE, scope)
    with addon_test_context():
        scope["response"](http_flow("http://example.com/", http.Response.make(200, "hello")))
    assert capsys.readouterr().out == "raw hello\n"
