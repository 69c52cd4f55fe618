"""The filter language: ``flowfilter.parse("~m POST & ~c 5xx")`` is a function from a flow to yes or no.

Filters have no effects and know nothing but the flow, so they can be kept, shared and compared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TypeVar

from proxyfw.exceptions import FilterError
from proxyfw.filters import numbers
from proxyfw.filters.operators import ARGUMENTS, OPERATORS, PORT, SIZE, STATUS, TIME, Operator
from proxyfw.filters.parser import Parser
from proxyfw.filters.tree import Both, Either, Filter, Inverse, Single
from proxyfw.flow import Flow

__all__ = [
    "ARGUMENTS",
    "OPERATORS",
    "Filter",
    "FilterError",
    "Operator",
    "TFilter",
    "fold",
    "match",
    "match_all",
    "parse",
    "spans",
]

T = TypeVar("T")

TFilter = Filter
"""The name that scripts of the field have for it in annotations."""


def parse(text: str) -> Filter:
    """The filter that *text* means; the same text gives the same filter.

    Raises FilterError, which is a ValueError, if it cannot be read or is empty: the message has the text, a
    caret under the place, and what to write.
    """
    return _parsed(text or "")


@lru_cache(maxsize=512)
def _parsed(text: str) -> Filter:
    return Parser(text).filter()


def match(filter: Filter | str | None, flow: Flow) -> bool:
    """Whether *filter*, parsed or as text, means *flow*; None means every flow. Raises FilterError."""
    if filter is None:
        return True
    return (parse(filter) if isinstance(filter, str) else filter)(flow)


match_all = parse("~all")
"""Means every flow."""


def fold(
    filter: Filter,
    single: Callable[[Operator, str], T],
    inverse: Callable[[T], T],
    both: Callable[[Sequence[T]], T],
    either: Callable[[Sequence[T]], T],
) -> T:
    """Something else made of *filter*, for those who say it in another language.

    *single* is called for each operator with its argument (``""`` if it takes none), the others for "not",
    "and" and "or" with what was made of the filters inside.
    """

    def made(part: Filter) -> T:
        if isinstance(part, Single):
            return single(part.operator, part.argument)
        if isinstance(part, Inverse):
            return inverse(made(part.inner))
        assert isinstance(part, (Both, Either))
        return (both if isinstance(part, Both) else either)([made(inner) for inner in part.parts])

    return made(filter)


_READERS: dict[str, numbers.Reader] = {
    STATUS: numbers.status, SIZE: numbers.size, TIME: numbers.duration, PORT: numbers.port,
}  # fmt: skip


def spans(operator: Operator, argument: str) -> tuple[tuple[float, float], ...]:
    """The numbers that *argument* of *operator* means: each the least and the greatest, both included.

    Raises ValueError if it is none that it could have in a filter, or the operator takes no numbers.
    """
    if operator.argument not in _READERS:
        raise ValueError(f"{operator.name} takes no numbers")
    return numbers.spans(argument, _READERS[operator.argument])
