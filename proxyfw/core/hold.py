"""Where a flow waits while it is intercepted, and how addons learn of it."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from math import inf
from typing import Any, Generic, TypeVar

from proxyfw import hookspecs
from proxyfw.addon.calls import Calls, Hook
from proxyfw.flow import Error, Flow, Pause

F = TypeVar("F", bound=Flow)


class Holder(ABC, Generic[F]):
    """Holds one flow at a time of its choosing: a `proxyfw.flow.Control`, which any thread may use."""

    __slots__ = ("_loop", "_over", "_resumed", "flow")

    def __init__(self, flow: F) -> None:
        self.flow = flow
        self._loop = asyncio.get_running_loop()
        self._over = False
        self._resumed: asyncio.Event | None = None

    @property
    def over(self) -> bool:
        """There is nothing left to hold the flow for."""
        return self._over

    @abstractmethod
    def break_off(self, reset: bool) -> None:
        """Close both sides now, or without *reset* the client's in an orderly way."""

    def kill(self, reset: bool = True) -> None:
        """Break off what is under way."""
        self._in_loop(self.break_off, reset)

    def resume(self) -> None:
        """Wake all who wait."""
        self._in_loop(self._wake_all)

    def _in_loop(self, function: Callable[..., None], *arguments: Any) -> None:
        # The private function gives None in a thread without a loop, where the public one raises.
        if asyncio._get_running_loop() is self._loop:
            function(*arguments)
            return
        with suppress(RuntimeError):  # the loop is closed: nothing is under way
            self._loop.call_soon_threadsafe(function, *arguments)

    def _wake_all(self) -> None:
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

    async def wait_until_over(self, seconds: float) -> bool:
        """Return when there is nobody left to do anything for, or after *seconds*; whether that is so."""
        try:
            async with asyncio.timeout(seconds if seconds < inf else None):
                while not self._over:
                    await self.wait_for_resume()
        except TimeoutError:
            pass
        return self._over

    def let_go(self) -> None:
        """There is nothing left to hold the flow for, now and later."""
        self._over = True
        self.flow.intercepted = False
        self.resume()


async def hold(flow: Flow, calls: Calls, after: Hook) -> None:
    """Wait while *flow*, which an addon has intercepted in the hook *after*, is not resumed."""
    pause, control = Pause(flow, after.__name__), flow.control
    try:
        await calls.call(hookspecs.flow_paused, pause)
        await flow.wait_for_resume()
    except asyncio.CancelledError:
        pause.ended = "gone"
        raise
    finally:
        pause.ended = pause.ended or _why_it_ended(flow, control)
        await calls.call(hookspecs.flow_resumed, pause)


def _why_it_ended(flow: Flow, control: object) -> str:
    if flow.error and flow.error.msg == Error.KILLED_MESSAGE:
        return "killed"
    return "gone" if isinstance(control, Holder) and control.over else "resumed"
