"""Options from ``config.yaml`` and from the environment, and back into the file.

The file is looked for in the directory of the certificate authority. `Proxy` reads neither by itself: the
command line does, and programs that want it call `load`.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from proxyfw.exceptions import OptionsError
from proxyfw.options import Given, Option, Options

if TYPE_CHECKING:
    from proxyfw.addon.yaml_text import Document

NAMES = ("config.yaml", "config.yml")
"""What the file is called."""
PREFIX = "PROXYFW_"
"""What variables begin with; the rest is the option's name in upper case."""
_NO_OPTIONS = frozenset({"LOOP", "WORKER"})


def find(confdir: str | Path) -> Path | None:
    """The configuration file in *confdir*, if there is one. Raises `OptionsError` if there are two."""
    found = [path for name in NAMES if (path := Path(confdir).expanduser() / name).exists()]
    if len(found) > 1:
        raise OptionsError(f"{found[0]} and {found[1].name} are both there: keep one of them")
    return found[0] if found else None


def load(options: Options, path: str | Path) -> None:
    """Set *options* from the file *path*; those that nobody has declared yet wait until somebody does.

    Raises `OptionsError` with file, line and column for what cannot be read and for wrong values.
    """
    options.give(read(path))


def read(path: str | Path) -> dict[str, Given]:
    """What the file *path* says, by name of option. Raises `OptionsError` with file, line and column."""
    document = _document(Path(path))
    return {
        name: Given(value, origin=f"{path}:{document.place(name)}", required=False)
        for name, value in document.values.items()
    }


def environment(variables: Mapping[str, str]) -> dict[str, Given]:
    """What *variables* such as PROXYFW_LISTEN_PORT say, by name of option; empty ones say nothing.

    A list has one value on each line, or is a list in JSON.
    """
    return {
        key.removeprefix(PREFIX).lower(): Given(texts=(text,), whole=True, origin=key, required=False)
        for key, text in variables.items()
        if key.startswith(PREFIX) and text and key.removeprefix(PREFIX) not in _NO_OPTIONS
    }


def save(options: Options, path: str | Path, names: Collection[str] | None = None) -> None:
    """Write options into the file *path*: those called *names*, or else all that have changed.

    Comments, order and whatever else is in the file stay. Somebody who reads meanwhile sees the old file or
    the new one. Raises `OptionsError` if the file there cannot be read or written.
    """
    target = Path(os.path.realpath(Path(path).expanduser()))
    document = _document(target)
    wanted = set(options if names is None else names)
    for name in options:
        option, value = options.option(name), options.plain_value(name)
        in_file = name in document.values
        if name not in wanted or (names is None and not in_file and not options.has_changed(name)):
            continue
        if not in_file or _differs(option, document.values[name], value):
            document.put(name, value)
    _write(target, document.text())


def _differs(option: Option, in_file: object, value: object) -> bool:
    """Whether a value of the file means something else than *value*, however either is written."""
    try:
        return repr(option.check(in_file)) != repr(option.check(value))
    except OptionsError:
        return True


def _document(path: Path) -> Document:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        text = ""
    except (OSError, UnicodeDecodeError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else "it is not UTF-8"
        raise OptionsError(f"{path} cannot be read: {reason}") from None
    from proxyfw.addon.yaml_text import Document

    try:
        return Document(text)
    except ValueError as problem:
        raise OptionsError(f"{path}:{problem}") from None


def _write(path: Path, text: str) -> None:
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        number, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with open(number, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(number)
        if path.exists():
            os.chmod(temporary, path.stat().st_mode & 0o777)
        os.replace(temporary, path)
    except OSError as problem:
        with suppress(OSError):
            os.unlink(temporary)
        raise OptionsError(f"{path} cannot be written: {problem.strerror}") from None
