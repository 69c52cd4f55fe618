"""Which event loop the proxy runs on, and how signals reach it."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

VARIABLE = "PROXYFW_LOOP"
"""``asyncio`` or ``uvloop``; otherwise uvloop where it is installed."""
INTERRUPTED = 130


def new_loop() -> asyncio.AbstractEventLoop:
    """A loop of the kind that the environment asks for. Raises ImportError if that is not installed."""
    wanted = os.environ.get(VARIABLE, "")
    if wanted != "asyncio":
        try:
            import uvloop
        except ImportError:
            if wanted == "uvloop":
                raise
        else:
            return uvloop.new_event_loop()
    return asyncio.new_event_loop()


@contextmanager
def stopped_by_signals(stop: Callable[[], object]) -> Iterator[list[int]]:
    """Call *stop* in the running loop at the first SIGINT or SIGTERM; a SIGINT after that ends the process.

    These are plain signal handlers, not the loop's, so that the second one works even where a script has the
    loop in its hands. Yields the list of the signals that have come.
    """
    loop = asyncio.get_running_loop()
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield received  # only the main thread may have handlers: the program around it ends the proxy
        return

    def handle(number: int, frame: FrameType | None) -> None:
        if received and number == signal.SIGINT:
            os._exit(INTERRUPTED)
        received.append(number)
        if len(received) == 1:
            loop.call_soon_threadsafe(stop)

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
