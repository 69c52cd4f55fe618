"""Rules from files and from the configuration, read again when a file changes.

A change that cannot be read is reported with its line and column, and the rules before it stay in force.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from proxyfw import command, config, ctx, rules
from proxyfw.addonmanager import Loader
from proxyfw.exceptions import CommandError, OptionsError
from proxyfw.flow import Flow
from proxyfw.options import Data
from proxyfw.rules import Rule, RuleBook

log = logging.getLogger("proxyfw.rules")

_INTERVAL = 0.5
"""Seconds between two looks at the files."""

Stamp = tuple[int, int, int] | None


class RuleFiles:
    """The addon: options `rules` and `rules_file`."""

    name = "rules"

    def __init__(self) -> None:
        self._seen: dict[Path, Stamp] = {}
        self._watching: asyncio.Task[None] | None = None

    def load(self, loader: Loader) -> None:
        """Declare the options."""
        loader.add_option("rules", Data, [], "Rules, as they are written in a rule file.")
        loader.add_option(
            "rules_file", Sequence[str], [], "Rule files, YAML; read again when they change.", flag="--rules"
        )

    def configure(self, updated: set[str]) -> None:
        """Read the rules. Raises OptionsError while the proxy runs; before, its start says what is wrong."""
        problem = None
        if "rules" in updated:
            problem = self._book.provide_from(self.name, self._inline)
        if "rules_file" in updated:
            self._seen = {Path(path).expanduser().absolute(): None for path in ctx.options.rules_file}
            problem = self._read_files() or problem
        if problem and self._watching:
            raise problem

    def running(self) -> None:
        """Begin to watch the files."""
        self._watching = asyncio.get_running_loop().create_task(self._watch())

    async def done(self) -> None:
        """Stop watching."""
        if self._watching:
            self._watching.cancel()
            await asyncio.wait([self._watching])
            self._watching = None

    @property
    def _book(self) -> RuleBook:
        book: RuleBook = ctx.master.addons.rules
        return book

    def _inline(self) -> list[Rule]:
        confdir = Path(ctx.options.confdir).expanduser()
        try:
            return self._book.read(list(ctx.options.rules), confdir)
        except OptionsError:
            self._point_out(confdir)
            raise

    def _point_out(self, confdir: Path) -> None:
        """Raise OptionsError with line and column if it is the configuration file that is wrong."""
        path = config.find(confdir)
        if path is not None:
            file = rules.open_file(path, alone=False)
            if file.data == ctx.options.plain_value("rules"):
                file.rules(self._book)

    def _read_files(self) -> OptionsError | None:
        self._seen = {path: _stamp(path) for path in self._seen}
        return self._book.provide_from("rules_file", self._from_files)

    def _from_files(self) -> Iterator[Rule]:
        for path in self._seen:
            yield from rules.open_file(path).rules(self._book)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_INTERVAL)
            self.check()

    def check(self) -> None:
        """Look at the files once, and read them again if one has changed."""
        if all(_stamp(path) == seen for path, seen in self._seen.items()):
            return
        problem = self._read_files()
        if problem:
            log.error("%s\nthe rules before this change stay in force", problem)
        else:
            log.info("read %d rules from %s", len(self._book), ", ".join(path.name for path in self._seen))

    @command.command("rules.list")
    def list_rules(self) -> Sequence[str]:
        """All rules in the order they run in, with how often they have been used."""
        return [f"{active.rule}: used {active.used} times" for active in self._book.current.active]

    @command.command("rules.trace")
    def trace(self, flow: Flow) -> Sequence[str]:
        """What rules did to a flow, one line each."""
        if flow.trace is None:
            raise CommandError(f"flow {flow.id}: there were no rules that act on such a flow")
        return [str(step) for step in flow.trace]


def _stamp(path: Path) -> Stamp:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
