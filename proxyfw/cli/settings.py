"""What the command line was given, as options of the proxy and names of addons."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from proxyfw.options import Options

DUMPER = "dumper"


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

    @property
    def verbosity(self) -> int:
        """As `proxyfw.log.TerminalLog` takes it."""
        return self.verbose - self.quiet

    def options(self) -> Options:
        """All of it as options: those of ``--set`` first, so that a flag of its own wins."""
        from proxyfw.options import Options

        options = Options()
        options.set(*self.specs, defer=True)
        options.update_defer(**dict(self._given()))
        return options

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


def nearest(name: str, known: object, cutoff: float = 0.6) -> str:
    """``; did you mean 'x'?`` for the one of *known* that resembles *name*, or nothing."""
    import difflib

    found = difflib.get_close_matches(name, list(known), 1, cutoff)  # type: ignore[call-overload]
    return f"; did you mean {found[0]!r}?" if found else ""
