"""What ``import mitmproxy`` means: in scripts always our alias of it, elsewhere once a program asks for it.

Scripts get builtins of their own, whose ``__import__`` knows the alias: imports inside their functions work
whenever they run, ``sys.modules`` stays as it is, and an installed mitmproxy is neither used nor disturbed.
"""

from __future__ import annotations

import builtins
import importlib
import sys
import threading
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import resolve_name
from types import ModuleType
from typing import Any

from proxyfw.addon.context import current

PACKAGE = "mitmproxy"
_OURS = frozenset({"proxyfw", "proxyfw_addons", PACKAGE})


def as_mitmproxy() -> None:
    """Have ``import mitmproxy`` find proxyfw, in all of this process, from now on.

    For programs that contain a proxy, and for tests; scripts need nothing. Raises ImportError if the other
    package has been imported already.
    """
    loaded = sys.modules.get(PACKAGE)
    if loaded is not None and loaded.__name__ != "proxyfw.alias":
        raise ImportError("mitmproxy has been imported already: call proxyfw.as_mitmproxy() before that")
    if not any(isinstance(finder, _Everywhere) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Everywhere())


def module_named(name: str) -> ModuleType:
    """Our module for ``mitmproxy`` or ``mitmproxy.x.y``. Raises ModuleNotFoundError, saying what to use."""
    alias = import_module("proxyfw.alias")
    found: ModuleType = alias.module_named(name)
    proxy = current()
    if proxy is not None:
        import_module("proxyfw.alias.leftovers").declare(proxy.options)
    return found


def script_builtins() -> dict[str, Any]:
    """Builtins for a module that belongs to a script."""
    if _scripts not in sys.meta_path:
        sys.meta_path.insert(0, _scripts)
    return vars(builtins) | {"__import__": _import}


def _import(
    name: str,
    globals: Mapping[str, object] | None = None,
    locals: Mapping[str, object] | None = None,
    fromlist: Sequence[str] | None = (),
    level: int = 0,
) -> ModuleType:
    """``__import__`` of scripts."""
    if level or name.partition(".")[0] != PACKAGE:
        with _scripts:
            module = builtins.__import__(name, globals, locals, fromlist or (), level)
        return _importlib if module is importlib else module
    module = module_named(name)
    if not fromlist:
        return module_named(PACKAGE)
    for wanted in fromlist:
        if wanted != "*":
            _require(module, name, wanted)
    return module


def _require(module: ModuleType, name: str, wanted: str) -> None:
    try:
        getattr(module, wanted)
    except AttributeError:
        hint = import_module("proxyfw.alias").missing(name, wanted)
        raise ImportError(f"cannot import name {wanted!r} from {name!r}: {hint}", name=name) from None


class _Importlib(ModuleType):
    """What scripts find as ``importlib``: its `import_module` knows the alias too."""

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib, name)

    @staticmethod
    def import_module(name: str, package: str | None = None) -> ModuleType:
        """The module *name*, which may be relative to *package*."""
        whole = resolve_name(name, package) if name.startswith(".") else name
        if whole.partition(".")[0] == PACKAGE:
            return module_named(whole)
        with _scripts:
            return importlib.import_module(whole)


class _Scripts(threading.local, MetaPathFinder):
    """Finds what scripts import, as others do, and gives it the builtins of scripts."""

    depth = 0
    """How many imports of scripts are under way in this thread."""

    def __enter__(self) -> None:
        self.depth += 1

    def __exit__(self, *_: object) -> None:
        self.depth -= 1

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        root = fullname.partition(".")[0]
        if not self.depth or root in sys.stdlib_module_names or root in _OURS:
            return None
        for finder in sys.meta_path:
            find = None if finder is self else getattr(finder, "find_spec", None)
            spec: ModuleSpec | None = find(fullname, path, target) if find else None
            if spec is not None:
                if type(spec.loader) is SourceFileLoader and _concerned(spec.loader.path):
                    spec.loader = _ScriptFile(spec.loader.name, spec.loader.path)
                return spec
        return None


class _ScriptFile(SourceFileLoader):
    """Loads a module with the builtins of scripts."""

    def exec_module(self, module: ModuleType) -> None:
        vars(module)["__builtins__"] = script_builtins()
        super().exec_module(module)


def _concerned(path: str) -> bool:
    """Whether a file is somebody's own, or of an installed package that mentions the other proxy."""
    if "site-packages" not in path and "dist-packages" not in path:
        return True
    with open(path, "rb") as file:
        return PACKAGE.encode() in file.read()


class _Everywhere(MetaPathFinder, Loader):
    """Finds our alias under its own name, for all of the process."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] != PACKAGE:
            return None
        module = module_named(fullname)
        spec = ModuleSpec(fullname, self, is_package=hasattr(module, "__path__"))
        spec.loader_state = module, module.__spec__
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module: ModuleType = spec.loader_state[0]
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Nothing is left to run; the module gets back what it said of itself."""
        assert module.__spec__ is not None
        module.__spec__ = module.__spec__.loader_state[1]


_scripts = _Scripts()
_importlib = _Importlib("importlib")
