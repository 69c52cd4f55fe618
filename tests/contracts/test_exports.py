"""What ``proxyfw`` promises to those who import it."""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys

import pytest
from tree import PUBLIC, ROOT

import proxyfw
from proxyfw import Options, exceptions, http


@pytest.mark.parametrize("name", proxyfw.__all__)
def test_every_promised_name_is_there(name: str) -> None:
    assert getattr(proxyfw, name) is not None
    assert name in dir(proxyfw)


def test_all_public_modules_are_promised_and_nothing_else() -> None:
    modules = {name for name in proxyfw.__all__ if inspect.ismodule(getattr(proxyfw, name))}
    assert modules == set(PUBLIC)
    assert proxyfw.__all__ == sorted(proxyfw.__all__)


def test_type_checkers_and_editors_see_the_same_names() -> None:
    tree = ast.parse((ROOT / "proxyfw" / "__init__.py").read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {
        alias.name for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names
    } | {
        node.target.id for node in block.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }  # fmt: skip
    assert seen == set(proxyfw.__all__)


def test_names_are_the_same_objects_wherever_they_come_from() -> None:
    assert proxyfw.http is http
    assert proxyfw.OptionsError is exceptions.OptionsError
    assert proxyfw.options.Options is Options
    with pytest.raises(AttributeError, match="module 'proxyfw' has no attribute 'htpp'"):
        proxyfw.htpp  # noqa: B018


def test_importing_the_package_imports_nothing_of_it() -> None:
    code = "import sys, proxyfw; print(*(m for m in sys.modules if m.startswith(('proxyfw.', 'pluggy'))))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.split() == []


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_module_says_what_it_is_and_so_do_its_names(name: str) -> None:
    module = importlib.import_module(f"proxyfw.{name}")
    assert module.__doc__
    undocumented = [
        public
        for public in getattr(module, "__all__", None) or vars(module)
        if not public.startswith("_")
        and (inspect.isclass(thing := getattr(module, public)) or inspect.isfunction(thing))
        and thing.__module__ == module.__name__
        and thing.__name__ == public
        and not inspect.getdoc(thing)
    ]
    assert undocumented == []
