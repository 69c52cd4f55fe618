"""Waiting, from any thread and any event loop, for something that the proxy's thread brings about."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Changes:
    """Who changes something says so with `tell`; who waits looks again each time."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._listeners: set[Callable[[], None]] = set()

    def tell(self) -> None:
        """Something is not as it was; callable from any thread."""
        with self._condition:
            self._condition.notify_all()
            listeners = list(self._listeners)
        for listener in listeners:
            listener()

    def wait(self, look: Callable[[], T | None], timeout: float) -> T | None:
        """What *look* finds, as soon as it finds something; None after *timeout* seconds."""
        deadline = time.monotonic() + timeout
        with self._condition:
            while (found := look()) is None:
                if (left := deadline - time.monotonic()) <= 0:
                    return None
                self._condition.wait(left)
        return found

    async def wait_async(self, look: Callable[[], T | None], timeout: float) -> T | None:
        """As `wait`, without blocking the event loop."""
        changed, loop = asyncio.Event(), asyncio.get_running_loop()

        def listener() -> None:
            try:
                loop.call_soon_threadsafe(changed.set)
            except RuntimeError:  # the loop has been closed, so nobody waits any more
                pass

        with self._condition:
            self._listeners.add(listener)
        try:
            async with asyncio.timeout(timeout):
                while (found := look()) is None:
                    await changed.wait()
                    changed.clear()
            return found
        except TimeoutError:
            return None
        finally:
            with self._condition:
                self._listeners.discard(listener)
