"""Sending a recorded request again: which can be, and the flow that becomes of it.

Nothing here sends anything; `proxyfw.Proxy.replay` does, and the addon ``replay`` has the commands for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from proxyfw import flow as flows
from proxyfw.dns import DNSFlow
from proxyfw.exceptions import ProxyfwError
from proxyfw.flow import Flow
from proxyfw.http import HTTPFlow
from proxyfw.model.url import host_and_port
from proxyfw.tcp import TCPFlow
from proxyfw.udp import UDPFlow

__all__ = ["REPLAY_OF", "hooks_of", "obstacle", "prepared"]

REPLAY_OF = "replay_of"
"""The entry of `Flow.metadata` that holds the id of the flow which a replay repeats."""


def obstacle(flow: Flow) -> str | None:
    """Why the request of *flow* cannot be sent again; None if it can."""
    if not isinstance(flow, HTTPFlow):
        return f"it is a {flow.type} flow: only HTTP requests can be sent again"
    if flow.live:
        return "it is still under way: wait for its end, or replay flow.copy()"
    if flow.intercepted:
        return "it is intercepted: resume or kill it first"
    return _obstacle_in_request(flow)


def _obstacle_in_request(flow: HTTPFlow) -> str | None:
    request = flow.request
    if flow.websocket is not None or request.headers.get("upgrade", "").lower() == "websocket":
        return "it is a WebSocket: only plain requests can be sent again"
    if request.method_bytes == b"CONNECT":
        return "it is a tunnel: replay the flows that went through it"
    if request.raw_content is None:
        return "the body of its request was not recorded: see the option stream_large_bodies"
    if request.truncated:
        return "the body of its request was recorded in part: see the option capture_limit"
    return None


def prepared(flow: Flow) -> HTTPFlow:
    """The flow that repeats *flow*, as it is before it is sent: without response and error.

    It is *flow* itself, backed up for ``revert()``, if that is a `Flow.copy`, or has neither response nor
    error; else a copy, so that nothing recorded is lost. `REPLAY_OF` in its metadata names the flow that was
    repeated. Raises ProxyfwError if there is an `obstacle`.
    """
    reason = obstacle(flow)
    if reason:
        raise ProxyfwError(f"flow {flow.id} cannot be replayed: {reason}")
    assert isinstance(flow, HTTPFlow)
    unused = flow.response is None and flow.error is None
    if unused or flow.copied_from:
        first, again = flow.copied_from, flow
        again.backup()
    else:
        first, again = flow.id, flow.copy()
    again.copied_from = None
    if first:
        again.metadata[REPLAY_OF] = first
    _renew(again)
    return again


def _renew(flow: HTTPFlow) -> None:
    request, now = flow.request, flows.clock()
    flow.response = flow.error = None
    flow.is_replay = "request"
    flow.timestamp_created = request.timestamp_start = now
    request.timestamp_end = None
    request.stream = False
    if "host" not in request.headers and not request.authority_bytes:
        host = host_and_port(request.scheme, request.host, request.port)
        request.headers.insert(0, "Host", host)


def hooks_of(flow: Flow) -> Iterator[str]:
    """The names of the hooks that *flow* would go through if it happened now, in their order.

    Messages are there one after the other, so that the last one is what each message hook is about. Raises
    TypeError for a flow of another kind.
    """
    if isinstance(flow, HTTPFlow):
        yield from _http(flow)
    elif isinstance(flow, TCPFlow | UDPFlow):
        yield f"{flow.type}_start"
        yield from _messages(flow, f"{flow.type}_message")
        yield f"{flow.type}_error" if flow.error else f"{flow.type}_end"
    elif isinstance(flow, DNSFlow):
        yield "dns_request"
        if flow.response:
            yield "dns_response"
        if flow.error:
            yield "dns_error"
    else:
        raise TypeError(f"there are no hooks of {flow!r}")
    yield "flow_end"


def _http(flow: HTTPFlow) -> Iterator[str]:
    yield from ("requestheaders", "request")
    if flow.response:
        yield from ("responseheaders", "response")
    if flow.websocket:
        yield "websocket_start"
        yield from _messages(flow.websocket, "websocket_message")
        yield "websocket_end"
    elif flow.error:
        yield "error"


def _messages(holder: Any, hook: str) -> Iterator[str]:
    messages, holder.messages = holder.messages, []
    for message in messages:
        holder.messages.append(message)
        yield hook
