"""The tables, as peewee models made for one database: two proxies in a process share nothing.

Times are seconds since 1970, flags 0 or 1. Nothing here reads or writes; text has been made storable before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import peewee as orm

VERSION = 1
"""Of the schema; `schema` brings older ones here."""

Model = type[Any]
"""A model: peewee has no types."""


@dataclass(frozen=True, slots=True)
class Tables:
    """The models of one *database*."""

    database: Any
    sessions: Model
    flows: Model
    details: Model
    messages: Model
    bodies: Model
    annotations: Model
    rules: Model
    breakpoints: Model
    ssl_passthrough: Model
    dns_mappings: Model
    settings: Model
    volumes: Model

    def all(self) -> list[Model]:
        """Every model, those that others refer to first."""
        return [
            self.settings, self.sessions, self.bodies, self.flows, self.details, self.messages,
            self.annotations, self.rules, self.breakpoints, self.ssl_passthrough, self.dns_mappings,
            self.volumes,
        ]  # fmt: skip


def tables(database: Any) -> Tables:
    """The models, bound to *database*."""
    made = _traffic(database) | _configuration(database)
    return Tables(database=database, **made)


def _traffic(database: Any) -> dict[str, Model]:
    class Base(orm.Model):
        class Meta:
            legacy_table_names = False

    Base._meta.database = database

    class Sessions(Base):
        """A name under which flows are recorded. The counters are right in every transaction."""

        id = orm.AutoField()
        name = orm.TextField(unique=True)
        active = orm.IntegerField(default=0)
        recording = orm.IntegerField(default=1)
        created = orm.DoubleField()
        updated = orm.DoubleField()
        flows = orm.IntegerField(default=0)
        size = orm.BigIntegerField(default=0)

        class Meta:
            table_name = "sessions"

    class Bodies(Base):
        """A body, or anything else that is large or often the same, by the BLAKE2b of its bytes."""

        hash = orm.BlobField(primary_key=True)
        size = orm.IntegerField()
        coding = orm.TextField()
        """``""`` as it is, ``zstd`` or ``zlib``."""
        data = orm.BlobField()

        class Meta:
            table_name = "bodies"

    class Flows(Base):
        """What lists, filters and counters look at."""

        id = orm.IntegerField(primary_key=True)
        session = orm.ForeignKeyField(Sessions, on_delete="CASCADE")
        uid = orm.TextField(index=True)
        """`Flow.id`."""
        type = orm.TextField()
        open = orm.IntegerField()
        """The flow has not ended, or the proxy did before it."""
        started = orm.DoubleField()
        duration = orm.DoubleField(null=True)
        method = orm.TextField(null=True)
        url = orm.TextField(null=True)
        host = orm.TextField(null=True)
        target = orm.TextField(null=True)
        """The host it went to, where the client named another."""
        port = orm.IntegerField(null=True)
        status = orm.IntegerField(null=True)
        request_type = orm.TextField(null=True)
        response_type = orm.TextField(null=True)
        request_size = orm.BigIntegerField(null=True)
        response_size = orm.BigIntegerField(null=True)
        client = orm.TextField(null=True)
        server = orm.TextField(null=True)
        peer = orm.TextField(null=True)
        error = orm.TextField(null=True)
        replay = orm.TextField(null=True)
        marked = orm.TextField()
        comment = orm.TextField()
        answered = orm.IntegerField()
        websocket = orm.IntegerField()
        asset = orm.IntegerField()
        truncated = orm.IntegerField()
        """The record of a body was cut, or left out."""
        answered_by = orm.TextField(null=True)
        """The rule that answered."""
        size = orm.IntegerField()
        """Bytes of the record, before bodies are compressed and shared."""
        request_body = orm.BlobField(null=True)
        response_body = orm.BlobField(null=True)

        class Meta:
            table_name = "flows"

    Flows._meta.indexes = []
    for side in (Flows.request_body, Flows.response_body):
        Flows.add_index(Flows.index(side, where=side.is_null(False)))

    class Details(Base):
        """The rest of a flow: enough to make an equal one. Headers are JSON, pairs in their order."""

        flow = orm.ForeignKeyField(Flows, primary_key=True, on_delete="CASCADE")
        request_headers = orm.TextField(null=True)
        response_headers = orm.TextField(null=True)
        state = orm.BlobField()
        """MessagePack of `Flow.get_state`, without what stands elsewhere."""

        class Meta:
            table_name = "flow_details"

    class Messages(Base):
        """A message of WebSocket, TCP or UDP, or a server-sent event."""

        flow = orm.ForeignKeyField(Flows, on_delete="CASCADE", index=False)
        number = orm.IntegerField()
        kind = orm.TextField()
        """``text``, ``binary``, ``tcp``, ``udp`` or ``sse``."""
        from_client = orm.IntegerField()
        timestamp = orm.DoubleField()
        size = orm.IntegerField()
        dropped = orm.IntegerField()
        injected = orm.IntegerField()
        truncated = orm.IntegerField()
        content = orm.BlobField()

        class Meta:
            table_name = "messages"
            primary_key = orm.CompositeKey("flow", "number")

    class Annotations(Base):
        """What somebody has noted about a flow."""

        flow = orm.ForeignKeyField(Flows, primary_key=True, on_delete="CASCADE")
        note = orm.TextField()
        colour = orm.TextField()
        tags = orm.TextField()
        """JSON: a list."""
        created = orm.DoubleField()
        updated = orm.DoubleField()

        class Meta:
            table_name = "annotations"

    class Volumes(Base):
        """A part of the full-text index of SQLite: a table ``words_ID`` for some flows of a session."""

        id = orm.AutoField()
        session = orm.ForeignKeyField(Sessions)
        first = orm.IntegerField()
        last = orm.IntegerField()
        flows = orm.IntegerField()

        class Meta:
            table_name = "volumes"

    return {
        "sessions": Sessions, "flows": Flows, "details": Details, "messages": Messages, "bodies": Bodies,
        "annotations": Annotations, "volumes": Volumes,
    }  # fmt: skip


def _configuration(database: Any) -> dict[str, Model]:
    class Base(orm.Model):
        class Meta:
            legacy_table_names = False

    Base._meta.database = database

    class Rules(Base):
        id = orm.AutoField()
        name = orm.TextField(unique=True)
        enabled = orm.IntegerField(default=1)
        priority = orm.IntegerField(default=0)
        match = orm.TextField()
        actions = orm.TextField()
        created = orm.DoubleField()
        updated = orm.DoubleField()

        class Meta:
            table_name = "rules"

    class Breakpoints(Base):
        id = orm.AutoField()
        name = orm.TextField(unique=True)
        enabled = orm.IntegerField(default=1)
        type = orm.TextField()
        match = orm.TextField()
        conditions = orm.TextField(default="[]")
        condition_logic = orm.TextField(default="and")
        created = orm.DoubleField()

        class Meta:
            table_name = "breakpoints"

    class SslPassthrough(Base):
        id = orm.AutoField()
        domain = orm.TextField(unique=True)
        enabled = orm.IntegerField(default=1)
        reason = orm.TextField(default="")
        created = orm.DoubleField()

        class Meta:
            table_name = "ssl_passthrough"

    class DnsMappings(Base):
        id = orm.AutoField()
        domain = orm.TextField(unique=True)
        target = orm.TextField()
        enabled = orm.IntegerField(default=1)
        description = orm.TextField(default="")
        created = orm.DoubleField()
        updated = orm.DoubleField()

        class Meta:
            table_name = "dns_mappings"

    class Settings(Base):
        key = orm.TextField(primary_key=True)
        value = orm.TextField()
        """JSON."""
        updated = orm.DoubleField(default=0)

        class Meta:
            table_name = "settings"

    return {
        "rules": Rules, "breakpoints": Breakpoints, "ssl_passthrough": SslPassthrough,
        "dns_mappings": DnsMappings, "settings": Settings,
    }  # fmt: skip
