"""``proxyfw flows export``: a flow that was recorded as a command, a program, or the bytes of HTTP/1."""

from __future__ import annotations

from typing import BinaryIO

import click

from proxyfw.exceptions import ProxyfwError
from proxyfw_addons.storage.cli.place import library, store_option

from .formats import FORMATS, written


@click.command(short_help="Write a request as a command or program.")
@click.argument("id")
@click.option("--format", "format", type=click.Choice(FORMATS), default="curl", help="Default: curl.")
@click.option("-o", "--output", type=click.File("wb"), default="-", help="Write to this file.")
@store_option
def export(id: str, format: str, output: BinaryIO, store: str | None) -> None:
    """Write the flow whose id is ID, or begins so, as a command or program that sends its request again.

    The formats raw, raw_request and raw_response write its messages as the bytes of HTTP/1.
    """
    with library(store) as found:
        row = found.row(id)
        flow = found.flow(row["uid"]) if row is not None else None
        if flow is None:
            raise click.ClickException(f"no flow, or more than one, has an id that begins with {id!r}")
        try:
            output.write(written(format, flow))
        except ProxyfwError as problem:
            raise click.ClickException(str(problem)) from None
