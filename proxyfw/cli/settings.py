"""What the command line was given, as options of the proxy and names of addons."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proxyfw.options import Given, Options

DUMPER = "dumper"
DEFAULT_CONFDIR = "~/.proxyfw"


@dataclass(frozen=True, slots=True)
class Settings:
    """The values of the command's own options; None and empty where they are not given."""

    scripts: tuple[str, ...] = ()
    listen_port: int | None = None
    listen_host: str | None = None
    modes: tuple[str, ...] = ()
    workers: int | None = None
    specs: tuple[str, ...] = ()
    quiet: bool = False
    verbose: bool = False
    no_server: bool = False
    ssl_insecure: bool = False
    confdir: str | None = None
    addons: tuple[str, ...] = ()
    flow_detail: int | None = None
    filter: str | None = None
    words: tuple[str, ...] = ()
    """The whole command line, if there are flags in it that only addons can know."""
    own: Sequence[click.Parameter] = ()
    """The flags that the command line has by itself; needed for *words*."""
    commands: Sequence[str] = ()
    """The commands there are; needed for *words*."""

    @property
    def verbosity(self) -> int:
        """As `proxyfw.log.TerminalLog` takes it."""
        return self.verbose - self.quiet

    def options(self) -> Options:
        """The options as all sources say, each before those that win over it.

        That is ``config.yaml``, the environment, ``--set``, flags. Raises OptionsError if the file is wrong.
        """
        from proxyfw import config

        from .flags import CommandLine

        options = CommandLine(self.own, self.words)
        variables = config.environment(os.environ)
        file = config.find(self._confdir(variables))
        if file:
            options.give(_without_confdir(config.read(file)))
        options.give(variables)
        options.set(*self.specs, defer=True, origin="--set")
        options.update_defer(**dict(self._given()))
        return options

    def option(self, name: str) -> Any:
        """The value that the option *name* would have in a run. Raises ProxyfwError, UsageError."""
        from .loaded import options_of

        return getattr(options_of(self), name)

    def _confdir(self, variables: Mapping[str, Given]) -> str:
        """Where the file is that options come from: what they themselves cannot say."""
        if self.confdir is not None:
            return self.confdir
        for spec in reversed(self.specs):
            name, _, value = spec.partition("=")
            if name.strip() == "confdir" and value:
                return value
        given = variables.get("confdir")
        return str(given.texts[-1]) if given and given.texts else DEFAULT_CONFDIR

    def complete(self, options: Options) -> None:
        """Give *options*, all of which are declared now, what is on the rest of the command line.

        Raises UsageError for flags that nobody has.
        """
        if not self.words:
            return
        from . import flags

        context = flags.strict(self.own, self.words, options)
        options.give(dict(flags.values(context, map(options.option, options))))
        if context.args:
            check_filter(context.args, self.commands)
            filtered = replace(self, filter=" ".join(context.args))
            options.update_defer(**dict(filtered._given()))

    def _given(self) -> Iterator[tuple[str, Any]]:
        for name in ("listen_port", "listen_host", "workers", "confdir"):
            if getattr(self, name) is not None:
                yield name, getattr(self, name)
        if self.scripts:
            yield "scripts", list(self.scripts)
        if self.modes:
            yield "mode", list(self.modes)
        if self.no_server:
            yield "server", False
        if self.ssl_insecure:
            yield "ssl_insecure", True
        if f"no:{DUMPER}" in self.addons:
            if self.filter is not None:
                raise click.UsageError(
                    f"{self.filter}: a filter is for the addon {DUMPER}, which is left out"
                )
        else:
            if self.filter is not None:
                yield "dumper_filter", self.filter
            if self.flow_detail is not None:
                yield "flow_detail", self.flow_detail
            elif self.quiet:
                yield "flow_detail", 0

    def addon_names(self) -> list[str]:
        """The installed addons to load, in order: the defaults, then those asked for, the dumper at the end.

        Raises UsageError for a name that no installed package offers.
        """
        from proxyfw.addonmanager import installed
        from proxyfw.proxy import DEFAULT_ADDONS

        known = installed()
        wanted = dict.fromkeys((*DEFAULT_ADDONS, DUMPER))
        for given in self.addons:
            name = given.removeprefix("no:")
            if name not in known:
                hint = nearest(name, known) or f"; there are {', '.join(known)}"
                raise click.UsageError(f"--addon {given}: no such addon is installed{hint}")
            if given == name:
                wanted[name] = None
            else:
                wanted.pop(name, None)
        return sorted(wanted, key=DUMPER.__eq__)


def _without_confdir(given: dict[str, Given]) -> dict[str, Given]:
    """*given*, unless it says where it is itself. Raises OptionsError."""
    from proxyfw.exceptions import OptionsError

    if "confdir" in given:
        reason = "confdir cannot be set in the file that is found by it: use --confdir or PROXYFW_CONFDIR"
        raise given["confdir"].error(OptionsError(reason))
    return given


def check_filter(words: Sequence[str], commands: Sequence[str]) -> None:
    """Refuse what is a filter only by accident. Raises UsageError."""
    word = words[0]
    if word.endswith(".py") and not word.startswith("~") and len(word.split()) == 1:
        raise click.UsageError(f"{word}: to run a script, write -s {word}")
    if word in commands:
        raise click.UsageError(
            f"{word}: before a command there can be no flags of addons: write --set NAME=VALUE instead"
        )
    hint = nearest(word, commands, 0.75)
    if hint and len(words) == 1:
        raise click.UsageError(f"{word}: no such command{hint} As a filter, write '~u {word}'")


def nearest(name: str, known: object, cutoff: float = 0.6) -> str:
    """``; did you mean 'x'?`` for the one of *known* that resembles *name*, or nothing."""
    import difflib

    found = difflib.get_close_matches(name, list(known), 1, cutoff)  # type: ignore[call-overload]
    return f"; did you mean {found[0]!r}?" if found else ""
