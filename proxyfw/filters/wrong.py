"""How a part of a filter says that its argument cannot be read; the parser adds where that is."""

from __future__ import annotations


class Wrong(ValueError):
    """An argument is wrong, from the index *at* on. The message says what to write."""

    def __init__(self, reason: str, at: int = 0) -> None:
        super().__init__(reason)
        self.at = at
