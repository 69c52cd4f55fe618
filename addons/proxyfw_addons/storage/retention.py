"""What is kept no longer: the oldest flows, by age, size and number, in small steps between batches."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import peewee as orm

from . import sessions
from .database import transaction
from .index import Index
from .tables import Tables

STEP = 200
"""Flows that are deleted in one transaction: recording waits no longer than that takes."""


@dataclass(slots=True)
class Limits:
    """What is kept at most; None is everything. *age* in seconds, *size* in bytes of records."""

    age: float | None = None
    size: int | None = None
    flows: int | None = None
    interval: float = 1.0
    """Seconds between looks."""
    clock: Callable[[], float] = time.time
    _next: float = field(default=0.0, repr=False)

    def due(self) -> bool:
        """Whether it is time to look again."""
        if self.age is None and self.size is None and self.flows is None:
            return False
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + self.interval
        return True

    def at_once(self) -> None:
        """Look again as soon as possible."""
        self._next = 0.0


def expire(made: Tables, index: Index, limits: Limits) -> int:
    """Delete at most `STEP` of the oldest flows that are too many; returns how many.

    If there may be more, they are due at once.
    """
    with transaction(made.database):
        doomed = _oldest(made, limits)
        if doomed:
            remove(made, doomed)
            index.forget()
    if len(doomed) == STEP:
        limits.at_once()
    return len(doomed)


def _oldest(made: Tables, limits: Limits) -> list[Any]:
    table = made.sessions
    number, size = table.select(orm.fn.SUM(table.flows), orm.fn.SUM(table.size)).tuples().first()
    surplus = max(0, (number or 0) - limits.flows) if limits.flows is not None else 0
    excess = max(0, (size or 0) - limits.size) if limits.size is not None else 0
    flows = made.flows
    query = flows.select(flows.id, flows.started, flows.size).where(flows.open == 0)
    before = limits.clock() - limits.age if limits.age is not None else None
    found: list[Any] = []
    for row in query.order_by(flows.id).limit(STEP).namedtuples():
        if len(found) >= surplus and excess <= 0 and (before is None or row.started >= before):
            break
        found.append(row.id)
        excess -= row.size
    return found


def remove(made: Tables, numbers: Sequence[int]) -> None:
    """Delete flows by row number, with all that is theirs alone, and count them off."""
    flows = made.flows
    mine = flows.id << list(numbers)
    totals = (
        flows.select(flows.session, orm.fn.COUNT(flows.id), orm.fn.SUM(flows.size))
        .where(mine)
        .group_by(flows.session)
        .tuples()
    )
    for session, number, size in list(totals):
        sessions.count(made, session, -number, -int(size or 0))
    hashes = _bodies_of(made, mine)
    flows.delete().where(mine).execute()
    sweep(made, hashes)


def _bodies_of(made: Tables, where: Any) -> set[bytes]:
    flows = made.flows
    rows = flows.select(flows.request_body, flows.response_body).where(where).tuples()
    return {bytes(key) for row in rows for key in row if key is not None}


def sweep(made: Tables, hashes: set[bytes]) -> None:
    """Delete those of the bodies *hashes* that no flow has any more."""
    flows, bodies = made.flows, made.bodies
    keys = list(hashes)
    for start in range(0, len(keys), 500):
        some = keys[start : start + 500]
        used = ~orm.fn.EXISTS(
            flows.select(flows.id).where(flows.request_body == bodies.hash)
        ) & ~orm.fn.EXISTS(flows.select(flows.id).where(flows.response_body == bodies.hash))
        bodies.delete().where((bodies.hash << some) & used).execute()


def empty(made: Tables, session: Any) -> Iterator[int]:
    """Delete the flows of *session* in steps; yields how many each has deleted."""
    flows = made.flows
    query = flows.select(flows.id).where(flows.session == session.id).order_by(flows.id).limit(STEP)
    while doomed := [row.id for row in query.namedtuples()]:
        with transaction(made.database):
            remove(made, doomed)
        yield len(doomed)


def remove_session(made: Tables, index: Index, name: str) -> int:
    """Delete a session with its flows; returns how many they were. Raises CommandError."""
    session = sessions.named(made, name)
    hashes = _bodies_of(made, made.flows.session == session.id)
    index.forget(int(session.id))
    number = int(session.flows)
    session.delete_instance()
    sweep(made, hashes)
    return number
