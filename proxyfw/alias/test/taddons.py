"""``mitmproxy.test.taddons``: a proxy without traffic, to test addons in."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from proxyfw import ctx
from proxyfw.alias import leftovers, names_of
from proxyfw.alias.eventsequence import iterate
from proxyfw.flow import Flow
from proxyfw.script import ScriptLoader
from proxyfw.testing import AddonContext


class context:
    """``with taddons.context(addon) as tctx:`` the addon is loaded, and ``mitmproxy.ctx`` is this one's."""

    def __init__(self, *addons: object, options: Any = None, loadcore: bool = True) -> None:
        self.master = AddonContext()
        self.options = self.master.options
        leftovers.declare(self.options)
        self._entered = ctx.use(self.master)
        for addon in addons:
            self.master.addons.add(addon)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._entered.reset()

    async def cycle(self, addon: object, f: Flow) -> None:
        """Let *addon* see *f* go through all its hooks; it must be loaded."""
        for event in iterate(f):
            hook = getattr(addon, event.name, None)
            result = hook(*event.args()) if hook else None
            if inspect.isawaitable(result):
                await result

    def configure(self, addon: object, **kwargs: Any) -> None:
        """Set options, and have *addon* configured, loading it if it is not. Raises OptionsError."""
        if addon not in self.master.addons:
            self.master.addons.add(addon)
        before = dict(self.options.items())
        self.options.update(**kwargs)
        unchanged = {name for name in kwargs if before.get(name) == kwargs[name]}
        if unchanged and hasattr(addon, "configure"):
            addon.configure(unchanged)

    def script(self, path: str | Path) -> Any:
        """Load a script; its first addon, or its module if it lists none."""
        loader = ScriptLoader(self.master.addons)
        name = loader.add(path)
        module = self.master.addons.get(name)
        listed = getattr(module, "addons", None)
        return listed[0] if listed else module

    def command(self, func: Callable[..., Any], *args: Any) -> Any:
        """Call a command of an addon with *args* as text."""
        self.master.commands.add("test.command", func)
        return self.master.commands.call_strings("test.command", [str(arg) for arg in args])


__getattr__ = names_of("test.taddons")
