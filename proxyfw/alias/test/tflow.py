"""``mitmproxy.test.tflow``: flows and connections to test with."""

from __future__ import annotations

from typing import Any

from proxyfw.alias import names_of
from proxyfw.connection import Client, ConnectionState, Server
from proxyfw.dns import DNSFlow, DNSMessage
from proxyfw.flow import Error, Flow
from proxyfw.http import Headers, HTTPFlow, Request, Response
from proxyfw.tcp import TCPFlow, TCPMessage
from proxyfw.udp import UDPFlow, UDPMessage
from proxyfw.websocket import Opcode, WebSocketData, WebSocketMessage

from .tutils import START, tdnsreq, tdnsresp, treq, tresp

__all__ = [
    "tclient_conn", "tdnsflow", "tdnsreq", "tdnsresp", "terr", "tflow", "tflows", "treq", "tresp",
    "tserver_conn", "ttcpflow", "tudpflow", "twebsocket", "twebsocketflow",
]  # fmt: skip


def tclient_conn() -> Client:
    """An open connection of a client."""
    client = Client(peername=("127.0.0.1", 22), sockname=("", 0), timestamp_start=START)
    client.timestamp_tls_setup, client.timestamp_end = START + 1, START + 6
    client.sni, client.cipher, client.alpn, client.tls_version = "address", "cipher", b"http/1.1", "TLSv1.2"
    return client


def tserver_conn() -> Server:
    """An open connection to a server."""
    server = Server(address=("address", 22))
    server.peername, server.sockname = ("192.168.0.1", 22), ("address", 22)
    server.timestamp_start, server.timestamp_tcp_setup = START + 2, START + 3
    server.timestamp_tls_setup, server.timestamp_end = START + 4, START + 5
    server.sni, server.tls_version, server.state = "address", "TLSv1.2", ConnectionState.OPEN
    return server


def terr(content: str = "error") -> Error:
    """An error."""
    return Error(content, START + 7)


def tflow(
    *,
    client_conn: Client | None = None,
    server_conn: Server | None = None,
    req: Request | None = None,
    resp: bool | Response = False,
    err: bool | Error = False,
    ws: bool | WebSocketData = False,
    live: bool = True,
) -> HTTPFlow:
    """An HTTP flow; True stands for the usual response, error or WebSocket."""
    flow = HTTPFlow(client_conn or tclient_conn(), server_conn or tserver_conn(), live)
    flow.request = req or treq()
    flow.response = tresp() if resp is True else resp or None
    flow.error = terr() if err is True else err or None
    flow.websocket = twebsocket() if ws is True else ws or None
    flow.timestamp_created = flow.request.timestamp_start
    return flow


def twebsocket(messages: bool = True) -> WebSocketData:
    """A WebSocket that was closed, with three messages."""
    data = WebSocketData()
    if messages:
        data.messages = [
            WebSocketMessage(Opcode.BINARY, True, b"hello binary", START + 3),
            WebSocketMessage(Opcode.TEXT, True, b"hello text", START + 4),
            WebSocketMessage(Opcode.TEXT, False, b"it's me", START + 5),
        ]
    data.close_code, data.close_reason, data.closed_by_client = 1000, "", False
    data.timestamp_end = START + 5
    return data


def twebsocketflow(
    messages: bool = True,
    err: bool | Error | None = None,
    close_code: int | None = None,
    close_reason: str = "",
) -> HTTPFlow:
    """A flow that became a WebSocket."""
    upgrade = ((b"connection", b"upgrade"), (b"upgrade", b"websocket"))
    request = treq(
        host="example.com", port=80, authority=b"example.com", path=b"/ws", content=b"",
        headers=Headers((*upgrade, (b"sec-websocket-version", b"13"), (b"sec-websocket-key", b"1234"))),
    )  # fmt: skip
    response = tresp(
        status_code=101, reason=b"Switching Protocols", content=b"",
        headers=Headers((*upgrade, (b"sec-websocket-accept", b""))),
    )  # fmt: skip
    flow = tflow(req=request, resp=response, ws=twebsocket(messages), err=err or False)
    assert flow.websocket
    if close_code is not None:
        flow.websocket.close_code = close_code
    flow.websocket.close_reason = close_reason
    return flow


def ttcpflow(
    client_conn: bool | Client = True,
    server_conn: bool | Server = True,
    messages: bool | list[TCPMessage] = True,
    err: bool | Error | None = None,
) -> TCPFlow:
    """A TCP flow; True stands for the usual two messages."""
    flow = TCPFlow(_given(client_conn, tclient_conn), _given(server_conn, tserver_conn), live=True)
    if messages is True:
        messages = [TCPMessage(True, b"hello", START + 4.2), TCPMessage(False, b"it's me", START + 4.5)]
    _fill(flow, messages, err)
    return flow


def tudpflow(
    client_conn: bool | Client = True,
    server_conn: bool | Server = True,
    messages: bool | list[UDPMessage] = True,
    err: bool | Error | None = None,
) -> UDPFlow:
    """A UDP flow; True stands for the usual two messages."""
    flow = UDPFlow(_given(client_conn, tclient_conn), _given(server_conn, tserver_conn), live=True)
    flow.client_conn.transport_protocol = flow.server_conn.transport_protocol = "udp"
    if messages is True:
        messages = [UDPMessage(True, b"hello", START + 4.2), UDPMessage(False, b"it's me", START + 4.5)]
    _fill(flow, messages, err)
    return flow


def tdnsflow(
    *,
    client_conn: Client | None = None,
    server_conn: Server | None = None,
    req: DNSMessage | None = None,
    resp: bool | DNSMessage = False,
    err: bool | Error = False,
    live: bool = True,
) -> DNSFlow:
    """A DNS flow; True stands for the usual answer or error."""
    flow = DNSFlow(client_conn or tclient_conn(), server_conn or tserver_conn(), live)
    flow.client_conn.proxy_mode = "dns"
    flow.client_conn.transport_protocol = flow.server_conn.transport_protocol = "udp"
    flow.request = req or tdnsreq()
    flow.response = tdnsresp() if resp is True else resp or None
    flow.error = terr() if err is True else err or None
    flow.timestamp_created = flow.request.timestamp
    return flow


def tflows() -> list[Flow]:
    """One of each."""
    return [tflow(resp=True), tflow(err=True), tflow(ws=True), ttcpflow(), ttcpflow(err=True), tudpflow(),
            tudpflow(err=True), tdnsflow(resp=True), tdnsflow(err=True)]  # fmt: skip


def _given(value: Any, usual: Any) -> Any:
    return usual() if value is True else value


def _fill(flow: Any, messages: Any, err: bool | Error | None) -> None:
    flow.messages = list(messages or [])
    flow.error = terr() if err is True else err or None
    flow.timestamp_created = START


__getattr__ = names_of("test.tflow")
