"""``mitmproxy.log``: the level ALERT, log entries, and handlers of an addon's own."""

from __future__ import annotations

import logging

from proxyfw import ctx
from proxyfw.log import ALERT, LogEntry, TerminalFormatter
from proxyfw.log import ScriptLog as Log

from . import names_of

__all__ = [
    "ALERT",
    "Log",
    "LogEntry",
    "LogLevels",
    "MitmFormatter",
    "MitmLogHandler",
    "log_tier",
]

LogLevels = ["error", "warn", "info", "alert", "debug"]
MitmFormatter = TerminalFormatter


class MitmLogHandler(logging.Handler):
    """A handler that an addon installs on all logs; it hears what belongs to its own proxy, or to none."""

    def __init__(self, level: int = logging.NOTSET) -> None:
        super().__init__(level)
        self._proxy = ctx.current()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether *record* is for this handler."""
        if self._proxy is not None and ctx.current() not in (None, self._proxy):
            return False
        return bool(super().filter(record))

    def install(self) -> None:
        """Begin to hear."""
        logging.getLogger().addHandler(self)

    def uninstall(self) -> None:
        """Stop."""
        logging.getLogger().removeHandler(self)


def log_tier(level: str) -> int | None:
    """The place of a level's name among all, the worst being 0."""
    return {"error": 0, "warn": 1, "info": 2, "alert": 2, "debug": 3}.get(level)


__getattr__ = names_of("log")
