"""Which database a command is about, and how answers look: tables for people, JSON for programs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import click

if TYPE_CHECKING:
    from proxyfw_addons.storage.library import Library

F = TypeVar("F", bound=Callable[..., Any])


class Settings(Protocol):
    """What the command line knows of options."""

    def option(self, name: str) -> Any:
        """The value that an option would have in a run."""


def store_option(function: F) -> F:
    """The flag ``--store``."""
    decorated = click.option(
        "--store", metavar="PLACE", help="The database. By default what the option store says."
    )(function)
    return decorated


def json_option(function: F) -> F:
    """The flag ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")(function)


@contextmanager
def library(store: str | None) -> Iterator[Library]:
    """The library at *store*, or where the option ``store`` says. Raises UsageError, OptionsError."""
    from proxyfw_addons.storage.library import Library

    found = Library.at(store or configured())
    try:
        yield found
    finally:
        found.close()


def configured() -> str:
    """What the option ``store`` says. Raises UsageError if nothing."""
    settings: Settings | None = click.get_current_context().obj
    place = settings.option("store") if settings is not None else None
    if place is None:
        raise click.UsageError("which database? Name it with --store, or set the option store in config.yaml")
    return str(place)


def print_json(data: Any) -> None:
    """Print *data*."""
    click.echo(json.dumps(data, ensure_ascii=False, indent=2))


def print_table(heads: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[int] = ()) -> None:
    """Print *rows* under *heads*, the columns *right* to the right; lines are cut where the screen ends."""
    lines = [[_shown(cell) for cell in row] for row in rows]
    widths = [max(len(line[at]) for line in [list(heads), *lines]) for at in range(len(heads))]
    room = _screen()
    for number, line in enumerate([list(heads), *lines]):
        cells = [
            cell.rjust(width) if at in right else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        text = "  ".join(cells).rstrip()
        if room and len(text) > room:
            text = text[: room - 1] + "…"
        click.echo(click.style(text, bold=True) if number == 0 else text)


def size(number: int | None) -> str:
    """A number of bytes for people."""
    if number is None:
        return "-"
    for unit in ("", "k", "m", "g"):
        if number < 1000 or unit == "g":
            return f"{number:.1f}{unit}" if unit and number < 100 else f"{number:.0f}{unit}"
        number /= 1024  # type: ignore[assignment]  # shown with a fraction
    raise AssertionError("unreachable")


def moment(timestamp: float) -> str:
    """A time for people."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(timestamp))


def _shown(text: str) -> str:
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def _screen() -> int:
    """Columns of the screen; 0 if it is none."""
    import os

    try:
        return os.get_terminal_size(1).columns
    except (OSError, ValueError):
        return 0
