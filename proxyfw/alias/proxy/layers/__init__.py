"""``mitmproxy.proxy.layers``: names by which ``next_layer`` says what a connection goes on with.

``nextlayer.layer = layers.TCPLayer(nextlayer.context)`` is ``nextlayer.layer = "tcp"``. The classes also
recognise those names: ``isinstance(nextlayer.layer, layers.TCPLayer)``.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Any

from proxyfw.alias import names_of
from proxyfw.tls import ClientHelloData, TlsData

__all__ = [
    "HTTP1_ALPNS",
    "HTTP_ALPNS",
    "ClientHelloData",
    "ClientTLSLayer",
    "DNSLayer",
    "HTTPMode",
    "HttpLayer",
    "Layer",
    "ServerTLSLayer",
    "TCPLayer",
    "TLSLayer",
    "TlsData",
    "UDPLayer",
    "WebsocketLayer",
]

HTTP1_ALPNS = (b"http/1.1", b"http/1.0", b"http/0.9")
HTTP_ALPNS = (b"h2", *HTTP1_ALPNS)


class _Named(type):
    value: str

    def __instancecheck__(cls, instance: object) -> bool:
        if isinstance(instance, str):
            return instance == cls.value
        return super().__instancecheck__(instance)


class Layer(metaclass=_Named):
    """A protocol, as it is chosen; `value` is its name in proxyfw."""

    value = ""

    def __init__(self, context: Any, *arguments: Any, **keywords: Any) -> None:
        self.context = context

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class HTTPMode(Enum):
    """What kind of HTTP a client speaks; proxyfw finds out for itself."""

    regular = auto()
    transparent = auto()
    upstream = auto()


class HttpLayer(Layer):
    """HTTP, whatever its version."""

    value = "http"


class TLSLayer(Layer):
    """TLS that is opened."""

    value = "tls"


class ClientTLSLayer(TLSLayer):
    """TLS with the client."""


class ServerTLSLayer(TLSLayer):
    """TLS with the server: proxyfw adds it by itself, where the client speaks TLS."""


class TCPLayer(Layer):
    """Bytes whose messages addons see; with *ignore*, bytes that nobody looks at."""

    value = "tcp"

    def __init__(self, context: Any, ignore: bool = False) -> None:
        super().__init__(context)
        if ignore:
            self.value = "ignored"


class UDPLayer(TCPLayer):
    """Datagrams; chosen by the mode, not by ``next_layer``."""

    value = "udp"


class DNSLayer(Layer):
    """DNS; chosen by the mode, not by ``next_layer``."""

    value = "dns"


class WebsocketLayer(Layer):
    """WebSocket, which HTTP turns into by itself."""

    value = "websocket"


__getattr__ = names_of("proxy.layers")
