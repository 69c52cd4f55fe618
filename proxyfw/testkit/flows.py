"""Flows to feed addons with, as if they had happened."""

from __future__ import annotations

from typing import Any, TypeVar

from proxyfw.connection import Client, ConnectionState, Server
from proxyfw.flow import Error
from proxyfw.http import HTTPFlow, Request, Response
from proxyfw.net.wire import Address
from proxyfw.tcp import TCPFlow, TCPMessage
from proxyfw.websocket import WebSocketData, WebSocketMessage

_A_MOMENT = 1_700_000_000.0


def client_connection(**facts: Any) -> Client:
    """A client at 127.0.0.1:50000; *facts* are set as attributes."""
    client = Client(peername=("127.0.0.1", 50000), sockname=("127.0.0.1", 8080), timestamp_start=_A_MOMENT)
    return _with(client, facts)


def server_connection(address: Address = ("example.com", 80), **facts: Any) -> Server:
    """An open connection to *address*."""
    server = Server(address=address)
    server.peername, server.sockname = ("192.0.2.1", address[1]), ("127.0.0.1", 50001)
    server.state = ConnectionState.OPEN
    server.timestamp_start, server.timestamp_tcp_setup = _A_MOMENT, _A_MOMENT + 0.01
    return _with(server, facts)


def http_flow(
    request: Request | str = "http://example.com/path",
    response: Response | int | None = 200,
    *,
    error: str | None = None,
    **facts: Any,
) -> HTTPFlow:
    """A flow that has happened: a GET of a URL (or *request*), answered with a status (or *response*)."""
    if isinstance(request, str):
        request = Request.make("GET", request)
    if isinstance(response, int):
        response = Response.make(response, b"content", {"Content-Type": "text/plain"})
    flow = HTTPFlow(client_connection(), server_connection((request.host, request.port)))
    flow.request, flow.response = request, response
    if error:
        flow.response, flow.error = None, Error(error, _A_MOMENT)
    return _with(flow, facts)


def websocket_flow(*messages: tuple[bool, bytes | str], **facts: Any) -> HTTPFlow:
    """A WebSocket flow; *messages* are ``(from_client, content)``, text if the content is str."""
    flow = http_flow("http://example.com/socket", Response.make(101), **facts)
    flow.websocket = WebSocketData()
    for from_client, content in messages:
        text = isinstance(content, str)
        data = content.encode() if isinstance(content, str) else content
        flow.websocket.messages.append(WebSocketMessage(1 if text else 2, from_client, data, _A_MOMENT))
    return flow


def tcp_flow(*messages: tuple[bool, bytes], **facts: Any) -> TCPFlow:
    """A TCP flow; *messages* are ``(from_client, content)``."""
    flow = TCPFlow(client_connection(), server_connection())
    flow.messages += [TCPMessage(from_client, content, _A_MOMENT) for from_client, content in messages]
    return _with(flow, facts)


_T = TypeVar("_T")


def _with(thing: _T, facts: dict[str, Any]) -> _T:
    for name, value in facts.items():
        setattr(thing, name, value)
    return thing
