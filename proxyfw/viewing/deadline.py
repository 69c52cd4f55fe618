"""Calls plain code that may never return, and gives up on it after a while."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import copy_context
from typing import Generic, TypeVar

T = TypeVar("T")


class _Stopped(BaseException):
    """Time is over; ``except Exception`` does not catch it."""


class _Attempt(Generic[T]):
    """One call, in a thread of its own; *result* is there once *finished*."""

    result: T
    problem: Exception | None = None
    finished = False

    def __init__(self, function: Callable[[], T]) -> None:
        self._function = function

    def run(self) -> None:
        try:
            self.result = self._function()
        except _Stopped:
            return
        except Exception as problem:
            self.problem = problem
        except BaseException as problem:  # sys.exit, for one: it would end this thread and say nothing
            self.problem = RuntimeError(f"it raised {type(problem).__name__}")
        self.finished = True


def within(seconds: float, function: Callable[[], T]) -> T:
    """What *function* returns, or raises; TimeoutError if it takes longer than *seconds*.

    It runs in a thread, in a copy of the caller's context, while the caller waits. When time is over an
    exception ends the thread; it reaches Python code, but not a C function that does not return.
    """
    attempt = _Attempt(function)
    thread = threading.Thread(
        target=copy_context().run, args=(attempt.run,), name="proxyfw-deadline", daemon=True
    )
    thread.start()
    thread.join(seconds)
    if not attempt.finished:
        _stop(thread)
        raise TimeoutError
    if attempt.problem is not None:
        raise attempt.problem
    return attempt.result


def _stop(thread: threading.Thread) -> None:
    """Raise `_Stopped` in *thread*."""
    import ctypes

    interrupt = getattr(ctypes, "pythonapi", None)
    if interrupt is not None and thread.ident is not None:
        interrupt.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(_Stopped))
