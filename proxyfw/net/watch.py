"""One clock for all time-outs of a proxy: a tick now and then looks at every connection's deadline.

Setting a deadline is an assignment, so connections cost no timer, and requests none either. A deadline is
noticed at most one tick late.
"""

from __future__ import annotations

import asyncio
from typing import Protocol


class Watched(Protocol):
    deadline: float
    """In seconds of the loop's clock; `math.inf` for never."""

    def expired(self) -> None: ...


class Watch:
    """Calls `expired()` of what it watches once its deadline has passed."""

    def __init__(self, shortest: float = 60) -> None:
        """*shortest*: the shortest time-out in use, in seconds; a tick is a quarter of it."""
        self.loop = asyncio.get_running_loop()
        self.interval = min(max(shortest / 4, 0.01), 15)
        self._watched: set[Watched] = set()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, watched: Watched) -> None:
        self._watched.add(watched)
        if not self._timer:
            self._timer = self.loop.call_later(self.interval, self._tick)

    def discard(self, watched: Watched) -> None:
        self._watched.discard(watched)

    def _tick(self) -> None:
        now = self.loop.time()
        for watched in [w for w in self._watched if w.deadline < now]:
            watched.expired()
        self._timer = self.loop.call_later(self.interval, self._tick) if self._watched else None

    def close(self) -> None:
        self._watched.clear()
        if self._timer:
            self._timer.cancel()
            self._timer = None
