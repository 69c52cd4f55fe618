"""Commands that installed packages add to the command line: entry points of the group ``proxyfw.cli``.

The name of an entry point is that of its command, with a dot before a part: ``flows.export`` is ``proxyfw
flows export``. It names a `click.Command`, and is imported when the command is called or a help lists it. A
command gets an object from `click.pass_obj` whose ``option(name)`` is the value that an option has in a run.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint

import click

from proxyfw.addon.loading import offered

GROUP = "proxyfw.cli"


def names() -> list[str]:
    """The first words of all commands that packages add."""
    return sorted({entry.name.partition(".")[0] for entry in offered(GROUP)})


def command(name: str) -> click.Command | None:
    """The command *name*, with what others have added to it; a broken one says so when it is called."""
    offers = {entry.name: entry for entry in offered(GROUP)}
    more = {
        key.removeprefix(f"{name}."): entry for key, entry in offers.items() if key.startswith(f"{name}.")
    }
    found = _loaded(offers[name]) if name in offers else None
    if not more:
        return found
    return Extended(found if isinstance(found, click.Group) else click.Group(name), more)


class Extended(click.Group):
    """The group *base*, and commands of other packages in it."""

    def __init__(self, base: click.Group, more: dict[str, EntryPoint]) -> None:
        super().__init__(
            base.name, base.commands, help=base.help, short_help=base.short_help, params=base.params
        )
        self._more = more

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All of them, sorted."""
        return sorted({*super().list_commands(ctx), *self._more})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The group's own, before those of others."""
        found = super().get_command(ctx, cmd_name)
        if found is None and cmd_name in self._more:
            return _loaded(self._more[cmd_name])
        return found


def _loaded(entry: EntryPoint) -> click.Command:
    try:
        found = entry.load()
    except Exception as problem:
        return _broken(entry, f"cannot be loaded: {type(problem).__name__}: {problem}")
    return found if isinstance(found, click.Command) else _broken(entry, "is no click command")


def _broken(entry: EntryPoint, reason: str) -> click.Command:
    """A command that says what is wrong with it, so that a help can still list the others."""

    def refuse() -> None:
        raise click.UsageError(f"the command {entry.name} ({entry.value}) {reason}")

    return click.Command(
        entry.name,
        callback=refuse,
        short_help=f"({reason})",
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )
