"""Brings sessions from one database into another, and files of flows into a session, page by page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from proxyfw.exceptions import OptionsError
from proxyfw.flow import Flow
from proxyfw.io import FlowReader

from . import sessions
from .batch import Batches, Item
from .database import transaction
from .library import PAGE, Library
from .record import recorded
from .tables import Tables

_SQLITE = b"SQLite format 3\x00"


def copied(source: Library, session: Any, target: Tables, name: str) -> Iterator[int]:
    """Copy *session* to a new one, called *name*, in *target*; yields how many flows each step has copied.

    Raises CommandError if there is a session of this name.
    """
    yield from _written(target, name, source.records(session))


def brought_in(file: Path, target: Tables, name: str) -> Iterator[int]:
    """Read *file* into a new session called *name*; yields how many flows each step has read.

    Of a database the active session is taken. Raises OptionsError, FlowReadException, CommandError.
    """
    if not is_database(file):
        with file.open("rb") as stream:
            yield from _written(target, name, map(_record, FlowReader(stream).stream()))
        return
    source = Library.at(str(file))
    try:
        yield from copied(source, source.session(None), target, name)
    finally:
        source.close()


def count(file: Path) -> int | None:
    """How many flows *file* holds, if that is known without reading all of it. Raises OptionsError."""
    if not is_database(file):
        return None
    source = Library.at(str(file))
    try:
        return int(source.session(None).flows)
    finally:
        source.close()


def is_database(file: Path) -> bool:
    """Whether *file* is an SQLite database. Raises OptionsError if it cannot be read."""
    try:
        with file.open("rb") as stream:
            return stream.read(16) == _SQLITE
    except OSError as problem:
        raise OptionsError(f"{file}: {problem.strerror}") from None


def _record(flow: Flow) -> list[Item]:
    return [recorded(flow)]


def _written(target: Tables, name: str, records: Iterable[list[Item]]) -> Iterator[int]:
    with transaction(target.database):
        session = sessions.create(target, name)
    batches = Batches(target)
    source = iter(records)
    while page := list(islice(source, PAGE)):
        yield batches.write([item for items in page for item in items], session=session)
