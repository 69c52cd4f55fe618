"""Filters as conditions on the table of flows, as far as that can be said there.

A condition that is not `exact` holds for every flow that the filter means, and maybe for more: those are
looked at one by one.
"""

from __future__ import annotations

import re
import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import peewee as orm

from proxyfw import flowfilter
from proxyfw.flowfilter import Filter, Operator

from .tables import Tables


class Condition(NamedTuple):
    """An expression of peewee; *exact* if it says all that the filter says; *cost* is higher for text."""

    expression: Any
    exact: bool
    cost: int = 0


def condition(made: Tables, wanted: Filter, clock: Callable[[], float] = time.time) -> Condition:
    """What *wanted* says about rows of flows."""
    return flowfilter.fold(wanted, _Language(made, clock).single, _inverse, _both, _either)


_TRUE = orm.SQL("1 = 1")


class _Language:
    """Operators as expressions."""

    def __init__(self, made: Tables, clock: Callable[[], float]) -> None:
        self._flows = flows = made.flows
        self._patterns = _Patterns(made.database)
        self._clock = clock
        answered = flows.answered == 1
        columns: dict[str, tuple[Any, ...]] = {
            "~u": (flows.url,), "~d": (flows.host, flows.target), "~m": (flows.method,),
            "~t": (flows.request_type, flows.response_type), "~tq": (flows.request_type,),
            "~ts": (flows.response_type,), "~src": (flows.client,), "~dst": (flows.server, flows.peer),
            "~marker": (flows.marked,), "~comment": (flows.comment,),
        }  # fmt: skip
        numbers = {
            "~c": flows.status, "~port": flows.port, "~dur": flows.duration, "~sizeq": flows.request_size,
            "~sizes": flows.response_size, "~size": flows.request_size + flows.response_size,
        }  # fmt: skip
        self._flags: dict[str, Any] = {
            "~q": _known(flows.type << ["http", "dns"]) & (flows.answered == 0), "~s": answered,
            "~e": flows.error.is_null(False), "~websocket": flows.websocket == 1,
            "~a": flows.asset == 1, "~replay": flows.replay.is_null(False),
            "~replayq": _equal(flows.replay, "request"), "~replays": _equal(flows.replay, "response"),
            "~marked": flows.marked != "", "~all": _TRUE,
        } | {f"~{kind}": flows.type == kind for kind in ("http", "tcp", "udp", "dns")}  # fmt: skip
        self._columns, self._numbers = columns, numbers

    def single(self, operator: Operator, argument: str) -> Condition:
        name = operator.name
        if name in self._flags:
            return Condition(self._flags[name], True)
        if name in self._numbers:
            column = self._numbers[name]
            return Condition(_within(column, flowfilter.spans(operator, argument)), True)
        if name == "~age":
            now = self._clock()
            spans = [(now - high, now - low) for low, high in flowfilter.spans(operator, argument)]
            return Condition(_within(self._flows.started, spans), True)
        if name in self._columns:
            return self._pattern(self._columns[name], argument, optional=name in ("~marker", "~comment"))
        return Condition(_TRUE, False)

    def _pattern(self, columns: Sequence[Any], pattern: str, optional: bool) -> Condition:
        found = [self._patterns.matching(column, pattern) for column in columns]
        stated = [part for part in found if part is not None]
        if len(stated) < len(found):
            return Condition(_TRUE, False)
        expression = _any(stated)
        if optional:
            expression = (columns[0] != "") & expression
        return Condition(expression, True, 1)


_SPECIAL = frozenset(r".^$*+?{}[]\|()")
_TWINS = re.compile("[ksKS]")
"""Letters that match others beyond ASCII if capitals make no difference."""


class _Patterns:
    """Regular expressions in a database: Python's, in SQLite; elsewhere only plain text can be looked for."""

    def __init__(self, database: Any) -> None:
        self._database = database
        self._sqlite = isinstance(database, orm.SqliteDatabase)

    def matching(self, column: Any, pattern: str) -> Any | None:
        """An expression that is true where *pattern* is found in *column*, or None if there is none."""
        certain = _literal(pattern)
        there = _known(column) & self._contains(column, certain) if certain else _known(column)
        if certain == pattern:
            return there
        if not self._sqlite:
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            search = re.compile(pattern, re.IGNORECASE).search
        name = f"found_{abs(hash(pattern)):x}"
        self._database.register_function(partial(_found, search), name, 1)
        return there & (getattr(orm.fn, name)(column) == 1)

    def _contains(self, column: Any, text: str) -> Any:
        if not self._sqlite:
            return orm.fn.STRPOS(orm.fn.LOWER(column), text.lower()) > 0
        escaped = text.replace("!", "!!").replace("%", "!%").replace("_", "!_")
        return orm.fn.LIKE(f"%{escaped}%", column, "!") == 1


def _literal(pattern: str) -> str:
    """Text without which *pattern* cannot be found, the database's way; ``""`` if none is known."""
    start = len(pattern)
    for at, char in enumerate(pattern):
        if char in _SPECIAL:
            start = max(0, at - (char in "?*{"))
            break
    if "|" in pattern or not pattern.isascii():
        return ""
    return max(_TWINS.split(pattern[:start]), key=len)


def _found(search: Callable[[str], object], text: str | None) -> int:
    return 1 if text is not None and search(text) else 0


def _known(expression: Any) -> Any:
    """An expression that is false, not unknown, where a column is empty."""
    return expression.is_null(False) if isinstance(expression, orm.Field) else expression


def _equal(column: Any, value: str) -> Any:
    return column.is_null(False) & (column == value)


def _within(column: Any, spans: Sequence[tuple[float, float]]) -> Any:
    inside = _any([_between(column, low, high) for low, high in spans])
    return column.is_null(False) & inside


def _between(column: Any, low: float, high: float) -> Any:
    least, most = orm.Value(low, float), orm.Value(high, float)  # a column of integers would round them
    if low == -float("inf"):
        return column <= most
    return (column >= least) if high == float("inf") else (column >= least) & (column <= most)


def _inverse(inner: Condition) -> Condition:
    return Condition(~inner.expression, True, inner.cost) if inner.exact else Condition(_TRUE, False)


def _both(parts: Sequence[Condition]) -> Condition:
    exact = all(part.exact for part in parts)
    parts = sorted(parts, key=lambda part: part.cost)  # the database looks at them in this order
    expression = parts[0].expression
    for part in parts[1:]:
        expression = expression & part.expression
    return Condition(expression, exact, parts[-1].cost)


def _either(parts: Sequence[Condition]) -> Condition:
    cost = max(part.cost for part in parts)
    return Condition(_any([part.expression for part in parts]), all(part.exact for part in parts), cost)


def _any(expressions: Sequence[Any]) -> Any:
    expression = expressions[0]
    for further in expressions[1:]:
        expression = expression | further
    return expression
