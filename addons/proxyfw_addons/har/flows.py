"""An entry of a HAR file as a flow.

Raises KeyError, ValueError or TypeError that say what is wrong with it.
"""

from __future__ import annotations

from typing import Any

from proxyfw.connection import Client, ConnectionState, Server
from proxyfw.flow import Error
from proxyfw.http import Headers, HTTPFlow, Message, Request, Response
from proxyfw.websocket import WebSocketData, WebSocketMessage

from .texts import BASE64, raw_of, read
from .timings import Moments, moments_of, read_time

Record = dict[str, Any]

_VERSIONS = {
    "": "HTTP/1.1",
    "UNKNOWN": "HTTP/1.1",
    "H2": "HTTP/2.0",
    "HTTP/2": "HTTP/2.0",
    "H3": "HTTP/3",
    "HTTP/3.0": "HTTP/3",
    "QUIC": "HTTP/3",
}
_NOBODY = ("", 0)


def flow_of(entry: object) -> HTTPFlow:
    """The flow that *entry* records, with an id of its own."""
    record = _record(entry, "the entry")
    timings = record.get("timings")
    moments = moments_of(read_time(record["startedDateTime"]), _record(timings or {}, "timings"))
    request = _request(_record(record["request"], "request"), moments)
    flow = HTTPFlow(
        Client(
            peername=_NOBODY,
            sockname=_NOBODY,
            timestamp_start=moments.request_start,
            state=ConnectionState.CLOSED,
        ),
        _server(record, request, moments),
    )
    flow.request = request
    flow.timestamp_created = moments.request_start
    flow.comment = _text(record, "comment")
    answer = _record(record["response"], "response")
    if answer.get("status"):
        flow.response = _response(answer, request, moments)
    if answer.get("_error"):
        flow.error = Error(str(answer["_error"]), moments.response_end)
    if "_webSocketMessages" in record:
        flow.websocket = _websocket(record)
    return flow


def _server(record: Record, request: Request, moments: Moments) -> Server:
    server = Server(address=(request.host, request.port))
    if connection := _text(record, "connection"):
        server.id = connection
    if address := _text(record, "serverIPAddress"):
        server.peername = address.strip("[]"), request.port
    server.tls = request.scheme == "https"
    server.timestamp_start, server.timestamp_tcp_setup = moments.dial, moments.connected
    server.timestamp_tls_setup = moments.secured
    return server


def _request(record: Record, moments: Moments) -> Request:
    url = record["url"]
    if not isinstance(url, str):
        raise TypeError(f"request.url must be text, not {url!r}")
    scheme, separator, rest = url.partition("://")
    plain = {"ws": "http", "wss": "https"}.get(scheme.lower(), scheme)
    request = Request.make(str(record["method"]), f"{plain}{separator}{rest}")
    request.timestamp_start, request.timestamp_end = moments.request_start, moments.request_end
    authority = _head(request, record, "request")
    if request.method == "CONNECT":
        request.path = ""
        authority = rest.rstrip("/")
    elif not request.is_http2 and not request.is_http3:
        authority = ""
    request.authority = authority
    cut = request.truncated = bool(record.get("_truncated"))
    if body := record.get("postData"):
        _fill(request, _record(body, "request.postData"), "_encoding", "encoding")
    else:
        request.raw_content = None if cut else b""
    request.truncated = cut and request.raw_content is not None
    return request


def _response(record: Record, request: Request, moments: Moments) -> Response:
    status = record["status"]
    if isinstance(status, bool) or not isinstance(status, int) or not 100 <= status <= 999:
        raise ValueError(f"response.status must be a number from 100 to 999, not {status!r}")
    response = Response.make(status)
    response.reason = _text(record, "statusText").encode("iso-8859-1", "replace")
    response.timestamp_start, response.timestamp_end = moments.response_start, moments.response_end
    _head(response, record, "response")
    content = _record(record.get("content") or {}, "response.content")
    cut = response.truncated = bool(record.get("_truncated"))
    if isinstance(content.get("text"), str):
        _fill(response, content, "encoding")
    else:
        left_out = content.get("size") not in (0, None) or cut
        response.raw_content = None if left_out and request.method != "HEAD" else b""
    response.truncated = cut and response.raw_content is not None
    return response


def _head(message: Message, record: Record, where: str) -> str:
    """Version and header fields; the authority of HTTP/2, if it is among them."""
    version = _text(record, "httpVersion").upper()
    message.http_version = _VERSIONS.get(version, version)
    fields = [_field(each, f"{where}.headers[{at}]") for at, each in enumerate(record.get("headers") or [])]
    message.headers = Headers([field for field in fields if not field[0].startswith(b":")])
    named = [value.decode() for name, value in fields if name == b":authority"]
    return named[0] if named else ""


def _field(record: object, where: str) -> tuple[bytes, bytes]:
    if isinstance(record, list) and len(record) == 2:
        record = {"name": record[0], "value": record[1]}
    found = _record(record, where)
    name, value = found["name"], found["value"]
    if not isinstance(name, str) or not isinstance(value, str):
        raise TypeError(f"{where}: name and value must be text")
    raw = raw_of(found)
    return _bytes(name), _bytes(value) if raw is None else raw


def _fill(message: Message, record: Record, *encodings: str) -> None:
    """The body: as it was on the wire if that is known and still says the same, else encoded anew."""
    encoding = next((record[name] for name in encodings if record.get(name)), None)
    text = record.get("text")
    if not isinstance(text, str):
        text = "&".join(f"{p['name']}={p.get('value', '')}" for p in record.get("params") or [])
    kind = message.headers.get("content-type") or _text(record, "mimeType")
    content, raw = read(text, encoding, kind), raw_of(record)
    if raw is not None:
        message.raw_content = raw
        if message.get_content(strict=False) == content:
            return
    if message.headers.get("content-encoding"):
        message.content = content
        return
    message.raw_content = content
    if content and not message.truncated and "content-length" in message.headers:
        message.headers["content-length"] = str(len(content))


def _websocket(record: Record) -> WebSocketData:
    data = WebSocketData()
    messages = record["_webSocketMessages"]
    if not isinstance(messages, list):
        raise TypeError(f"_webSocketMessages must be a list, not {messages!r}")
    data.messages = [_message(_record(each, f"_webSocketMessages[{at}]")) for at, each in enumerate(messages)]
    data.forgotten = int(record.get("_webSocketForgotten") or 0)
    closed = record.get("_webSocketClose")
    if isinstance(closed, dict):
        data.close_code, data.close_reason = closed.get("code"), closed.get("reason")
        data.closed_by_client, data.timestamp_end = closed.get("byClient"), closed.get("time")
    return data


def _message(record: Record) -> WebSocketMessage:
    opcode, text = record.get("opcode", 1), record["data"]
    if opcode not in (1, 2):
        raise ValueError(f"the opcode of a WebSocket message must be 1 or 2, not {opcode!r}")
    if not isinstance(text, str):
        raise TypeError(f"the data of a WebSocket message must be text, not {text!r}")
    content = _bytes(text) if opcode == 1 else read(text, BASE64, "")
    return WebSocketMessage(
        opcode,
        record["type"] in ("send", "request"),
        content,
        float(record.get("time") or 0),
        bool(record.get("_dropped")),
        bool(record.get("_injected")),
    )


def _record(value: object, where: str) -> Record:
    if not isinstance(value, dict):
        raise TypeError(f"{where} must be an object, not {value!r:.80}")
    return value


def _text(record: Record, name: str) -> str:
    value = record.get(name)
    return value if isinstance(value, str) else ""


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
