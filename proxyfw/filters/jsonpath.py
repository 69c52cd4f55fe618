"""Paths into JSON, and comparisons of what is there: ``$.user.id``, ``$.items[*].price >= 10``.

The part of RFC 9535 that people type by hand: names, indexes, wildcards and ``..``; no slices, no filters.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Iterator
from typing import Any

from proxyfw.filters.patterns import compiled
from proxyfw.filters.wrong import Wrong

Holds = Callable[[object], bool]
Step = Callable[[object], Iterator[object]]

_STEP = re.compile(
    r"""(?P<deep>\.\.)?
        (?: (?(deep)|\.)(?: (?P<name>[^\s.\[\]=!<>~'"*]+) | (?P<all>\*) )
          | \[\s*(?: (?P<index>-?\d+) | (?P<any>\*) | "(?P<double>[^"]*)" | '(?P<single>[^']*)' )\s*\] )""",
    re.VERBOSE | re.ASCII,
)
_SIGN = re.compile(r"\s*(?P<sign>>=|<=|!=|==|=|<|>|~)\s*")
_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_NUMBERS = (int, float)


def condition(text: str) -> Holds:
    """What *text* says about a document: something is there, or compares. Raises Wrong."""
    steps, at = _path(text)
    if not text[at:].strip():
        return lambda document: any(True for _ in _walk(document, steps))
    match = _SIGN.match(text, at)
    if match is None:
        raise Wrong("a path goes on with .name, [0], [*], ..name, or a comparison: = != < <= > >= ~", at)
    value = text[match.end() :].rstrip()
    if not value:
        raise Wrong(f"a value is missing after {match['sign']}", match.end())
    holds = _comparison(match["sign"], value, match.end())
    return lambda document: any(holds(found) for found in _walk(document, steps))


def _path(text: str) -> tuple[list[Step], int]:
    """The steps of the path that *text* begins with, and where it ends."""
    if not text.startswith("$"):
        raise Wrong("a JSON path begins with $, as in $.user.id")
    steps: list[Step] = []
    at = 1
    while match := _STEP.match(text, at):
        if match["deep"]:
            steps.append(_everything)
        steps.append(_step(match))
        at = match.end()
    return steps, at


def _step(match: re.Match[str]) -> Step:
    if match["all"] or match["any"]:
        return _children
    if match["index"]:
        return _item(int(match["index"][:20]))
    return _member(match["name"] or match["double"] or match["single"] or "")


def _walk(document: object, steps: list[Step]) -> Iterator[object]:
    found: Iterator[object] = iter((document,))
    for step in steps:
        found = _each(step, found)
    return found


def _each(step: Step, values: Iterator[object]) -> Iterator[object]:
    for value in values:
        yield from step(value)


def _member(name: str) -> Step:
    def step(value: object) -> Iterator[object]:
        if isinstance(value, dict) and name in value:
            yield value[name]

    return step


def _item(index: int) -> Step:
    def step(value: object) -> Iterator[object]:
        if isinstance(value, list) and -len(value) <= index < len(value):
            yield value[index]

    return step


def _children(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        return iter(value.values())
    return iter(value) if isinstance(value, list) else iter(())


def _everything(value: object) -> Iterator[object]:
    """*value* and all that is inside; no recursion, as documents can be deep."""
    rest = [value]
    while rest:
        value = rest.pop()
        yield value
        rest.extend(_children(value))


def _comparison(sign: str, text: str, at: int) -> Holds:
    if sign == "~":
        return _search(text, at)
    wanted = _scalar(text, at)
    if sign in ("=", "=="):
        return lambda value: _same(value, wanted)
    if sign == "!=":
        return lambda value: not _same(value, wanted)
    return _order(sign, wanted, at)


def _search(pattern: str, at: int) -> Holds:
    try:
        search = compiled(pattern).search
    except Wrong as problem:
        raise Wrong(str(problem), at + problem.at) from None

    def holds(value: object) -> bool:
        if isinstance(value, dict | list):
            return False
        return search(value if isinstance(value, str) else json.dumps(value)) is not None

    return holds


def _order(sign: str, wanted: object, at: int) -> Holds:
    compare = _ORDERS[sign]
    if isinstance(wanted, bool) or wanted is None:
        raise Wrong(f"{sign} compares numbers or strings", at)
    kinds = str if isinstance(wanted, str) else _NUMBERS
    return lambda value: isinstance(value, kinds) and not isinstance(value, bool) and compare(value, wanted)


def _scalar(text: str, at: int) -> object:
    """A JSON scalar; everything else is a string as it stands."""
    if len(text) > 1 and text[0] == text[-1] == "'":
        return text[1:-1]
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if isinstance(value, dict | list):
        raise Wrong("compare with a number, a string, true, false or null", at)
    return value


def _same(one: object, other: object) -> bool:
    # In JSON, unlike in Python, true is not 1.
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return one == other
