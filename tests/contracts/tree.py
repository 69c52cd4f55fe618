"""Where things are in the repository, and the pieces of code in its documents."""

from __future__ import annotations

import re
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[2]
SOURCES = [ROOT / "proxyfw", ROOT / "addons", ROOT / "examples", ROOT / "tests", ROOT / "docs", ROOT / ".ci"]
PUBLIC = sorted(path.stem for path in (ROOT / "proxyfw").glob("*.py") if not path.stem.startswith("_"))
"""The modules that are public API."""


def files() -> list[Path]:
    """Every text file that belongs to the project."""
    found = [path for path in ROOT.iterdir() if path.is_file()]
    for folder in SOURCES:
        found += [path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return sorted(path for path in found if path.suffix not in (".png", ".pyc"))


def snippets(document: str, language: str = "python") -> list[str]:
    """The fenced blocks of *language* in a document, in order."""
    text = (ROOT / document).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def loaded(path: Path) -> ModuleType:
    """The file as a module, imported anew."""
    spec = spec_from_file_location(path.stem, path)
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    sys.modules[path.stem] = module
    sys.path.insert(0, str(path.parent))  # as it is when the file is run
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(path.parent))
        del sys.modules[path.stem]
    return module
