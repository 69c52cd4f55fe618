"""``mitmproxy.master``: a proxy as programs of the field contain one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from proxyfw.flow import Flow
from proxyfw.log import TerminalLog
from proxyfw.proxy import DEFAULT_ADDONS, Proxy

from . import names_of
from .options import Options


class Master(Proxy):
    """`proxyfw.Proxy` with the constructor that such programs call.

    ``await run()`` serves until `shutdown` is called, from whatever thread.
    """

    def __init__(
        self,
        opts: Options | None = None,
        event_loop: asyncio.AbstractEventLoop | None = None,
        with_termlog: bool = False,
        *,
        default_addons: Sequence[str] = DEFAULT_ADDONS,
    ) -> None:
        super().__init__(Options() if opts is None else opts, default_addons=default_addons)
        self._terminal = TerminalLog(proxy=self) if with_termlog else None

    async def run(self) -> None:
        """Start, wait for `shutdown`, stop."""
        if self._terminal is None:
            await super().run()
            return
        with self._terminal:
            await super().run()

    async def load_flow(self, flow: Flow) -> None:
        """Let the addons see a flow that was saved, as if it happened now."""
        from .eventsequence import iterate

        for event in iterate(flow):
            await self.addons.call(event.function, *event.args())


__getattr__ = names_of("master")
