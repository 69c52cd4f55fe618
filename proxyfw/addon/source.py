"""Runs a script file as a module of its own, together with the helper modules that lie beside it.

A script's folder is importable only while the script loads. What it imports from there goes to
``sys.modules``, but scripts of another folder do not see it, and a failed attempt leaves no trace.
"""

from __future__ import annotations

import importlib
import itertools
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, ModuleType

from proxyfw.addon.importing import script_builtins
from proxyfw.addon.report import located, user_place
from proxyfw.exceptions import AddonError

Stamp = tuple[int, int, int] | None

_PREFIX = "proxyfw_script_"
_numbers = itertools.count(1)
#: Folder -> name -> module that a script of the folder has brought into ``sys.modules``; as global as that.
_helpers: dict[Path, dict[str, ModuleType]] = {}


def stamp(path: Path) -> Stamp:
    """What changes when the file is written or replaced; None while there is no such file."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


class Source:
    """One attempt to load a script. *files* is what it consists of, or could have if it had succeeded."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.folder = path.parent
        self.files = {path}

    @contextmanager
    def loaded(self, fresh: bool = False) -> Iterator[ModuleType]:
        """The file as a new module, for good if the block succeeds; with *fresh*, helpers are imported anew.

        Raises `AddonError` with file, line and source line if the file cannot be run.
        """
        code = _compiled(self.path)
        stem = re.sub(r"[^0-9a-zA-Z_]", "_", self.path.stem)
        module = ModuleType(f"{_PREFIX}{stem}_{next(_numbers)}")
        module.__file__ = str(self.path)
        vars(module)["__builtins__"] = script_builtins()
        with self._helpers_of_this_folder(fresh):
            sys.modules[module.__name__] = module
            try:
                self._execute(code, module)
                yield module
            except BaseException:
                forget(module)
                raise

    def _execute(self, code: CodeType, module: ModuleType) -> None:
        try:
            exec(code, module.__dict__)
        except (Exception, SystemExit) as problem:
            self._note_files_of(problem)
            raise AddonError(_explained(problem, self.path)) from problem

    @contextmanager
    def _helpers_of_this_folder(self, fresh: bool) -> Iterator[None]:
        own = {} if fresh else _helpers.get(self.folder, {})
        hidden = {}
        for folder, helpers in _helpers.items():
            for name, helper in helpers.items():
                if (fresh or folder != self.folder) and sys.modules.get(name) is helper:
                    hidden[name] = sys.modules.pop(name)
        for name, helper in own.items():
            sys.modules.setdefault(name, helper)
        before = set(sys.modules)
        try:
            with _importable(self.folder):
                yield
        except BaseException:
            for name in self._imported_since(before):
                del sys.modules[name]
            sys.modules.update(hidden)
            raise
        imported = {name: sys.modules[name] for name in self._imported_since(before)}
        forgotten = _helpers.get(self.folder, {}).keys() - own.keys()
        _helpers[self.folder] = own | imported
        for name, helper in hidden.items():
            if name not in forgotten:
                sys.modules.setdefault(name, helper)
        self.files |= {file for helper in own.values() if (file := _file_of(helper))}

    def _imported_since(self, before: set[str]) -> list[str]:
        names = []
        for name in sys.modules.keys() - before:
            file = _file_of(sys.modules[name])
            if file is not None and self._is_beside(file) and not name.startswith(_PREFIX):
                names.append(name)
                self.files.add(file)
        return names

    def _is_beside(self, file: Path) -> bool:
        return file.is_relative_to(self.folder) and "site-packages" not in file.parts

    def _note_files_of(self, problem: BaseException) -> None:
        """Remember the helpers that *problem* is about: mending or adding one is worth another attempt."""
        entry = problem.__traceback__
        while entry is not None:
            self._note(Path(entry.tb_frame.f_code.co_filename))
            entry = entry.tb_next
        if isinstance(problem, SyntaxError) and problem.filename:
            self._note(Path(problem.filename))
        if isinstance(problem, ModuleNotFoundError) and problem.name:
            self._note(self.folder.joinpath(*problem.name.split(".")).with_suffix(".py"))

    def _note(self, file: Path) -> None:
        if self._is_beside(file):
            self.files.add(file)


def forget(module: ModuleType) -> None:
    """Take a script that is no longer loaded out of ``sys.modules``."""
    sys.modules.pop(module.__name__, None)


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """*folder* comes first on ``sys.path``; no byte code is kept: its time stamps are too coarse."""
    entry, writes = str(folder), sys.dont_write_bytecode
    sys.path.insert(0, entry)
    sys.dont_write_bytecode = True
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.dont_write_bytecode = writes
        if entry in sys.path:
            sys.path.remove(entry)


def _compiled(path: Path) -> CodeType:
    if path.is_dir():
        raise AddonError(f"{path}: a script must be a file: give the .py file inside this folder")
    try:
        return compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
    except FileNotFoundError:
        raise AddonError(f"{path}: there is no such file") from None
    except OSError as problem:
        raise AddonError(f"{path}: cannot be read: {problem.strerror}") from problem
    except (SyntaxError, ValueError) as problem:
        raise AddonError(_explained(problem, path)) from problem


def _explained(problem: BaseException, path: Path) -> str:
    kind = type(problem).__name__
    if isinstance(problem, SyntaxError) and problem.filename and problem.lineno:
        offset = problem.offset or 1
        same_line = problem.end_lineno == problem.lineno and problem.end_offset is not None
        width = (problem.end_offset or offset) - offset if same_line else 1
        return located(problem.filename, problem.lineno, f"{kind}: {problem.msg}", problem.offset, width)
    place = user_place(problem, str(path.parent)) or (str(path), 1)
    return located(*place, f"{kind}: {problem}" if str(problem) else kind)


def _file_of(module: ModuleType) -> Path | None:
    file = getattr(module, "__file__", None)
    if file is None:  # a folder without __init__.py
        file = next(iter(getattr(module, "__path__", ())), None)
    return Path(file) if isinstance(file, str) else None
