"""The call table: which functions a hook runs, and the loop that runs them in order, each on its own.

A table never changes once made; loading and removing addons makes another one. Who holds `Calls` (an exchange
does) therefore finishes on the versions of the addons it began with. Nothing here loads or names addons.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from inspect import isawaitable
from math import inf
from time import monotonic
from types import coroutine
from typing import Any, ParamSpec

from proxyfw.addon.report import log_failure
from proxyfw.exceptions import AddonHalt

P = ParamSpec("P")
Hook = Callable[..., None]
logger = logging.getLogger("proxyfw")


class Implementation:
    """One function of one addon that implements one hook."""

    __slots__ = ("addon", "file", "function", "hook", "line", "warned")

    def __init__(self, addon: str, hook: str, function: Callable[..., Any], file: str, line: int) -> None:
        self.addon = addon
        self.hook = hook
        self.function = function
        self.file = file
        self.line = line
        self.warned = False

    def invoke(self, *args: object) -> object:
        """Call the function; the form in which pluggy sees it, whatever it names its argument."""
        return self.function(*args)

    def warn_slow(self, seconds: float) -> None:
        """Say once that this function keeps the whole proxy waiting."""
        if not self.warned:
            self.warned = True
            logger.warning(
                "addon %s: %s() blocked the proxy for %d ms (%s, line %d): make it async, or use a thread",
                self.addon, self.hook, seconds * 1000, self.file, self.line,
            )  # fmt: skip


Table = Mapping[Hook, tuple[Implementation, ...]]


@coroutine
def _nothing() -> Generator[None, None, None]:
    yield from ()


def _exhausted() -> Awaitable[None]:
    finished = _nothing()
    for _ in finished:  # a finished generator may be awaited again and again, at the price of one C call
        pass
    return finished


#: Awaiting this returns at once; `Calls.call` hands it out when there is nothing left to wait for.
DONE: Awaitable[None] = _exhausted()


class Calls:
    """The hooks as they were at one moment; *slow* seconds in a plain function are worth a warning."""

    __slots__ = ("_slow", "_table")

    def __init__(self, table: Table, slow: float = inf) -> None:
        self._table = table
        self._slow = slow

    def wants(self, hook: Hook) -> bool:
        """Whether anybody implements *hook*."""
        return hook in self._table

    def call(self, hook: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> Awaitable[None]:
        """Run every implementation of *hook* in order; await the result before relying on its effects.

        Plain functions have run when this returns; from the first ``async`` one on, the rest runs when the
        result is awaited. An exception in one is reported and does not keep the next from running.
        """
        implementations = self._table.get(hook)
        if implementations is None:
            return DONE
        if kwargs:
            args = (*args, *kwargs.values())  # type: ignore[assignment]
        return run(implementations, args, self._slow)


def run(implementations: Sequence[Implementation], args: tuple[Any, ...], slow: float) -> Awaitable[None]:
    """Run *implementations* one after the other; see `Calls.call`."""
    started = monotonic()
    for position, implementation in enumerate(implementations, 1):
        try:
            result = implementation.function(*args)
            if result is not None and isawaitable(result):
                return _run_on(implementation, result, implementations[position:], args, slow)
        except AddonHalt:
            return DONE
        except Exception as problem:
            log_failure(implementation, problem, args)
        finished = monotonic()
        if finished - started > slow:
            implementation.warn_slow(finished - started)
        started = finished
    return DONE


async def _run_on(
    current: Implementation,
    pending: Awaitable[object],
    rest: Sequence[Implementation],
    args: tuple[Any, ...],
    slow: float,
) -> None:
    """Finish *current*, which has been called, then run the *rest*."""
    try:
        await pending
    except AddonHalt:
        return
    except Exception as problem:
        log_failure(current, problem, args)
    await run(rest, args, slow)
