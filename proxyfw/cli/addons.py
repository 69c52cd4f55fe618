"""``proxyfw addons``: which are installed, without running any, and the package of a new one."""

from __future__ import annotations

import ast
import tokenize
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

_NEXT = """
Now, in an environment that has proxyfw:

    cd {name}
    pip install -e '.[test]'
    pytest
    proxyfw --addon {name}"""


@click.group(invoke_without_command=True, short_help="List the installed addons, or begin a new one.")
@click.pass_context
def addons(context: click.Context) -> None:
    """List the installed addons: + is loaded by default, - on request with --addon NAME."""
    if context.invoked_subcommand is None:
        _list()


@addons.command("list", short_help="List the installed addons.")
def list_() -> None:
    """List the installed addons: + is loaded by default, - on request with --addon NAME."""
    _list()


@addons.command(short_help="Write the package of a new addon.")
@click.argument("name")
def new(name: str) -> None:
    """Write the package of a new addon into the new directory NAME: module, option, test, entry point.

    It can be installed, tested and run as it is. NAME is that of the package and of the addon.
    """
    from . import skeleton

    for path in skeleton.write(name, Path()):
        click.echo(f"wrote {path}")
    click.echo(_NEXT.format(name=name))


def _list() -> None:
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
