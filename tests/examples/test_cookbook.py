"""Every example is explained, tested, and in the cookbook, which cannot differ from the files."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from example_runs import EXAMPLES

NAMES = sorted(path.stem for path in EXAMPLES.glob("*.py"))
PAGE = (EXAMPLES.parent / "docs" / "cookbook.md").read_text(encoding="utf-8")
TESTS = {
    node.name
    for path in Path(__file__).parent.glob("test_*.py")
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
}


@pytest.mark.parametrize("name", NAMES)
def test_an_example_says_what_to_run_and_what_to_see_and_is_tested(name: str) -> None:
    source = (EXAMPLES / f"{name}.py").read_text()
    assert f"test_{name}" in TESTS
    assert f"examples/{name}.py" in source.partition("See:  ")[0].partition("Run:  ")[2]
    assert "See:  " in source
    lines = [line for line in source.split('"""', 2)[2].splitlines() if line.strip()]
    assert 4 <= len(lines) <= 30


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_in_the_cookbook_as_it_is(name: str) -> None:
    code = (EXAMPLES / f"{name}.py").read_text().split('"""', 2)[2].strip()
    assert PAGE.count(f"```python\n{code}\n```") == 1


def test_there_are_at_least_twenty_five_examples() -> None:
    assert len(NAMES) >= 25
