"""``proxyfw addons``: what is installed, without running any of it."""

from __future__ import annotations

import ast
import tokenize
from importlib.util import find_spec
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


@click.command(short_help="List the installed addons.")
def addons() -> None:
    """List the installed addons: + is loaded by default, - on request with --addon NAME."""
    from proxyfw.addonmanager import installed
    from proxyfw.proxy import DEFAULT_ADDONS

    from .settings import DUMPER

    rows = [
        ("+" if name in (*DEFAULT_ADDONS, DUMPER) else "-", name, _origin(entry), _description(entry.module))
        for name, entry in installed().items()
    ]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    for row in rows:
        cells = [f"{cell:{width}}" for cell, width in zip(row, widths, strict=False)]
        click.echo("  ".join([f"{cells[0]} {cells[1]}", cells[2], row[3]]).rstrip())


def _origin(entry: EntryPoint) -> str:
    """The package that offers it."""
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.module


def _description(module: str) -> str:
    """The first sentence of the module's docstring, read from its source."""
    try:
        spec = find_spec(module)
        if spec is None or spec.origin is None:
            return "(cannot be found)"
        with tokenize.open(spec.origin) as source:
            text = ast.get_docstring(ast.parse(source.read())) or ""
    except (ImportError, OSError, SyntaxError, UnicodeDecodeError, ValueError) as problem:
        return f"(cannot be read: {problem})"
    first = " ".join(text.partition("\n\n")[0].split())
    return first.partition(". ")[0].partition(": ")[0].rstrip(".")
