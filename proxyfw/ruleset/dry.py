"""Rules over a flow that is not on the wire: what they would do, and what they would make of it."""

from __future__ import annotations

from proxyfw.flow import Flow
from proxyfw.http import HTTPFlow
from proxyfw.model.trace import Trace
from proxyfw.ruleset.walk import Rules


async def dry_run(rules: Rules, flow: Flow) -> tuple[Trace, Flow]:
    """What *rules* would do to *flow*, and a copy of it as they leave it.

    A response that the flow has stands for the origin's. Nothing is waited for and no network touched.
    """
    copy = flow.copy()
    copy.error = None
    recorded = copy.response if isinstance(copy, HTTPFlow) else None
    if isinstance(copy, HTTPFlow):
        copy.response = None
    for hook in ("requestheaders", "request") if isinstance(copy, HTTPFlow) else ("dns_request",):
        await _step(rules, hook, copy)
    if isinstance(copy, HTTPFlow):
        copy.response = copy.response or recorded
        if copy.response is not None and copy.error is None:
            for hook in ("responseheaders", "response"):
                await _step(rules, hook, copy)
    await _step(rules, "flow_end", copy)
    return copy.trace or Trace(rules), copy


async def _step(rules: Rules, hook: str, flow: Flow) -> None:
    pending = rules.run(hook, (flow,), dry=True)
    if pending is not None:
        await pending
