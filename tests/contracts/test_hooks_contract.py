"""Every hook is documented, and exercised by a test; the pages made from the source are up to date."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest
from tree import ROOT, loaded

from proxyfw.hookspecs import HOOKS

generate = loaded(ROOT / "docs" / "generate.py")
OWN = {"test_hookspecs.py", "test_hooks_contract.py"}


@pytest.mark.parametrize("name", generate.pages())
def test_a_generated_page_is_what_would_be_generated(name: str) -> None:
    committed = (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8")
    assert committed == generate.pages()[name], "run python docs/generate.py"


@pytest.mark.parametrize("name", HOOKS)
def test_a_hook_is_documented(name: str) -> None:
    assert f"\n### {name}\n" in (ROOT / "docs" / "reference" / "hooks.md").read_text(encoding="utf-8")


def exercised() -> Iterator[str]:
    """The names of hooks that tests implement, hold, or look for."""
    for path in (ROOT / "tests").rglob("*.py"):
        if path.name not in OWN:
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    yield node.name
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.value


def test_every_hook_that_is_called_is_exercised() -> None:
    assert generate.called() - set(exercised()) == set()
