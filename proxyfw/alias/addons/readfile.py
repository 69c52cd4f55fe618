"""``mitmproxy.addons.readfile``: lets addons see saved flows as if they happened now; ``mitmdump -r``."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from typing import BinaryIO

from proxyfw import ctx, flowfilter, hookspecs, io
from proxyfw.addonmanager import Loader
from proxyfw.alias import names_of
from proxyfw.alias.eventsequence import iterate
from proxyfw.exceptions import FilterError, FlowReadException, OptionsError

log = logging.getLogger("proxyfw")


class ReadFile:
    """The options ``rfile`` (``-``: standard input) and ``readfile_filter``; the proxy ends with the file."""

    def __init__(self) -> None:
        self._filter: flowfilter.Filter | None = None
        self._reading: asyncio.Task[None] | None = None

    def load(self, loader: Loader) -> None:
        """Declare the options."""
        loader.add_option("rfile", str | None, None, "Read flows from this file.")
        loader.add_option("readfile_filter", str | None, None, "Which flows are read: a filter.")
        loader.add_option("keepserving", bool, False, "Go on serving after the file has been read.")

    def configure(self, updated: set[str]) -> None:
        """Read the filter. Raises OptionsError."""
        if "readfile_filter" in updated:
            wanted = ctx.options.readfile_filter
            try:
                self._filter = flowfilter.parse(wanted) if wanted else None
            except FilterError as problem:
                raise OptionsError(f"option readfile_filter: {problem}") from None

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
        try:
            with _opened(path) as file:
                for flow in io.FlowReader(file).stream():
                    if self._filter is None or self._filter(flow):
                        for event in iterate(flow):
                            await ctx.master.addons.call(event.function, *event.args())
                        await ctx.master.addons.call(hookspecs.flow_end, flow)
        except OSError as problem:
            log.error("%s: %s", path, problem.strerror)
        except FlowReadException as problem:
            log.error("%s", problem)
        if not ctx.options.keepserving:
            ctx.master.shutdown()


def _opened(path: str) -> BinaryIO:
    return sys.stdin.buffer if path == "-" else open(os.path.expanduser(path), "rb")  # the caller closes it


addons = [ReadFile()]
__getattr__ = names_of("addons.readfile")
