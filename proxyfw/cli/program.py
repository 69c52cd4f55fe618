"""How the command line behaves as a whole: its words, its errors, its exit codes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from proxyfw.exceptions import AddonError, OptionsError, ProxyfwError

from . import plugged
from .settings import Settings, check_filter

FAILED, WRONG_USAGE = 1, 2
WORDS = "proxyfw.words"
"""Where a context keeps the words of the command line."""


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
        """Unless the first word is a command, all words are a filter, wherever options stand among them.

        Flags that are not known may be those of addons, which are not loaded yet.
        """
        ctx.meta[WORDS] = list(args)
        try:
            return self._parse(ctx, list(args))
        except click.NoSuchOption:
            if ctx.resilient_parsing:
                raise
            if not {"-h", "--help"}.isdisjoint(args):
                click.echo(self.get_help(ctx))
                ctx.exit()
        ctx.params = {**self._known_of(args), "commands": tuple(self.list_commands(ctx))}
        ctx.args = []
        return []

    def _known_of(self, words: list[str]) -> dict[str, Any]:
        """What can be known of *words* before addons are loaded."""
        from .flags import lenient

        return {**lenient(self.params, words).params, "words": tuple(words), "own": tuple(self.params)}

    def _parse(self, ctx: click.Context, args: list[str]) -> list[str]:
        _, words, _ = self.make_parser(ctx).parse_args(list(args))
        if not words or self.get_command(ctx, words[0]) is not None:
            return super().parse_args(ctx, args)
        ctx.allow_interspersed_args = True
        words = click.Command.parse_args(self, ctx, args)
        check_filter(words, self.list_commands(ctx))
        ctx.params["filter"] = " ".join(words)
        ctx.args = []
        return []

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Our own, and those of installed packages."""
        return sorted({*super().list_commands(ctx), *plugged.names()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Our own, before those of installed packages."""
        return super().get_command(ctx, cmd_name) or plugged.command(cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """What the help shows behind the flags: those of the addons that would be loaded; the commands."""
        if WORDS in ctx.meta:
            records = [record for param in self._addon_flags(ctx) if (record := param.get_help_record(ctx))]
            if records:
                with formatter.section("Options of addons"):
                    formatter.write_dl(records)
        super().format_commands(ctx, formatter)

    def _addon_flags(self, ctx: click.Context) -> list[click.Option]:
        from .flags import parameters
        from .loaded import options_of

        settings = Settings(**self._known_of(ctx.meta[WORDS]))
        try:
            return parameters(options_of(settings))
        except (ProxyfwError, click.UsageError) as problem:
            complain(f"without the options of addons: {problem}", FAILED)
            return []

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
