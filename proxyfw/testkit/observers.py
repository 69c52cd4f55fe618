"""Addons for tests: one that holds a hook, one that notes what was called."""

from __future__ import annotations

import asyncio
from typing import Any

from proxyfw.flow import Flow
from proxyfw.http import HTTPFlow

from .patience import patience


class Gate:
    """An addon that holds a hook until the test lets it go on."""

    def __init__(self) -> None:
        self.flow: Any = None
        self._reached = asyncio.Event()
        self._open = asyncio.Event()

    async def hold(self, flow: Any) -> None:
        self.flow = flow
        self._reached.set()
        await self._open.wait()

    async def reached(self) -> Any:
        """Wait until the hook is called; what it was called with."""
        async with asyncio.timeout(patience()):
            await self._reached.wait()
        return self.flow

    def release(self) -> None:
        """Let the hook return, now and from now on."""
        self._open.set()


class Recorder:
    """An addon that notes in `hooks` what HTTP flows go through, errors with their message."""

    def __init__(self) -> None:
        self.hooks: list[str] = []

    def requestheaders(self, flow: HTTPFlow) -> None:
        self.hooks.append("requestheaders")

    def request(self, flow: HTTPFlow) -> None:
        self.hooks.append("request")

    def responseheaders(self, flow: HTTPFlow) -> None:
        self.hooks.append("responseheaders")

    def response(self, flow: HTTPFlow) -> None:
        self.hooks.append("response")

    def error(self, flow: HTTPFlow) -> None:
        self.hooks.append(f"error: {flow.error}")

    def flow_end(self, flow: Flow) -> None:
        self.hooks.append("flow_end")
