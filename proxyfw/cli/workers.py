"""``--workers N``: the supervisor, a process that serves nobody and sees that N workers do.

It forks them before it has a loop, a thread or a script, so that each starts from the same clean state, with
everything imported, whatever has become of those before it.
"""

from __future__ import annotations

import json
import logging
import os
import selectors
import signal
import socket
import sys
import time
from dataclasses import dataclass
from typing import Any

from proxyfw.exceptions import OptionsError, ProxyfwError
from proxyfw.log import TerminalLog
from proxyfw.net.ports import sharing_option

from .loop import INTERRUPTED
from .post import LEFT, Post

logger = logging.getLogger("proxyfw")

STOPPING = (signal.SIGINT, signal.SIGTERM)
AT_ONCE = 2.0
"""A worker that has listened for fewer seconds when it dies has died at once."""
LIMIT = 4
"""So many deaths at once, one after the other, end the program."""
_FIRST_DELAY = 0.1
"""Seconds before the next try after a death at once; doubled with each further one."""
NEVER = float("inf")


@dataclass(slots=True)
class _Slot:
    """The place of one worker, whoever fills it."""

    number: int
    due: float = NEVER
    """When the next one is to be started."""
    pid: int = 0
    reports: int = -1
    """Where its reports are read."""
    ready: float = NEVER
    """Since when it listens."""
    deaths: int = 0
    """At once, one after the other."""


def supervise(count: int, verbosity: int) -> Post | int:
    """Returns once in this process, with the exit code, and once in each worker, with its `Post`.

    The first worker goes ahead: it makes the authority, finds the ports, reads the scripts. What is wrong
    with any of that is said once, and the others do not start.

    Raises OptionsError where ports cannot be shared, ProxyfwError where no process can be made.
    """
    if sharing_option() is None:
        raise OptionsError(f"workers: {sys.platform} cannot share a port among processes; use 1 worker")
    with TerminalLog(verbosity, logger=""):
        return _Supervisor(count).run()


class _Supervisor:
    def __init__(self, count: int) -> None:
        self._slots = [_Slot(number) for number in range(1, count + 1)]
        self._slots[0].due = 0
        self._numbers: list[int] | None = None
        """The numbers of ports that the first worker has found."""
        self._greeting = ""
        self._code: int | None = None
        """How to exit, once that is decided."""
        self._selector = selectors.DefaultSelector()
        self._alive, self._lifeline = os.pipe()
        """Workers see the end of the first when this process, which alone has the second, is gone."""
        self._signals, self._wakeup = socket.socketpair()
        for end in (self._signals, self._wakeup):
            end.setblocking(False)
        self._selector.register(self._signals, selectors.EVENT_READ)
        signal.set_wakeup_fd(self._wakeup.fileno())
        for number in (*STOPPING, signal.SIGCHLD):
            signal.signal(number, lambda *_: None)  # what counts is the byte on the wakeup socket

    def run(self) -> Post | int:
        """Until all workers have ended, or, in a worker, until it has been forked."""
        while True:
            for slot in self._slots:
                wanted = not slot.pid and self._code is None and slot.due <= time.monotonic()
                if wanted and (post := self._fork(slot)):
                    return post
            if self._code is not None and not any(slot.pid for slot in self._slots):
                return self._code
            self._wait()

    def _wait(self) -> None:
        """For a report, a signal, or the time to start a worker."""
        due = min((slot.due for slot in self._slots if not slot.pid), default=NEVER)
        timeout = None if due == NEVER or self._code is not None else max(0, due - time.monotonic())
        for key, _ in self._selector.select(timeout):
            if key.data:
                self._read(key.data)
        try:
            received = self._signals.recv(4096)
        except BlockingIOError:
            return
        for number in received:
            if number in STOPPING:
                self._told_to_stop(number)
        self._reap()

    # starting

    def _fork(self, slot: _Slot) -> Post | None:
        """Fill *slot*. In the new process, its post."""
        reading, writing = os.pipe()
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)  # until the worker has handlers of its own
        try:
            slot.pid = os.fork()
            if not slot.pid:
                os.close(reading)
                self._leave_behind()
                return Post(slot.number, self._numbers, writing, self._alive)
        except OSError as e:
            raise ProxyfwError(f"cannot start worker {slot.number}: {e.strerror}") from e
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
        os.close(writing)
        slot.reports, slot.ready = reading, NEVER
        self._selector.register(reading, selectors.EVENT_READ, slot)
        return None

    def _leave_behind(self) -> None:
        """In a new worker: what is the supervisor's alone."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number in STOPPING:
            signal.signal(number, lambda *_: os._exit(0))  # until it serves, it has nothing to put in order
        self._selector.close()
        self._signals.close()
        self._wakeup.close()
        os.close(self._lifeline)
        for slot in self._slots:
            if slot.reports >= 0:
                os.close(slot.reports)

    def _read(self, slot: _Slot) -> None:
        """A worker listens, or has closed its end."""
        report = os.read(slot.reports, 1 << 16)
        if report:
            slot.ready = time.monotonic()
            self._take(json.loads(report))
        else:
            self._forget_reports(slot)

    def _take(self, report: dict[str, Any]) -> None:
        if self._numbers is None:
            self._numbers, self._greeting = report["numbers"], report["greeting"]
            for slot in self._slots[1:]:
                slot.due = 0
        if self._greeting and all(slot.ready < NEVER for slot in self._slots):
            logger.info("%d workers %s", len(self._slots), self._greeting)
            self._greeting = ""

    def _forget_reports(self, slot: _Slot) -> None:
        if slot.reports >= 0:
            self._selector.unregister(slot.reports)
            os.close(slot.reports)
            slot.reports = -1

    # ending

    def _told_to_stop(self, number: int) -> None:
        if self._code is None:
            self._stop(0)
        elif number == signal.SIGINT:
            self._code = INTERRUPTED
            self._signal(signal.SIGKILL)

    def _stop(self, code: int) -> None:
        self._code = code
        self._signal(signal.SIGTERM)

    def _signal(self, number: int) -> None:
        for slot in self._slots:
            if slot.pid:
                os.kill(slot.pid, number)

    def _reap(self) -> None:
        for slot in self._slots:
            if slot.pid:
                pid, status = os.waitpid(slot.pid, os.WNOHANG)
                if pid:
                    self._ended(slot, os.waitstatus_to_exitcode(status))

    def _ended(self, slot: _Slot, code: int) -> None:
        """The worker in *slot* has exited with *code*, or been killed by the signal *-code*."""
        if slot.reports >= 0 and slot.ready == NEVER:
            self._read(slot)
        self._forget_reports(slot)
        pid, slot.pid = slot.pid, 0
        if self._code is not None:
            if not self._code and code not in (0, LEFT):
                self._code = code if code > 0 else 128 - code
        elif code == LEFT:
            self._stop(0)
        elif self._numbers is None and code > 0:
            self._stop(code)  # it has said why
        else:
            self._replace(slot, f"worker {slot.number}, process {pid}, {_how(code)}")

    def _replace(self, slot: _Slot, death: str) -> None:
        now = time.monotonic()
        slot.deaths = slot.deaths + 1 if now - slot.ready < AT_ONCE else 0
        if slot.deaths >= LIMIT:
            logger.error("%s: %d in a row have died at once; the proxy stops", death, slot.deaths)
            self._stop(1)
            return
        slot.due = now + _FIRST_DELAY * (2 ** (slot.deaths - 1) if slot.deaths else 0)
        logger.warning("%s; another takes its place", death)


def _how(code: int) -> str:
    if code >= 0:
        return f"ended with code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
