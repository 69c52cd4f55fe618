"""Sessions: names under which flows are recorded, one of them active. All of it inside transactions."""

from __future__ import annotations

import time
from typing import Any

import peewee as orm

from proxyfw.exceptions import CommandError

from .tables import Tables

DEFAULT = "default"


def active(made: Tables) -> Any:
    """The session that is recorded to; the first one is made."""
    sessions = made.sessions
    found = sessions.select().where(sessions.active == 1).first()
    if found is None:
        latest = sessions.select().order_by(sessions.updated.desc()).first()
        found = latest if latest is not None else create(made, DEFAULT)
        use(made, found.name)
    return found


def create(made: Tables, name: str) -> Any:
    """A new session. Raises CommandError if there is one of this name, or it is no name."""
    sessions = made.sessions
    check(name)
    if sessions.get_or_none(sessions.name == name) is not None:
        raise CommandError(f"there is a session {name!r} already; use it, or choose another name")
    now = time.time()
    return sessions.create(name=name, created=now, updated=now)


def named(made: Tables, name: str) -> Any:
    """The session called *name*. Raises CommandError that says which there are."""
    sessions = made.sessions
    found = sessions.get_or_none(sessions.name == name)
    if found is None:
        names = ", ".join(session.name for session in sessions.select().order_by(sessions.id))
        raise CommandError(f"there is no session {name!r}; there are: {names or 'none'}")
    return found


def use(made: Tables, name: str, *, new: bool = False) -> None:
    """Record to the session *name* from now on; if *new*, it is made if need be. Raises CommandError."""
    sessions = made.sessions
    if new and sessions.get_or_none(sessions.name == name) is None:
        create(made, name)
    wanted = named(made, name)
    sessions.update(active=0).where((sessions.active == 1) & (sessions.id != wanted.id)).execute()
    sessions.update(active=1).where(sessions.id == wanted.id).execute()


def begin(made: Tables, name: str) -> None:
    """Record to a new session from now on. Raises CommandError if there is one of this name."""
    create(made, name)
    use(made, name)


def rename(made: Tables, name: str, new: str) -> None:
    """Call the session *name* *new*. Raises CommandError."""
    sessions = made.sessions
    check(new)
    session = named(made, name)
    if new != name and sessions.get_or_none(sessions.name == new) is not None:
        raise CommandError(f"there is a session {new!r} already")
    sessions.update(name=new, updated=time.time()).where(sessions.id == session.id).execute()


def record(made: Tables, on: bool, name: str | None = None) -> None:
    """Switch recording on or off for the session *name*, or the active one. Raises CommandError."""
    session = named(made, name) if name else active(made)
    made.sessions.update(recording=int(on)).where(made.sessions.id == session.id).execute()


def count(made: Tables, session: int, flows: int, size: int) -> None:
    """Add to the counters."""
    sessions = made.sessions
    sessions.update(flows=sessions.flows + flows, size=sessions.size + size, updated=time.time()).where(
        sessions.id == session
    ).execute()


def all_of(made: Tables) -> list[dict[str, Any]]:
    """Every session, the oldest first, as plain data."""
    return [plain(session) for session in made.sessions.select().order_by(made.sessions.id)]


def plain(session: Any) -> dict[str, Any]:
    """A session as plain data."""
    return {
        "name": session.name, "active": bool(session.active), "recording": bool(session.recording),
        "flows": session.flows, "size": session.size, "created": session.created, "updated": session.updated,
    }  # fmt: skip


def stats(made: Tables, name: str) -> dict[str, Any]:
    """What is in the session *name*: numbers by type, status and host, times. Raises CommandError."""
    session = named(made, name)
    flows = made.flows
    mine = flows.session == session.id
    first, last, failed, open = (
        flows.select(
            orm.fn.MIN(flows.started), orm.fn.MAX(flows.started), orm.fn.COUNT(flows.error),
            orm.fn.SUM(flows.open),
        ).where(mine).tuples().first()
    )  # fmt: skip
    return plain(session) | {
        "first": first, "last": last, "failed": failed, "open": int(open or 0),
        "types": _numbers(flows, mine, flows.type),
        "statuses": _numbers(flows, mine & flows.status.is_null(False), flows.status),
        "hosts": _numbers(flows, mine & flows.host.is_null(False), flows.host),
    }  # fmt: skip


def _numbers(flows: Any, where: Any, by: Any) -> dict[str, int]:
    """How many flows there are of each kind, the ten most frequent."""
    number = orm.fn.COUNT(flows.id)
    query = flows.select(by, number).where(where).group_by(by).order_by(number.desc(), by).limit(10)
    return {str(key): value for key, value in query.tuples()}


def check(name: str) -> None:
    """Raises CommandError if *name* is none for a session."""
    if not name.strip() or not name.isprintable() or len(name) > 200:
        raise CommandError(f"{name!r} is no name for a session: write one to 200 characters that can be seen")
