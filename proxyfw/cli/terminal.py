"""Standard output of a program that runs for long: what is printed is seen at once, if anybody reads."""

from __future__ import annotations

import io
import os
import select
import sys


class Outlet(io.FileIO):
    """A file that forgets what nobody can read any more, and waits for readers that do not block."""

    def write(self, data: bytes, /) -> int:  # type: ignore[override]  # FileIO may return None, we may not
        """Write some of *data* and return how many bytes."""
        try:
            while (written := super().write(data)) is None:
                select.select([], [self], [])
        except BrokenPipeError:
            return len(data)
        return written


def prepare() -> None:
    """Put standard output on an `Outlet`, line by line; what its encoding lacks is printed as escapes."""
    _fill_gaps()
    if sys.stderr is None:  # it was closed when we started
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - for as long as there is a process
    try:
        descriptor = sys.stdout.fileno()
    except (AttributeError, OSError, ValueError):
        return  # there is none, or it is somebody's object
    sys.stdout.flush()
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(Outlet(descriptor, "w", closefd=False)),
        encoding=sys.stdout.encoding,
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
