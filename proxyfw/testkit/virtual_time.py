"""Time that passes only when there is nothing else left to do, for tests of what waits."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec

from .patience import VIRTUAL_PATIENCE

P = ParamSpec("P")


class _Selector(selectors.DefaultSelector):
    """Instead of waiting it lets the clock jump, unless something has happened."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(None if timeout is None else 0)
        if not found and timeout:
            self.now += timeout
        return found


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose seconds take no time. What comes from threads comes at any time in it."""

    patience = VIRTUAL_PATIENCE

    def __init__(self) -> None:
        self._seconds = _Selector()
        super().__init__(self._seconds)

    def time(self) -> float:
        return self._seconds.now


def in_virtual_time(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run the ``async`` *test* in a loop of its own, in which an hour that everybody waits takes no time.

    ``asyncio.get_running_loop().time()`` says what time it is there: it begins with 0. For what is made by
    `world`; real sockets are not waited for.
    """

    @wraps(test)
    def run(*args: P.args, **keywords: P.kwargs) -> None:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(test(*args, **keywords))

    return run
