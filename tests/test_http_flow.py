"""HTTP flows: request, response and messages in one record."""

from __future__ import annotations

from proxyfw.connection import Client, Server
from proxyfw.http import HTTPFlow, Request, Response
from proxyfw.websocket import WebSocketData, WebSocketMessage


def a_flow() -> HTTPFlow:
    client = Client(peername=("192.0.2.1", 50000), sockname=("127.0.0.1", 8080), timestamp_start=1.0)
    flow = HTTPFlow(client, Server(address=("example.com", 80)))
    flow.request = Request.make("GET", "http://example.com/")
    return flow


def test_a_new_flow_has_no_answer() -> None:
    flow = a_flow()
    assert flow.type == "http"
    assert flow.response is None
    assert flow.websocket is None
    assert flow.error is None
    assert flow.timestamp_start == flow.request.timestamp_start


def test_a_flow_with_messages_round_trips() -> None:
    flow = a_flow()
    flow.response = Response.make(101)
    flow.websocket = WebSocketData()
    flow.websocket.messages.append(WebSocketMessage(1, True, b"x", 1.0))
    state = flow.get_state()
    assert HTTPFlow.from_state(state).get_state() == state
    twin = flow.copy()
    assert twin.websocket is not None
    twin.websocket.messages[0].drop()
    assert not flow.websocket.messages[0].dropped


def test_repr_works_at_every_stage() -> None:
    flow = a_flow()
    flow.response = Response.make(101)
    assert repr(flow) == "<HTTPFlow <Request GET http://example.com/ 0 bytes> <Response 101 0 bytes>>"
    assert repr(HTTPFlow(flow.client_conn, flow.server_conn)) == "<HTTPFlow None None>"
