"""``from proxyfw import ctx``: the proxy on whose behalf the code is running.

`ctx.options`, `ctx.master` and `ctx.proxy` (the same object) belong to the proxy that is calling, found
through a context variable, so that several proxies can live in one process; `ctx.log` writes to its log.
"""

from __future__ import annotations

import threading
import weakref
from contextvars import ContextVar, Token
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

from proxyfw.log import ScriptLog

if TYPE_CHECKING:
    from proxyfw.addonmanager import AddonManager
    from proxyfw.command import CommandManager
    from proxyfw.options import Options


class Master(Protocol):
    """What code needs of the proxy it runs in: the real one, and the one of a test."""

    @property
    def options(self) -> Options: ...

    @property
    def addons(self) -> AddonManager: ...

    @property
    def commands(self) -> CommandManager: ...

    def shutdown(self) -> None: ...


class OutsideProxy(AttributeError, RuntimeError):
    """``ctx.options`` or ``ctx.master`` was read by code that no proxy is running."""


if TYPE_CHECKING:
    options: Options
    master: Any
    proxy: Any

#: Log from a script as the field does: ``ctx.log.info("…")``; the records go to logger ``proxyfw.script``.
log = ScriptLog()

_current: ContextVar[Any] = ContextVar("proxyfw.ctx")
_running: weakref.WeakSet[Any] = weakref.WeakSet()


class use:
    """Make *proxy* the current one: from now on in this context, or for the length of a ``with`` block."""

    __slots__ = ("_entered", "_proxy", "_token")

    def __init__(self, proxy: Any) -> None:
        self._proxy = proxy
        self._token: Token[Any] = _current.set(proxy)

    def __enter__(self) -> None:
        """Nothing left to do: the proxy has been current since the call."""

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.reset()

    def reset(self) -> None:
        """Make current again what was so before."""
        _current.reset(self._token)


def started(proxy: Any) -> None:
    """*proxy* is up: threads that its addons start without a context find it, if it is the only one."""
    _running.add(proxy)


def stopped(proxy: Any) -> None:
    """*proxy* is down; the opposite of `started`."""
    _running.discard(proxy)


def current() -> Any | None:
    """The proxy on whose behalf this code is running, or None."""
    proxy = _current.get(None)
    if proxy is None and threading.current_thread() is not threading.main_thread() and len(_running) == 1:
        return next(iter(_running), None)  # a thread started by a script has a context of its own
    return proxy


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
