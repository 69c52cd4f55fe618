"""A flow as an entry of a HAR file, version 1.2. It never raises, whatever is in the flow.

Names that begin with ``_`` are additions, as the format allows; where browsers have one, it is theirs.
"""

from __future__ import annotations

import base64
from typing import Any

from proxyfw.http import CookieAttrs, Headers, HTTPFlow, Message, Request, Response
from proxyfw.websocket import WebSocketData, WebSocketMessage

from .texts import BASE64, clean, clean_url, shown, written
from .timings import timings_of, total, written_time

Record = dict[str, Any]


def entry_of(flow: HTTPFlow, dialled: bool) -> Record:
    """*flow* as an entry; *dialled* says that its connection was made for it."""
    started, timings = timings_of(flow, dialled)
    entry: Record = {
        "startedDateTime": written_time(started),
        "time": total(timings),
        "request": _request(flow),
        "response": _answer(flow),
        "cache": {},
        "timings": timings,
        "connection": flow.server_conn.id,
    }
    if flow.server_conn.peername:
        entry["serverIPAddress"] = str(flow.server_conn.peername[0])
    if flow.comment:
        entry["comment"] = clean(flow.comment)
    if flow.websocket is not None:
        entry |= _websocket(flow.websocket)
    return entry


def _request(flow: HTTPFlow) -> Record:
    request = flow.request
    record: Record = {
        "method": clean(request.method),
        "url": clean_url(_url(flow)),
        "httpVersion": clean(request.http_version),
        "cookies": [_pair(name, value) for name, value in request.cookies.items(multi=True)],
        "headers": _headers(request.headers),
        "queryString": [_pair(name, value) for name, value in request.query.items(multi=True)],
        "headersSize": _head_size(request, _first_line(request)),
        "bodySize": _size(request),
    }
    if request.raw_content:
        record["postData"] = _post_data(request)
    if request.raw_content is None or request.truncated:
        record["_truncated"] = True
    return record


def _url(flow: HTTPFlow) -> str:
    request = flow.request
    if request.method == "CONNECT":
        return f"https://{request.pretty_url}/"
    url = request.pretty_url
    return f"ws{url[4:]}" if flow.websocket is not None and url.startswith("http") else url


def _first_line(request: Request) -> int:
    target = request.authority_bytes if request.method == "CONNECT" else request.path_bytes
    return len(request.method_bytes) + len(target) + len(request.version_bytes) + 4


def _post_data(request: Request) -> Record:
    kind = request.headers.get("content-type", "")
    content = request.get_content(strict=False) or b""
    text, binary = written(content, kind)
    record: Record = {"mimeType": clean(kind), "text": text}
    if binary:
        record["_encoding"] = BASE64
    return record | _raw(request, content)


def _answer(flow: HTTPFlow) -> Record:
    record = _response(flow.response) if flow.response is not None else _no_response()
    if flow.error is not None:
        record["_error"] = clean(flow.error.msg)
    return record


def _no_response() -> Record:
    return {
        "status": 0,
        "statusText": "",
        "httpVersion": "",
        "cookies": [],
        "headers": [],
        "content": {"size": 0, "mimeType": "x-unknown"},
        "redirectURL": "",
        "headersSize": -1,
        "bodySize": -1,
    }


def _response(response: Response) -> Record:
    record: Record = {
        "status": response.status_code,
        "statusText": response.reason,
        "httpVersion": clean(response.http_version),
        "cookies": [
            _cookie(name, value, attributes, response.timestamp_start)
            for name, (value, attributes) in response.cookies.items(multi=True)
        ],
        "headers": _headers(response.headers),
        "content": _content(response),
        "redirectURL": clean_url(response.headers.get("location", "")),
        "headersSize": _head_size(response, len(response.version_bytes) + len(response.reason_bytes) + 7),
        "bodySize": _size(response),
    }
    if response.raw_content is None or response.truncated:
        record["_truncated"] = True
    return record


def _content(response: Response) -> Record:
    kind = response.headers.get("content-type", "")
    content = response.get_content(strict=False)
    record: Record = {"size": -1 if content is None else len(content), "mimeType": clean(kind)}
    if content is None:
        record["comment"] = "the body was not recorded"
        return record
    if response.truncated:
        record["comment"] = "the record of the body was cut"
    if content and response.raw_content and len(content) != len(response.raw_content):
        record["compression"] = len(content) - len(response.raw_content)
    text, binary = written(content, kind)
    record["text"] = text
    if binary:
        record["encoding"] = BASE64
    return record | _raw(response, content)


def _raw(message: Message, content: bytes) -> Record:
    """What was on the wire, where *content* is not that: another encoder would make something else of it."""
    raw = message.raw_content
    if raw is None or (raw == content and "content-encoding" not in message.headers):
        return {}
    return {"_raw": base64.b64encode(raw).decode()}


def _size(message: Message) -> int:
    return -1 if message.raw_content is None else len(message.raw_content)


def _head_size(message: Message, first_line: int) -> int:
    if not (message.is_http10 or message.is_http11):
        return -1  # what compression leaves of it is not known
    return first_line + sum(len(name) + len(value) + 4 for name, value in message.headers.fields) + 2


def _headers(headers: Headers) -> list[Record]:
    return [_header(name, value) for name, value in headers.fields]


def _header(name: bytes, value: bytes) -> Record:
    record: Record = {"name": shown(name), "value": shown(value)}
    if record["value"].encode() != value:
        record["_raw"] = base64.b64encode(value).decode()
    return record


def _pair(name: str, value: str) -> Record:
    return {"name": clean(name), "value": clean(value)}


def _cookie(name: str, value: str, attributes: CookieAttrs, now: float) -> Record:
    record: Record = _pair(name, value)
    for key in ("path", "domain"):
        if text := attributes.get(key):
            record[key] = clean(text)
    record["httpOnly"], record["secure"] = "httponly" in attributes, "secure" in attributes
    if expires := _expires(attributes, now):
        record["expires"] = expires
    if same_site := attributes.get("samesite"):
        record["_sameSite"] = clean(same_site)
    return record


def _expires(attributes: CookieAttrs, now: float) -> str | None:
    """Max-Age counts before Expires: RFC 6265 section 4.1.2.2."""
    age = attributes.get("max-age") or ""
    try:
        if len(age) < 12 and age.removeprefix("-").isdecimal():
            return written_time(now + int(age))
        from email.utils import parsedate_to_datetime  # heavy, and most cookies have no date

        date = attributes.get("expires")
        return written_time(parsedate_to_datetime(date).timestamp()) if date else None
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _websocket(data: WebSocketData) -> Record:
    record: Record = {
        "_resourceType": "websocket",
        "_webSocketMessages": [_message(message) for message in data.messages],
    }
    if data.forgotten:
        record["_webSocketForgotten"] = data.forgotten
    if data.close_code is not None:
        record["_webSocketClose"] = {
            "code": data.close_code,
            "reason": clean(data.close_reason or ""),
            "byClient": data.closed_by_client,
            "time": data.timestamp_end,
        }
    return record


def _message(message: WebSocketMessage) -> Record:
    text = shown(message.content) if message.is_text else base64.b64encode(message.content).decode()
    record: Record = {
        "type": "send" if message.from_client else "receive",
        "time": message.timestamp,
        "opcode": int(message.type),
        "data": text,
    }
    for flag in ("dropped", "injected"):
        if getattr(message, flag):
            record[f"_{flag}"] = True
    return record
