"""Flags that addons declare for their options: found on a command line before and after addons are loaded.

Which flags there are is known only once addons are loaded, and how they are loaded depends on values. So a
flag is looked for when its option is declared, and when all are, the line as a whole is checked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import click

from proxyfw.addon.option import check_flags
from proxyfw.options import Given, Option, Options

_PREFIX = "option_"
_BY_PARAMETER = {"scripts": "scripts", "modes": "mode", "no_server": "server"}
"""Parameters of the command line that set an option of another name."""
_LENIENT = {"ignore_unknown_options": True, "allow_extra_args": True, "allow_interspersed_args": True}


class CommandLine(Options):
    """Options that know the words of the command line, and find in them the flags of those declared later."""

    def __init__(self, own: Sequence[click.Parameter], words: Sequence[str]) -> None:
        super().__init__()
        self.__dict__["_own"] = own
        self.__dict__["_words"] = words

    _own: Sequence[click.Parameter]
    _words: Sequence[str]

    def asks_for(self, names: Iterable[str], flags: Iterable[str] = ()) -> bool:
        """As `Options.asks_for`; short flags may stand in one word with others."""
        return super().asks_for(names) or any(
            word.partition("=")[0] == flag if flag.startswith("--") else flag[1:] in word[1:]
            for flag in flags
            for word in self._words
            if word.startswith("-") and word.startswith("--") == flag.startswith("--")
        )

    def add_option(self, name: str, typespec: Any, *args: Any, **more: Any) -> None:
        """As `Options.add_option`; a flag on the command line is the option's first value."""
        flags = {more.get("flag"), more.get("short")} - {None}
        if self._words and flags and name not in self:
            option = Option.declared(name, typespec, *_declaration(*args, **more))
            check_flags(option, map(self.option, self))
            context = lenient([*self._own, parameter(option)], self._words)
            self.give(dict(values(context, [option])))
        super().add_option(name, typespec, *args, **more)


def _declaration(
    default: Any,
    help: str,
    choices: Iterable[Any] | None = None,
    *,
    flag: str | None = None,
    short: str | None = None,
    source: str = "proxyfw",
) -> tuple[Any, ...]:
    return default, help, choices, flag, short, source


def lenient(own: Iterable[click.Parameter], words: Sequence[str]) -> click.Context:
    """What *words* mean for the parameters *own*, whatever else is among them. Nothing is refused."""
    own = list(own)
    known = {flag for param in own for flag in param.opts}
    kept = [word for word in words if word[:1] != "-" or word[:2] in known or word[:2] in ("--", "-")]
    command = click.Command("proxyfw", params=own, context_settings=_LENIENT, add_help_option=False)
    return command.make_context("proxyfw", kept, resilient_parsing=True)


def strict(own: Iterable[click.Parameter], words: Sequence[str], options: Options) -> click.Context:
    """What *words* mean now that all *options* are declared; raises UsageError for what nobody knows."""
    command = click.Command(
        "proxyfw",
        params=[*own, *parameters(options)],
        context_settings={"allow_extra_args": True, "help_option_names": ["-h", "--help"]},
    )
    return command.make_context("proxyfw", list(words))


def values(context: click.Context, options: Iterable[Option]) -> Iterator[tuple[str, Given]]:
    """What the flags of *options* were given."""
    for option in options:
        found = context.params.get(_PREFIX + option.name)
        if found is None or found == ():
            continue
        texts = tuple(found) if isinstance(found, list | tuple) else (_switch(option, found),)
        yield option.name, Given(texts=texts, origin="/".join(option.flags))


def parameters(options: Options) -> list[click.Option]:
    """The flags that addons have declared, in the order of their names."""
    declared = [option for name in options if (option := options.option(name)).flags]
    return [parameter(option) for option in sorted(declared, key=lambda option: option.flags[-1])]


def parameter(option: Option) -> click.Option:
    """The flags of one option, as click has them. Their values are text."""
    flags = (_PREFIX + option.name, *option.flags)
    if option.kind.base is bool and not option.kind.sequence:
        return click.Option(flags, is_flag=True, default=None, help=option.help)
    many = option.kind.repeatable
    about = f"{option.about} Repeatable." if many else option.about
    metavar = option.name.rpartition("_")[2].upper()
    return click.Option(flags, type=str, multiple=many, default=None, metavar=metavar, help=about)


def of_options(own: Iterable[click.Parameter]) -> dict[str, tuple[str, ...]]:
    """The flags of the command line itself that set an option, by the name of that option."""
    named = {_BY_PARAMETER.get(param.name or "", param.name or ""): param for param in own}
    return {name: tuple(param.opts) for name, param in named.items()}


def _switch(option: Option, found: object) -> str:
    if found is True:
        return "false" if (option.flag or "").startswith("--no-") else "true"
    return str(found)
