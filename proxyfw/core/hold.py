"""Where a flow waits while it is intercepted."""

from __future__ import annotations

import asyncio
from typing import Generic, TypeVar

from proxyfw.flow import Flow

F = TypeVar("F", bound=Flow)


class Holder(Generic[F]):
    """Holds one flow at a time of its choosing; the waiting half of a `proxyfw.flow.Control`."""

    __slots__ = ("_over", "_resumed", "flow")

    def __init__(self, flow: F) -> None:
        self.flow = flow
        self._over = False
        self._resumed: asyncio.Event | None = None

    def resume(self) -> None:
        """Wake all who wait."""
        if self._resumed:
            self._resumed.set()
            self._resumed = None

    async def wait_for_resume(self) -> None:
        """Return when the flow is resumed, or there is no use in waiting any more."""
        if self._over:
            self.let_go()
            return
        self._resumed = self._resumed or asyncio.Event()
        await self._resumed.wait()

    def let_go(self) -> None:
        """There is nothing left to hold the flow for, now and later."""
        self._over = True
        self.flow.intercepted = False
        self.resume()
