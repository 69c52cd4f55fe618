"""Standard output as everybody else has it while the dumper prints: their lines come after earlier flows.

Without it a script's ``print()`` would overtake the flows that wait for the dumper's thread.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any, TextIO


class InOrder:
    """*stream*, except that *before* is called before anything is written, and whole lines are flushed."""

    def __init__(self, stream: TextIO, before: Callable[[], object]) -> None:
        self.stream = stream
        self._before = before

    def write(self, text: str) -> int:
        """Write *text*; what the stream buffers is written at each end of a line."""
        self._before()
        written = self.stream.write(text)
        if "\n" in text:
            self.stream.flush()
        return written

    def writelines(self, lines: Iterable[str]) -> None:
        """Write all of *lines*."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


class Place:
    """The place of standard output, taken by `InOrder` for as long as any proxy wants it to be."""

    def __init__(self, before: Callable[[], object]) -> None:
        self._before = before
        self._users = 0

    def take(self) -> None:
        """Be there, once more."""
        self._users += 1
        if sys.stdout is not None and not isinstance(sys.stdout, InOrder):
            sys.stdout = InOrder(sys.stdout, self._before)

    def leave(self) -> None:
        """Be there once less; the last one puts back what was there."""
        self._users = max(self._users - 1, 0)
        if not self._users and isinstance(sys.stdout, InOrder):
            sys.stdout = sys.stdout.stream


def bare() -> TextIO | None:
    """Standard output itself."""
    out: Any = sys.stdout
    return out.stream if isinstance(out, InOrder) else out
