"""Logging: the level ALERT, the terminal of the command line, and ``ctx.log``.

Everything of the proxy logs to ``proxyfw`` and below with the standard library; nothing is configured unless
a `TerminalLog` is installed, which leaves other loggers and their handlers alone.
"""

from __future__ import annotations

import logging
import os
import select
import sys
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TextIO

from proxyfw.addon.context import current
from proxyfw.redaction import redacted_text

#: Between INFO and WARNING: shown even when INFO is not, without being a problem.
ALERT = logging.INFO + 5
logging.addLevelName(ALERT, "ALERT")

_COLOURS = {
    logging.DEBUG: "2",
    ALERT: "35",
    logging.WARNING: "33",
    logging.ERROR: "31",
    logging.CRITICAL: "31;1",
}
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "alert": ALERT, "warn": logging.WARNING,
           "warning": logging.WARNING, "error": logging.ERROR}  # fmt: skip
_ESCAPES = {code: f"\\x{code:02x}" for code in [*range(32), *range(127, 160)] if code not in (9, 10)}
_ESCAPES |= {code: f"\\u{code:04x}" for code in [*range(0x202A, 0x202F), *range(0x2066, 0x206A)]}


@dataclass(frozen=True, slots=True)
class LogEntry:
    """A log message and its level name, as the hook ``add_log`` gets it."""

    msg: str
    level: str


class ScriptLog:
    """What scripts know as ``ctx.log``: a short form of logger ``proxyfw.script``."""

    def __init__(self, logger: str = "proxyfw.script") -> None:
        self._logger = logging.getLogger(logger)

    def __call__(self, text: object, level: str = "info") -> None:
        """Log *text* under the name of a *level*."""
        self._log(_LEVELS[level], text)

    def debug(self, text: object) -> None:
        """Log what only the author of the script wants to know."""
        self._log(logging.DEBUG, text)

    def info(self, text: object) -> None:
        """Log an ordinary message."""
        self._log(logging.INFO, text)

    def alert(self, text: object) -> None:
        """Log what should be seen although nothing is wrong."""
        self._log(ALERT, text)

    def warn(self, text: object) -> None:
        """Log what may be a problem."""
        self._log(logging.WARNING, text)

    warning = warn

    def error(self, text: object) -> None:
        """Log a failure."""
        self._log(logging.ERROR, text)

    def _log(self, level: int, text: object) -> None:
        self._logger.log(level, "%s", text, stacklevel=3)


def level_of(verbosity: int) -> int:
    """The lowest level to show: ERROR for -2 and less, then WARNING, INFO at 0, DEBUG for 1 and more."""
    return {-1: logging.WARNING, 0: logging.INFO}.get(
        verbosity, logging.DEBUG if verbosity > 0 else logging.ERROR
    )


def escape(text: str) -> str:
    """*text* with everything that could steer a terminal made visible; lines and tabs stay."""
    return text.translate(_ESCAPES)


def in_one_piece(data: bytes | memoryview) -> int:
    """How many bytes of *data* to write at once if other processes write to the same place: whole lines.

    They are as many as a pipe takes in one piece, unless the first line alone is longer.
    """
    if len(data) <= select.PIPE_BUF:
        return len(data)
    lines = bytes(data[: select.PIPE_BUF]).rfind(b"\n") + 1
    return lines or bytes(data).find(b"\n") + 1 or len(data)


def is_terminal(stream: TextIO | None) -> bool:
    """Whether somebody looks at *stream*."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # it is closed
        return False


def wants_colour(stream: TextIO | None) -> bool:
    """Whether to write to *stream* in colours: NO_COLOR, else FORCE_COLOR, else whether it is a terminal."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR", "0") not in ("", "0"):
        return True
    return os.environ.get("TERM") != "dumb" and is_terminal(stream)


class TerminalFormatter(logging.Formatter):
    """``12:30:59 warning  text``: escaped, further lines indented, colour by level if asked for.

    Secrets are left out as *proxy* wants, or the one that is calling.
    """

    def __init__(self, colour: bool = False, proxy: Any = None) -> None:
        super().__init__()
        self._colour = colour
        self._proxy = proxy

    def format(self, record: logging.LogRecord) -> str:
        """The line or lines to print."""
        text = record.getMessage()
        if record.exc_info:
            text = f"{text}\n{self.formatException(record.exc_info)}"
        text = redacted_text(text, self._proxy)
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        level = f"{record.levelname.lower():8}"
        paint = _COLOURS.get(record.levelno) if self._colour else None
        if paint:
            level = f"\x1b[{paint}m{level}\x1b[0m"
        return f"{clock} {level} " + escape(text).replace("\n", "\n    ")


class TerminalLog(logging.Handler):
    """Shows log records on the terminal: install it, remove it, or use it as a context manager.

    With a *proxy*, records of other proxies in the process are left out. *logger* is the name of the logger
    to listen to; the empty name is the root logger, for programs whose terminal it is.
    """

    def __init__(
        self, verbosity: int = 0, stream: TextIO | None = None, proxy: Any = None, logger: str = "proxyfw"
    ) -> None:
        super().__init__(level_of(verbosity))
        self._stream = stream
        self._proxy = proxy
        self._logger = logging.getLogger(logger)
        self.setFormatter(TerminalFormatter(self.in_colour(), proxy))

    def in_colour(self) -> bool:
        """Whether what it shows is coloured."""
        return wants_colour(self._stream or sys.stderr)

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether *record* is of our proxy, or of none."""
        if self._proxy is not None and current() not in (None, self._proxy):
            return False
        return bool(super().filter(record))

    def emit(self, record: logging.LogRecord) -> None:
        """Write *record* and flush."""
        try:
            stream = self._stream or sys.stderr
            stream.write(self.format(record) + "\n")
            stream.flush()
        except Exception:
            self.handleError(record)

    def install(self) -> None:
        """Begin to show records."""
        self._logger.addHandler(self)
        _fit_level(self._logger)

    def remove(self) -> None:
        """Stop; the logger's level is as if we had never been there."""
        self._logger.removeHandler(self)
        _fit_level(self._logger)
        self.close()

    def __enter__(self) -> TerminalLog:
        self.install()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.remove()


_levels_before: dict[str, int] = {}


def _fit_level(logger: logging.Logger) -> None:
    """Let *logger* pass what its terminals want to show, and give it its own level back at the end."""
    wanted = [handler.level for handler in logger.handlers if isinstance(handler, TerminalLog)]
    before = _levels_before.setdefault(logger.name, logger.level)
    logger.setLevel(min([*wanted, *([before] if before else [])]) if wanted else before)
    if not wanted:
        del _levels_before[logger.name]
