"""``from proxyfw import ctx``: the proxy on whose behalf the code is running.

`ctx.options`, `ctx.master` and `ctx.proxy` (the same object) belong to the proxy that is calling, found
through a context variable, so that several proxies can live in one process; `ctx.log` writes to its log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from proxyfw.addon.context import current, started, stopped, use
from proxyfw.log import ScriptLog

if TYPE_CHECKING:
    from proxyfw.addonmanager import AddonManager
    from proxyfw.command import CommandManager
    from proxyfw.options import Options


__all__ = ["Master", "OutsideProxy", "current", "log", "started", "stopped", "use"]


class Master(Protocol):
    """What code needs of the proxy it runs in: the real one, and the one of a test."""

    @property
    def options(self) -> Options: ...

    @property
    def addons(self) -> AddonManager: ...

    @property
    def commands(self) -> CommandManager: ...

    def shutdown(self) -> None: ...

    def renew_connections(self, *hosts: str) -> None: ...


class OutsideProxy(AttributeError, RuntimeError):
    """``ctx.options`` or ``ctx.master`` was read by code that no proxy is running."""


if TYPE_CHECKING:
    options: Options
    master: Any
    proxy: Any

#: Log from a script as the field does: ``ctx.log.info("…")``; the records go to logger ``proxyfw.script``.
log = ScriptLog()


def __getattr__(name: str) -> Any:
    if name not in ("options", "master", "proxy"):
        raise AttributeError(f"module 'proxyfw.ctx' has no attribute {name!r}")
    running = current()
    if running is None:
        raise OutsideProxy(
            f"ctx.{name} is only there while a proxy runs this code: in a hook, in a command, while a script "
            f"loads, or inside `with ctx.use(proxy):`"
        )
    return running.options if name == "options" else running
