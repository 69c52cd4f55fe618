"""Writes records into the tables: everything of one batch in one transaction, counters included."""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

from . import sessions
from .database import insertion, many, transaction
from .index import Index
from .record import DETAILS, FLOW, MESSAGE, Record, Row
from .tables import Tables

_LEAST: Final = 200
"""Bytes below which compressing is not tried."""


class Note(NamedTuple):
    """Messages of a flow that is open."""

    uid: str
    messages: list[Row]


class Annotation(NamedTuple):
    """What is noted about a flow: note, colour, tags. None leaves what is there."""

    uid: str
    note: str | None
    colour: str | None
    tags: list[str] | None


Item = Record | Note | Annotation


class Batches:
    """Writes to one database. It remembers which flows it has open."""

    def __init__(self, made: Tables) -> None:
        self._tables = made
        self._database = made.database
        self.index = Index(made)
        self._open: dict[str, int] = {}
        """Row numbers of open flows by id."""
        self._compress = _compressor()
        ending = ' ON CONFLICT ("hash") DO NOTHING'
        self._flows = insertion(made.flows, ("id", "session", *FLOW))
        self._details = insertion(made.details, ("flow", *DETAILS))
        self._messages = insertion(made.messages, ("flow", *MESSAGE))
        self._bodies = insertion(made.bodies, ("hash", "size", "coding", "data"), ending)

    def write(self, items: Sequence[Item], session: Any | None = None) -> int:
        """Write *items* to *session*, by default the active one; return how many flows were new.

        If that is not recording, only what concerns flows that are there already is written. Raises what the
        database raises; then nothing has been written.
        """
        records = [item for item in items if isinstance(item, Record)]
        bodies = {key: content for record in records for key, content in record.bodies}
        packed = [self._body(key, content) for key, content in bodies.items()]
        opened = dict(self._open)
        try:
            with transaction(self._database):
                return self._write(items, records, packed, session or sessions.active(self._tables))
        except BaseException:
            self._open = opened
            raise

    def _write(self, items: Sequence[Item], records: list[Record], bodies: list[Row], session: Any) -> int:
        again = [record for record in records if record.uid in self._open]
        new = [record for record in records if record.uid not in self._open] if session.recording else []
        if new or again:
            many(self._database, self._bodies, bodies)
        numbers = self._insert(int(session.id), new)
        grown = sum(record.size for record in new)
        self._add_messages(item for item in items if isinstance(item, Note))
        self._renew(again, numbers)
        texts = [(numbers[record.uid], record.text) for record in new if record.text]
        self.index.add(int(session.id), sorted(texts))
        for record in records:
            if not record.open:
                self._open.pop(record.uid, None)
        for item in items:
            if isinstance(item, Annotation):
                annotate(self._tables, item)
        if new or grown:
            sessions.count(self._tables, int(session.id), len(new), grown)
        return len(new)

    def _insert(self, session: int, records: list[Record]) -> dict[str, int]:
        """Insert new flows; returns row numbers by id, of all that are open too."""
        if records:
            number = self._reserve(len(records))
            flows, details, messages = [], [], []
            for record in records:
                self._open[record.uid] = number
                flows.append((number, session, *record.flow))
                details.append((number, *record.details))
                messages += [(number, *message) for message in record.messages]
                number += 1
            many(self._database, self._flows, flows)
            many(self._database, self._details, details)
            if messages:
                many(self._database, self._messages, messages)
        return self._open

    def _reserve(self, count: int) -> int:
        """The first of *count* row numbers that nobody has had."""
        mark = self._database.param
        cursor = self._database.execute_sql(
            f"UPDATE settings SET value = CAST(CAST(value AS INTEGER) + {mark} AS TEXT)"
            " WHERE key = 'flows' RETURNING value",
            (count,),
        )
        ((value,),) = cursor.fetchall()
        return int(value) - count + 1

    def _renew(self, records: Iterable[Record], numbers: dict[str, int]) -> None:
        """Bring flows that were open up to date, in the sessions that they began in."""
        flows, details = self._tables.flows, self._tables.details
        for record in records:
            number = numbers[record.uid]
            if record.messages:
                self._add_messages([Note(record.uid, record.messages)])
            before = flows.select(flows.size, flows.session).where(flows.id == number).tuples().first()
            if before is None:
                continue  # it has been deleted
            size = record.size + self._size_of_messages(number)
            values = dict(zip(FLOW, record.flow, strict=True)) | {"size": size}
            flows.update(values).where(flows.id == number).execute()
            details.update(dict(zip(DETAILS, record.details, strict=True))).where(
                details.flow == number
            ).execute()
            sessions.count(self._tables, before[1], 0, size - before[0])
            if record.text:
                self.index.add(before[1], [(number, record.text)])

    def _size_of_messages(self, number: int) -> int:
        import peewee as orm

        messages = self._tables.messages
        length = orm.fn.SUM(orm.fn.LENGTH(messages.content))
        return int(messages.select(length).where(messages.flow == number).scalar() or 0)

    def _add_messages(self, notes: Iterable[Note]) -> None:
        """Insert messages of open flows; they are counted with their flow when it ends."""
        rows = [
            (self._open[note.uid], *message)
            for note in notes
            if note.uid in self._open
            for message in note.messages
        ]
        if rows:
            flows = self._tables.flows
            query = flows.select(flows.id).where(flows.id << list({row[0] for row in rows}))
            there = {number for (number,) in query.tuples()}  # sessions are deleted with what is open in them
            many(self._database, self._messages, [row for row in rows if row[0] in there])

    def _body(self, key: bytes, content: bytes) -> Row:
        if len(content) >= _LEAST:
            coding, data = self._compress(content)
            if len(data) < len(content):
                return (key, len(content), coding, data)
        return (key, len(content), "", content)


def annotate(made: Tables, note: Annotation) -> bool:
    """Write *note* about a flow that is stored; returns whether it is."""
    flows, table = made.flows, made.annotations
    now = time.time()
    row = flows.select(flows.id).where(flows.uid == note.uid).order_by(flows.id.desc()).first()
    if row is None:
        return False
    before = table.get_or_none(table.flow == row.id)
    text = note.note if note.note is not None else (before.note if before else "")
    colour = note.colour if note.colour is not None else (before.colour if before else "")
    tags = json.dumps(note.tags) if note.tags is not None else (before.tags if before else "[]")
    table.insert(
        flow=row.id,
        note=text,
        colour=colour,
        tags=tags,
        created=before.created if before else now,
        updated=now,
    ).on_conflict(
        conflict_target=[table.flow], update={"note": text, "colour": colour, "tags": tags, "updated": now}
    ).execute()
    flows.update(comment=text, marked=colour).where(flows.id == row.id).execute()
    return True


def unpacked(coding: str, data: bytes) -> bytes:
    """What was kept as *data*."""
    if coding == "zlib":
        return zlib.decompress(data)
    if coding == "zstd":
        import zstandard

        return bytes(zstandard.ZstdDecompressor().decompress(data))
    return data


def _compressor() -> Callable[[bytes], tuple[str, bytes]]:
    try:
        import zstandard
    except ImportError:
        return lambda content: ("zlib", zlib.compress(content, 1))
    compress = zstandard.ZstdCompressor(level=1).compress
    return lambda content: ("zstd", compress(content))
