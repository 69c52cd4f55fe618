"""Regular expressions of filters: Python's, found anywhere in the text, capitals or not."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from typing import AnyStr

from proxyfw.filters.wrong import Wrong

_SPECIAL = frozenset(r".^$*+?{}[]\|()")
_FOR_TEXT = re.compile(r"\\[uUN]|\(\?[a-zA-Z]*[uL]")
"""What means something, or is refused, in patterns for text only."""


def compiled(pattern: str, flags: int = 0) -> re.Pattern[str]:
    """*pattern* for text. Raises Wrong."""
    return _compiled(pattern, flags, pattern)


def is_for_bytes(pattern: str) -> bool:
    """Whether *pattern* means the same in bytes, so that bodies can be searched without a charset."""
    return pattern.isascii() and _FOR_TEXT.search(pattern) is None


def finder(pattern: str, flags: int = 0) -> Callable[[bytes], object]:
    """A function that says whether *pattern*, one `is_for_bytes`, is in bytes. Raises Wrong."""
    data = pattern.encode("ascii")
    search = _compiled(data, flags, pattern).search
    if not _SPECIAL.isdisjoint(pattern):
        return search
    wanted = data.lower()
    return lambda content: wanted in content.lower()  # ten times as fast as an expression


def _compiled(pattern: AnyStr, flags: int, text: str) -> re.Pattern[AnyStr]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # sets that may mean something else some day
            return re.compile(pattern, re.IGNORECASE | flags)
    except re.error as problem:
        raise Wrong(f"{text!r} is not a regular expression: {problem.msg}", problem.pos or 0) from None
    except (OverflowError, RecursionError, ValueError) as problem:
        raise Wrong(f"{text!r} is not a regular expression: {problem}") from None
