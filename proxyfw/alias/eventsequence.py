"""``mitmproxy.eventsequence``: the hooks that a flow would go through if it happened now."""

from __future__ import annotations

from collections.abc import Iterator

from proxyfw.dns import DNSFlow
from proxyfw.flow import Flow
from proxyfw.http import HTTPFlow
from proxyfw.tcp import TCPFlow
from proxyfw.udp import UDPFlow

from . import names_of
from .hooks import Hook, all_hooks


def iterate(f: Flow) -> Iterator[Hook]:
    """The hooks of *f*, in order; message by message where it has some. Raises TypeError."""
    if isinstance(f, HTTPFlow):
        yield from _http(f)
    elif isinstance(f, TCPFlow | UDPFlow):
        yield from _chunks(f)
    elif isinstance(f, DNSFlow):
        yield from _dns(f)
    else:
        raise TypeError(f"Unknown flow type: {f!r}")


def _http(f: HTTPFlow) -> Iterator[Hook]:
    yield from _named(f, "requestheaders", "request")
    if f.response:
        yield from _named(f, "responseheaders", "response")
    if f.websocket:
        messages, f.websocket.messages = f.websocket.messages, []
        yield from _named(f, "websocket_start")
        for message in messages:
            f.websocket.messages.append(message)
            yield from _named(f, "websocket_message")
        yield from _named(f, "websocket_end")
    elif f.error:
        yield from _named(f, "error")


def _chunks(f: TCPFlow | UDPFlow) -> Iterator[Hook]:
    messages, f.messages = f.messages, []
    yield from _named(f, f"{f.type}_start")
    for message in messages:
        f.messages.append(message)  # type: ignore[arg-type]  # each goes back where it came from
        yield from _named(f, f"{f.type}_message")
    yield from _named(f, f"{f.type}_error" if f.error else f"{f.type}_end")


def _dns(f: DNSFlow) -> Iterator[Hook]:
    yield from _named(f, "dns_request")
    if f.response:
        yield from _named(f, "dns_response")
    if f.error:
        yield from _named(f, "dns_error")


def _named(f: Flow, *names: str) -> Iterator[Hook]:
    return (all_hooks[name](f) for name in names)


__getattr__ = names_of("eventsequence")
