"""YAML to plain data and back, by ruamel.yaml: its errors as one line that names the place.

Nobody imports this before there is YAML to read: the library is not small.
"""

from __future__ import annotations

from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.util import load_yaml_guess_indent

_WIDTH = 1 << 20


class Document:
    """A YAML file whose top is a mapping, to be changed without touching what else is in it.

    Raises ValueError, ``line:column: problem``, if *text* is anything else.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._yaml = YAML()
        self._yaml.preserve_quotes = True
        self._yaml.width = _WIDTH
        self._changed = False
        try:
            found = self._yaml.load(text)
        except YAMLError as problem:
            raise ValueError(explained(problem, "{}:{}: ")) from None
        except RecursionError:
            raise ValueError("1:1: it is nested too deeply") from None
        if found is not None and not isinstance(found, CommentedMap):
            raise ValueError("1:1: it must be names of options with their values, one a line: name: value")
        self.values: CommentedMap = CommentedMap() if found is None else found
        self._is_bare = found is None
        for key in self.values:
            if not isinstance(key, str):
                raise ValueError(f"{self.place(key)}: {key!r} is not the name of an option")

    def place(self, key: object) -> str:
        """``line:column`` of the key."""
        line, column = self.values.lc.key(key)
        return f"{line + 1}:{column + 1}"

    def put(self, key: str, value: object) -> None:
        """Give *key* another value; a new key comes last."""
        self.values[key] = value
        self._changed = True

    def text(self) -> str:
        """The file as it is now."""
        if not self._changed:
            return self._text
        if self._is_bare:  # nothing but comments, which no value holds
            start = self._text and self._text.rstrip("\n") + "\n"
            return start + self._dumped()
        indent, offset = load_yaml_guess_indent(self._text)[1:]
        if indent is not None:
            self._yaml.indent(sequence=indent, offset=offset or 0)
        return self._dumped()

    def _dumped(self) -> str:
        stream = StringIO()
        self._yaml.dump(self.values, stream)
        return stream.getvalue()


def read_yaml(text: str) -> Any:
    """What *text* means. Raises ValueError with line and column."""
    try:
        return YAML(typ="safe", pure=True).load(text)
    except YAMLError as problem:
        raise ValueError(explained(problem)) from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def flow_text(value: object) -> str:
    """*value* as YAML on one line."""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = True
    yaml.width = _WIDTH
    yaml.allow_unicode = True
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # wrongly annotated
    stream = StringIO()
    yaml.dump(value, stream)
    return stream.getvalue().removesuffix("...\n").strip()


def explained(problem: YAMLError, form: str = "line {}, column {}: ") -> str:
    """What is wrong with a YAML text, in one line that begins with the place, if it is known."""
    if not isinstance(problem, MarkedYAMLError):
        return form.format(1, 1) + " ".join(str(problem).split())
    mark: Any = problem.problem_mark or problem.context_mark
    place = form.format(mark.line + 1, mark.column + 1) if mark else ""
    context = f"{problem.context}: " if problem.context else ""
    return place + " ".join(f"{context}{problem.problem}".split())
