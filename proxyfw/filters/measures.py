"""Numbers that operators compare: sizes, times, ports, status codes. None where a flow has no such number."""

from __future__ import annotations

from proxyfw import flow as flows
from proxyfw.dns import DNSFlow
from proxyfw.filters.facts import (
    BOTH,
    RECEIVED,
    SENT,
    chunks,
    dns_messages,
    messages,
    request_of,
    response_of,
)
from proxyfw.flow import Flow
from proxyfw.http import HTTPFlow, Message
from proxyfw.tcp import TCPFlow
from proxyfw.udp import UDPFlow


def status(flow: Flow) -> float | None:
    """The status of the HTTP response."""
    response = response_of(flow)
    return None if response is None else response.status_code


def port(flow: Flow) -> float | None:
    """The server's port."""
    request = request_of(flow)
    if request is not None:
        return request.port
    address = flow.server_conn.address or flow.server_conn.peername
    return address[1] if address else None


def age(flow: Flow) -> float | None:
    """Seconds since the flow began."""
    return flows.clock() - _start(flow)


def duration(flow: Flow) -> float | None:
    """Seconds from its beginning to its end, or to the latest message of a stream; None before that."""
    end = flow.error.timestamp if flow.error is not None else _end(flow)
    return None if end is None else end - _start(flow)


def size(flow: Flow) -> float | None:
    """Bytes in both directions."""
    return _size(flow, BOTH)


def size_sent(flow: Flow) -> float | None:
    """Bytes from the client: body and messages, as they were sent."""
    return _size(flow, SENT)


def size_received(flow: Flow) -> float | None:
    """Bytes from the server."""
    return _size(flow, RECEIVED)


def _start(flow: Flow) -> float:
    if isinstance(flow, (HTTPFlow, DNSFlow)) and getattr(flow, "request", None) is None:
        return flow.timestamp_created
    return flow.timestamp_start


def _end(flow: Flow) -> float | None:
    if isinstance(flow, HTTPFlow):
        if flow.websocket is not None:
            return flow.websocket.timestamp_end
        return None if flow.response is None else flow.response.timestamp_end
    if isinstance(flow, DNSFlow):
        return None if flow.response is None else flow.response.timestamp
    if isinstance(flow, (TCPFlow, UDPFlow)):
        return flow.messages[-1].timestamp if flow.messages else flow.timestamp_end
    return None


def _size(flow: Flow, side: int) -> float | None:
    if isinstance(flow, DNSFlow):
        return sum(message.size for message in dns_messages(flow, side))
    if isinstance(flow, (TCPFlow, UDPFlow)):
        return max(_counted(flow, side), sum(map(len, chunks(flow, side))))
    total = sum(map(len, chunks(flow, side)))
    for message in messages(flow, side):
        length = _length(message)
        if length is None:
            return None
        total += length
    return total


def _counted(flow: TCPFlow | UDPFlow, side: int) -> int:
    """What went over the wire, kept or not."""
    sent = flow.bytes_from_client if side & SENT else 0
    return sent + (flow.bytes_from_server if side & RECEIVED else 0)


def _length(message: Message) -> int | None:
    """How long a body is, as it was sent, whether or not it was kept."""
    raw = message.raw_content
    if raw is not None and not message.truncated:
        return len(raw)
    length = message.headers.get("content-length", "")
    return int(length) if length.isascii() and length.isdigit() and len(length) < 20 else None
