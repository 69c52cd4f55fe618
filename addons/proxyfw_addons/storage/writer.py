"""The one thread that writes, and the bounded queue before it. Whoever puts something in never waits here."""

from __future__ import annotations

import contextvars
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from proxyfw.exceptions import ProxyfwError

from . import database
from .batch import Batches, Item
from .retention import Limits, expire
from .tables import Tables

logger = logging.getLogger("proxyfw.storage")
T = TypeVar("T")

INTERVAL = 0.1
"""Seconds from one batch to the next: what a killed process loses at most, with the time a batch takes."""
BATCH = 1000
"""Items of a batch, at most."""
MOST = 10_000
"""Items that wait, at most."""
MOST_BYTES = 64 << 20
"""Bytes of bodies that wait, at most."""
PAUSE = 1.0
"""Seconds between tries while the database cannot be written."""


class Entry(Protocol):
    """What waits: makes the item that is written, in the writer's thread."""

    def __call__(self) -> Item: ...


@dataclass(slots=True)
class _Work:
    """What is done between batches, for somebody who waits for it."""

    function: Callable[[Tables], Any]
    done: Future[Any]


@dataclass(slots=True)
class Lost:
    """What was not recorded."""

    bodies: int = 0
    flows: int = 0

    def __bool__(self) -> bool:
        return bool(self.bodies or self.flows)

    def __str__(self) -> str:
        parts = [f"{self.flows} flows or messages"] if self.flows else []
        return " and ".join(parts + ([f"the bodies of {self.bodies} flows"] if self.bodies else []))


class Writer:
    """Writes to the database at *place*. It opens it in its own thread, and closes it at `stop`.

    The thread runs as code of the proxy that made it.

    *relieved* is called in that thread when there is room again in a queue that was full; *begin* once, at
    the beginning.
    """

    def __init__(
        self,
        place: str,
        limits: Limits,
        relieved: Callable[[], None] = lambda: None,
        begin: Callable[[Tables], None] = lambda made: None,
        *,
        most: int = MOST,
        most_bytes: int = MOST_BYTES,
        interval: float = INTERVAL,
    ) -> None:
        self.limits = limits
        self.lost = Lost()
        self.written = 0
        self.failing: str | None = None
        """Why nothing can be written at the moment."""
        self._place = place
        self._relieved, self._begin = relieved, begin
        self.most, self._most_bytes, self._interval = most, most_bytes, interval
        self._queue: deque[tuple[Entry | _Work, int]] = deque()
        self._count = self._bytes = 0
        self._lock = threading.Lock()
        self._work = threading.Event()
        self._hurry = threading.Event()
        self._stopping = False
        self._was_full = False
        self._thread = threading.Thread(
            target=contextvars.copy_context().run, args=(self._run,), name="proxyfw storage", daemon=True
        )
        self._ready: Future[None] = Future()

    def start(self) -> None:
        """Open the database and begin. Raises OptionsError."""
        self._thread.start()
        self._ready.result()

    # For other threads

    @property
    def full(self) -> bool:
        """Nothing more should be put in."""
        return self._count >= self.most or self._bytes >= self._most_bytes

    @property
    def waiting(self) -> int:
        """How many entries wait, or are being written."""
        return self._count

    def put(self, entry: Entry, size: int = 0) -> None:
        """Write what *entry* makes, about *size* bytes."""
        with self._lock:
            self._queue.append((entry, size))
            self._count += 1
            self._bytes += size
            if self.full:
                self._was_full = True
                self._hurry.set()
        if not self._work.is_set():
            self._work.set()

    def do(self, work: Callable[[Tables], T]) -> Future[T]:
        """Have *work* done in a transaction of its own, after all that was put in before."""
        done: Future[T] = Future()
        if self._stopping:
            done.set_exception(ProxyfwError("the store is closed"))
            return done
        self._queue.append((_Work(work, done), 0))
        self._hurry.set()
        self._work.set()
        return done

    def stop(self) -> None:
        """Write all that waits, and end. What cannot be written within some seconds is lost, and said so."""
        self._stopping = True
        self._hurry.set()
        self._work.set()
        self._thread.join()

    # The thread

    def _run(self) -> None:
        try:
            made = database.opened(self._place)
            self._begin(made)
            batches = Batches(made)
        except BaseException as problem:
            self._ready.set_exception(problem)
            return
        self._ready.set_result(None)
        try:
            while self._turn(made, batches):
                pass
        finally:
            self._abandon()
            _close(made)

    def _turn(self, made: Tables, batches: Batches) -> bool:
        """One batch, or one piece of work; False when there is nothing more to do."""
        if not self._queue and not self._stopping:
            self._work.wait(self.limits.interval)
            self._work.clear()
        if not self._stopping:
            self._hurry.wait(self._interval)
        self._hurry.clear()
        self._write(made, batches)
        self._expire(made, batches)
        return bool(self._queue) or not self._stopping

    def _write(self, made: Tables, batches: Batches) -> None:
        items, count, size = self._take()
        if items:
            self._until_written(made, batches, items)
        with self._lock:
            self._count -= count
            self._bytes -= size
        if self._queue and isinstance(work := self._queue[0][0], _Work):
            self._queue.popleft()
            _perform(made, work)
        if self._queue:
            self._hurry.set()
            self._work.set()
        if self._was_full and self._count < self.most / 2 and self._bytes < self._most_bytes / 2:
            self._was_full = False
            self._relieved()

    def _take(self) -> tuple[list[Item], int, int]:
        """Items up to the next piece of work, a batch at most; of how many entries, and of what size."""
        items: list[Item] = []
        count = total = 0
        while self._queue and count < BATCH and not isinstance(entry := self._queue[0][0], _Work):
            total += self._queue.popleft()[1]
            count += 1
            try:
                items.append(_made(entry))
            except Exception:
                self.lost.flows += 1
                logger.exception("a flow cannot be recorded")
        return items, count, total

    def _until_written(self, made: Tables, batches: Batches, items: list[Item]) -> None:
        tries = 0
        while True:
            try:
                self.written += batches.write(items)
                break
            except database.FAULTS as problem:
                if _is_about_values(problem):
                    self._one_by_one(batches, items)
                    break
                self._report(problem)
                tries += 1
                if self._stopping and tries > 1:
                    self.lost.flows += len(items)
                    return
                self._relieve(problem)
                self._hurry.wait(PAUSE) if not self._stopping else time.sleep(self._interval)
                self._hurry.clear()
                _reconnect(made)
        if self.failing:
            self.failing = None
            logger.warning("recording goes on%s", f"; lost: {self.lost}" if self.lost else "")

    def _one_by_one(self, batches: Batches, items: list[Item]) -> None:
        for item in items:
            try:
                self.written += batches.write([item])
            except database.FAULTS as problem:
                self.lost.flows += 1
                logger.error("a flow cannot be recorded: %s", problem)

    def _report(self, problem: Exception) -> None:
        if self.failing is None:
            logger.error(
                "nothing can be recorded: %s: %s; traffic goes on, and so does recording once it can",
                database.shown(self._place), " ".join(str(problem).split()),
            )  # fmt: skip
        self.failing = str(problem)

    def _relieve(self, problem: Exception) -> None:
        """Let go on who waits, for room or for work: a disk that is full must not stop the traffic."""
        for entry, _ in self._queue:
            if isinstance(entry, _Work) and not entry.done.done():
                entry.done.set_exception(ProxyfwError(f"the store cannot be written: {problem}"))
        if self._was_full:
            self._was_full = False
            self._relieved()

    def _expire(self, made: Tables, batches: Batches) -> None:
        if self.limits.due():
            try:
                expire(made, batches.index, self.limits)
            except database.FAULTS as problem:
                self._report(problem)

    def _abandon(self) -> None:
        for entry, _ in self._queue:
            if isinstance(entry, _Work) and not entry.done.done():
                entry.done.set_exception(ProxyfwError("the store is closed"))
        self._queue.clear()


def _made(entry: Entry) -> Item:
    """What *entry* makes. The metadata of a flow may be changed while it is read: then once more."""
    try:
        return entry()
    except RuntimeError:
        return entry()


def _perform(made: Tables, work: _Work) -> None:
    if work.done.done():
        return
    try:
        with database.transaction(made.database):
            result = work.function(made)
    except BaseException as problem:
        work.done.set_exception(problem)
    else:
        work.done.set_result(result)


def _is_about_values(problem: Exception) -> bool:
    """What would fail again and again, and not because of the disk or the network."""
    import peewee as orm

    name = type(problem).__name__
    if isinstance(problem, orm.OperationalError) or name == "OperationalError":
        return False
    return isinstance(problem, (orm.DataError, orm.IntegrityError)) or name in ("DataError", "IntegrityError")


def _reconnect(made: Tables) -> None:
    """A server may have ended the connection; a file has not."""
    if not made.database.is_connection_usable():
        try:
            made.database.close()
            made.database.connect()
        except database.FAULTS:
            pass


def _close(made: Tables) -> None:
    try:
        made.database.close()
    except database.FAULTS as problem:
        logger.error("%s", problem)
