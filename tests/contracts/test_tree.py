"""What may stand in the repository, and how large its modules may grow."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tree import ROOT, files

import proxyfw

MODULES = [*(ROOT / "proxyfw").rglob("*.py"), *(ROOT / "addons").rglob("*.py")]
PLACES = re.compile(r"(?<![\w.])/(?:root|work|Users|home/(?!ada\b))\b")
"""Absolute paths of one machine. The user in the documents is called Ada."""
REGISTRIES = re.compile(
    "|".join([r"py" r"pi\.(org|io|python)", r"pythonhosted", r"npmjs", r"://[\w.-]*mirror"])
)


def test_nothing_names_a_place_on_one_machine_or_a_registry() -> None:
    assert len(files()) > 100
    for path in files():
        text = path.read_text(encoding="utf-8", errors="replace")
        assert not PLACES.search(text), path
        assert path == Path(__file__) or not REGISTRIES.search(text), path


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_module_says_what_it_is_and_can_be_read_in_one_go(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(text))
    assert len(text.splitlines()) <= 450


def test_tests_have_names_of_their_own() -> None:
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted(set(names)) == sorted(names)
    assert not list((ROOT / "tests").rglob("__init__.py"))


@pytest.mark.skipif(os.environ.get("TOX_ENV_NAME") != "py", reason="only tox tests the built wheel")
def test_what_is_tested_is_the_wheel() -> None:
    elsewhere = [sys.executable, "-c", "import proxyfw; print(proxyfw.__file__)"]
    other = subprocess.run(elsewhere, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    for file in (proxyfw.__file__, other):
        assert "site-packages" in Path(file or "").parts
