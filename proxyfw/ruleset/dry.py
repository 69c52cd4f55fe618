"""Rules over a flow that is not on the wire: what they would do, and what they would make of it."""

from __future__ import annotations

from proxyfw.dns import DNSFlow
from proxyfw.flow import Flow
from proxyfw.http import HTTPFlow
from proxyfw.model.trace import Trace
from proxyfw.replay import hooks_of
from proxyfw.ruleset.walk import Rules

_AT_THE_END = ("error", "flow_end")


async def dry_run(rules: Rules, flow: Flow) -> tuple[Trace, Flow]:
    """What *rules* would do to *flow*, and a copy of it as they leave it.

    A response that the flow has stands for the origin's, its messages for those of both sides. Nothing is
    waited for and no network touched.
    """
    copy = flow.copy()
    copy.error = None
    recorded = None
    if isinstance(copy, HTTPFlow | DNSFlow):
        recorded, copy.response = copy.response, None
    for hook in hooks_of(copy):
        if hook in _AT_THE_END or not _over(copy):
            pending = rules.run(hook, (copy,), dry=True)
            if pending is not None:
                await pending
        if hook in ("request", "dns_request") and not _over(copy):
            _answer(copy, recorded)
    return copy.trace or Trace(rules), copy


def _over(copy: Flow) -> bool:
    return copy.error is not None


def _answer(copy: Flow, recorded: object) -> None:
    """Let the origin answer, unless a rule has: then nobody has opened a WebSocket to it."""
    assert isinstance(copy, HTTPFlow | DNSFlow)
    if copy.response is None:
        copy.response = recorded  # type: ignore[assignment]  # of the same kind
    elif isinstance(copy, HTTPFlow):
        copy.websocket = None
