"""Which proxy the running code belongs to, in a context variable; `proxyfw.ctx` is what addons see of it."""

from __future__ import annotations

import threading
import weakref
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any

_current: ContextVar[Any] = ContextVar("proxyfw.ctx")
_running: weakref.WeakSet[Any] = weakref.WeakSet()


class use:
    """Make *proxy* the current one: from now on in this context, or for the length of a ``with`` block."""

    __slots__ = ("_token",)

    def __init__(self, proxy: Any) -> None:
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
