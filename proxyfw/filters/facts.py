"""What operators look at, taken from flows of any kind.

Nothing here raises because a flow lacks a part: what is not there is empty, or None.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar, cast

from proxyfw.connection import Address
from proxyfw.dns import DNSFlow, DNSMessage, types
from proxyfw.flow import Flow
from proxyfw.http import HTTPFlow, Message, Request, Response
from proxyfw.tcp import TCPFlow, TCPMessage
from proxyfw.udp import UDPFlow, UDPMessage
from proxyfw.websocket import WebSocketMessage

SENT, RECEIVED = 1, 2
"""Sides of a flow, from the client's point of view; `BOTH` is their sum."""
BOTH = SENT | RECEIVED

T = TypeVar("T")


class Memo(dict[tuple[object, int], object]):
    """What one evaluation has found out, so that no body is decoded twice."""

    __slots__ = ()

    def once(self, make: Callable[[Message, Memo], T], message: Message) -> T:
        """What *make* makes of *message*."""
        key = (make, id(message))
        if key not in self:
            self[key] = make(message, self)
        return cast("T", self[key])


# Parts of flows


def request_of(flow: Flow) -> Request | None:
    """The HTTP request."""
    return getattr(flow, "request", None) if isinstance(flow, HTTPFlow) else None


def response_of(flow: Flow) -> Response | None:
    """The HTTP response."""
    return flow.response if isinstance(flow, HTTPFlow) else None


def messages(flow: Flow, side: int) -> list[Message]:
    """The HTTP messages of *side* that there are."""
    if not isinstance(flow, HTTPFlow):
        return []
    found: list[Message] = []
    if side & SENT and (request := request_of(flow)) is not None:
        found.append(request)
    if side & RECEIVED and flow.response is not None:
        found.append(flow.response)
    return found


def dns_messages(flow: DNSFlow, side: int) -> list[DNSMessage]:
    """The DNS messages of *side* that there are."""
    found = [getattr(flow, "request", None) if side & SENT else None]
    found.append(flow.response if side & RECEIVED else None)
    return [message for message in found if message is not None]


def chunks(flow: Flow, side: int) -> Iterator[bytes]:
    """The contents of WebSocket, TCP and UDP messages that came from *side*."""
    kept: Iterable[WebSocketMessage | TCPMessage | UDPMessage] = ()
    if isinstance(flow, HTTPFlow):
        if flow.websocket is not None:
            kept = flow.websocket.messages
    elif isinstance(flow, (TCPFlow, UDPFlow)):
        kept = flow.messages
    return (m.content for m in kept if side & (SENT if m.from_client else RECEIVED))


# Text


def url(flow: Flow) -> tuple[str, ...]:
    """The URL as the client named the host; of DNS the first name asked for."""
    if isinstance(flow, HTTPFlow):
        request = request_of(flow)
        return () if request is None else (request.pretty_url,)
    if isinstance(flow, DNSFlow):
        return tuple(question.name for query in dns_messages(flow, SENT) for question in query.questions[:1])
    return ()


def hosts(flow: Flow) -> tuple[str, ...]:
    """The host it goes to, and the host the client named."""
    request = request_of(flow)
    if request is None:
        return ()
    host, named = request.host, request.pretty_host
    return (host,) if host == named else (host, named)


def method(flow: Flow) -> tuple[str, ...]:
    """The method."""
    request = request_of(flow)
    return () if request is None else (request.method,)


def media_types(flow: Flow, side: int) -> Iterator[str]:
    """The Content-Type fields."""
    for message in messages(flow, side):
        value = message.headers.get("content-type")
        if value is not None:
            yield value


def source(flow: Flow) -> Iterator[str]:
    """The client's address and port."""
    return _shown(flow.client_conn.peername)


def destinations(flow: Flow) -> Iterator[str]:
    """The server's address as it was asked for, and as it was resolved."""
    yield from _shown(flow.server_conn.address)
    yield from _shown(flow.server_conn.peername)


def _shown(address: Address | None) -> Iterator[str]:
    if address:
        yield f"{address[0]}:{address[1]}"


def marker(flow: Flow) -> tuple[str, ...]:
    """The marker."""
    return (flow.marked,) if flow.marked else ()


def comment(flow: Flow) -> tuple[str, ...]:
    """The comment."""
    return (flow.comment,) if flow.comment else ()


def metadata(flow: Flow) -> tuple[str, ...]:
    """All metadata, ``key: value`` a line."""
    if not flow.metadata:
        return ()
    return ("\n".join(f"{key}: {_text_of(value)}" for key, value in flow.metadata.items()),)


def _text_of(value: object) -> str:
    try:
        return str(value)
    except Exception:  # whatever an addon has put there
        return ""


# Bytes


def header_block(message: Message, memo: Memo) -> bytes:
    """The fields, ``name: value`` a line."""
    return b"\n".join([b"%b: %b" % field for field in message.headers.fields])


def content(message: Message, memo: Memo) -> bytes | None:
    """The body, decoded if it can be."""
    return message.get_content(strict=False)


def text(message: Message, memo: Memo) -> str | None:
    """The body in its character set."""
    return message.get_text(strict=False)


def documents(message: Message, memo: Memo) -> list[object]:
    """The JSON document that the body is, if it is one."""
    return parsed(memo.once(content, message) or b"")


def parsed(data: bytes) -> list[object]:
    """The JSON document that *data* is, if it is one."""
    try:
        return [json.loads(data)]
    except (ValueError, RecursionError):
        return []


def as_text(data: bytes) -> str:
    """Bytes without a declared character set, as text."""
    return data.decode("utf-8", "surrogateescape")


def dns_text(message: DNSMessage) -> str:
    """Names, types and data of a DNS message, one question or record a line."""
    lines = [f"{question.name} {types.to_str(question.type)}" for question in message.questions]
    for record in (*message.answers, *message.authorities, *message.additionals):
        lines.append(f"{record.name} {types.to_str(record.type)} {record}")
    return "\n".join(lines)


def bodies(flow: Flow, side: int, memo: Memo) -> Iterator[bytes]:
    """Everything that was carried: bodies, messages, the text of DNS."""
    for message in messages(flow, side):
        found = memo.once(content, message)
        if found:
            yield found
    yield from chunks(flow, side)
    if isinstance(flow, DNSFlow):
        for answer in dns_messages(flow, side):
            yield dns_text(answer).encode("utf-8", "surrogatepass")


def texts(flow: Flow, side: int, memo: Memo) -> Iterator[str]:
    """The same as text."""
    for message in messages(flow, side):
        found = memo.once(text, message)
        if found:
            yield found
    for chunk in chunks(flow, side):
        yield as_text(chunk)
    if isinstance(flow, DNSFlow):
        yield from map(dns_text, dns_messages(flow, side))
