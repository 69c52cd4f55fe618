"""What time it is in a test."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable


def now() -> float:
    """Seconds of the running loop."""
    return asyncio.get_running_loop().time()


async def seconds_of(work: Awaitable[object]) -> float:
    """How long *work* takes."""
    began = now()
    await work
    return now() - began
