"""Runs the proxy until it is told to stop, and says on the log how to use it."""

from __future__ import annotations

import asyncio
import logging
import shlex

from proxyfw import ctx
from proxyfw.log import TerminalLog
from proxyfw.options import Options
from proxyfw.proxy import Proxy

from .loop import new_loop, stopped_by_signals
from .settings import Settings

logger = logging.getLogger("proxyfw")


def run(settings: Settings) -> int:
    """Run and return the exit code. Raises ProxyfwError if the proxy cannot start."""
    names, options = settings.addon_names(), settings.options()
    with TerminalLog(settings.verbosity, logger=""), asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(_serve(options, names))
    return 0


async def _serve(options: Options, names: list[str]) -> None:
    proxy = Proxy(options, default_addons=names, addons=[Announcement()])
    with stopped_by_signals(proxy.shutdown):
        await proxy.run()


class Announcement:
    """Says where the proxy listens and how to try it, once it does."""

    def running(self) -> None:
        """Log it."""
        logger.info("%s", announcement(ctx.proxy))


def announcement(proxy: Proxy) -> str:
    """The lines that *proxy* greets its user with."""
    path = proxy.ca_cert_path
    if not proxy.addresses:
        return f"not listening\nCA certificate: {path}"
    places = ", ".join(_shown(address) for address in proxy.addresses)
    command = shlex.join(["curl", "-x", proxy.url, "--cacert", str(path), "https://example.com/"])
    return f"listening on {places}\nCA certificate: {path}\ntry: {command}"


def _shown(address: tuple[str, int]) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
