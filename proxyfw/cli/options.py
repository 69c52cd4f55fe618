"""``proxyfw options``: all options of what would be loaded, for people, as a ``config.yaml``, as a schema."""

from __future__ import annotations

import inspect
import re
import shutil
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import click

from .settings import Settings, nearest

if TYPE_CHECKING:
    from proxyfw.options import Option, Options
    from proxyfw.proxy import Proxy

_NOT_IN_FILE = "confdir"
"""The file is found by it, so it cannot be in the file."""
_SECRET = ("upstream_auth", "cert_passphrase", "proxyauth")
_LOGIN = re.compile(r"(://[^\s:/@]*:)\S*@")
"""User and password in a URL."""
_DRAFT = "https://json-schema.org/draft/2020-12/schema"


@click.command(short_help="List, explain and save options.")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "yaml", "json-schema"]),
    default="text",
    help="yaml: a config.yaml with comments; json-schema: what editors check one with.",
)
@click.option("-s", "--script", "scripts", multiple=True, metavar="PATH", help="Those of a script too.")
@click.option("--addon", "addons", multiple=True, metavar="[no:]NAME", help="Those of an addon too.")
@click.option("--set", "specs", multiple=True, metavar="NAME[=VALUE]", help="Set an option. Repeatable.")
@click.option(
    "--save", is_flag=True, help="Write what --set says into config.yaml, and leave the rest of it."
)
@click.pass_obj
def options(
    outer: Settings | None, /, names: tuple[str, ...], form: str, save: bool, **more: tuple[str, ...]
) -> None:
    """Show all options that a run would have, or those called NAME, with types, defaults and values."""
    from .loaded import check_waiting, proxy_of

    settings = joined(outer or Settings(), more)
    proxy = proxy_of(settings)
    check_waiting(proxy.options, settings.addon_names())
    if save:
        _save(proxy.options, settings)
        return
    shown = _chosen(proxy.options, names)
    if form == "text":
        click.echo("\n".join(_text(proxy, shown)))
    elif form == "yaml":
        click.echo("\n".join(_yaml(proxy, shown)))
    else:
        click.echo(_json(_schema(shown), indent=2))


def joined(outer: Settings, more: dict[str, tuple[str, ...]]) -> Settings:
    """What stands before the word ``options`` and what stands behind it."""
    return replace(
        outer,
        scripts=outer.scripts + more["scripts"],
        addons=outer.addons + more["addons"],
        specs=outer.specs + more["specs"],
    )


def _chosen(options: Options, names: Iterable[str]) -> list[Option]:
    for name in names:
        if name not in options:
            raise click.UsageError(f"there is no option {name!r}{nearest(name, options)}")
    return [options.option(name) for name in names or options]


def _save(options: Options, settings: Settings) -> None:
    from proxyfw import config

    names = {spec.partition("=")[0].strip() for spec in settings.specs} - {_NOT_IN_FILE}
    if not names:
        raise click.UsageError("--save: say what to save, as in --set listen_port=8081 --save")
    path = config.find(options.confdir) or Path(options.confdir).expanduser() / config.NAMES[0]
    config.save(options, path, names)
    click.echo(f"saved {', '.join(sorted(names))} in {path}")


# For people


def _text(proxy: Proxy, shown: list[Option]) -> Iterator[str]:
    from .main import program

    flags = _flags(shown, program.params)
    for source in dict.fromkeys(option.source for option in shown):
        yield click.style(origin(proxy, source), bold=True)
        for option in shown:
            if option.source == source:
                yield from _entry(proxy.options, option, flags.get(option.name, ()))
        yield ""


def _flags(shown: list[Option], own: list[click.Parameter]) -> dict[str, tuple[str, ...]]:
    from .flags import of_options

    return of_options(own) | {option.name: option.flags for option in shown if option.flags}


def _entry(options: Options, option: Option, flags: tuple[str, ...]) -> Iterator[str]:
    from proxyfw.config import PREFIX

    plain = option.kind.plain
    default = _shown(plain(option.check(option.default)))
    value = f", now {_public(option, options)}" if options.has_changed(option.name) else ""
    yield f"  {click.style(option.name, fg='green')}  {option.kind}, default {default}{value}"
    yield from paragraph(option.about)
    yield f"      {', '.join((*flags, PREFIX + option.name.upper()))}"


def paragraph(text: str) -> list[str]:
    """The lines of an explanation, as wide as the terminal but for a margin, and never too wide to read."""
    width = max(40, min(98, shutil.get_terminal_size((98, 24)).columns - 2))
    return textwrap.wrap(text, width, initial_indent=" " * 6, subsequent_indent=" " * 6)


def origin(proxy: Proxy, source: str | None) -> str:
    """Who declares the options of *source*, and where."""
    if source in ("proxyfw", None):
        return "The proxy"
    addon: Any = proxy.addons.get(str(source))
    module = addon if isinstance(addon, ModuleType) else inspect.getmodule(type(addon))
    file = getattr(module, "__file__", None)
    return f"{'Script' if str(source).endswith('.py') else 'Addon'} {source}{f' ({file})' if file else ''}"


def _public(option: Option, options: Options) -> str:
    """The value as it may be looked at over somebody's shoulder; in a config.yaml it has to stand."""
    if option.name in _SECRET:
        return "***"
    return _LOGIN.sub(r"\1***@", _shown(options.plain_value(option.name)))


def _shown(plain: object) -> str:
    if plain in (None, [], {}, ""):
        return "none" if plain is None else "empty"
    if isinstance(plain, list) and all(isinstance(item, str) for item in plain):
        return " ".join(plain)
    return plain if isinstance(plain, str) else _json(plain)


def _json(value: object, indent: int | None = None) -> str:
    import json  # here, because every command imports this module

    return json.dumps(value, indent=indent, ensure_ascii=False)


# For programs


def _yaml(proxy: Proxy, shown: list[Option]) -> Iterator[str]:
    from proxyfw.addon.yaml_text import flow_text

    yield "# Options of proxyfw. Remove the # before those that are to differ from their defaults."
    for source in dict.fromkeys(option.source for option in shown):
        yield f"\n# {origin(proxy, source)}"
        for option in shown:
            if option.source != source or option.name == _NOT_IN_FILE:
                continue
            yield ""
            about = f"{option.about} ({option.kind})"
            yield from textwrap.wrap(about, 100, initial_indent="# ", subsequent_indent="# ")
            mark = "" if proxy.options.has_changed(option.name) else "# "
            yield f"{mark}{flow_text({option.name: proxy.options.plain_value(option.name)})[1:-1]}"


def _schema(shown: list[Option]) -> dict[str, Any]:
    from proxyfw.addon.schema import option_schema

    return {
        "$schema": _DRAFT,
        "title": "config.yaml of proxyfw",
        "type": "object",
        "properties": {option.name: option_schema(option) for option in shown if option.name != _NOT_IN_FILE},
    }
