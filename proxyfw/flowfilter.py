"""The filter language: ``flowfilter.parse("~m POST & ~c 5xx")`` is a function from a flow to yes or no.

Filters have no effects and know nothing but the flow, so they can be kept, shared and compared.
"""

from __future__ import annotations

from functools import lru_cache

from proxyfw.exceptions import FilterError
from proxyfw.filters.operators import ARGUMENTS, OPERATORS, Operator
from proxyfw.filters.parser import Parser
from proxyfw.filters.tree import Filter
from proxyfw.flow import Flow

__all__ = [
    "ARGUMENTS",
    "OPERATORS",
    "Filter",
    "FilterError",
    "Operator",
    "TFilter",
    "match",
    "match_all",
    "parse",
]

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
