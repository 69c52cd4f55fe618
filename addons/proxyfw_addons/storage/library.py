"""Reads what is stored: rows for lists, whole flows, and searches for either."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from proxyfw.flow import Flow
from proxyfw.flowfilter import Filter

from . import sessions
from .batch import Annotation, Item, unpacked
from .conditions import Condition, condition
from .database import opened
from .index import Index, has_phrase
from .record import body_hashes, copied, restored
from .tables import Tables
from .text import searchable

Row = Mapping[str, Any]

PAGE = 200
"""Flows that are made at a time."""


class Library:
    """The flows of one database. To be used in one thread."""

    def __init__(self, made: Tables) -> None:
        self.tables = made
        self.index = Index(made)

    @classmethod
    def at(cls, place: str) -> Library:
        """That of the database at *place*, which must be there. Raises OptionsError."""
        return cls(opened(place, create=False))

    def close(self) -> None:
        """Close the database."""
        self.tables.database.close()

    def session(self, name: str | None) -> Any:
        """The session called *name*, or the active one. Raises CommandError."""
        return sessions.named(self.tables, name) if name else sessions.active(self.tables)

    def rows(
        self,
        session: Any | None = None,
        *,
        wanted: Filter | None = None,
        words: Sequence[str] = (),
        limit: int | None = None,
        newest: bool = True,
    ) -> list[dict[str, Any]]:
        """Rows of flows of *session* (or of all) that *wanted* means and in which all *words* are.

        The newest come first, or the oldest. A word with spaces is a phrase; ``word*`` is any that begins so.
        """
        found: list[dict[str, Any]] = []
        for row, _ in self._found(session, wanted, words, newest, limit):
            found.append(row)
            if limit is not None and len(found) >= limit:
                break
        return found

    def flows(
        self,
        session: Any | None = None,
        *,
        wanted: Filter | None = None,
        words: Sequence[str] = (),
        newest: bool = False,
    ) -> Iterator[Flow]:
        """The flows themselves, made as they are asked for."""
        pages = self._pages(self._found(session, wanted, words, newest, None))
        for page in pages:
            made: dict[int, Flow] = {}
            missing = [row for row, flow in page if flow is None]
            for row, flow in zip(missing, self._restored(missing), strict=True):
                made[row["id"]] = flow
            for row, flow in page:
                yield made[row["id"]] if flow is None else flow

    def flow(self, id: str) -> Flow | None:
        """The flow with this id, the latest record of it."""
        row = self.row(id)
        return None if row is None else next(iter(self._restored([row])))

    def row(self, id: str) -> dict[str, Any] | None:
        """The row of the flow whose id is *id*, or begins so if no other's does."""
        flows = self.tables.flows
        exact = flows.select().where(flows.uid == id).order_by(flows.id.desc()).dicts().first()
        if exact is not None or len(id) < 4:
            return exact  # type: ignore[no-any-return]
        like = flows.select().where(flows.uid.startswith(id)).order_by(flows.id.desc()).limit(2).dicts()
        candidates = list(like)
        return candidates[0] if len({row["uid"] for row in candidates}) == 1 else None

    def records(self, session: Any) -> Iterator[list[Item]]:
        """All of *session* as it is written to another database: each flow, with what is noted about it."""
        for page in self._pages(self._found(session, None, (), False, None)):
            rows = [row for row, _ in page]
            numbers = [row["id"] for row in rows]
            details = self._by_flow(self.tables.details, numbers)
            messages = self._by_flow(self.tables.messages, numbers, self.tables.messages.number)
            annotations = self._annotations(numbers)
            whole = [{**row, **details[row["id"]][0]} for row in rows]
            keys = {row["id"]: body_hashes(row) for row in whole}
            bodies = self._bodies({key for found in keys.values() for key in found})
            for row in whole:
                mine = [(key, bodies[key]) for key in keys[row["id"]] if key in bodies]
                spoken = messages.get(row["id"], [])
                flow = restored(row, bodies, spoken)
                made: list[Item] = [copied(row, mine, spoken, searchable(flow))]
                if note := annotations.get(row["id"]):
                    tags = json.loads(note["tags"])
                    made.append(Annotation(row["uid"], note["note"], note["colour"], tags))
                yield made

    def messages(self, row: Row) -> list[dict[str, Any]]:
        """The messages of a flow, server-sent events too, as they are stored."""
        messages = self.tables.messages
        return list(messages.select().where(messages.flow == row["id"]).order_by(messages.number).dicts())

    def annotation(self, row: Row) -> dict[str, Any] | None:
        """What is noted about a flow."""
        return self._annotations([row["id"]]).get(row["id"])

    # How

    def _found(
        self,
        session: Any | None,
        wanted: Filter | None,
        words: Sequence[str],
        newest: bool,
        limit: int | None,
    ) -> Iterator[tuple[dict[str, Any], Flow | None]]:
        """Rows, with the flow where it had to be made to be sure."""
        stated = condition(self.tables, wanted) if wanted is not None else None
        phrases = [word for word in words if has_phrase(word)]
        query = self._query(session, stated, words, newest)
        if (stated is None or stated.exact) and not phrases:
            if limit is not None:
                query = query.limit(limit)
            yield from ((row, None) for row in query.dicts().iterator())
            return
        rows = ((row, None) for row in query.dicts().iterator())
        for page in self._pages(rows):
            made = self._restored([row for row, _ in page])
            for (row, _), flow in zip(page, made, strict=True):
                if (wanted is None or wanted(flow)) and _has(flow, phrases):
                    yield row, flow

    def _query(
        self, session: Any | None, stated: Condition | None, words: Sequence[str], newest: bool
    ) -> Any:
        flows = self.tables.flows
        query = flows.select()
        if session is not None:
            query = query.where(flows.session == session.id)
        if words:
            query = query.where(self.index.condition(words, session.id if session is not None else None))
        if stated is not None:
            query = query.where(stated.expression)
        return query.order_by(flows.id.desc() if newest else flows.id)

    @staticmethod
    def _pages(rows: Iterator[tuple[dict[str, Any], Flow | None]]) -> Iterator[list[Any]]:
        page: list[tuple[dict[str, Any], Flow | None]] = []
        for entry in rows:
            page.append(entry)
            if len(page) == PAGE:
                yield page
                page = []
        if page:
            yield page

    def _restored(self, rows: Sequence[Row]) -> list[Flow]:
        """The flows of *rows*, in their order."""
        numbers = [row["id"] for row in rows]
        details = self._by_flow(self.tables.details, numbers)
        whole = [{**row, **details[row["id"]][0]} for row in rows]
        bodies = self._bodies({key for row in whole for key in body_hashes(row)})
        talking = [row["id"] for row in rows if row["websocket"] or row["type"] in ("tcp", "udp")]
        messages = self._by_flow(self.tables.messages, talking, self.tables.messages.number)
        annotations = self._annotations(numbers)
        return [
            restored(row, bodies, messages.get(row["id"], ()), annotations.get(row["id"])) for row in whole
        ]

    def _by_flow(self, model: Any, numbers: Sequence[int], order: Any = None) -> dict[int, list[Any]]:
        found: dict[int, list[Any]] = {}
        query = model.select().where(model.flow << list(numbers)).order_by(order or model.flow)
        for row in query.dicts() if numbers else ():
            found.setdefault(row["flow"], []).append(row)
        return found

    def _bodies(self, hashes: set[bytes]) -> dict[bytes, bytes]:
        bodies = self.tables.bodies
        rows = bodies.select().where(bodies.hash << list(hashes)).dicts() if hashes else ()
        return {bytes(row["hash"]): unpacked(row["coding"], bytes(row["data"])) for row in rows}

    def _annotations(self, numbers: Sequence[int]) -> dict[int, dict[str, Any]]:
        return {number: rows[0] for number, rows in self._by_flow(self.tables.annotations, numbers).items()}


def _has(flow: Flow, phrases: Sequence[str]) -> bool:
    text = " ".join(searchable(flow).lower().split()) if phrases else ""
    return all(" ".join(phrase.lower().rstrip("*").split()) in text for phrase in phrases)
