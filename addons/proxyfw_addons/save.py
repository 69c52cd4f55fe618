"""Writes flows to a file as they end: ``-w traffic.mitm``.

A flow is in the file when the next one is looked at, whatever becomes of the proxy. A disk that is full is
reported, and traffic goes on.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from typing import BinaryIO

from proxyfw import ctx, flow, io
from proxyfw.addonmanager import Loader
from proxyfw.exceptions import OptionsError
from proxyfw.flow import Flow
from proxyfw.options import parse_filter
from proxyfw.redaction import redacted

log = logging.getLogger("proxyfw")


class Save:
    """The options `save_stream_file` and `save_stream_filter`; without a file it has no hook."""

    def __init__(self) -> None:
        self._file: BinaryIO | None = None
        self._writer: io.Writer | None = None
        self._path = ""
        self._filter: Callable[[Flow], bool] | None = None
        self.missed = 0
        """Flows that could not be written."""

    def load(self, loader: Loader) -> None:
        """Declare the options."""
        loader.add_option(
            "save_stream_file",
            str | None,
            None,
            "Write flows to this file as they end. "
            "+FILE appends; %H (and %Y, %m, %d, %M) begins one an hour.",
            flag="--save-stream-file",
            short="-w",
        )
        loader.add_option("save_stream_filter", str | None, None, "Which flows are written: a filter.")

    def configure(self, updated: set[str]) -> None:
        """Open the file. Raises OptionsError if that, or the filter, is not possible."""
        if "save_stream_filter" in updated:
            self._filter = parse_filter("save_stream_filter", ctx.options.save_stream_filter)
        if "save_stream_file" in updated:
            self._begin(ctx.options.save_stream_file)

    def _begin(self, path: str | None) -> None:
        before = self._file, self._writer
        self._file = self._writer = None
        if path:
            try:
                self._open(self._now(path))
            except (OSError, ValueError) as problem:
                self._file, self._writer = before
                reason = getattr(problem, "strerror", None) or problem
                raise OptionsError(f"save_stream_file: cannot write {path}: {reason}") from None
        _close(*before)
        ctx.master.addons.set_hooks(self, flow_end=self._write if path else None)

    def _now(self, path: str) -> str:
        return time.strftime(path, time.localtime(flow.clock())) if "%" in path else path

    def _open(self, path: str) -> None:
        append = path.startswith("+")
        name = os.path.expanduser(path[append:])
        writer = io.writer_for(name)
        if append and writer is not io.FlowWriter:
            raise ValueError("only dump files can be appended to")
        self._file = open(name, "ab" if append else "wb")  # noqa: SIM115  # closed when another follows
        self._writer, self._path = writer(self._file), path

    def _write(self, flow: Flow) -> None:
        if self._filter is not None and not self._filter(flow):
            return
        try:
            path = self._now(ctx.options.save_stream_file)
            if path != self._path:
                before = self._file, self._writer
                self._open(path)
                _close(*before)
            assert self._writer
            self._writer.add(redacted(flow))
        except OSError as problem:
            self.missed += 1
            if self.missed & (self.missed - 1) == 0:  # the first, the second, the fourth…
                log.error("cannot write %s: %s; %d flows missed", self._path, problem.strerror, self.missed)

    def done(self) -> None:
        """Close the file."""
        _close(self._file, self._writer)
        self._file = self._writer = None


def _close(file: BinaryIO | None, writer: io.Writer | None) -> None:
    try:
        if writer is not None:
            writer.close()
        if file is not None:
            file.close()
    except OSError as problem:
        log.error("cannot finish %s: %s", getattr(file, "name", "the file"), problem.strerror)
