"""``mitmproxy.utils.asyncio_utils``: tasks with a name."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from proxyfw.alias import names_of

_kept: set[asyncio.Task[Any]] = set()


def create_task(
    coro: Coroutine[Any, Any, Any], *, name: str, keep_ref: bool = True, client: object = None
) -> asyncio.Task[Any]:
    """A task called *name* that is not lost before it is over."""
    task = asyncio.get_running_loop().create_task(coro, name=name)
    _kept.add(task)
    task.add_done_callback(_kept.discard)
    return task


__getattr__ = names_of("utils.asyncio_utils")
