"""The lines below the line: headers and bodies, behind marks, so that no body passes for a line of ours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from proxyfw.dns import DNSFlow
from proxyfw.flow import Flow
from proxyfw.http import Headers, HTTPFlow, Message, Request, Response
from proxyfw.tcp import TCPFlow, TCPMessage
from proxyfw.udp import UDPFlow, UDPMessage
from proxyfw.websocket import WebSocketMessage

from .bodies import Bodies
from .look import escape


def details(flow: Flow, bodies: Bodies | None) -> Iterator[tuple[str, str]]:
    """Marks (``*`` rules, ``>`` to the server, ``<`` from it) and lines, with bodies if they are wanted."""
    yield from (("*", text) for text in _of_rules(flow))
    if isinstance(flow, HTTPFlow):
        yield from _of_message(">", _request_line(flow.request), flow.request, flow, bodies)
        if flow.response:
            yield "", ""
            yield from _of_message("<", _status_line(flow.response), flow.response, flow, bodies)
        if flow.websocket and bodies:
            yield from _of_messages(flow.websocket.messages, flow, bodies)
    elif isinstance(flow, TCPFlow | UDPFlow) and bodies:
        yield from _of_messages(flow.messages, flow, bodies)
    elif isinstance(flow, DNSFlow) and bodies:
        yield from ((">", text) for text in bodies.lines(flow.request, flow))
        if flow.response:
            yield "", ""
            yield from (("<", text) for text in bodies.lines(flow.response, flow))


def _of_rules(flow: Flow) -> Iterator[str]:
    """What rules did to the flow, each deed once, however many messages it was done to."""
    if flow.trace is None:
        return
    for text, times in Counter(str(step) for step in flow.trace.deeds()).items():
        yield escape(text if times == 1 else f"{text}, {times} times")
    if flow.trace.answered_by:
        yield escape(f"answered by {flow.trace.answered_by}")


def _of_message(
    mark: str, first: str, message: Message, flow: Flow, bodies: Bodies | None
) -> Iterator[tuple[str, str]]:
    yield mark, first
    yield from ((mark, field) for field in _fields(message.headers))
    content = bodies.lines(message, flow) if bodies else []
    if content:
        yield mark, ""
    yield from ((mark, text) for text in content)
    if message.trailers:
        yield mark, ""
        yield from ((mark, field) for field in _fields(message.trailers))


def _of_messages(
    messages: Sequence[WebSocketMessage | TCPMessage | UDPMessage], flow: Flow, bodies: Bodies
) -> Iterator[tuple[str, str]]:
    for message in messages:
        yield "", ""
        mark = ">" if message.from_client else "<"
        yield from ((mark, text) for text in bodies.lines(message, flow))


def _request_line(request: Request) -> str:
    target = request.authority if request.method_bytes == b"CONNECT" else request.path
    return escape(f"{request.method} {target} {request.http_version}")


def _status_line(response: Response) -> str:
    return escape(f"{response.http_version} {response.status_code} {response.reason}".rstrip())


def _fields(headers: Headers) -> Iterator[str]:
    for name, value in headers.fields:
        yield f"{_decoded(name)}: {_decoded(value)}"


def _decoded(data: bytes) -> str:
    return escape(data.decode("utf-8", "backslashreplace"))
