"""``proxyfw exec -- CMD …``: runs a program whose traffic goes through a proxy that lives as long as it does.

Standard input, output and errors are the program's; what the proxy prints goes to standard error.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from typing import Any

import click

from .settings import Settings


class Exec(click.Command):
    """Takes the options of the program itself, then a command line that it leaves alone."""

    def __init__(self, options: Sequence[click.Parameter]) -> None:
        """*options*: those of ``proxyfw``, which may stand before the word ``exec`` or behind it."""
        super().__init__(
            "exec",
            callback=_exec,
            params=[
                *(option for option in options if option.name not in _NOT_OURS),
                click.Argument([_WORDS], nargs=-1, type=click.UNPROCESSED),
            ],
            help=(
                "Run CMD with its traffic going through the proxy, and trusting it, by environment alone.\n\n"
                "The exit code is CMD's. The port is a random one unless -p says another. What stands before "
                "-- and is no option is a filter for what is printed."
            ),
            short_help="Run a program through the proxy.",
        )

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """What the help shows behind the program's name."""
        return ["[OPTIONS]", "[[FILTER]...", "--]", "CMD", "[ARGS]..."]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Options, and before ``--`` a filter; the rest is the command.

        Only there can flags stand that addons will know once they are loaded.
        """
        command: list[str] = []
        divided = "--" in args
        if divided:
            at = args.index("--")
            args, command = args[:at], args[at + 1 :]
        ctx.allow_interspersed_args = divided
        given = list(args)
        try:
            super().parse_args(ctx, args)
        except click.NoSuchOption:
            if not divided:
                raise
            from .flags import lenient

            own = [param for param in self.params if isinstance(param, click.Option)]
            ctx.params = {**lenient(own, given).params, "own": tuple(own), "words": tuple(given)}
        else:
            words = ctx.params.pop(_WORDS)
            ctx.params["filter"] = " ".join(words) or None if divided else None
            command = command if divided else words
        ctx.params["command"] = command
        if not ctx.params["command"]:
            raise click.UsageError("what to run is missing: proxyfw exec -- CMD")
        return []


_WORDS = "words"
_NOT_OURS = ("version", "workers", "no_server")
"""What makes no sense here."""


def _exec(command: Sequence[str], **given: Any) -> int:
    outer = click.get_current_context().obj
    settings = _merged(outer if isinstance(outer, Settings) else Settings(), given)
    from .launch import run

    sys.stdout = sys.stderr  # that one is the program's
    return run(settings, command)


def _merged(outer: Settings, given: dict[str, Any]) -> Settings:
    """What stands behind ``exec`` wins; what may be repeated adds up."""
    changes: dict[str, Any] = {}
    for name, value in given.items():
        before = getattr(outer, name)
        if isinstance(before, tuple):
            changes[name] = (*before, *value)
        elif value not in (None, False):
            changes[name] = value
    return dataclasses.replace(outer, **changes)
