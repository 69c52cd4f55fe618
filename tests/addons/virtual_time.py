"""Time that passes only when nothing else is left to do, for tests of what waits."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from typing import Any

import pytest

from proxyfw.testkit import ends, world

_LONG = 1e6


class _Selector(selectors.DefaultSelector):
    """Instead of waiting it lets the clock jump, unless something has happened."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(0 if timeout is not None else None)
        if not found and timeout:
            self.now += timeout
        return found


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop in whose seconds no time passes. What comes from threads comes at any time in it."""

    def __init__(self) -> None:
        self._clock = _Selector()
        super().__init__(self._clock)

    def time(self) -> float:
        return self._clock.now


def in_virtual_time(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run the async *test* in virtual time; what waits for what never comes fails after a million seconds."""

    @wraps(test)
    def run(*args: Any, **keywords: Any) -> None:
        with pytest.MonkeyPatch.context() as patch, asyncio.Runner(loop_factory=VirtualLoop) as runner:
            for module in (ends, world):
                patch.setattr(module, "PATIENCE", _LONG)
            runner.run(test(*args, **keywords))

    return run


def now() -> float:
    """Virtual seconds since the test began."""
    return asyncio.get_running_loop().time()


async def seconds_of(work: Awaitable[object]) -> float:
    """How long *work* takes."""
    began = now()
    await work
    return now() - began
