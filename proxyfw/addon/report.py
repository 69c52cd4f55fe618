"""Reports on addons: where in the user's own code something happened, and what the line says."""

from __future__ import annotations

import functools
import inspect
import linecache
import logging
import traceback
from collections.abc import Callable
from os.path import dirname, join
from types import TracebackType
from typing import TYPE_CHECKING, Any

from proxyfw.flow import Flow

if TYPE_CHECKING:
    from proxyfw.addon.calls import Implementation

logger = logging.getLogger("proxyfw")
_OURS = join(dirname(dirname(__file__)), "")


def located(file: str, line: int, message: str, column: int | None = None, width: int = 1) -> str:
    """*message* with the place it is about, and its source line; a caret if *column* (from 1) is known."""
    linecache.checkcache(file)
    source = linecache.getline(file, line)
    text = f"{file}:{line}: {message}"
    if code := source.strip():
        text += f"\n    {code}"
        indent = len(source) - len(source.lstrip())
        if column is not None and column > indent:
            text += "\n    " + " " * (column - 1 - indent) + "^" * max(width, 1)
    return text


def place_of(function: Callable[..., Any]) -> tuple[str, int]:
    """File and line where *function*, however wrapped, is written."""
    while isinstance(function, functools.partial):
        function = function.func
    function = inspect.unwrap(function)
    code = getattr(function, "__code__", None) or getattr(type(function).__call__, "__code__", None)
    return (code.co_filename, code.co_firstlineno) if code else ("<unknown>", 0)


def user_frames(problem: BaseException) -> TracebackType | None:
    """The traceback of *problem* without the frames of this package; whole if there are no others."""
    kept = []
    entry = problem.__traceback__
    while entry is not None:
        if not _is_ours(entry.tb_frame.f_code.co_filename):
            kept.append(entry)
        entry = entry.tb_next
    trimmed: TracebackType | None = None
    for entry in reversed(kept):
        trimmed = TracebackType(trimmed, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return trimmed or problem.__traceback__


def _is_ours(file: str) -> bool:
    return file.startswith((_OURS, "<frozen importlib"))


def user_place(problem: BaseException, directory_or_file: str) -> tuple[str, int] | None:
    """File and line of the innermost frame of *problem* that lies in the given file or folder."""
    found = None
    for frame, line in traceback.walk_tb(problem.__traceback__):
        if frame.f_code.co_filename.startswith(directory_or_file):
            found = (frame.f_code.co_filename, line)
    return found


def log_failure(implementation: Implementation, problem: Exception, args: tuple[Any, ...]) -> None:
    """Log that an addon raised in a hook, once, and note it on the flow if the hook is about one."""
    file, line = user_place(problem, implementation.file) or (implementation.file, implementation.line)
    summary = f"{type(problem).__name__}: {problem}" if str(problem) else type(problem).__name__
    logger.error(
        "addon %s failed in %s(): %s (%s, line %d)",
        implementation.addon, implementation.hook, summary, file, line,
        exc_info=(type(problem), problem, user_frames(problem)),
    )  # fmt: skip
    if args and isinstance(args[0], Flow):
        args[0].addon_errors.append(f"{implementation.addon}: {implementation.hook}: {summary}")
