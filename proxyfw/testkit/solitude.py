"""An addon on its own: options, commands and hooks without traffic."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from proxyfw import ctx, hookspecs
from proxyfw.addonmanager import AddonManager
from proxyfw.command import CommandManager
from proxyfw.core.settings import declare
from proxyfw.flow import Flow
from proxyfw.http import HTTPFlow
from proxyfw.options import Options


class AddonContext:
    """A proxy without traffic: options, commands and addons as the real one has them."""

    def __init__(self, **options: Any) -> None:
        self.options = Options(**options)
        declare(self.options)
        self.commands = CommandManager()
        self.log = ctx.log
        self.addons = AddonManager(self)

    def shutdown(self) -> None:
        """A script wants the proxy to end; nothing to do here."""

    def renew_connections(self, *hosts: str) -> None:
        """There are none."""

    def configure(self, **changes: Any) -> None:
        """Change options as a user would. Raises OptionsError."""
        self.options.update(**changes)

    async def cycle(self, flow: Flow) -> Flow:
        """Let the addons see *flow* as if it happened now, up to its end; returns it for chaining."""
        call = self.addons.call
        if isinstance(flow, HTTPFlow):
            await call(hookspecs.requestheaders, flow)
            await call(hookspecs.request, flow)
            if flow.error:
                await call(hookspecs.error, flow)
            elif flow.response:
                await call(hookspecs.responseheaders, flow)
                await call(hookspecs.response, flow)
        await call(hookspecs.flow_end, flow)
        return flow


@contextmanager
def addon_test_context(*addons: object, **options: Any) -> Iterator[AddonContext]:
    """Load *addons* with *options*; inside the block `proxyfw.ctx` is theirs.

    with addon_test_context(MyAddon(), my_option=3) as context:
        flow = await context.cycle(http_flow("http://example.com/"))
    """
    context = AddonContext(**options)
    with ctx.use(context):
        for addon in addons:
            context.addons.add(addon)
        context.options.check_deferred()
        yield context
