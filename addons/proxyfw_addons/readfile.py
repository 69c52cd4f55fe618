"""Shows saved flows to the addons as if they happened now: ``-r traffic.mitm``; ``-r -``: standard input."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

from proxyfw import ctx, hookspecs, io, replay
from proxyfw.addonmanager import Loader
from proxyfw.exceptions import FlowReadException, OptionsError
from proxyfw.flow import Flow
from proxyfw.options import parse_filter

log = logging.getLogger("proxyfw")


class ReadFile:
    """The options `rfile`, `readfile_filter` and `keepserving`."""

    def __init__(self) -> None:
        self._filter: Callable[[Flow], bool] | None = None
        self._reading: asyncio.Task[None] | None = None

    def load(self, loader: Loader) -> None:
        """Declare the options."""
        loader.add_option(
            "rfile", str | None, None, "Read flows from this file, then end.", flag="--rfile", short="-r"
        )
        loader.add_option("readfile_filter", str | None, None, "Which flows are read: a filter.")
        loader.add_option("keepserving", bool, False, "Go on serving after the file has been read.")

    def configure(self, updated: set[str]) -> None:
        """Read the filter, and see that the file is there. Raises OptionsError."""
        if "readfile_filter" in updated:
            self._filter = parse_filter("readfile_filter", ctx.options.readfile_filter)
        path = ctx.options.rfile
        if "rfile" in updated and path and path != "-" and not os.access(os.path.expanduser(path), os.R_OK):
            raise OptionsError(f"rfile: cannot read {path}: there is no such file, or it may not be read")

    def running(self) -> None:
        """Begin to read."""
        if ctx.options.rfile:
            self._reading = asyncio.get_running_loop().create_task(self._read(ctx.options.rfile))

    async def done(self) -> None:
        """Stop reading."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait([self._reading])

    async def _read(self, path: str) -> None:
        count = 0
        try:
            with _opened(path) as file:
                for flow in io.FlowReader(file).stream():
                    if self._filter is None or self._filter(flow):
                        await self._show(flow)
                        count += 1
                    await asyncio.sleep(0)  # others have their turn
            log.info("read %d flows from %s", count, path)
        except OSError as problem:
            log.error("cannot read %s: %s", path, problem.strerror)
        except FlowReadException as problem:
            log.error("%s; %d flows before it were read", problem, count)
        if not ctx.options.keepserving:
            ctx.master.shutdown()

    async def _show(self, flow: Flow) -> None:
        for hook in replay.hooks_of(flow):
            await ctx.master.addons.call(hookspecs.HOOKS[hook], flow)


@contextmanager
def _opened(path: str) -> Iterator[BinaryIO]:
    if path == "-":
        yield sys.stdin.buffer
        return
    with open(os.path.expanduser(path), "rb") as file:
        yield file
