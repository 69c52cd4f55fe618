"""Commands that change the options of the running proxy, one by one or from a file."""

from __future__ import annotations

from proxyfw import config, ctx, types
from proxyfw.command import command
from proxyfw.exceptions import CommandError, OptionsError


class Options:
    """The commands ``set`` and ``options.…``; without hooks, so that they cost nothing."""

    @command("set")
    def set(self, option: str, *value: str) -> None:
        """Set an option: ``set NAME VALUE`` or ``set NAME=VALUE``.

        Several values are one, with spaces between. Without a value a bool becomes true and anything else
        empty; ``toggle`` inverts a bool.
        """
        _change(f"{option}={' '.join(value)}" if value else option)

    @command("options.reset")
    def reset(self) -> None:
        """Give all options their defaults again."""
        ctx.options.reset()

    @command("options.reset.one")
    def reset_one(self, name: str) -> None:
        """Give one option its default again."""
        try:
            ctx.options.reset(name)
        except OptionsError as problem:
            raise CommandError(str(problem)) from None

    @command("options.load")
    def load_file(self, path: types.Path) -> None:
        """Set options from a file in YAML."""
        try:
            config.load(ctx.options, path)
        except OptionsError as problem:
            raise CommandError(str(problem)) from None

    @command("options.save")
    def save_file(self, path: types.Path) -> None:
        """Write the options that are not what they are by default into a file in YAML."""
        try:
            config.save(ctx.options, path)
        except OptionsError as problem:
            raise CommandError(str(problem)) from None


def _change(spec: str) -> None:
    try:
        ctx.options.set(spec)
    except OptionsError as problem:
        raise CommandError(str(problem)) from None
