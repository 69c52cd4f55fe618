"""Standard output: whether it is a terminal, and a thread that writes to it so that nobody waits for it."""

from __future__ import annotations

import os
import select
import shutil
import threading
from typing import TextIO

from proxyfw.log import in_one_piece, is_terminal, wants_colour

from .in_order import bare
from .look import Look, count

PAUSE = 0.05
"""Seconds between two writes; without it two threads would change places for every flow."""


class Screen:
    """Standard output, written to by a thread of its own: who prints never waits for the terminal.

    The first line is written at once, and those that come soon after it together. Up to *limit* characters
    wait for a slow terminal; what comes beyond them is counted, not kept.
    """

    def __init__(self, limit: int = 1 << 20) -> None:
        self._limit = limit
        self._changed = threading.Condition()
        self._waiting: list[str] = []
        self._size = 0
        self._lost = 0
        self._thread: threading.Thread | None = None
        self._closing = False
        self._idle = False
        """The thread waits for something to write."""
        self._examined: TextIO | None = None
        self._colour, self._terminal = wants_colour(None), False

    def look(self) -> Look:
        """How to write to it now."""
        if (out := bare()) is not self._examined:
            self._examined = out
            self._colour, self._terminal = wants_colour(out), is_terminal(out)
        return Look(self._colour, shutil.get_terminal_size().columns if self._terminal else None)

    def put(self, text: str) -> None:
        """Print *text* soon."""
        with self._changed:
            if self._size > self._limit:
                self._lost += 1
                return
            self._waiting.append(text)
            self._size += len(text)
            self._closing = False
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="dumper", daemon=True)
                self._thread.start()
            elif self._idle:
                self._idle = False
                self._changed.notify()

    def settle(self, timeout: float = 0.3) -> None:
        """Wait until what was put so far is printed, but not longer than *timeout* seconds."""
        if not self._size:
            return
        with self._changed:
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._size, timeout)

    def drain(self, timeout: float) -> None:
        """Wait until all is printed, but not longer than *timeout* seconds; the thread ends then."""
        with self._changed:
            self._closing = True
            self._changed.notify()
            thread = self._thread
        if thread:
            thread.join(timeout)

    def _work(self) -> None:
        while text := self._take():
            write(bare(), text)
            with self._changed:
                self._size -= len(text)
                self._changed.notify_all()
                if not self._closing:
                    self._changed.wait(PAUSE)

    def _take(self) -> str:
        with self._changed:
            while not self._waiting:
                if self._closing:
                    self._thread = None
                    return ""
                self._idle = True
                self._changed.wait()
            self._idle = False
            text = "".join(self._waiting)
            self._waiting.clear()
            if self._lost:
                note = f"({count(self._lost, 'flow')} not shown: standard output is not read fast enough)\n"
                self._size += len(note)
                text, self._lost = text + note, 0
            return text


def write(stream: TextIO | None, text: str) -> None:
    """Write *text*, all of it or, where nobody can read it any more, none."""
    if stream is None:
        return
    try:
        _write(stream, text)
    except (OSError, ValueError):
        pass  # the reader is gone: nobody is left to be told


def _write(stream: TextIO, text: str) -> None:
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError, AttributeError):  # not a file: a test's, or an embedding program's
        stream.write(text)
        stream.flush()
        return
    # Past the stream's buffer, whose lock a blocked write would hold until the process cannot end.
    data = memoryview(text.encode(stream.encoding or "utf-8", "backslashreplace"))
    while data:
        try:
            data = data[os.write(descriptor, data[: in_one_piece(data)]) :]
        except BlockingIOError:
            _wait_until_writable(descriptor)


def _wait_until_writable(descriptor: int) -> None:
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    poll.poll()
