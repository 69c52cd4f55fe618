"""A flow as rows, and rows as a flow. Knows the columns, but no database."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from json.encoder import encode_basestring_ascii
from typing import Any, NamedTuple

import msgpack  # type: ignore[import-untyped]

from proxyfw import flowfilter
from proxyfw.dns import DNSFlow
from proxyfw.flow import Flow
from proxyfw.http import HTTPFlow, Message
from proxyfw.tcp import TCPFlow
from proxyfw.udp import UDPFlow
from proxyfw.websocket import WebSocketMessage

from .text import searchable, storable

Row = tuple[Any, ...]

FLOW = (
    "uid", "type", "open", "started", "duration", "method", "url", "host", "target", "port", "status",
    "request_type", "response_type", "request_size", "response_size", "client", "server", "peer", "error",
    "replay", "marked", "comment", "answered", "websocket", "asset", "truncated", "answered_by", "size",
    "request_body", "response_body",
)  # fmt: skip
"""Columns of `Record.flow`."""
DETAILS = ("request_headers", "response_headers", "state")
MESSAGE = (
    "number", "kind", "from_client", "timestamp", "size", "dropped", "injected", "truncated", "content",
)  # fmt: skip

_URL = FLOW.index("url")

_is_asset = flowfilter.parse("~a")
_SIDES = (("request", "client"), ("response", "server"))
_PACKED = {"use_bin_type": True, "unicode_errors": "surrogatepass"}


class Record(NamedTuple):
    """What is written for a flow."""

    uid: str
    open: bool
    flow: Row
    details: Row
    bodies: list[tuple[bytes, bytes]]
    """Hashes and contents."""
    messages: list[Row]
    text: str
    """What is searched for words."""
    size: int


def recorded(flow: Flow, limit: float = math.inf, *, bodies: bool = True, open: bool = False) -> Record:
    """The record of *flow*, with at most *limit* bytes of each body, or without *bodies*.

    A record of a flow that is still *open* has no messages: they are recorded as they come.
    """
    state = flow.get_state()
    kept: list[tuple[bytes, bytes]] = []
    hashes: list[bytes | None] = [None, None]
    headers: list[str | None] = [None, None]
    cut = False
    if isinstance(flow, HTTPFlow):
        for side, (name, _) in enumerate(_SIDES):
            part = state[name]
            if part is not None:
                headers[side] = _fields(part.pop("headers"))
                content = part["content"]
                if content:
                    part["content"] = content = content[: int(min(limit, len(content)))] if bodies else None
                    if content is None or len(content) < len(getattr(flow, name).raw_content):
                        part["truncated"] = cut = True
                    if content:
                        hashes[side] = _keep(content, kept)
                        del part["content"]
                cut = cut or part["truncated"]
        _cut_backup(state["backup"], limit if bodies else 0)
    messages = [] if open else _messages(flow, limit if bodies else 0)
    _without_messages(state)
    _certificates(state, kept)
    packed = _packed(state)
    size = len(packed) + sum(len(content) for _, content in kept) + sum(len(row[-1]) for row in messages)
    size += sum(len(text) for text in headers if text)
    cut = cut or any(row[7] for row in messages)
    columns = _columns(flow, open, cut, size, hashes)
    return Record(
        flow.id,
        open,
        columns,
        (*headers, packed),
        kept,
        messages,
        "" if open or not bodies else searchable(flow, columns[_URL]),
        size,
    )


def message_row(
    number: int, kind: str, from_client: bool, timestamp: float, content: bytes, limit: float, *marks: bool
) -> Row:
    """A row for one message; *marks* are dropped and injected."""
    kept = content if len(content) <= limit else content[: int(limit)]
    dropped, injected = (*marks, False, False)[:2]
    return (
        number, kind, int(from_client), timestamp, len(content), int(dropped), int(injected),
        int(len(kept) < len(content)), kept,
    )  # fmt: skip


def flow_message(flow: Flow, number: int, message: Any, limit: float) -> Row:
    """A row for a message of *flow*."""
    if isinstance(message, WebSocketMessage):
        kind, dropped = "text" if message.is_text else "binary", message.dropped
    else:
        kind, dropped = flow.type, False
    return message_row(
        number,
        kind,
        message.from_client,
        message.timestamp,
        message.content,
        limit,
        dropped,
        message.injected,
    )


def restored(
    row: Mapping[str, Any],
    bodies: Mapping[bytes, bytes],
    messages: Sequence[Mapping[str, Any]],
    annotation: Mapping[str, Any] | None = None,
) -> Flow:
    """The flow of a *row* of flows joined with its details. Raises ValueError if it cannot be made."""
    state = msgpack.unpackb(row["state"], raw=False, unicode_errors="surrogatepass", strict_map_key=False)
    for name, _ in _SIDES:
        text = row[f"{name}_headers"]
        if text is not None:
            part = state[name]
            part["headers"] = _read_fields(text)
            if "content" not in part:
                part["content"] = bodies.get(bytes(row[f"{name}_body"]))
    for connection, key in _chains(state):
        state[connection][key] = _chain(bodies.get(state[connection][key]), key)
    _with_messages(state, messages)
    try:
        flow = Flow.from_state(state)
    except (KeyError, TypeError, IndexError) as problem:
        raise ValueError(f"flow {row['uid']} cannot be read: {problem!r}") from None
    flow.marked, flow.comment = row["marked"], row["comment"]
    if annotation:
        flow.comment, flow.marked = annotation["note"], annotation["colour"]
        flow.metadata["tags"] = json.loads(annotation["tags"])
    return flow


def copied(
    row: Mapping[str, Any],
    bodies: list[tuple[bytes, bytes]],
    messages: Sequence[Mapping[str, Any]],
    text: str,
) -> Record:
    """The record that a *row* of flows joined with its details was made of."""
    return Record(
        row["uid"],
        False,
        tuple(row[name] for name in FLOW),
        tuple(row[name] for name in DETAILS),
        bodies,
        [tuple(message[name] for name in MESSAGE) for message in messages],
        text,
        row["size"],
    )


def body_hashes(row: Mapping[str, Any]) -> list[bytes]:
    """The hashes of all that `restored` needs for *row*."""
    state = msgpack.unpackb(row["state"], raw=False, unicode_errors="surrogatepass", strict_map_key=False)
    found = [bytes(row[name]) for name in ("request_body", "response_body") if row[name]]
    return found + [state[connection][key] for connection, key in _chains(state)]


# Columns


def _columns(flow: Flow, open: bool, cut: bool, size: int, hashes: Sequence[bytes | None]) -> Row:
    address = flow.server_conn.address
    peer = flow.server_conn.peername
    trace = flow.trace
    error = flow.error
    http = _http(flow)
    return (
        flow.id, flow.type, int(open), _start(flow), _duration(flow),
        *http,
        _at(flow.client_conn.peername), _at(address), _at(peer),
        storable(error.msg) if error is not None else None, flow.is_replay, storable(flow.marked),
        storable(flow.comment), int(_is_answered(flow)),
        int(isinstance(flow, HTTPFlow) and flow.websocket is not None),
        int(_may_be_asset(http[7]) and _is_asset(flow)), int(cut),
        storable(trace.answered_by) if trace is not None and trace.answered_by else None,
        size, *hashes,
    )  # fmt: skip


def _http(flow: Flow) -> Row:
    """From method to response size."""
    address = flow.server_conn.address or flow.server_conn.peername
    port = address[1] if address else None
    if not isinstance(flow, HTTPFlow):
        url = storable(_question(flow)) if isinstance(flow, DNSFlow) else None
        return (None, url, None, None, port, None, None, None, *_sizes(flow))
    request, response = flow.request, flow.response
    host, target = request.pretty_host, request.host
    return (
        storable(request.method), storable(request.pretty_url), storable(host),
        storable(target) if target != host else None, request.port,
        response.status_code if response is not None else None,
        _type(request), _type(response) if response is not None else None, *_sizes(flow),
    )  # fmt: skip


def _may_be_asset(kind: str | None) -> bool:
    """Most answers are none, and that is quickly said."""
    return kind is not None and not kind.startswith(("application/json", "text/html", "text/plain"))


def _type(message: Message) -> str | None:
    value = message.headers.get("content-type")
    return None if value is None else storable(value)


def _question(flow: DNSFlow) -> str:
    return flow.request.questions[0].name if flow.request.questions else ""


def _is_answered(flow: Flow) -> bool:
    return isinstance(flow, (HTTPFlow, DNSFlow)) and flow.response is not None


def _at(address: tuple[str, int] | None) -> str | None:
    return f"{address[0]}:{address[1]}" if address else None


def _start(flow: Flow) -> float:
    return flow.timestamp_start


def _duration(flow: Flow) -> float | None:
    if flow.error is not None:
        return flow.error.timestamp - flow.timestamp_start
    end = _end(flow)
    return None if end is None else end - flow.timestamp_start


def _end(flow: Flow) -> float | None:
    if isinstance(flow, HTTPFlow):
        if flow.websocket is not None:
            return flow.websocket.timestamp_end
        return None if flow.response is None else flow.response.timestamp_end
    if isinstance(flow, DNSFlow):
        return None if flow.response is None else flow.response.timestamp
    if isinstance(flow, (TCPFlow, UDPFlow)) and flow.messages:
        return flow.messages[-1].timestamp
    return None


def _sizes(flow: Flow) -> tuple[int | None, int | None]:
    """Bytes from the client, bytes from the server."""
    if isinstance(flow, HTTPFlow):
        sent = _length(flow.request)
        received = _length(flow.response) if flow.response is not None else 0
        if flow.websocket is not None:
            for message in flow.websocket.messages:
                if message.from_client:
                    sent = None if sent is None else sent + len(message.content)
                else:
                    received = None if received is None else received + len(message.content)
        return sent, received
    if isinstance(flow, DNSFlow):
        return flow.request.size, flow.response.size if flow.response is not None else 0
    if isinstance(flow, (TCPFlow, UDPFlow)):
        sums = [0, 0]
        for chunk in flow.messages:
            sums[not chunk.from_client] += len(chunk.content)
        return max(sums[0], flow.bytes_from_client), max(sums[1], flow.bytes_from_server)
    return None, None


def _length(message: Message) -> int | None:
    raw = message.raw_content
    if raw is not None and not message.truncated:
        return len(raw)
    length = message.headers.get("content-length", "")
    return int(length) if length.isascii() and length.isdigit() and len(length) < 19 else None


# Parts of the state that stand elsewhere


def _fields(pairs: Iterable[Sequence[bytes]]) -> str:
    """JSON of header fields."""
    flat = [part for pair in pairs for part in pair]
    texts = b"\n".join(flat).decode("utf-8", "surrogateescape").split("\n") if flat else []
    if len(texts) != len(flat):  # an addon has put a line break into a field
        texts = [part.decode("utf-8", "surrogateescape") for part in flat]
    quoted = map(encode_basestring_ascii, texts)  # a third of what json.dumps takes
    return f"[{','.join([f'[{name},{value}]' for name, value in zip(quoted, quoted, strict=False)])}]"


def _read_fields(text: str) -> list[list[bytes]]:
    return [[part.encode("utf-8", "surrogateescape") for part in pair] for pair in json.loads(text)]


def _keep(content: bytes, kept: list[tuple[bytes, bytes]]) -> bytes:
    key = blake2b(content, digest_size=16).digest()
    kept.append((key, content))
    return key


def _cut_backup(backup: dict[str, Any] | None, limit: float) -> None:
    for name, _ in _SIDES if backup else ():
        part = backup[name] if backup else None
        if part is not None and part["content"] and len(part["content"]) > limit:
            part["content"], part["truncated"] = part["content"][: int(limit)] or None, True


def _messages(flow: Flow, limit: float) -> list[Row]:
    found: Sequence[Any] = ()
    if isinstance(flow, HTTPFlow):
        found = flow.websocket.messages if flow.websocket is not None else ()
    elif isinstance(flow, (TCPFlow, UDPFlow)):
        found = flow.messages
    return [flow_message(flow, number, message, limit) for number, message in enumerate(found)]


def _without_messages(state: dict[str, Any]) -> None:
    """Only how many there are stays."""
    for facts in (state, state.get("websocket")):
        if facts and "messages" in facts:
            facts["messages"] = len(facts["messages"])


def _with_messages(state: dict[str, Any], rows: Sequence[Mapping[str, Any]]) -> None:
    rows = [row for row in rows if row["kind"] != "sse"]
    websocket = state.get("websocket")
    facts = websocket if websocket is not None else state
    if "messages" not in facts:
        return
    facts["forgotten"] = max(0, facts["forgotten"] + facts["messages"] - len(rows))
    make = _socket_message if websocket is not None else _chunk
    facts["messages"] = [make(row) for row in rows]


def _socket_message(row: Mapping[str, Any]) -> list[Any]:
    opcode = 1 if row["kind"] == "text" else 2
    return [
        opcode, bool(row["from_client"]), bytes(row["content"]), row["timestamp"], bool(row["dropped"]),
        bool(row["injected"]),
    ]  # fmt: skip


def _chunk(row: Mapping[str, Any]) -> list[Any]:
    return [bool(row["from_client"]), bytes(row["content"]), row["timestamp"], bool(row["injected"])]


def _certificates(state: dict[str, Any], kept: list[tuple[bytes, bytes]]) -> None:
    """Certificates are large, and the same for many flows."""
    for connection in ("client_conn", "server_conn"):
        facts = state[connection]
        if facts["certificate_list"]:
            facts["certificate_list"] = _keep(msgpack.packb(facts["certificate_list"]), kept)
        if facts.get("mitmcert"):
            facts["mitmcert"] = _keep(facts["mitmcert"], kept)


def _chains(state: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = [
        (connection, "certificate_list")
        for connection in ("client_conn", "server_conn")
        if isinstance(state[connection]["certificate_list"], bytes)
    ]
    return found + ([("client_conn", "mitmcert")] if state["client_conn"]["mitmcert"] else [])


def _chain(data: bytes | None, key: str) -> Any:
    if key == "mitmcert":
        return data
    return msgpack.unpackb(data) if data else []


def _packed(state: dict[str, Any]) -> bytes:
    try:
        return bytes(msgpack.packb(state, **_PACKED))
    except (OverflowError, ValueError):  # metadata of addons: numbers beyond 64 bits, depths
        state["metadata"] = {}
        if state["backup"]:
            state["backup"]["metadata"] = {}
        return bytes(msgpack.packb(state, **_PACKED))
