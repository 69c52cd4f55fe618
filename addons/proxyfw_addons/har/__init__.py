"""Writes a HAR file of all traffic: ``--set hardump=traffic.har``; ``-w`` and ``-r`` know such files, too.

Entries are written as flows end; what has been written is not kept in memory.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from typing import BinaryIO

from proxyfw import command, ctx, io, types
from proxyfw.addonmanager import Loader
from proxyfw.exceptions import CommandError, OptionsError
from proxyfw.flow import Flow
from proxyfw.redaction import redacted

log = logging.getLogger("proxyfw")


class Har:
    """The option `hardump` and the command ``save.har``; without the option it has no hook."""

    def __init__(self) -> None:
        self._file: BinaryIO | None = None
        self._writer: io.Writer | None = None
        self._path = ""
        self.missed = 0
        """Flows that could not be written."""

    def load(self, loader: Loader) -> None:
        """Declare the option."""
        loader.add_option(
            "hardump",
            str,
            "",
            "Write a HAR file of all HTTP flows: .zhar is compressed, - is standard output, at the end.",
        )

    def configure(self, updated: set[str]) -> None:
        """Begin the file. Raises OptionsError if it cannot be written."""
        if "hardump" not in updated:
            return
        path = ctx.options.hardump
        begun = None
        if path:
            try:
                begun = _begun(path)
            except OSError as problem:
                raise OptionsError(f"hardump: cannot write {path}: {problem.strerror}") from None
        self.done()
        if begun is not None:
            self._file, self._writer = begun
        self._path = path
        ctx.master.addons.set_hooks(self, flow_end=self._write if path else None)

    def _write(self, flow: Flow) -> None:
        assert self._writer
        try:
            self._writer.add(redacted(flow))
        except OSError as problem:
            self.missed += 1
            if self.missed & (self.missed - 1) == 0:  # the first, the second, the fourth…
                log.error("cannot write %s: %s; %d flows missed", self._path, problem.strerror, self.missed)

    def done(self) -> None:
        """End the file."""
        file, writer = self._file, self._writer
        self._file = self._writer = None
        if file is None or writer is None:
            return
        try:
            with file:
                writer.close()
                if self._path == "-":
                    file.seek(0)
                    shutil.copyfileobj(file, sys.stdout.buffer)
                    sys.stdout.buffer.flush()
        except OSError as problem:
            log.error("cannot finish %s: %s", self._path, problem.strerror)

    @command.command("save.har")
    def save(self, flows: Sequence[Flow], path: types.Path) -> None:
        """Write flows to a HAR file; with a name that ends in .zhar, compressed."""
        try:
            file, writer = _begun(path)
            with file:
                for flow in flows:
                    writer.add(redacted(flow))
                writer.close()
        except OSError as problem:
            raise CommandError(f"cannot write {path}: {problem.strerror}") from None


def _begun(path: str) -> tuple[BinaryIO, io.Writer]:
    """The file *path*, and what writes to it; ``-`` is a file without a name. Raises OSError."""
    from .writing import HarWriter, PackedHarWriter  # needed by those who write

    if path == "-":
        file: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115
    else:
        file = open(os.path.expanduser(path), "wb")  # noqa: SIM115  # closed when it is done
    try:
        return file, (PackedHarWriter if path.lower().endswith(".zhar") else HarWriter)(file)
    except OSError:
        file.close()
        raise
