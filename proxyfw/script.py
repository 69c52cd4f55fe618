"""Scripts: Python files given by path, loaded as addons, and loaded again when they or their helpers change.

A new version takes over only if it loads; calls that are in progress finish with the old one. What counts as
an addon is not decided here but in `proxyfw.addonmanager`.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

from proxyfw import ctx, hookspecs
from proxyfw.addon.report import located, place_of
from proxyfw.addon.source import Source, Stamp, forget, stamp
from proxyfw.addonmanager import AddonManager, Loader
from proxyfw.exceptions import AddonError, OptionsError

logger = logging.getLogger("proxyfw.reload")


def concurrent(function: Callable[..., None]) -> Callable[..., Awaitable[None]]:
    """Decorates a hook that blocks: it runs in a thread; its own flow waits for it, others do not.

    Raises `AddonError` for ``load`` and ``configure``, which must be complete when they return, and for a
    function that is ``async`` and needs no thread.
    """
    name = function.__name__
    if name in hookspecs.SYNC_ONLY or inspect.iscoroutinefunction(function):
        reason = f"@concurrent is not for {name}()" if name in hookspecs.SYNC_ONLY else f"{name}() is async"
        raise AddonError(located(*place_of(function), f"{reason}: leave the decorator out"))

    @functools.wraps(function)
    async def in_thread(*arguments: Any) -> None:
        await asyncio.to_thread(function, *arguments)

    return in_thread


@dataclass(slots=True)
class Script:
    """A loaded script: the name of its addon, its file, and the state in which its files were last seen."""

    name: str
    path: Path
    module: ModuleType
    seen: dict[Path, Stamp]


class ScriptLoader:
    """The addon behind ``-s`` and the option ``scripts``: loads scripts, watches them while the proxy runs.

    New scripts are called after all other addons, or *before* the addon of that name. Their files are looked
    at every *interval* seconds.
    """

    name = "scriptloader"

    def __init__(
        self,
        addons: AddonManager,
        *,
        before: str | None = None,
        interval: float = 0.5,
    ) -> None:
        self.scripts: list[Script] = []
        self._addons = addons
        self._before = before
        self._interval = interval
        self._watching: asyncio.Task[None] | None = None

    # the addon

    def load(self, loader: Loader) -> None:
        """Declare the option."""
        loader.add_option("scripts", Sequence[str], [], "Script files to run, in this order.")

    def configure(self, updated: set[str]) -> None:
        """Make the loaded scripts those of the option."""
        if "scripts" in updated:
            try:
                self.use(ctx.options.scripts)
            except AddonError as problem:
                raise OptionsError(str(problem)) from problem

    def running(self) -> None:
        """Begin to watch."""
        self._watching = asyncio.get_running_loop().create_task(self.watch())

    async def done(self) -> None:
        """Stop watching."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait([self._watching])
            self._watching = None

    # loading

    def use(self, paths: Sequence[str | Path]) -> None:
        """Have exactly these scripts loaded, in this order; on `AddonError`, those that were before."""
        wanted = [_absolute(path) for path in paths]
        loaded = {script.path: script for script in self.scripts}
        added: list[Path] = []
        try:
            for path in wanted:
                if wanted.count(path) > 1:
                    raise AddonError(f"{path}: this script is given twice")
                if path not in loaded:
                    self.add(path)
                    added.append(path)
        except (AddonError, OptionsError):
            for path in added:
                self.remove(path)
            raise
        for path in loaded.keys() - set(wanted):
            self.remove(path)
        self._arrange(wanted)

    def add(self, path: str | Path) -> str:
        """Load a script and return the name of its addon.

        Raises `AddonError` (``path:line: message`` and the source line) or `OptionsError` if it cannot.
        """
        source = Source(_absolute(path))
        name = source.path.name if source.path.name not in self._addons else str(source.path)
        seen = {source.path: stamp(source.path)}
        with ctx.use(self._addons.master), self._addons.contentviews.loading(name), source.loaded() as module:
            self._addons.add(module, name, before=self._before)
        seen |= {file: stamp(file) for file in source.files - seen.keys()}
        self.scripts.append(Script(name, source.path, module, seen))
        return name

    def remove(self, path: str | Path) -> None:
        """Unload a script. Raises `AddonError` if it is not loaded."""
        wanted = _absolute(path)
        for script in self.scripts:
            if script.path == wanted:
                self.scripts.remove(script)
                self._addons.remove(script.name)
                forget(script.module)
                return
        raise AddonError(f"{path}: this script is not loaded")

    def _arrange(self, order: list[Path]) -> None:
        sorted_scripts = sorted(self.scripts, key=lambda script: order.index(script.path))
        if sorted_scripts != self.scripts:
            self.scripts = sorted_scripts
            for before, script in pairwise(sorted_scripts):
                self._addons.move(script.name, after=before.name)

    # watching

    async def watch(self) -> None:
        """Load again what has changed, for ever."""
        while True:
            await asyncio.sleep(self._interval)
            try:
                self.check()
            except Exception:
                logger.exception("watching scripts failed; it goes on")

    def check(self) -> None:
        """Look at all files once, and load again the scripts that have changed."""
        refreshed: set[Path] = set()
        for script in list(self.scripts):
            now = {file: stamp(file) for file in script.seen}
            changed = {file for file in now if now[file] != script.seen[file]}
            script.seen = now
            if now[script.path] is None:
                if script.path in changed:
                    logger.warning("%s is gone; the version that was loaded stays in use", script.path)
                continue
            if changed:
                self._reload(script, changed != {script.path}, refreshed)

    def _reload(self, script: Script, helpers_changed: bool, refreshed: set[Path]) -> None:
        """Put a new version in place; *refreshed* are the folders whose helpers are new already."""
        source = Source(script.path)
        fresh = helpers_changed and source.folder not in refreshed
        try:
            views = self._addons.contentviews.loading(script.name)
            with ctx.use(self._addons.master), views, source.loaded(fresh) as module:
                self._addons.replace(script.name, module)
        except (AddonError, OptionsError) as problem:
            logger.error("%s\n%s was not reloaded: the version before stays in use", problem, script.name)
        else:
            forget(script.module)
            script.module = module
            script.seen = {script.path: script.seen[script.path]}
            if fresh:
                refreshed.add(source.folder)
            logger.info("reloaded %s", script.name)
        script.seen |= {file: stamp(file) for file in source.files - script.seen.keys()}


def _absolute(path: str | Path) -> Path:
    return Path(os.path.abspath(os.path.expanduser(path)))
