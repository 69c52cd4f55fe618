"""How the command line behaves as a whole: its words, its errors, its exit codes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from proxyfw.exceptions import AddonError, OptionsError, ProxyfwError

from .settings import nearest

FAILED, WRONG_USAGE = 1, 2


class Program(click.Group):
    """A group that runs the proxy when no command is named, and says what is wrong in one line."""

    def main(  # type: ignore[override]  # click's has overloads by standalone_mode
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> NoReturn:
        """Run, and leave the process: 0, 1 (something failed), 2 (wrong usage) or 130 (interrupted)."""
        extra["standalone_mode"] = False
        try:
            code = super().main(args, prog_name, **extra)
        except click.ClickException as problem:
            code = complain(problem.format_message(), problem.exit_code)
        except click.Abort:
            code = 130
        except ProxyfwError as problem:
            code = complain(str(problem), WRONG_USAGE if is_wrong_usage(problem) else FAILED)
        sys.exit(code)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Unless the first word is a command, all words are a filter, wherever options stand among them."""
        _, words, _ = self.make_parser(ctx).parse_args(list(args))
        if not words or self.get_command(ctx, words[0]) is not None:
            return super().parse_args(ctx, args)
        ctx.allow_interspersed_args = True
        words = click.Command.parse_args(self, ctx, args)
        self._check_filter(ctx, words)
        ctx.params["filter"] = " ".join(words)
        ctx.args = []
        return []

    def _check_filter(self, ctx: click.Context, words: list[str]) -> None:
        """Refuse what is a filter only by accident."""
        word = words[0]
        if word.endswith(".py") and not word.startswith("~") and len(word.split()) == 1:
            raise click.UsageError(f"{word}: to run a script, write -s {word}")
        hint = nearest(word, self.list_commands(ctx), 0.75)
        if hint and len(words) == 1:
            raise click.UsageError(f"{word}: no such command{hint} As a filter, write '~u {word}'")

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """What the help shows behind the program's name."""
        return ["[OPTIONS]", "[FILTER]...", "|", "COMMAND"]


def is_wrong_usage(problem: ProxyfwError) -> bool:
    """Whether what was given is wrong in itself, not only what it led to: a script that does not load."""
    return isinstance(problem, OptionsError) and not isinstance(problem.__cause__, AddonError)


def complain(message: str, code: int) -> int:
    """Say what is wrong and return *code*."""
    click.echo(f"proxyfw: {message}", err=True)
    return code
