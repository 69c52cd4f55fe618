"""The hooks are declared under the names and with the arguments the field knows."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

from proxyfw import hookspecs
from proxyfw.connection import Client

FIELD = [
    *["load(loader)", "configure(updated)", "running()", "done()"],
    *["client_connected(client)", "client_disconnected(client)"],
    *["server_connect(data)", "server_connected(data)", "server_connect_error(data)"],
    *["server_disconnected(data)"],
    *["requestheaders(flow)", "request(flow)", "responseheaders(flow)", "response(flow)", "error(flow)"],
    *["http_connect(flow)", "http_connect_upstream(flow)", "http_connected(flow)"],
    *["http_connect_error(flow)"],
    *["websocket_start(flow)", "websocket_message(flow)", "websocket_end(flow)"],
    *["tcp_start(flow)", "tcp_message(flow)", "tcp_end(flow)", "tcp_error(flow)"],
    *["udp_start(flow)", "udp_message(flow)", "udp_end(flow)", "udp_error(flow)"],
    *["dns_request(flow)", "dns_response(flow)", "dns_error(flow)"],
    *["tls_clienthello(data)", "tls_start_client(data)", "tls_start_server(data)"],
    *["tls_established_client(data)", "tls_established_server(data)"],
    *["tls_failed_client(data)", "tls_failed_server(data)"],
    *["quic_start_client(data)", "quic_start_server(data)"],
    *["socks5_auth(data)"],
    *["next_layer(nextlayer)", "update(flows)", "add_log(entry)"],
]

GROUPS = ["life-cycle", "connection", "HTTP", "WebSocket", "TCP", "UDP", "DNS", "TLS", "QUIC", "SOCKS"]


def declared(name: str) -> str:
    return f"{name}({', '.join(inspect.signature(hookspecs.HOOKS[name]).parameters)})"


def test_the_46_hooks_of_the_field_and_ours() -> None:
    assert len(FIELD) == 46
    ours = ["sse_event(flow, event)", "flow_end(flow)", "flow_paused(pause)", "flow_resumed(pause)"]
    found = [declared(name) for name in hookspecs.HOOKS]
    assert sorted(found) == sorted(FIELD + ours)
    assert [hook for hook in found if hook in FIELD] == FIELD


def test_groups_come_in_the_order_of_the_documentation() -> None:
    assert list(dict.fromkeys(hookspecs.GROUPS.values())) == [*GROUPS, "advanced"]
    assert hookspecs.GROUPS.keys() == hookspecs.HOOKS.keys()


@pytest.mark.parametrize("name", hookspecs.HOOKS)
def test_every_hook_is_typed_documented_and_empty(name: str) -> None:
    hook = hookspecs.HOOKS[name]
    assert getattr(hookspecs, name) is hook
    assert inspect.signature(hook).return_annotation == "None"
    assert all(p.annotation is not p.empty for p in inspect.signature(hook).parameters.values())
    documentation = inspect.getdoc(hook)
    assert documentation is not None
    expected = "Sync only." if name in hookspecs.SYNC_ONLY else "May be async."
    assert expected in documentation
    assert hook.__code__.co_names == ()


def test_importing_the_hooks_imports_nothing_else_of_ours() -> None:
    code = (
        "import sys, proxyfw; before = set(sys.modules); import proxyfw.hookspecs;"
        "print(*(m for m in set(sys.modules) - before if m.startswith('proxyfw.')))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert set(out.split()) <= {"proxyfw.hookspecs"}


def test_next_layer_offers_what_has_been_received() -> None:
    client = Client(peername=("127.0.0.1", 1), sockname=("127.0.0.1", 2), timestamp_start=1.0)
    layer = hookspecs.NextLayer(client, None, received_from_client=b"GET", received_from_server=b"220")
    assert (layer.data_client(), layer.data_server(), layer.layer) == (b"GET", b"220", None)


def test_socks_credentials_are_refused_unless_an_addon_says_otherwise() -> None:
    client = Client(peername=("127.0.0.1", 1), sockname=("127.0.0.1", 2), timestamp_start=1.0)
    assert hookspecs.Socks5AuthData(client, "user", "secret").valid is False
    assert hookspecs.QuicStartData(client, client, None).settings is None
