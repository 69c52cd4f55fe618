"""What matchers look at: facts about a flow, or about a connection before there is a flow.

Nothing here raises because something is missing: what is not there is empty, or None.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from proxyfw.connection import Client, ServerConnectionHookData
from proxyfw.dns import DNSFlow
from proxyfw.flow import Flow
from proxyfw.http import HTTPFlow, Message
from proxyfw.ruleset.patterns import host_key
from proxyfw.tcp import TCPFlow
from proxyfw.tls import ClientHelloData, TlsData
from proxyfw.udp import UDPFlow

Subject = Flow | ClientHelloData | TlsData | ServerConnectionHookData | Client
"""What a hook is about: its first argument."""

MISSING: Any = object()
"""There is no JSON."""

_OPERATION = re.compile(r"^\s*(query|mutation|subscription)\b\s*([_A-Za-z][_0-9A-Za-z]*)?", re.MULTILINE)


def host(subject: Subject) -> str:
    """The host that is meant: as the client named it, without port and in lower case; "" if unknown."""
    if isinstance(subject, HTTPFlow):
        return host_key(subject.request.pretty_host)
    if isinstance(subject, DNSFlow):
        question = subject.request.question
        return host_key(question.name) if question else ""
    if isinstance(subject, Client):
        return host_key(subject.sni or "")
    if isinstance(subject, ClientHelloData):
        name = subject.client_hello.sni or subject.client.sni
        return host_key(name) if name else _server_host(subject.server)
    if isinstance(subject, TlsData):
        return host_key(subject.conn.sni or "") or _server_host(subject.server)
    if isinstance(subject, ServerConnectionHookData):
        return _server_host(subject.server)
    return host_key(subject.server_conn.sni or subject.client_conn.sni or "") or _server_host(
        subject.server_conn
    )


def _server_host(server: Any) -> str:
    return host_key(server.address[0]) if server is not None and server.address else ""


def port(subject: Subject) -> int | None:
    """The port of the origin."""
    if isinstance(subject, HTTPFlow):
        return subject.request.port
    if isinstance(subject, Client):
        return None
    server = subject.server_conn if isinstance(subject, Flow) else subject.server
    return server.address[1] if server is not None and server.address else None


def protocol(subject: Subject) -> str:
    """``http``, ``https``, ``ws``, ``wss``, ``tcp``, ``udp``, ``dns``, ``tls``; "" if not yet known."""
    if isinstance(subject, HTTPFlow):
        scheme, request = subject.request.scheme, subject.request
        if request.headers.get("upgrade", "").lower() == "websocket" or b":protocol" in _names(request):
            return {"http": "ws", "https": "wss"}.get(scheme, scheme)
        return scheme
    if isinstance(subject, ClientHelloData | TlsData):
        return "tls"
    return subject.type if isinstance(subject, TCPFlow | UDPFlow | DNSFlow) else ""


def websocket_url(flow: HTTPFlow) -> str:
    """The URL with ``ws`` or ``wss``, as a page writes it to open a WebSocket; "" of other requests."""
    spoken = protocol(flow)
    return spoken + flow.request.pretty_url[len(flow.request.scheme) :] if spoken.startswith("ws") else ""


def _names(message: Message) -> Iterator[bytes]:
    return (name for name, _ in message.headers.fields)


def is_grpc(flow: HTTPFlow) -> bool:
    """Whether the request is one of gRPC."""
    return flow.request.headers.get("content-type", "").startswith("application/grpc")


def body(flow: HTTPFlow) -> str | None:
    """The decoded text of the request's body; None if it has none."""
    return (flow.request.get_text(strict=False) or None) if flow.request.raw_content else None


def json_of(flow: HTTPFlow) -> Any:
    """The request's body as JSON, or `MISSING`."""
    import json  # takes a while, and most proxies have no such rule

    text = body(flow)
    if text is None:
        return MISSING
    try:
        return json.loads(text)
    except ValueError:
        return MISSING


def operations(flow: HTTPFlow) -> Iterator[tuple[str, str]]:
    """Kind and name of each GraphQL operation in the request; the name is "" if it has none."""
    found = json_of(flow)
    if found is MISSING:
        query = flow.request.query
        found = {"query": query.get("query"), "operationName": query.get("operationName")}
    for each in found if isinstance(found, list) else [found]:
        if isinstance(each, Mapping) and isinstance(document := each.get("query"), str):
            yield _operation(document, each.get("operationName"))
        elif isinstance(each, Mapping) and isinstance(name := each.get("operationName"), str):
            yield "query", name  # a persisted query: the document is known by its hash only


def _operation(document: str, name: Any) -> tuple[str, str]:
    defined = [(kind, given or "") for kind, given in _OPERATION.findall(document)] or [("query", "")]
    return next((each for each in defined if each[1] == name), (defined[0][0], name or defined[0][1]))
