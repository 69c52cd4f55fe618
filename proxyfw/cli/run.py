"""Runs the proxy until it is told to stop, in this process or in several."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING

from proxyfw.core import settings as core_settings
from proxyfw.exceptions import OptionsError
from proxyfw.log import TerminalLog
from proxyfw.options import Options
from proxyfw.proxy import Proxy

from .announcement import Announcement
from .loaded import check_waiting
from .loop import new_loop, stopped_by_signals
from .settings import Settings

if TYPE_CHECKING:
    from .post import Post


def run(settings: Settings) -> int:
    """Run and return the exit code. Raises ProxyfwError if the proxy cannot start."""
    gc.freeze()
    gc.enable()
    names, options = settings.addon_names(), settings.options()
    core_settings.declare(options)
    if options.workers < 1:
        raise OptionsError(f"workers: {options.workers} is too few; there is at least 1")
    if options.workers == 1:
        _run(settings, options, names)
        return 0
    from .post import LEFT
    from .workers import supervise

    post = supervise(options.workers, settings.verbosity)
    if isinstance(post, int):
        return post
    return 0 if _run(settings, options, names, post) else LEFT


def _run(settings: Settings, options: Options, names: list[str], post: Post | None = None) -> bool:
    with (
        TerminalLog(settings.verbosity, logger="") as log,
        asyncio.Runner(loop_factory=new_loop) as runner,
    ):
        if post:
            post.fit(log, settings.verbosity)
        return runner.run(_serve(settings, options, names, post))


async def _serve(settings: Settings, options: Options, names: list[str], post: Post | None) -> bool:
    """Serve until the end. Returns whether a signal has brought it."""
    proxy = Proxy(
        options,
        default_addons=names,
        addons=[post or Announcement()],
        network=post.network if post else None,
    )
    settings.complete(options)
    check_waiting(options, names)
    with stopped_by_signals(proxy.shutdown) as signals:
        await proxy.run()
    return bool(signals)
