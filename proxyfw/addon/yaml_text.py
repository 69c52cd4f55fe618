"""YAML to plain data and back, by ruamel.yaml: its errors as one line that names the place.

Nobody imports this before there is YAML to read: the library is not small.
"""

from __future__ import annotations

from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError


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
    yaml.width = 1 << 20
    yaml.allow_unicode = True
    stream = StringIO()
    yaml.dump(value, stream)
    return stream.getvalue().removesuffix("...\n").strip()


def explained(problem: YAMLError) -> str:
    """What is wrong with a YAML text, in one line: the problem, and where it is if that is not known yet."""
    if not isinstance(problem, MarkedYAMLError):
        return " ".join(str(problem).split())
    context = f"{problem.context}: " if problem.context else ""
    return f"{place(problem)}{context}{problem.problem}"


def place(problem: MarkedYAMLError) -> str:
    """``line 3, column 5: ``, or nothing."""
    mark: Any = problem.problem_mark or problem.context_mark
    return f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
