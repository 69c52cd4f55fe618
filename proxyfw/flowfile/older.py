"""Earlier forms of the states in mitmproxy's files, made current as far as they say the same things.

Every change that is known adds, renames or leaves out a key, so one pass over the keys reads them all.
"""

from __future__ import annotations

from typing import Any

State = dict[str, Any]

OLDEST = 4
"""The first version with a number of its own; before, it was that of the program: ``(0, 18)``."""

_RENAMED = {
    "alpn_proto_negotiated": "alpn",
    "cipher_name": "cipher",
    "ip_address": "peername",
    "source_address": "sockname",
    "ssl_established": "tls",
    "timestamp_ssl_setup": "timestamp_tls_setup",
    "tls_established": "tls",
    "via2": "via",
}
_CLIENT: State = {"mitmcert": None, "proxy_mode": "regular"}
_SERVER: State = {"address": None, "timestamp_tcp_setup": None, "via": None}
_CONNECTION: State = {
    "alpn": None, "cipher": None, "error": None, "peername": None, "sni": None, "sockname": None,
    "timestamp_end": None, "timestamp_start": None, "timestamp_tls_setup": None, "tls": False,
    "tls_version": None, "transport_protocol": "tcp",
}  # fmt: skip


def renewed(state: Any, newest: int) -> State:
    """*state* with the keys of the *newest* version. Raises ValueError for one that cannot be read."""
    if not isinstance(state, dict):
        raise ValueError(f"a flow is a mapping, not {type(state).__name__}")
    state = _text_keys(state)
    version = state.get("version")
    if isinstance(version, list):
        numbers = ".".join(map(str, version))
        raise ValueError(f"it was written by mitmproxy {numbers}; let mitmproxy 5 to 12 write it anew")
    if type(version) is not int or not isinstance(state.get("type"), str | bytes):
        raise ValueError("it is no flow: there is no version, or no type")
    if version > newest:
        raise ValueError(f"it is of format {version}; known are {OLDEST} to {newest}")
    if version < OLDEST:
        raise ValueError(f"it is of format {version}, which is too old: let mitmproxy 5 to 12 write it anew")
    if state["type"] == "websocket":
        raise ValueError("a WebSocket of mitmproxy 6 or earlier, without its handshake, cannot be read")
    return state if version == newest else _current(state)


def _text_keys(value: Any) -> Any:
    """Early files have bytes for keys."""
    if isinstance(value, dict):
        return {
            key.decode("utf-8", "replace") if isinstance(key, bytes) else key: _text_keys(item)
            for key, item in value.items()
        }
    return [_text_keys(item) for item in value] if isinstance(value, list) else value


def _current(state: State) -> State:
    state = {"metadata": {}, "comment": "", "is_replay": None, "error": None, **state}
    if isinstance(state.get("marked"), bool):
        state["marked"] = ":default:" if state["marked"] else ""
    state["type"] = _text(state["type"])
    state["client_conn"] = _connection(state.get("client_conn"), _CLIENT)
    state["server_conn"] = _connection(state.get("server_conn"), _SERVER)
    state["backup"] = None
    for part in ("request", "response"):
        if isinstance(state.get(part), dict):
            state[part] = _message(state[part])
    if "timestamp_created" not in state:
        start = (state.get("request") or {}).get("timestamp_start")
        state["timestamp_created"] = start or state["client_conn"]["timestamp_start"] or 0.0
    return state


def _connection(old: Any, kind: State) -> State:
    if not isinstance(old, dict):
        raise ValueError("a connection is missing")
    connection: State = {_RENAMED.get(str(key), str(key)): value for key, value in old.items()}
    if "mitmcert" in kind and connection.get("peername") is None:
        connection["peername"] = connection.get("address")
    connection = _CONNECTION | kind | {"id": ""} | connection
    known = {*_CONNECTION, *kind, "id", "certificate_list", "alpn_offers", "cipher_list"}
    connection = {key: value for key, value in connection.items() if key in known}
    for key in ("peername", "sockname", "address"):
        connection[key] = _address(connection.get(key))
    for key in ("sni", "tls_version", "cipher", "id"):
        connection[key] = _text(connection[key])
    connection["tls"] = bool(connection["tls"])
    if connection["timestamp_start"] is None and "mitmcert" in kind:
        connection["timestamp_start"] = 0.0
    if kind is _CLIENT:
        connection.pop("address", None)
    return connection


def _message(old: State) -> State:
    message = {key: value for key, value in old.items() if key not in ("first_line_format", "is_replay")}
    if "host" in message:
        message["host"] = _text(message["host"]) or ""
        message.setdefault("authority", b"")
    return message


def _address(old: Any) -> list[Any] | None:
    if isinstance(old, dict):  # with a flag for IPv6, once
        old = old.get("address")
    return [_text(old[0]), old[1]] if old else None


def _text(value: Any) -> Any:
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value
