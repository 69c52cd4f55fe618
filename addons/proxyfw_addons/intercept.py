"""Holds flows that a filter means, and looks after every held flow: lists it, and lets it go in time.

Without a filter it has no hook that traffic calls. Flows that scripts hold are looked after too.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

from proxyfw import ctx, hookimpl
from proxyfw.addonmanager import Loader
from proxyfw.command import command
from proxyfw.flow import Flow, Pause
from proxyfw.options import Duration, parse_filter

logger = logging.getLogger("proxyfw.intercept")

HOOKS = (
    "request", "response", "websocket_message", "tcp_message", "udp_message", "dns_request", "dns_response",
)  # fmt: skip
"""Where flows are held."""


class Intercept:
    """The options ``intercept…`` and the list of what is held."""

    def __init__(self) -> None:
        self._filter: Callable[[Flow], bool] | None = None
        self._pending: dict[Pause, asyncio.TimerHandle | None] = {}

    def load(self, loader: Loader) -> None:
        """Declare the options."""
        loader.add_option("intercept", str | None, None, "Hold the flows that this filter means.")
        loader.add_option("intercept_active", bool, True, "Off: hold nothing, whatever the filter.")
        loader.add_option(
            "intercept_timeout", Duration, Duration(30), "How long a flow is held at most; 0 is for ever."
        )
        loader.add_option(
            "intercept_timeout_action", str, "resume", "What then becomes of it.", choices=("resume", "kill")
        )

    def configure(self, updated: set[str]) -> None:
        """Take up the filter."""
        if updated & {"intercept", "intercept_active"}:
            self._use(ctx.options.intercept if ctx.options.intercept_active else None)

    def _use(self, text: str | None) -> None:
        self._filter = parse_filter("intercept", text)
        ctx.master.addons.set_hooks(self, **dict.fromkeys(HOOKS, self._consider if self._filter else None))

    @hookimpl(trylast=True, optionalhook=True)  # what other addons make of it is what counts
    def _consider(self, flow: Flow) -> None:
        if self._filter and not flow.is_replay and self._filter(flow):
            flow.intercept()

    # What is held

    def flow_paused(self, pause: Pause) -> None:
        """A flow is held, by us or by a script."""
        if pause.timeout is None:
            pause.timeout = float(ctx.options.intercept_timeout)
        seconds = pause.timeout
        loop = asyncio.get_running_loop()
        timer = loop.call_later(seconds, self._time_out, pause, seconds) if seconds else None
        self._pending[pause] = timer
        logger.info("flow %s is held after %s%s", pause.flow.id, pause.hook, _by(pause))

    def flow_resumed(self, pause: Pause) -> None:
        """It is not held any more."""
        timer = self._pending.pop(pause, None)
        if timer:
            timer.cancel()
        if pause.ended == "gone":
            logger.info("flow %s is over: nobody waits for it any more", pause.flow.id)

    def _time_out(self, pause: Pause, seconds: float) -> None:
        action = pause.then or ctx.options.intercept_timeout_action
        pause.ended = "timeout"
        logger.warning(
            "flow %s was held after %s for %g s%s: %s",
            pause.flow.id, pause.hook, seconds, _by(pause) or " (intercept_timeout)",
            "killed" if action == "kill" else "resumed",
        )  # fmt: skip
        if action == "kill" and pause.flow.killable:
            pause.flow.kill()
        else:
            pause.flow.resume()

    @property
    def pending(self) -> list[Pause]:
        """What is held, the earliest first."""
        return list(self._pending)

    @command("intercept.pending")
    def list_pending(self) -> Sequence[Any]:
        """What is held: each flow's id, after which hook, by whom, since when (1970), how long at most."""
        return [pause.get_state() for pause in self._pending]

    def done(self) -> None:
        """Let nothing be held for good by our leaving."""
        for timer in self._pending.values():
            if timer:
                timer.cancel()
        for pause in self.pending:
            pause.flow.resume()


def _by(pause: Pause) -> str:
    return f" by {pause.by}" if pause.by else ""
