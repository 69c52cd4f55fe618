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
    from proxyfw.hookspecs import HAND_OVER, HOOKS

    if name is None:
        return _list()
    hook = HOOKS.get(name) or HAND_OVER.get(name)
    if hook is None:
        raise click.UsageError(f"there is no hook {name!r}{_hint(name)}")
    arguments = ", ".join(f"{p.name}: {p.annotation}" for p in inspect.signature(hook).parameters.values())
    click.echo(f"{name}({arguments})\n\n{inspect.getdoc(hook)}")


def _list() -> None:
    from proxyfw.hookspecs import GROUPS, HAND_OVER, HOOKS

    width = max(len(_call(hook)) for hook in HOOKS.values())
    for group in dict.fromkeys(GROUPS.values()):
        click.echo(click.style(group, bold=True))
        for name, hook in HOOKS.items():
            if GROUPS[name] == group:
                _line(hook, width)
        click.echo()
    click.echo(click.style("around a reload", bold=True))
    for function in HAND_OVER.values():
        _line(function, width)


def _line(hook: Callable[..., object], width: int) -> None:
    first = (hook.__doc__ or "").partition("\n")[0]
    click.echo(f"  {_call(hook):{width}}  {first}")


def _call(hook: Callable[..., object]) -> str:
    return f"{hook.__name__}({', '.join(inspect.signature(hook).parameters)})"


def _hint(name: str) -> str:
    from proxyfw.addon.spelling import maybe_meant
    from proxyfw.hookspecs import HOOKS

    meant = maybe_meant(name, HOOKS)
    return f"; did you mean {meant!r}?" if meant else nearest(name, HOOKS, 0.5)
