"""``proxyfw run PROGRAM``: a Python program that contains a proxy, in which ``import mitmproxy`` is ours."""

from __future__ import annotations

import gc
import os
import runpy
import sys

import click


@click.command(
    "run",
    short_help="Run a Python program that contains a proxy.",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.argument("program")
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
def run(program: str, args: tuple[str, ...]) -> None:
    """Run a Python program that contains a proxy, written for mitmproxy or for proxyfw.

    In it, ``import mitmproxy`` is proxyfw; otherwise it runs as ``python PROGRAM ARGS`` would.
    """
    if not os.path.isfile(program):
        raise click.UsageError(f"{program}: there is no such file")
    from proxyfw import as_mitmproxy

    as_mitmproxy()
    gc.enable()
    sys.argv = [program, *args]
    sys.path.insert(0, os.path.dirname(os.path.abspath(program)))
    runpy.run_path(program, run_name="__main__")
