"""``proxyfw commands``: what can be called of what would be loaded, for people and for programs."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import click

from .options import joined, origin, paragraph
from .settings import Settings, nearest

if TYPE_CHECKING:
    from proxyfw.command import Command, CommandManager
    from proxyfw.proxy import Proxy


@click.command(short_help="List and explain commands.")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="Default text.")
@click.option("-s", "--script", "scripts", multiple=True, metavar="PATH", help="Those of a script too.")
@click.option("--addon", "addons", multiple=True, metavar="[no:]NAME", help="Those of an addon too.")
@click.option("--set", "specs", multiple=True, metavar="NAME[=VALUE]", help="Set an option. Repeatable.")
@click.pass_obj
def commands(outer: Settings | None, /, names: tuple[str, ...], form: str, **more: tuple[str, ...]) -> None:
    """Show all commands that a run would have, or those called NAME or NAME.something."""
    from .loaded import proxy_of

    proxy = proxy_of(joined(outer or Settings(), more))
    shown = _chosen(proxy.commands, names)
    if form == "json":
        import json

        click.echo(json.dumps([_described(command) for command in shown], indent=2, ensure_ascii=False))
    else:
        click.echo("\n".join(_text(proxy, shown, whole=bool(names))))


def _chosen(manager: CommandManager, names: Iterable[str]) -> list[Command]:
    known = manager.commands
    shown: dict[str, Command] = {}
    for name in names:
        found = {path: known[path] for path in known if path == name or path.startswith(f"{name}.")}
        if not found:
            raise click.UsageError(f"there is no command {name!r}{nearest(name, known)}")
        shown |= found
    return sorted((shown if names else known).values(), key=lambda command: command.name)


def _text(proxy: Proxy, shown: list[Command], whole: bool) -> Iterator[str]:
    for source in sorted({command.source for command in shown}):
        yield click.style(origin(proxy, source), bold=True)
        for command in shown:
            if command.source == source:
                yield from _entry(command, whole)
        yield ""


def _entry(command: Command, whole: bool) -> Iterator[str]:
    words = " ".join(["", *map(str, command.parameters)])
    yield f"  {click.style(command.name, fg='green')}{words}"
    paragraphs = command.help.split("\n\n")
    for text in paragraphs if whole else paragraphs[:1]:
        yield from paragraph(text)


def _described(command: Command) -> dict[str, Any]:
    return {
        "name": command.name,
        "usage": str(command),
        "parameters": [
            {
                "name": parameter.name,
                "type": parameter.kind.name,
                "required": parameter.required,
                "repeated": parameter.rest,
            }
            for parameter in command.parameters
        ],
        "returns": _spoken(command.returns),
        "async": inspect.iscoroutinefunction(command.function),
        "help": command.help,
        "source": command.source,
    }


def _spoken(annotation: Any) -> str | None:
    if annotation in (None, type(None)):
        return None
    return annotation.__name__ if isinstance(annotation, type) else str(annotation).replace("typing.", "")
