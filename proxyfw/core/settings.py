"""The core's own options: how they are declared, and the frozen form in which the stories read them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from proxyfw.exceptions import OptionsError
from proxyfw.net.contexts import VERSIONS
from proxyfw.net.network import is_ip
from proxyfw.net.wire import Address
from proxyfw.options import Duration, Options, Size
from proxyfw.protocol.http1_engine import NewEngine, engine_named

from .bypass import Bypass

_TLS_VERSIONS = list(VERSIONS)

DECLARATIONS: list[tuple[str, Any, Any, str]] = [
    ("confdir", str, "~/.proxyfw", "Directory of the certificate authority."),
    (
        "mode",
        Sequence[str],
        ["regular"],
        "How clients reach the proxy: regular, upstream:URL, reverse:URL, socks5, transparent or dns, each"
        " with @[host:]port if it is not to listen where listen_host and listen_port say. Repeatable.",
    ),
    ("listen_host", str, "127.0.0.1", "Address to listen on; empty for all of the machine's."),
    (
        "listen_port",
        int | None,
        None,
        "Port to listen on; 0 for any free one. By default 8080, and 1080 for socks5.",
    ),
    ("server", bool, True, "Listen at all."),
    ("workers", int, 1, "Processes of the command line that share the ports; read when it starts."),
    (
        "upstream_auth",
        str | None,
        None,
        "user:password for upstream proxies that have none of their own; in reverse mode, for the server.",
    ),
    (
        "upstream_bypass",
        Sequence[str],
        [],
        "Reached without the mode's upstream proxy: host[:port], .domain, *.domain, address or network.",
    ),
    (
        "keep_host_header",
        bool,
        False,
        "Reverse mode: Host and SNI stay as the client sent them, instead of naming the server.",
    ),
    ("stream_large_bodies", Size | None, "5m", "Bodies above this size are streamed, not buffered."),
    (
        "body_size_limit",
        Size | None,
        None,
        "Refuse larger bodies: 413 for requests, 502 for responses.",
    ),
    (
        "store_streamed_bodies",
        bool,
        False,
        "Keep a copy of streamed bodies, up to capture_limit, in the flow.",
    ),
    (
        "capture_limit",
        Size,
        "5m",
        "At most this much of a streamed body is kept; traffic is never cut.",
    ),
    ("max_head_size", Size, "64k", "Largest accepted head (request line or status line, and headers)."),
    ("connect_timeout", Duration, 30.0, "Seconds to connect to an origin, and for each TLS handshake."),
    ("idle_timeout", Duration, 600.0, "Seconds of silence after which a connection is closed."),
    ("head_timeout", Duration, 60.0, "Seconds from the first byte of a head to its last."),
    ("pool_idle_timeout", Duration, 60.0, "Seconds an unused connection to an origin is kept for reuse."),
    ("half_close_timeout", Duration, 2.0, "Seconds a client that closed its sending side is still answered."),
    ("http2", bool, True, "Speak HTTP/2 with clients and origins that want to."),
    (
        "http2_ping_keepalive",
        Duration,
        58.0,
        "Seconds of silence after which an HTTP/2 origin that requests wait for gets a PING; 0: never.",
    ),
    (
        "sniff_timeout",
        Duration,
        0.3,
        "Seconds a silent client is waited for in a tunnel before the server may speak.",
    ),
    ("shutdown_timeout", Duration, 0.5, "Seconds exchanges under way have to finish when the proxy stops."),
    ("ssl_insecure", bool, False, "Do not verify origins' certificates."),
    (
        "ssl_verify_upstream_trusted_ca",
        str | None,
        None,
        "PEM file of authorities to trust instead of the system's.",
    ),
    (
        "ssl_verify_upstream_trusted_confdir",
        str | None,
        None,
        "Directory of such files, as c_rehash leaves it.",
    ),
    (
        "client_certs",
        str | None,
        None,
        "PEM file, or directory of <host>.pem, shown to origins that ask for one.",
    ),
    ("request_client_cert", bool, False, "Ask clients for a certificate."),
    ("certs", Sequence[str], [], "Own leaf certificates: [domain=]path of a PEM file with key and chain."),
    ("cert_passphrase", str | None, None, "Passphrase of the authority's and own certificates' keys."),
    ("ciphers_client", str | None, None, "OpenSSL cipher list towards clients."),
    ("ciphers_server", str | None, None, "OpenSSL cipher list towards origins."),
    ("ignore_hosts", Sequence[str], [], "Regex on host:port: pass these through without interception."),
    ("allow_hosts", Sequence[str], [], "Regex on host:port: pass everything else through."),
    (
        "tcp_hosts",
        Sequence[str],
        [],
        "Regex on host:port: raw TCP, even if it looks like HTTP; TLS is still opened.",
    ),
    ("udp_hosts", Sequence[str], [], "Regex on host:port: raw UDP, even in a mode that speaks DNS."),
    (
        "show_ignored_hosts",
        bool,
        False,
        "What is passed through without interception makes TCP flows all the same.",
    ),
    ("rawtcp", bool, True, "Carry what is neither TLS nor HTTP as raw TCP; off: close such connections."),
    (
        "keep_messages",
        Size | None,
        "1m",
        "At most this much of the latest messages is kept in a WebSocket, TCP or UDP flow.",
    ),
    ("websocket", bool, True, "Read WebSocket connections; off: carry them as raw TCP."),
    (
        "websocket_message_limit",
        Size | None,
        "64m",
        "Close WebSocket connections (1009) on which a larger message comes.",
    ),
    ("udp_idle_timeout", Duration, 60.0, "Seconds without a datagram after which a UDP flow ends."),
    (
        "dns_name_servers",
        Sequence[str],
        [],
        "IP[:port] of the servers that mode dns asks; none: those of the system.",
    ),
    ("dns_use_hosts_file", bool, True, "Mode dns answers names in the system's hosts file by itself."),
    ("dns_timeout", Duration, 4.0, "Seconds one name server is waited for."),
]
CHOICES: list[tuple[str, str, list[str], str]] = [
    ("http1_codec", "auto", ["auto", "h11", "httptools"], "What frames HTTP/1 bodies; auto: the faster."),
    (
        "connection_strategy",
        "lazy",
        ["lazy", "eager"],
        "Connect to origins when needed, or at CONNECT already.",
    ),
    ("tls_version_client_min", "TLS1_2", _TLS_VERSIONS, "Lowest TLS version for clients."),
    ("tls_version_client_max", "UNBOUNDED", _TLS_VERSIONS, "Highest TLS version for clients."),
    ("tls_version_server_min", "TLS1_2", _TLS_VERSIONS, "Lowest TLS version for origins."),
    ("tls_version_server_max", "UNBOUNDED", _TLS_VERSIONS, "Highest TLS version for origins."),
]


def declare(options: Options) -> None:
    """Add the core's options to *options*."""
    for name, typespec, default, help in DECLARATIONS:
        options.add_option(name, typespec, default, help)
    for name, default, choices, help in CHOICES:
        options.add_option(name, str, default, help, choices=choices)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the stories need of the options, parsed once for each change. Sizes in bytes, times in seconds."""

    stream_above: float
    body_limit: float
    capture_limit: int
    """Zero: streamed bodies are not kept."""
    max_head_size: int
    connect_timeout: float
    idle_timeout: float
    head_timeout: float
    pool_idle_timeout: float
    half_close_timeout: float
    sniff_timeout: float
    shutdown_timeout: float
    udp_idle_timeout: float
    dns_timeout: float
    eager: bool
    http2: bool
    http2_ping_keepalive: float
    """Zero: never."""
    upstream_auth: str | None
    upstream_bypass: Bypass
    keep_host_header: bool
    rawtcp: bool
    show_ignored_hosts: bool
    keep_messages: float
    """Of each WebSocket, TCP or UDP flow; bytes."""
    websocket: bool
    websocket_message_limit: float
    name_servers: tuple[Address, ...]
    use_hosts_file: bool
    http1_engine: NewEngine

    @classmethod
    def of(cls, options: Options) -> Settings:
        """Raises OptionsError naming the option and what is wrong with it."""
        return cls(
            stream_above=_size(options, "stream_large_bodies"),
            body_limit=_size(options, "body_size_limit"),
            capture_limit=int(_size(options, "capture_limit")) if options.store_streamed_bodies else 0,
            max_head_size=int(_size(options, "max_head_size")),
            eager=options.connection_strategy == "eager",
            http2=options.http2,
            http2_ping_keepalive=_seconds_or_never(options, "http2_ping_keepalive"),
            upstream_auth=_credentials(options),
            upstream_bypass=Bypass(options.upstream_bypass),
            keep_host_header=options.keep_host_header,
            rawtcp=options.rawtcp,
            show_ignored_hosts=options.show_ignored_hosts,
            keep_messages=_size(options, "keep_messages"),
            websocket=options.websocket,
            websocket_message_limit=_size(options, "websocket_message_limit"),
            name_servers=tuple(_name_server(text) for text in options.dns_name_servers),
            use_hosts_file=options.dns_use_hosts_file,
            http1_engine=_engine(options),
            **{name: _seconds(options, name) for name in _TIMES},
        )

    @property
    def shortest_timeout(self) -> float:
        times = self.idle_timeout, self.head_timeout, self.pool_idle_timeout, self.udp_idle_timeout
        return min(*times, self.http2_ping_keepalive or self.idle_timeout)


_TIMES = (
    "connect_timeout", "idle_timeout", "head_timeout", "pool_idle_timeout",
    "half_close_timeout", "sniff_timeout", "shutdown_timeout", "udp_idle_timeout", "dns_timeout",
)  # fmt: skip


def _size(options: Options, name: str) -> float:
    value: Size | None = getattr(options, name)
    return float("inf") if value is None else int(value)


def _engine(options: Options) -> NewEngine:
    try:
        return engine_named(None if options.http1_codec == "auto" else options.http1_codec)
    except ImportError:
        raise OptionsError("http1_codec: httptools is not installed: pip install httptools") from None


def _credentials(options: Options) -> str | None:
    text: str | None = options.upstream_auth
    if text and ":" not in text:
        raise OptionsError("upstream_auth: write user:password")
    return text or None


def _seconds(options: Options, name: str) -> float:
    value: float = getattr(options, name)
    if value <= 0:
        raise OptionsError(f"{name}: {value:g} is not a number of seconds above zero")
    return value


def _seconds_or_never(options: Options, name: str) -> float:
    return _seconds(options, name) if getattr(options, name) else 0


_NAME_SERVER = re.compile(
    r"(?:\[(?P<ip6>[^\]]+)\]|(?P<ip4>[^:\[\]]+))(?::(?P<port>\d{1,5}))?|(?P<bare>[0-9A-Fa-f:.]+)"
)


def _name_server(text: str) -> Address:
    match = _NAME_SERVER.fullmatch(text)
    host = match and (match["ip6"] or match["ip4"] or match["bare"])
    port = int((match and match["port"]) or 53)
    if not host or not is_ip(host) or not 0 < port < 65536:
        raise OptionsError(
            f"dns_name_servers: {text!r} is not of the form 192.0.2.1[:53] or [2001:db8::1][:53]"
        )
    return host, port
