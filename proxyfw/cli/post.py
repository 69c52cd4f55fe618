"""What makes a process of ``--workers`` one of several: its ports, its reports, its part of the log."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Sequence

from proxyfw import ctx
from proxyfw.log import TerminalFormatter, TerminalLog
from proxyfw.net.shared import SharedNetwork

from .announcement import announcement

LEFT = 64
"""The exit code of a worker that was not told to stop by a signal: an addon has shut the proxy down."""
VARIABLE = "PROXYFW_WORKER"
"""The number of the worker, from 1, for scripts that write files of their own."""
RELOADS = "proxyfw.reload"
"""The logger of what happens in all workers alike when a file changes: the first speaks for all."""


class Post:
    """One worker's place, and the addon that keeps it in touch with the supervisor.

    *numbers* are the ports that were found for port 0, or None for the first worker, which finds them. It
    reports to the descriptor *reports*; at the end of *alive*, nobody is there to hear it.
    """

    name = "worker"

    def __init__(self, number: int, numbers: Sequence[int] | None, reports: int, alive: int) -> None:
        self.number = number
        self.network = SharedNetwork(numbers)
        self._reports = reports
        self._alive = alive
        os.environ[VARIABLE] = str(number)

    def fit(self, log: TerminalLog, verbosity: int) -> None:
        """Have *log* say who speaks, if that is wanted, and otherwise say once what concerns all."""
        if verbosity > 0:
            log.setFormatter(_Formatter(self.number, log.in_colour()))
        elif self.number > 1:
            log.addFilter(lambda record: record.name != RELOADS)

    def running(self) -> None:
        """Report that we listen, and live no longer than the supervisor."""
        self.network.claimed()
        report = {"numbers": self.network.numbers, "greeting": announcement(ctx.proxy)}
        os.write(self._reports, json.dumps(report).encode())
        asyncio.get_running_loop().add_reader(self._alive, self._orphaned)

    def done(self) -> None:
        """Listen to the supervisor no more."""
        asyncio.get_running_loop().remove_reader(self._alive)

    def _orphaned(self) -> None:
        asyncio.get_running_loop().remove_reader(self._alive)
        ctx.proxy.shutdown()


class _Formatter(TerminalFormatter):
    def __init__(self, number: int, colour: bool) -> None:
        super().__init__(colour)
        self._number = number

    def format(self, record: logging.LogRecord) -> str:
        return f"[{self._number}] {super().format(record)}"
