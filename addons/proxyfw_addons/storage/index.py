"""Full-text search: words of URLs, headers and decoded text bodies, kept by the database's own index.

SQLite has FTS5, in volumes: tables for some flows of one session each, so that what belongs to flows that are
gone can be dropped as a whole. PostgreSQL has a column of type tsvector.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import peewee as orm

from .tables import Tables

VOLUME = 50_000
"""Flows of one volume."""

Entry = tuple[int, str]
"""The number of a flow, and its text."""

_WORD = re.compile(r"[^\W_]+")


def create(database: Any) -> None:
    """Make what the index needs besides the tables."""
    if not _is_sqlite(database):
        database.execute_sql(
            'CREATE TABLE "words" ("flow_id" INTEGER PRIMARY KEY REFERENCES "flows" ON DELETE CASCADE,'
            ' "vector" tsvector NOT NULL)'
        )
        database.execute_sql('CREATE INDEX "words_vector" ON "words" USING gin ("vector")')


class Index:
    """The index of one database. It writes in whatever transaction the caller has."""

    def __init__(self, made: Tables, volume: int = VOLUME) -> None:
        self._tables = made
        self._database = made.database
        self._sqlite = _is_sqlite(made.database)
        self._size = volume

    def add(self, session: int, entries: Sequence[Entry]) -> None:
        """Take in the texts of flows of *session*, in the order of their numbers."""
        if not entries:
            return
        if self._sqlite:
            table = f"words_{self._volume(session, entries)}"
            cursor = self._database.cursor()
            cursor.executemany(f'INSERT INTO "{table}" (rowid, text) VALUES (?, ?)', entries)
            cursor.close()
        else:
            sql = (
                'INSERT INTO "words" VALUES (%s, to_tsvector(\'simple\', %s)) ON CONFLICT ("flow_id")'
                ' DO UPDATE SET "vector" = "words"."vector" || excluded."vector"'
            )
            rows = [(number, " ".join(_WORD.findall(text))) for number, text in entries]
            cursor = self._database.cursor()
            cursor.executemany(sql, rows)
            cursor.close()

    def forget(self, session: int | None = None) -> None:
        """Drop the volumes of *session*, or those of which all flows are gone."""
        if not self._sqlite:
            return  # the rows went with the flows
        for volume in self._spent(session):
            self._database.execute_sql(f'DROP TABLE IF EXISTS "words_{volume.id}"')
            volume.delete_instance()

    def condition(self, words: Iterable[str], session: int | None) -> Any:
        """What is true of flows in which all *words* are; ``word*`` is any word that begins so.

        Of a phrase, or a word with signs in it (``a-b``), all parts are found, wherever they stand.
        """
        terms = [term for word in words for term in _terms(word)]
        if not terms:
            return orm.SQL("1 = 1")
        number = self._tables.flows.id
        if not self._sqlite:
            query = " & ".join(f"{text}:*" if begins else text for text, begins in terms)
            return number << orm.SQL(
                '(SELECT "flow_id" FROM "words" WHERE "vector" @@ to_tsquery(\'simple\', %s))', (query,)
            )
        query = " AND ".join(f'"{text}"*' if begins else f'"{text}"' for text, begins in terms)
        volumes = self._volumes(session)
        if not volumes:
            return orm.SQL("1 = 0")
        parts = " UNION ALL ".join(
            f'SELECT rowid FROM "words_{id}" WHERE "words_{id}" MATCH ?' for id in volumes
        )
        return number << orm.SQL(f"({parts})", (query,) * len(volumes))

    def _volume(self, session: int, entries: Sequence[Entry]) -> int:
        """The volume that *entries* go to, a new one if the latest is full."""
        volumes = self._tables.volumes
        first, last = min(entries)[0], max(entries)[0]
        latest = volumes.select().where(volumes.session == session).order_by(volumes.id.desc()).first()
        if latest is not None and latest.flows < self._size:
            volumes.update(
                first=min(first, latest.first), last=max(last, latest.last), flows=latest.flows + len(entries)
            ).where(volumes.id == latest.id).execute()
            return int(latest.id)
        made = volumes.create(session=session, first=first, last=last, flows=len(entries))
        self._database.execute_sql(
            f'CREATE VIRTUAL TABLE "words_{made.id}" USING fts5(text, content="", detail=none, columnsize=0)'
        )
        self._database.execute_sql(
            f'INSERT INTO "words_{made.id}" ("words_{made.id}", rank) VALUES (\'automerge\', 8)'
        )
        return int(made.id)

    def _volumes(self, session: int | None) -> list[int]:
        volumes = self._tables.volumes
        query = volumes.select(volumes.id)
        if session is not None:
            query = query.where(volumes.session == session)
        return [volume.id for volume in query]

    def _spent(self, session: int | None) -> list[Any]:
        volumes, flows = self._tables.volumes, self._tables.flows
        if session is not None:
            return list(volumes.select().where(volumes.session == session))
        inside = flows.select().where(
            (flows.session == volumes.session) & flows.id.between(volumes.first, volumes.last)
        )
        return list(volumes.select().where(~orm.fn.EXISTS(inside)))


def has_phrase(word: str) -> bool:
    """Whether finding its parts is not enough: they have to stand together."""
    return len(_WORD.findall(word)) > 1


def _terms(word: str) -> list[tuple[str, bool]]:
    """The words that *word* consists of, and whether each may go on."""
    found = _WORD.findall(word)
    return [(text, word.endswith("*") and text is found[-1]) for text in found]


def _is_sqlite(database: Any) -> bool:
    return isinstance(database, orm.SqliteDatabase)
