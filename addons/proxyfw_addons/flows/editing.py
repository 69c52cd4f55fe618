"""Changing requests and responses by the name of an attribute and text; no command is declared here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from proxyfw.exceptions import CommandError
from proxyfw.http import Headers, HTTPFlow, Message, Response

ENCODINGS = ("gzip", "deflate", "br", "zstd")
PARTS = ("request", "response")


def edit(flow: HTTPFlow, attribute: str, value: str) -> None:
    """Set what `ATTRIBUTES` calls *attribute*. Raises `CommandError`."""
    try:
        ATTRIBUTES[attribute](flow, value)
    except KeyError:
        raise CommandError(f"{attribute!r} is none of {', '.join(ATTRIBUTES)}") from None
    except (TypeError, ValueError) as problem:
        raise CommandError(f"{attribute}: {problem}") from None


def header(text: str) -> tuple[bytes, bytes]:
    """``Name: value`` in two. Raises `CommandError`."""
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise CommandError(f"{text!r} is not a header: write 'Name: value'")
    return name.strip().encode("utf-8", "surrogateescape"), value.strip().encode("utf-8", "surrogateescape")


def messages(flows: Sequence[HTTPFlow], part: str) -> Iterator[tuple[Message, HTTPFlow]]:
    """The requests or responses of *flows* that have a body at hand."""
    for flow in flows:
        message: Message | None = flow.request if part == "request" else flow.response
        if message is not None and message.raw_content is not None:
            yield message, flow


def encode(message: Message, encoding: str) -> None:
    """Encode the body. Raises `CommandError`."""
    try:
        message.encode(encoding)
    except ValueError as problem:
        raise CommandError(str(problem)) from None


def decode(message: Message) -> None:
    """Decode the body. Raises `CommandError` if it is not what it says."""
    try:
        message.decode()
    except ValueError as problem:
        raise CommandError(str(problem)) from None


def _set_header(headers: Headers, text: str) -> None:
    name, value = header(text)
    headers.set_all(name, [value] if value else [])


def _response(flow: HTTPFlow) -> Response:
    """The response; made if there is none yet, since it may be what the flow is to be answered with."""
    if flow.response is None:
        flow.response = Response.make(200)
    return flow.response


def _of_request(name: str) -> Callable[[HTTPFlow, str], None]:
    return lambda flow, value: setattr(flow.request, name, value)


def _of_response(name: str) -> Callable[[HTTPFlow, str], None]:
    return lambda flow, value: setattr(_response(flow), name, value)


def _set_status(flow: HTTPFlow, value: str) -> None:
    status = int(value)
    if not 100 <= status < 1000:
        raise ValueError(f"{status} is not a status")
    response = _response(flow)
    response.status_code, response.reason = status, Response.make(status).reason


def _set_port(flow: HTTPFlow, value: str) -> None:
    port = int(value)
    if not 0 < port < 65536:
        raise ValueError(f"{port} is not a port")
    flow.request.port = port


def _set_message(flow: HTTPFlow, value: str) -> None:
    if flow.websocket is None or not flow.websocket.messages:
        raise ValueError(f"flow {flow.id} has no WebSocket message")
    flow.websocket.messages[-1].content = value.encode("utf-8", "surrogateescape")


ATTRIBUTES: dict[str, Callable[[HTTPFlow, str], None]] = {
    "method": _of_request("method"),
    "url": _of_request("url"),
    "scheme": _of_request("scheme"),
    "host": _of_request("host"),
    "port": _set_port,
    "path": _of_request("path"),
    "header": lambda flow, value: _set_header(flow.request.headers, value),
    "body": _of_request("text"),
    "status_code": _set_status,
    "reason": _of_response("reason"),
    "response_header": lambda flow, value: _set_header(_response(flow).headers, value),
    "response_body": _of_response("text"),
    "message": _set_message,
}
"""What can be set, and how."""
