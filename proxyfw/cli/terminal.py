"""Standard output and error of a program that runs for long: what is printed is seen at once, if at all.

Lines stay whole where several processes share them.
"""

from __future__ import annotations

import io
import os
import select
import sys
from typing import TextIO

from proxyfw.log import in_one_piece


class Outlet(io.FileIO):
    """A file that forgets what nobody can read any more, and waits for readers that do not block."""

    def write(self, data: bytes | memoryview, /) -> int:  # type: ignore[override]  # FileIO may return None, we may not
        """Write some of *data* and return how many bytes."""
        try:
            piece = memoryview(data)[: in_one_piece(data)]
            while (written := super().write(piece)) is None:
                select.select([], [self], [])
        except BrokenPipeError:
            return len(data)
        return written


def prepare() -> None:
    """Put both on an `Outlet`, line by line; what the encoding of output lacks is printed as escapes."""
    _fill_gaps()
    if sys.stderr is None:  # it was closed when we started
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - for as long as there is a process
    sys.stdout, sys.stderr = _on_outlet(sys.stdout), _on_outlet(sys.stderr)


def _on_outlet(stream: TextIO) -> TextIO:
    try:
        descriptor = stream.fileno()
    except (AttributeError, OSError, ValueError):
        return stream  # there is none, or it is somebody's object
    stream.flush()
    outlet: io.RawIOBase = Outlet(descriptor, "w", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(outlet),
        encoding=stream.encoding,
        errors="backslashreplace",
        line_buffering=True,
    )


def _fill_gaps() -> None:
    """See that none of the first three descriptors is free: the first socket would be taken for it."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
