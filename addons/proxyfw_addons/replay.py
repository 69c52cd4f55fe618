"""Sends recorded requests again: commands, a queue, and flows from files."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import os
from collections import deque
from collections.abc import Sequence

from proxyfw import ctx, hookspecs, types
from proxyfw.addonmanager import Loader
from proxyfw.command import command
from proxyfw.exceptions import CommandError, OptionsError, ProxyfwError
from proxyfw.flow import Flow
from proxyfw.http import HTTPFlow
from proxyfw.replay import obstacle, prepared

logger = logging.getLogger("proxyfw.replay")


class Replay:
    """The commands ``replay.client…`` and the options ``client_replay…``."""

    def __init__(self) -> None:
        self._queue: deque[tuple[HTTPFlow, bool]] = deque()
        """What waits, and whether it comes from a file."""
        self._sending: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._files: list[str] = []

    def load(self, loader: Loader) -> None:
        """Declare the options."""
        loader.add_option("client_replay", Sequence[str], [], "Files of flows to send again at the start.")
        loader.add_option(
            "client_replay_concurrency", int, 1, "Requests that are replayed at the same time; -1: all."
        )

    def configure(self, updated: set[str]) -> None:
        """Check the options, and send what files are new."""
        at_once = ctx.options.client_replay_concurrency
        if at_once < 1 and at_once != -1:
            raise OptionsError(f"client_replay_concurrency: {at_once} is neither -1 nor a number above zero")
        if "client_replay" in updated:
            self._files += ctx.options.client_replay
            for path in self._files:
                if not os.path.isfile(os.path.expanduser(path)):
                    raise OptionsError(f"client_replay: there is no file {path}")
        if self._loop:
            self._begin_files()

    def running(self) -> None:
        """Requests can be sent from now on."""
        self._loop = asyncio.get_running_loop()
        self._begin_files()
        self._go_on()

    def _begin_files(self) -> None:
        files, self._files = self._files, []
        for path in files:
            try:
                self.file(types.Path(path))
            except CommandError as problem:
                logger.error("%s", problem)

    @command("replay.client")
    def start(self, flows: Sequence[Flow]) -> Sequence[Flow]:
        """Send the requests of flows again, one after the other; returns the flows that will be of that.

        What cannot be sent again is left out, with a warning that says why. The metadata entry ``replay_of``
        names the flow that is repeated.
        """
        return self._add(flows, recorded=False)

    @command("replay.client.file")
    def file(self, path: types.Path) -> None:
        """Send the requests in a file of flows again; a reverse proxy sends them to its server."""
        from proxyfw import io  # few proxies read files

        try:
            flows = list(io.read_flows_from_paths([path]))
        except (ProxyfwError, OSError) as problem:
            raise CommandError(str(problem)) from None
        self._add(flows, recorded=True)

    @command("replay.client.stop")
    def stop(self) -> None:
        """Send nothing more of what waits; what is under way goes on."""
        waiting = [flow for flow, _ in self._queue]
        self._queue.clear()
        for flow in waiting:
            flow.revert()
        if waiting:
            ctx.master.addons.trigger(hookspecs.update, waiting)

    @command("replay.client.count")
    def count(self) -> int:
        """How many requests wait or are under way."""
        return len(self._queue) + len(self._sending)

    def _add(self, flows: Sequence[Flow], recorded: bool) -> list[Flow]:
        added: list[Flow] = []
        for flow in flows:
            reason = obstacle(flow)
            if reason:
                logger.warning("flow %s is not replayed: %s", flow.id, reason)
            else:
                again = prepared(flow)
                self._queue.append((again, recorded))
                added.append(again)
        if self._loop and added:
            if _is_running(self._loop):
                self._go_on()
            else:  # a thread of a script
                self._loop.call_soon_threadsafe(self._go_on, context=contextvars.copy_context())
        return added

    def _go_on(self) -> None:
        at_once = ctx.options.client_replay_concurrency
        while self._queue and (at_once == -1 or len(self._sending) < at_once):
            task = asyncio.get_running_loop().create_task(self._send(*self._queue.popleft()))
            self._sending.add(task)
            task.add_done_callback(self._sent)

    def _sent(self, task: asyncio.Task[None]) -> None:
        self._sending.discard(task)
        if not task.cancelled():
            self._go_on()

    async def _send(self, flow: HTTPFlow, recorded: bool) -> None:
        try:
            await ctx.master.replay(flow, recorded=recorded)
        except ProxyfwError as problem:
            logger.error("%s", problem)

    async def done(self) -> None:
        """Send nothing more."""
        self._queue.clear()
        sending = list(self._sending)
        for task in sending:
            task.cancel()
        if sending:
            await asyncio.wait(sending)


def _is_running(loop: asyncio.AbstractEventLoop) -> bool:
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False
