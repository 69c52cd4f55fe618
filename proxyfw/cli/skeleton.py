"""The package that a new addon begins with: module, test, entry point. Nothing is ever overwritten."""

from __future__ import annotations

import keyword
import re
import sys
from importlib.metadata import version
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from proxyfw.addonmanager import installed
from proxyfw.exceptions import AddonError

_FILES = {
    "pyproject.toml": "pyproject.toml.in",
    "README.md": "README.md.in",
    ".gitignore": "gitignore.in",
    "src/my_addon/__init__.py": "addon.py.in",
    "src/my_addon/py.typed": None,
    "tests/test_my_addon.py": "test_addon.py.in",
}
"""Where each file goes, and which of ``templates/`` it is made from; my-addon stands for the name in both."""
_RULE = "a name has lower-case letters, digits and single dashes or underscores, and begins with a letter"


def write(name: str, folder: Path) -> list[Path]:
    """Write the package *name* into a new directory of that name in *folder*; the files it has.

    Raises `AddonError` if the name cannot be one, or the directory exists or cannot be written.
    """
    check(name)
    package = folder / name
    made = {
        package / _named(place, name): _named(_read(template), name) for place, template in _FILES.items()
    }
    try:
        package.mkdir()
        for path, text in made.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    except FileExistsError:
        raise AddonError(f"{package} exists already: nothing was written") from None
    except OSError as problem:
        raise AddonError(f"{problem.filename} cannot be written: {problem.strerror}") from problem
    return list(made)


def check(name: str) -> None:
    """Raise `AddonError` if *name* cannot be that of a package, of a module, and of an addon at once."""
    if not re.fullmatch(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*", name):
        suggestion = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-0123456789")
        hint = f"; try {suggestion}" if suggestion and suggestion != name else ""
        raise AddonError(f"{name!r} cannot be the name of an addon: {_RULE}{hint}")
    module = module_of(name)
    if keyword.iskeyword(module):
        raise AddonError(f"{name!r} cannot be the name of an addon: the word belongs to Python")
    if name in installed():
        raise AddonError(f"{name!r} cannot be the name of an addon: one of this name is installed")
    found = find_spec(module)
    if module in sys.stdlib_module_names or (found and found.origin):  # a mere folder has no origin
        raise AddonError(f"{name!r} cannot be the name of an addon: there is a module {module} already")


def module_of(name: str) -> str:
    """The name of the module of the addon *name*."""
    return name.replace("-", "_")


def _read(template: str | None) -> str:
    if template is None:
        return ""
    text = (files("proxyfw.cli") / "templates" / template).read_text(encoding="utf-8")
    return text.replace("proxyfw>=0.0", f"proxyfw>={version('proxyfw')}")


def _named(text: str, name: str) -> str:
    return text.replace("my_addon", module_of(name)).replace("my-addon", name)
