"""The schema's version, and the steps that bring a database of an earlier release to the present one."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from proxyfw.exceptions import OptionsError

from . import index
from .tables import VERSION, Tables

Step = Callable[[Tables], None]

STEPS: Mapping[int, Step] = {}
"""What makes version N+1 of version N, by N. Steps run in one transaction, and change tables with SQL: the
models are those of the present version."""


def prepare(made: Tables, version: int = VERSION, steps: Mapping[int, Step] = STEPS) -> None:
    """Make the tables if there are none; bring them from an older version to *version*.

    Raises OptionsError if they are newer than that, or of another program.
    """
    database = made.database
    present = set(database.get_tables())
    if "flows" not in present or "settings" not in present:
        if present & {"flows", "sessions", "bodies"}:
            raise OptionsError("this database has tables of another program; name another")
        _create(made, version)
        return
    found = _version(made)
    if found > version:
        raise OptionsError(
            f"this database was made by a newer proxyfw (schema {found}, known is {version}): update proxyfw"
        )
    if found < version:
        _migrate(made, found, version, steps)


def _create(made: Tables, version: int) -> None:
    from .database import transaction

    with transaction(made.database):
        made.database.create_tables(made.all())
        index.create(made.database)
        for key, value in (("schema", version), ("flows", 0)):
            _set(made, key, value)


def _migrate(made: Tables, found: int, version: int, steps: Mapping[int, Step]) -> None:
    from .database import transaction

    with transaction(made.database):
        for number in range(_version(made), version):  # again: another process may have been faster
            steps[number](made)
        _set(made, "schema", version)


def _version(made: Tables) -> int:
    row = made.settings.get_or_none(made.settings.key == "schema")
    if row is None:
        raise OptionsError("this database has a table settings, but of another program; name another")
    return int(json.loads(row.value))


def _set(made: Tables, key: str, value: Any) -> None:
    now = time.time()
    text = json.dumps(value)
    made.settings.insert(key=key, value=text, updated=now).on_conflict(
        conflict_target=[made.settings.key], update={"value": text, "updated": now}
    ).execute()
