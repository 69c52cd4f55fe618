"""Databases of earlier releases, of later ones, and of other programs."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from proxyfw.exceptions import OptionsError
from proxyfw.testing import http_flow
from proxyfw_addons.storage import schema
from proxyfw_addons.storage.batch import Batches
from proxyfw_addons.storage.database import opened
from proxyfw_addons.storage.record import recorded
from proxyfw_addons.storage.tables import VERSION, Tables


@pytest.fixture
def made(tmp_path: Path) -> Tables:
    made = opened(str(tmp_path / "x.db"))
    Batches(made).write([recorded(http_flow())])
    return made


def test_an_older_database_is_brought_up_to_date_in_one_step_or_not_at_all(made: Tables) -> None:
    """Features 80: each version by its own step, in order."""

    def first(tables: Tables) -> None:
        tables.database.execute_sql("ALTER TABLE flows ADD COLUMN colour TEXT")

    def second(tables: Tables) -> None:
        tables.database.execute_sql("UPDATE flows SET colour = 'red'")

    def broken(tables: Tables) -> None:
        second(tables)
        raise OptionsError("no")

    with pytest.raises(OptionsError, match="no"):
        schema.prepare(made, VERSION + 2, {VERSION: first, VERSION + 1: broken})
    assert "colour" not in {column.name for column in made.database.get_columns("flows")}
    schema.prepare(made, VERSION + 2, {VERSION: first, VERSION + 1: second})
    assert made.database.execute_sql("SELECT colour FROM flows").fetchall() == [("red",)]
    schema.prepare(made, VERSION + 2, {})
    with pytest.raises(OptionsError, match="newer proxyfw"):
        schema.prepare(made)
    made.database.close()


def test_every_earlier_version_has_its_step() -> None:
    assert set(schema.STEPS) == set(range(1, VERSION))


def test_databases_of_others_are_left_alone(tmp_path: Path) -> None:
    for table in ("flows (a)", "settings (key, value, updated)"):
        place = str(tmp_path / f"{table[:3]}.db")
        with sqlite3.connect(place) as database:
            database.execute(f"CREATE TABLE {table}")
            if table.startswith("settings"):
                database.execute("CREATE TABLE flows (a)")
        database.close()
        with pytest.raises(OptionsError, match="another"):
            opened(place)
