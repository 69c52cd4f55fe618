"""A thread with an event loop in it, for what has to run while a test, async or not, does something else."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Self, TypeVar

from .patience import PATIENCE

T = TypeVar("T")
A = TypeVar("A")


class Background:
    """The thread. It runs inside a ``with`` block."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="proxyfw", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *problem: object) -> None:
        self.run(_end_tasks())
        self.run(self.loop.shutdown_asyncgens())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(PATIENCE)
        self.loop.close()

    def run(self, work: Coroutine[Any, Any, T], patience: float = 2 * PATIENCE) -> T:
        """What *work* returns; the caller's thread waits. Raises what it raises, TimeoutError if it hangs."""
        future = asyncio.run_coroutine_threadsafe(work, self.loop)
        try:
            return future.result(patience)
        except TimeoutError:
            future.cancel()
            raise

    def call(self, function: Callable[..., T], *args: Any) -> T:
        """What *function* returns, called in the thread."""

        async def work() -> T:
            return function(*args)

        return self.run(work())


async def _end_tasks() -> None:
    """Cancel what is left, and wait for that."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=PATIENCE)


async def in_thread(function: Callable[[A], T], argument: A) -> T:
    """What *function* returns, called in a thread that nobody waits for when the program ends."""
    loop, context = asyncio.get_running_loop(), contextvars.copy_context()
    done: asyncio.Future[T] = loop.create_future()

    def tell(set_outcome: Callable[[Any], None], outcome: Any) -> None:
        if not done.done():
            set_outcome(outcome)

    def work() -> None:
        set_outcome: Callable[[Any], None] = done.set_result
        try:
            outcome: Any = context.run(function, argument)
        except Exception as problem:
            set_outcome, outcome = done.set_exception, problem
        try:
            loop.call_soon_threadsafe(tell, set_outcome, outcome)
        except RuntimeError:  # the loop is closed: nobody waits any more
            pass

    threading.Thread(target=work, name="proxyfw-handler", daemon=True).start()
    return await done
