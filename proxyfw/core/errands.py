"""Work that addons have begun and may or may not wait for: it runs, and its failure is not lost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Generator
from typing import Any

from proxyfw.addon.report import user_frames
from proxyfw.exceptions import ProxyfwError

log = logging.getLogger("proxyfw")


class Errand(Awaitable[Any]):
    """One piece of work, called *name* in the log. Awaiting it gives its result, or raises what it raised.

    Whoever awaits `result` instead does not keep a failure out of the log.
    """

    def __init__(self, work: Awaitable[Any], name: str) -> None:
        self._work = work
        self._name = name
        self._awaited = False
        self.result: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def __await__(self) -> Generator[Any, None, Any]:
        self._awaited = True
        return self.result.__await__()

    def begin(self) -> asyncio.Task[None]:
        """Run it; if who awaits it is cancelled, so is the work."""
        task = asyncio.get_running_loop().create_task(self._run())
        self.result.add_done_callback(lambda result: result.cancelled() and task.cancel())
        return task

    async def _run(self) -> None:
        try:
            result = await self._work
        except asyncio.CancelledError:
            self.result.cancel()
            raise
        except Exception as problem:
            if not self.result.done():
                self.result.set_exception(problem)
                self.result.exception()  # it is not lost if nobody asks for it: it is logged
            if not self._awaited:
                self._log(problem)
        else:
            if not self.result.done():
                self.result.set_result(result)

    def _log(self, problem: Exception) -> None:
        trace = None if isinstance(problem, ProxyfwError) else (type(problem), problem, user_frames(problem))
        log.error("%s failed: %s: %s", self._name, type(problem).__name__, problem, exc_info=trace)


class Errands:
    """All of one proxy; *loop* says which event loop it runs in, None while it does not."""

    def __init__(self, loop: Callable[[], asyncio.AbstractEventLoop | None] = lambda: None) -> None:
        self._loop = loop
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Awaitable[Any], name: str) -> Any:
        """Begin *work* and return what gives its result.

        In a thread without an event loop that is a `concurrent.futures.Future`, and a failure is logged in
        any case; if the proxy does not run, it is *work* itself.
        """
        if asyncio._get_running_loop() is not None:
            return self._begin(work, name)
        loop = self._loop()
        if loop is None or loop.is_closed():
            return work
        return asyncio.run_coroutine_threadsafe(self._from_elsewhere(work, name), loop)

    async def _from_elsewhere(self, work: Awaitable[Any], name: str) -> Any:
        return await self._begin(work, name).result

    def _begin(self, work: Awaitable[Any], name: str) -> Errand:
        errand = Errand(work, f"command {name}")
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
