"""``proxyfw har validate``: looks at HAR files without a proxy that runs."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import Any

import click

_SHOWN = 50
"""Problems that people are told of."""


@click.group(short_help="HAR files.")
def har() -> None:
    """HAR files, as browsers and other tools write them."""


@har.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def validate(file: Path, as_json: bool) -> None:
    """Say whether FILE is a valid HAR 1.2 file, and whether its entries can be read.

    The exit code is 1 if there are problems.
    """
    from .reading import document, entries_of

    with click.open_file(str(file), "rb") as opened:
        found = document(opened.read(), str(file))
    entries = entries_of(found, str(file))
    bad = _problems(found, entries)
    if as_json:
        click.echo(json.dumps({"valid": not bad, "entries": len(entries), **_about(found), "problems": bad}))
    else:
        _print(str(file), found, len(entries), bad)
    if bad:
        raise SystemExit(1)


def _problems(found: object, entries: list[Any]) -> list[str]:
    from .reading import read_entry
    from .shape import problems

    bad = list(problems(found))
    named = {problem.partition("]")[0] for problem in bad}

    def report(index: int, reason: str) -> None:
        if f"log.entries[{index}" not in named:
            bad.append(f"log.entries[{index}] cannot be read: {reason}")

    for index, entry in enumerate(entries):
        read_entry(index, entry, report)
    return bad


def _about(found: Any) -> dict[str, Any]:
    creator = found["log"].get("creator")
    name = creator.get("name") if isinstance(creator, dict) else None
    number = creator.get("version") if isinstance(creator, dict) else None
    return {"version": found["log"].get("version"), "creator": f"{name or '?'} {number or ''}".rstrip()}


def _print(name: str, found: object, count: int, bad: list[str]) -> None:
    about = _about(found)
    for problem in islice(bad, _SHOWN):
        click.echo(f"{name}: {problem}")
    if len(bad) > _SHOWN:
        click.echo(f"({len(bad) - _SHOWN} more; --json has them all)")
    verdict = f"{len(bad)} problems" if bad else f"valid HAR {about['version']}"
    click.echo(f"{name}: {verdict}, {count} entries, written by {about['creator']}")
