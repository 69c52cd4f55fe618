"""Editing text that is a list of pieces (a query, a Cookie header): untouched pieces keep their bytes."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeVar

P = TypeVar("P")
T = TypeVar("T", bound=Hashable)


def respell(
    old: Iterable[P], read: Callable[[P], T], write: Callable[[T], P], wanted: Sequence[T]
) -> list[P]:
    """Pieces that say *wanted*: an *old* piece that says it is used again, the others are written anew."""
    spelled: defaultdict[T, deque[P]] = defaultdict(deque)
    for piece in old:
        spelled[read(piece)].append(piece)
    return [spelled[item].popleft() if spelled.get(item) else write(item) for item in wanted]
