"""Work that addons have begun and may or may not wait for: it runs, and its failure is not lost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Generator
from typing import Any

from proxyfw.addon.report import user_frames
from proxyfw.exceptions import ProxyfwError

log = logging.getLogger("proxyfw")


class Errand(Awaitable[Any]):
    """One piece of work, called *name* in the log. Awaiting it gives its result, or raises what it raised."""

    def __init__(self, work: Awaitable[Any], name: str) -> None:
        self._work = work
        self._name = name
        self._awaited = False
        self._result: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def __await__(self) -> Generator[Any, None, Any]:
        self._awaited = True
        return self._result.__await__()

    def begin(self) -> asyncio.Task[None]:
        """Run it; if who awaits it is cancelled, so is the work."""
        task = asyncio.get_running_loop().create_task(self._run())
        self._result.add_done_callback(lambda result: result.cancelled() and task.cancel())
        return task

    async def _run(self) -> None:
        try:
            result = await self._work
        except asyncio.CancelledError:
            self._result.cancel()
            raise
        except Exception as problem:
            if not self._result.done():
                self._result.set_exception(problem)
                self._result.exception()  # it is not lost if nobody asks for it: it is logged
            if not self._awaited:
                self._log(problem)
        else:
            if not self._result.done():
                self._result.set_result(result)

    def _log(self, problem: Exception) -> None:
        trace = None if isinstance(problem, ProxyfwError) else (type(problem), problem, user_frames(problem))
        log.error("%s failed: %s: %s", self._name, type(problem).__name__, problem, exc_info=trace)


class Errands:
    """All of one proxy."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Awaitable[Any], name: str) -> Awaitable[Any]:
        """Begin *work* and return what gives its result; *work* itself where no event loop runs."""
        try:
            errand = Errand(work, f"command {name}")
        except RuntimeError:
            return work
        task = errand.begin()
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return errand

    async def stop(self, patience: float) -> None:
        """Break off what has not ended."""
        if tasks := self._tasks - {asyncio.current_task()}:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=patience)
