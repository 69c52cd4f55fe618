"""States of flows in mitmproxy's files, turned into ours and back.

Both name nearly everything alike. What only we keep (messages forgotten, bodies cut short) goes into an entry
of the flow's metadata that has our name; what only mitmproxy keeps is passed over.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from functools import cache
from typing import Any

from proxyfw.connection import Client, Server
from proxyfw.dns import DNSFlow, DNSMessage
from proxyfw.flow import STATE_VERSION, Flow
from proxyfw.http import HTTPFlow, Request, Response
from proxyfw.tcp import TCPFlow
from proxyfw.udp import UDPFlow
from proxyfw.websocket import WebSocketData

from .older import renewed

VERSION = 21
"""The format that is written: that of mitmproxy 11 and 12."""

State = dict[str, Any]
_OWN = "proxyfw"
_FLOW = frozenset({"timestamp_created", "error", "marked", "comment", "is_replay", "metadata"})
_MESSAGE = frozenset(
    {"http_version", "headers", "content", "trailers", "timestamp_start", "timestamp_end"}
    | {"host", "port", "method", "scheme", "authority", "path", "status_code", "reason"}
)
_WEBSOCKET = frozenset({"messages", "closed_by_client", "close_code", "close_reason", "timestamp_end"})
_CONNECTION = frozenset(
    {"id", "address", "alpn", "alpn_offers", "certificate_list", "cipher", "cipher_list", "error", "mitmcert"}
    | {"peername", "proxy_mode", "sni", "sockname", "timestamp_end", "timestamp_start", "timestamp_tcp_setup"}
    | {"timestamp_tls_setup", "tls", "tls_version", "transport_protocol", "via"}
)
_QUESTION, _RECORD = ("name", "type", "class_"), ("name", "type", "class_", "ttl", "data")
_SECTIONS = ("answers", "authorities", "additionals")
_PARTS = {
    "http": ("request", "response", "websocket"),
    "dns": ("request", "response"),
    "tcp": ("messages",),
    "udp": ("messages",),
}


def to_theirs(state: Mapping[str, Any]) -> State:
    """What is written for the state of a flow of ours."""
    theirs = _facts_to_theirs(state, state["type"]) | _identity(state)
    theirs |= {"intercepted": state["intercepted"], "backup": None}
    if state["backup"] is not None:
        backup = _facts_to_theirs(state["backup"], state["type"]) | _identity(state)
        theirs["backup"] = backup | {"intercepted": False, "backup": None}
    return theirs


def _identity(state: Mapping[str, Any]) -> State:
    identity = {"version": VERSION, "type": state["type"], "id": state["id"]}
    return identity | {side: _split(state[side], _CONNECTION)[0] for side in ("client_conn", "server_conn")}


def _facts_to_theirs(facts: Mapping[str, Any], kind: str) -> State:
    known, own = _split(facts, _FLOW)
    for name in ("version", "type", "id", "intercepted", "backup", "client_conn", "server_conn"):
        own.pop(name, None)
    theirs = {name: facts[name] for name in _FLOW}
    for part in _PARTS[kind]:
        value = own.pop(part, None)
        if value is None:
            theirs[part] = None
        elif part == "messages":
            theirs[part] = [message[:3] for message in value]
        elif kind == "dns":
            theirs[part] = _dns_to_theirs(value)
        else:
            theirs[part], extra = _split(value, _WEBSOCKET if part == "websocket" else _MESSAGE)
            own[part] = {name: value for name, value in extra.items() if value}
    own = {name: value for name, value in own.items() if value}
    if own:
        theirs["metadata"] = known["metadata"] | {_OWN: own}
    return theirs


def _split(facts: Mapping[str, Any], names: frozenset[str]) -> tuple[State, State]:
    """The *facts* that both know, and the others."""
    return (
        {name: value for name, value in facts.items() if name in names},
        {name: value for name, value in facts.items() if name not in names},
    )


def _dns_to_theirs(message: Mapping[str, Any]) -> State:
    theirs = dict(message)
    theirs["questions"] = [dict(zip(_QUESTION, item, strict=True)) for item in message["questions"]]
    for section in _SECTIONS:
        theirs[section] = [dict(zip(_RECORD, item, strict=True)) for item in message[section]]
    return theirs


def to_ours(theirs: State) -> State:
    """The state of a flow of ours. Raises ValueError, TypeError or KeyError if that cannot be made."""
    theirs = renewed(theirs, VERSION)
    kind = theirs["type"]
    if kind not in _PARTS:
        raise ValueError(f"flows of type {kind!r} are not known")
    state = _facts_to_ours(theirs, kind)
    state |= {
        "version": STATE_VERSION,
        "type": kind,
        "id": _checked(theirs["id"], str),
        "intercepted": bool(theirs.get("intercepted")),
        "client_conn": _connection(theirs["client_conn"], "client"),
        "server_conn": _connection(theirs["server_conn"], "server"),
        "backup": None,
    }
    if theirs.get("backup"):
        state["backup"] = _facts_to_ours(renewed(theirs["backup"], VERSION), kind)
    return state


def _facts_to_ours(theirs: State, kind: str) -> State:
    metadata = dict(theirs["metadata"] or {})
    own = metadata.pop(_OWN, {})
    facts = {**{name: theirs[name] for name in _FLOW}, "metadata": metadata}
    for part in _PARTS[kind]:
        extra = own.pop(part, {})
        value = theirs[part]
        if value is None or part == "messages":
            facts[part] = value and [[*message[:3], False] for message in value]
        elif kind == "dns":
            facts[part] = _dns_to_ours(value)
        else:
            facts[part] = _with_defaults({**_message(value), **extra}, part)
    return _with_defaults(facts | own, kind)


def _with_defaults(state: State, kind: str) -> State:
    """*state* with what it lacks and a new object of its *kind* has."""
    for name, value in _blank(kind).items():
        if name not in state:
            state[name] = deepcopy(value)
    return state


@cache
def _blank(kind: str) -> State:
    """The facts of a new object of ours."""
    client = Client(peername=("", 0), sockname=("", 0), timestamp_start=0.0)
    server = Server(address=None)
    things: dict[str, Any] = {
        "client": client, "server": server, "websocket": WebSocketData(),
        "request": Request.make("GET", "http://none/"), "response": Response.make(),
    }  # fmt: skip
    if kind in things:
        blank: State = things[kind].get_state()
        return blank
    kinds: dict[str, type[Flow]] = {"http": HTTPFlow, "tcp": TCPFlow, "udp": UDPFlow, "dns": DNSFlow}
    flow: Any = kinds[kind](client, server)
    if kind in ("http", "dns"):
        flow.request = things["request"] if kind == "http" else DNSMessage(0.0, 0, True)
    return flow._facts()  # type: ignore[no-any-return]  # the keys that a state needs


_TYPES: dict[str, type | tuple[type, ...]] = {
    "http_version": bytes, "method": bytes, "scheme": bytes, "authority": bytes, "path": bytes,
    "reason": bytes, "host": str, "port": int, "status_code": int, "content": (bytes, type(None)),
    "timestamp_start": (int, float), "timestamp_end": (int, float, type(None)),
}  # fmt: skip


def _message(theirs: State) -> State:
    for name, kind in _TYPES.items():
        if name in theirs:
            _checked(theirs[name], kind)
    for part in ("headers", "trailers"):
        for name, value in theirs.get(part) or ():
            _checked(name, bytes), _checked(value, bytes)
    return theirs


def _dns_to_ours(theirs: State) -> State:
    message = dict(theirs)
    message["questions"] = [[item[key] for key in _QUESTION] for item in theirs["questions"]]
    for section in _SECTIONS:
        message[section] = [[item[key] for key in _RECORD] for item in theirs[section]]
    return message


def _connection(theirs: State, kind: str) -> State:
    for name in ("peername", "sockname", "address"):
        address = theirs.get(name)
        if address is not None:
            _checked(address[0], str), _checked(address[1], int)
    connection = _with_defaults({**theirs, "state": 0}, kind)
    _checked(connection["id"], str)
    return connection


def _checked(value: Any, kind: Any) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"{value!r:.60} is not of type {kind}")
    return value
