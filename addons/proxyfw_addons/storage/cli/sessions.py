"""``proxyfw sessions``: lists, makes, switches, renames, deletes, exports, imports, sums up."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .place import configured, json_option, library, moment, print_json, print_table, size, store_option

if TYPE_CHECKING:
    from proxyfw_addons.storage.library import Library


@click.group(short_help="Sessions under which flows are recorded.")
def sessions() -> None:
    """Sessions under which flows are recorded.

    A proxy that is running notices a change with the next flow.
    """


@sessions.command("list")
@store_option
@json_option
def list_(store: str | None, as_json: bool) -> None:
    """List all sessions; the active one has a star."""
    from proxyfw_addons.storage import sessions as logic

    with library(store) as found:
        every = logic.all_of(found.tables)
    if as_json:
        print_json(every)
        return
    rows = [
        (
            "*" if each["active"] else "", each["name"], f"{each['flows']:,}", size(each["size"]),
            "on" if each["recording"] else "off", moment(each["updated"]),
        )
        for each in every
    ]  # fmt: skip
    print_table(("", "NAME", "FLOWS", "SIZE", "RECORDING", "UPDATED"), rows, right=(2, 3))


@sessions.command()
@click.argument("name")
@store_option
def new(name: str, store: str | None) -> None:
    """Make a session, and record to it from now on. The database is made if need be."""
    from proxyfw_addons.storage import sessions as logic
    from proxyfw_addons.storage.database import opened, transaction

    made = opened(store or configured())
    try:
        with transaction(made.database):
            logic.begin(made, name)
    finally:
        made.database.close()
    click.echo(f"{name} is the active session")


@sessions.command()
@click.argument("name")
@store_option
def use(name: str, store: str | None) -> None:
    """Record to another session from now on."""
    from proxyfw_addons.storage import sessions as logic

    _change(store, lambda found: logic.use(found.tables, name))
    click.echo(f"{name} is the active session")


@sessions.command()
@click.argument("name")
@click.argument("new_name")
@store_option
def rename(name: str, new_name: str, store: str | None) -> None:
    """Give a session another name."""
    from proxyfw_addons.storage import sessions as logic

    _change(store, lambda found: logic.rename(found.tables, name, new_name))


@sessions.command()
@click.argument("state", type=click.Choice(["on", "off"]))
@click.argument("name", required=False)
@store_option
def record(state: str, name: str | None, store: str | None) -> None:
    """Switch recording on or off for a session, or the active one."""
    from proxyfw_addons.storage import sessions as logic

    _change(store, lambda found: logic.record(found.tables, state == "on", name))


@sessions.command()
@click.argument("name")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@store_option
def delete(name: str, yes: bool, store: str | None) -> None:
    """Delete a session with all its flows."""
    from proxyfw_addons.storage.retention import empty, remove_session

    with library(store) as found:
        session = found.session(name)
        if not yes:
            click.confirm(f"Delete {name} with {session.flows:,} flows?", abort=True, err=True)
        number = 0
        with _progress(session.flows, "deleting") as bar:
            for number_now in empty(found.tables, session):
                number += number_now
                bar.update(number_now)
        _in_transaction(found, lambda: remove_session(found.tables, found.index, name))
    click.echo(f"deleted {number:,} flows")


@sessions.command()
@click.argument("name", required=False)
@store_option
@json_option
def stats(name: str | None, store: str | None, as_json: bool) -> None:
    """Sum up a session, or the active one."""
    from proxyfw_addons.storage import sessions as logic

    with library(store) as found:
        facts = logic.stats(found.tables, found.session(name).name)
    if as_json:
        print_json(facts)
        return
    click.echo(f"{facts['name']}: {facts['flows']:,} flows, {size(facts['size'])}", nl=False)
    click.echo(f", {facts['failed']:,} failed, {facts['open']:,} not ended")
    if facts["first"]:
        click.echo(f"from {moment(facts['first'])} to {moment(facts['last'])}")
    for title in ("types", "statuses", "hosts"):
        rows = [(key, f"{number:,}") for key, number in facts[title].items()]
        if rows:
            click.echo()
            print_table((title.upper(), "FLOWS"), rows, right=(1,))


@sessions.command()
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path))
@store_option
def export(name: str, file: Path, store: str | None) -> None:
    """Write a session into a database of its own, which FILE must not be yet."""
    from proxyfw_addons.storage.database import opened
    from proxyfw_addons.storage.transfer import copied

    if file.exists():
        raise click.UsageError(f"{file} is there already: name a new file")
    with library(store) as found:
        session = found.session(name)
        target = opened(str(file))
        try:
            with _progress(session.flows, "writing") as bar:
                for number in copied(found, session, target, name):
                    bar.update(number)
        finally:
            target.database.close()
    click.echo(f"{file}: {session.flows:,} flows")


@sessions.command("import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.argument("name", required=False)
@store_option
def import_(file: Path, name: str | None, store: str | None) -> None:
    """Read flows from FILE into a session that is new: a database of ours, or any file of flows.

    Its NAME is that of the file, unless another is given.
    """
    from proxyfw_addons.storage.database import opened
    from proxyfw_addons.storage.transfer import brought_in, count

    place = store or configured()
    _load_formats()
    made = opened(place)
    total = 0
    try:
        with _progress(count(file), "reading") as bar:
            for number in brought_in(file, made, name or file.stem):
                total += number
                bar.update(number)
    finally:
        made.database.close()
    click.echo(f"{name or file.stem}: {total:,} flows")


def _load_formats() -> None:
    """Addons that read further formats make them known when they are loaded."""
    settings = click.get_current_context().obj
    if settings is not None:
        settings.option("store")


def _change(store: str | None, change: Any) -> None:
    with library(store) as found:
        _in_transaction(found, lambda: change(found))


def _in_transaction(found: Library, change: Any) -> None:
    from proxyfw_addons.storage.database import transaction

    with transaction(found.tables.database):
        change()


def _progress(length: int | None, label: str) -> Any:
    """A bar on standard error: what is printed on standard output is the answer."""
    known = length is not None
    return click.progressbar(
        length=length if length is not None else 1,
        label=label,
        file=sys.stderr,
        show_percent=known,
        show_eta=known,
    )
