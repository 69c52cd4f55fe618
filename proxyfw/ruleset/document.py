"""Rule files: YAML with its lines and columns, read and written so that comments and order stay.

Nobody imports this before there is a file: the library is not small.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.util import load_yaml_guess_indent

from proxyfw.exceptions import OptionsError
from proxyfw.ruleset.book import RuleBook
from proxyfw.ruleset.rule import Rule
from proxyfw.ruleset.shape import Where


class RuleFile:
    """A file with rules: a list of them, or a mapping whose ``rules`` they are.

    *alone*: nothing else may be in the mapping, as there may be in ``config.yaml``. Raises OptionsError if it
    cannot be read: file, line, column and what is wrong.
    """

    def __init__(self, path: Path, text: str | None = None, alone: bool = True) -> None:
        self.path = path
        try:
            self.text = path.read_text(encoding="utf-8") if text is None else text
            self._data = _yaml().load(self.text)
        except OSError as problem:
            raise OptionsError(f"cannot read rules from {path}: {problem.strerror}") from None
        except UnicodeDecodeError as problem:
            raise OptionsError(f"{path}: not UTF-8 at byte {problem.start}") from None
        except YAMLError as problem:
            raise OptionsError(f"{path}{_explained(problem)}") from None
        except (RecursionError, ValueError) as problem:
            raise OptionsError(f"{path}: {problem or 'nested too deeply'}") from None
        if self._data is None:
            self._data = []
        self._below: Where = ("rules",) if isinstance(self._data, Mapping) else ()
        if self._below and alone:
            for key in self._data:
                if key not in ("rules", "version"):
                    raise OptionsError(
                        f"{self.locate((key,))}: there is no {key!r} here; known are rules, version"
                    )

    @property
    def data(self) -> Any:
        """The list of rules, as plain data that knows its lines; assigning to it changes the file to be."""
        if not self._below:
            return self._data
        return self._data.get("rules") or []

    def rules(self, book: RuleBook) -> list[Rule]:
        """The rules in it. Raises OptionsError with all that is wrong, a line each."""
        return book.read(self.data, self.path.parent, self.locate, self._below)

    def locate(self, where: Where) -> str:
        """``rules.yaml:12:5``: where the value stands that *where* leads to, or what is nearest around it."""
        line, column = 0, 0
        node = self._data
        for step in where:
            found = _position(node, step)
            if found is None:
                break
            line, column = found
            try:
                node = node[step]
            except (KeyError, IndexError, TypeError):
                break
        return f"{self.path}:{line + 1}:{column + 1}"

    def set_enabled(self, name: str, enabled: bool) -> None:
        """Switch the rule called *name* on or off. Raises OptionsError if there is none."""
        for rule in self.data:
            if isinstance(rule, Mapping) and rule.get("name") == name:
                rule["enabled"] = enabled  # type: ignore[index]  # a mapping of the YAML library
                return
        names = ", ".join(str(r.get("name")) for r in self.data if isinstance(r, Mapping) and r.get("name"))
        raise OptionsError(f"{self.path}: there is no rule {name!r}; there are {names or 'none with a name'}")

    def save(self) -> None:
        """Write the file as it is now, in one step, comments and order kept. Raises OptionsError."""
        stream = StringIO()
        yaml = _yaml()
        _, indent, offset = load_yaml_guess_indent(self.text)
        if indent:
            yaml.indent(mapping=2, sequence=indent, offset=offset or 0)
        yaml.dump(self._data, stream)
        try:
            with tempfile.NamedTemporaryFile(
                "w", encoding="utf-8", dir=self.path.parent, prefix=f".{self.path.name}.", delete=False
            ) as file:
                file.write(stream.getvalue())
            if self.path.exists():
                os.chmod(file.name, self.path.stat().st_mode)
            os.replace(file.name, self.path)
        except OSError as problem:
            raise OptionsError(f"cannot write {self.path}: {problem.strerror}") from None
        self.text = stream.getvalue()


def _yaml() -> YAML:
    yaml = YAML(typ="rt", pure=True)
    yaml.preserve_quotes = True
    yaml.width = 4096
    return yaml


def _position(node: Any, step: str | int) -> tuple[int, int] | None:
    try:
        if isinstance(node, Mapping):
            return node.lc.key(step)  # type: ignore[attr-defined, no-any-return]
        return node.lc.item(step)  # type: ignore[no-any-return]
    except (AttributeError, KeyError, IndexError, TypeError):
        return None


def _explained(problem: YAMLError) -> str:
    mark = getattr(problem, "problem_mark", None) or getattr(problem, "context_mark", None)
    if not isinstance(problem, MarkedYAMLError) or mark is None:
        return f": {' '.join(str(problem).split())}"
    return f":{mark.line + 1}:{mark.column + 1}: {problem.problem or problem.context}"
