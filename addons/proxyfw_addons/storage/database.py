"""Opens a database by what the option ``store`` says: a file, or the URL of a PostgreSQL database."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

import peewee as orm

from proxyfw.exceptions import OptionsError

from . import schema
from .tables import Model, Tables, tables

FAULTS: tuple[type[Exception], ...] = (orm.PeeweeException, sqlite3.Error)
"""What a database may raise; `opened` adds those of PostgreSQL's driver."""

_PRAGMAS = {
    "journal_mode": "wal",
    "synchronous": "normal",
    "foreign_keys": 1,
    "busy_timeout": 5000,
    "cache_size": -16000,
    "mmap_size": 1 << 28,
    "wal_autocheckpoint": 8000,  # pages that many batches change are written back once
    "journal_size_limit": 1 << 26,
}
_URL = re.compile(r"postgres(ql)?://", re.IGNORECASE)
_PASSWORD = re.compile(r"(?<=://)([^/@:]*):[^/@]*@")


def is_postgres(place: str) -> bool:
    """Whether *place* is the URL of a PostgreSQL database, not the name of a file."""
    return _URL.match(place) is not None


def shown(place: str) -> str:
    """*place* without the password in it."""
    return _PASSWORD.sub(r"\1:***@", place)


def is_there(place: str) -> bool:
    """Whether there is something at *place*. Raises OptionsError if nothing can be made there either."""
    if is_postgres(place):
        return True
    path = os.path.expanduser(place)
    folder = os.path.dirname(path) or "."
    if not os.path.isdir(folder):
        raise OptionsError(f"{place}: there is no directory {folder}")
    if os.path.isdir(path):
        raise OptionsError(f"{place}: this is a directory; name a file in it")
    return os.path.exists(path)


def opened(place: str, *, create: bool = True) -> Tables:
    """The tables of the database at *place*, which is made if need be, and brought to the present schema.

    Raises OptionsError that names the place and what is wrong with it.
    """
    try:
        made = tables(_postgres(place) if is_postgres(place) else _sqlite(place, create))
        schema.prepare(made)
        return made
    except FAULTS as problem:
        raise OptionsError(f"{shown(place)}: {_reason(problem)}") from None


def insertion(model: Model, columns: Sequence[str], ending: str = "") -> str:
    """SQL that inserts one row of *columns*, for `many`: peewee's own takes longer than the database."""
    meta = model._meta
    mark = meta.database.param
    named = ", ".join(f'"{meta.fields[name].column_name}"' for name in columns)
    marks = ", ".join([mark] * len(columns))
    return f'INSERT INTO "{meta.table_name}" ({named}) VALUES ({marks}){ending}'


def many(database: Any, sql: str, rows: Iterable[Sequence[Any]]) -> None:
    """Run *sql* once for each of *rows*."""
    cursor = database.cursor()
    cursor.executemany(sql, rows)
    cursor.close()


def transaction(database: Any) -> Any:
    """A context in which all is done or nothing; where only one can write, it is us from its beginning."""
    return database.atomic("IMMEDIATE") if isinstance(database, orm.SqliteDatabase) else database.atomic()


def _sqlite(place: str, create: bool) -> Any:
    path = os.path.expanduser(place)
    if is_there(place):
        if not _is_database(path):
            raise OptionsError(f"{place}: this is a file, but no SQLite database; name another")
    elif not create:
        raise OptionsError(f"there is no file {place}: name one that proxyfw --store has made")
    database = orm.SqliteDatabase(path, pragmas=_PRAGMAS, timeout=5, check_same_thread=False)
    database.connect()
    return database


def _is_database(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            start = file.read(16)
    except OSError as problem:
        raise OptionsError(f"{path}: {problem.strerror}") from None
    return start in (b"", b"SQLite format 3\x00")


def _postgres(place: str) -> Any:
    from playhouse import db_url  # type: ignore[import-untyped]

    try:
        import psycopg
    except ImportError:
        raise OptionsError(
            f"{shown(place)}: PostgreSQL needs a driver: pip install 'proxyfw[postgres]'"
        ) from None
    global FAULTS
    FAULTS = (orm.PeeweeException, sqlite3.Error, psycopg.Error)
    try:
        database = db_url.connect(place, unquote_password=True, unquote_user=True, connect_timeout=10)
    except ValueError as problem:
        raise OptionsError(f"{shown(place)}: {problem}") from None
    database.connect()
    return database


def _reason(problem: Exception) -> str:
    return " ".join(str(problem).split()) or type(problem).__name__
