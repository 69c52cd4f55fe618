"""``proxyfw hooks``: the moments that an addon can take part in, from their declarations."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import click

from .settings import nearest


@click.command(short_help="List the hooks of addons, or explain one.")
@click.argument("name", required=False)
def hooks(name: str | None) -> None:
    """List the hooks of scripts and addons, or explain the one called NAME."""
    from proxyfw.hookspecs import HOOKS

    if name is None:
        return _list()
    if name not in HOOKS:
        raise click.UsageError(f"there is no hook {name!r}{_hint(name)}")
    hook = HOOKS[name]
    arguments = ", ".join(f"{p.name}: {p.annotation}" for p in inspect.signature(hook).parameters.values())
    click.echo(f"{name}({arguments})\n\n{inspect.getdoc(hook)}")


def _list() -> None:
    from proxyfw.hookspecs import GROUPS, HOOKS

    calls = {name: _call(hook) for name, hook in HOOKS.items()}
    width = max(map(len, calls.values()))
    group = None
    for name, hook in HOOKS.items():
        if GROUPS[name] != group:
            click.echo(("\n" if group else "") + click.style(GROUPS[name], bold=True))
            group = GROUPS[name]
        first = (hook.__doc__ or "").partition("\n")[0]
        click.echo(f"  {calls[name]:{width}}  {first}")


def _call(hook: Callable[..., None]) -> str:
    return f"{hook.__name__}({', '.join(inspect.signature(hook).parameters)})"


def _hint(name: str) -> str:
    from proxyfw.addon.spelling import maybe_meant
    from proxyfw.hookspecs import HOOKS

    meant = maybe_meant(name, HOOKS)
    return f"; did you mean {meant!r}?" if meant else nearest(name, HOOKS, 0.5)
