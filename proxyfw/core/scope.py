"""Work that may be broken off with a reason."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from types import TracebackType
from typing import Any


class Scope:
    """``with scope:`` around what may be given up; `interrupt` then raises its reason where the work waits.

    What stands outside of a ``with`` runs to its end (an addon's hook, say), and the reason is raised at the
    next entry or `check`. Unlike a task for the work, this costs nothing while nobody interrupts.
    """

    __slots__ = ("_cancelled", "_inside", "_reason", "_task")

    def __init__(self, task: asyncio.Task[Any]) -> None:
        """*task*: the one in which the scope is entered."""
        self._task = task
        self._cancelled = False
        self._inside = False
        self._reason: Exception | None = None

    def interrupt(self, reason: Exception) -> None:
        """Give up with *reason*; a second is ignored. From within the work it acts at the next `check`."""
        if self._reason is None:
            self._reason = reason
            if self._inside and self._task is not asyncio.current_task():
                self._cancelled = self._task.cancel()

    def check(self) -> None:
        """Raise the reason if there is one."""
        if self._reason:
            raise self._reason

    async def outside(self, work: Awaitable[None]) -> None:
        """Await *work* within the ``with`` as if it stood outside of it: it runs to its end."""
        self._inside = False
        await work
        self.__enter__()

    def __enter__(self) -> None:
        if self._reason:
            raise self._reason
        self._inside = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._inside = False
        if self._reason is None:
            return
        stopping = self._task.uncancel() > 0 if self._cancelled else kind is asyncio.CancelledError
        if stopping:
            return  # the proxy is stopping as well: that goes first
        if kind is None or kind is asyncio.CancelledError:
            raise self._reason from None
