"""Every hook, declared once: a documented, typed, empty function per moment in the life of the traffic.

An addon implements a hook by having a function or method of that name, plain or ``async``. The functions here
are also how the core calls a hook, ``await addons.call(hookspecs.request, flow)``, so that the type checker
rejects wrong arguments. Nothing is imported at run time: this module must stay cheap and free of cycles.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ParamSpec

if TYPE_CHECKING:
    from proxyfw.addonmanager import Loader
    from proxyfw.connection import Client, Connection, Server, ServerConnectionHookData
    from proxyfw.dns import DNSFlow
    from proxyfw.flow import Flow, Pause
    from proxyfw.http import HTTPFlow
    from proxyfw.log import LogEntry
    from proxyfw.sse import ServerSentEvent
    from proxyfw.tcp import TCPFlow
    from proxyfw.tls import ClientHelloData, Context, TlsData
    from proxyfw.udp import UDPFlow

P = ParamSpec("P")

#: Every hook by name, in the order of this file.
HOOKS: dict[str, Callable[..., None]] = {}
#: Name of a hook -> the group it is documented under.
GROUPS: dict[str, str] = {}
#: Hooks that must not be ``async``: what they do has to be complete when they return.
SYNC_ONLY = frozenset({"load", "configure"})


@dataclass(slots=True)
class Socks5AuthData:
    """A SOCKS5 client presents a user name and password (RFC 1929); set *valid* to let it in."""

    client_conn: Client
    username: str
    password: str
    valid: bool = False


@dataclass(slots=True)
class QuicStartData:
    """A QUIC handshake is about to start on *conn*; an addon supplies the TLS *settings*."""

    conn: Connection
    client: Client
    server: Server | None
    settings: object | None = None


@dataclass(slots=True)
class NextLayer:
    """The protocol of a connection has to be chosen; an addon may name it in *layer*.

    *layers* are the protocols already in place, outermost first.
    """

    client: Client
    server: Server | None
    layers: tuple[str, ...] = ()
    received_from_client: bytes = b""
    received_from_server: bytes = b""
    layer: str | None = None

    @property
    def context(self) -> Context:
        """Both connections, and the protocols in place."""
        from proxyfw.tls import Context

        return Context(self.client, self.server, self.layers)

    def data_client(self) -> bytes:
        """What the client has sent so far and nobody has consumed."""
        return self.received_from_client

    def data_server(self) -> bytes:
        """What the server has sent so far and nobody has consumed."""
        return self.received_from_server


def _hook(group: str) -> Callable[[Callable[P, None]], Callable[P, None]]:
    def declare(function: Callable[P, None]) -> Callable[P, None]:
        HOOKS[function.__name__] = function
        GROUPS[function.__name__] = group
        return function

    return declare


@_hook("life-cycle")
def load(loader: Loader) -> None:
    """The addon has been added: declare options and commands on *loader*. Sync only.

    An exception refuses the addon, and nothing of it remains.
    """


@_hook("life-cycle")
def configure(updated: set[str]) -> None:
    """Options have changed: at first with the names of all options, later with those that changed. Sync only.

    Check and prepare what depends on them; raising ``OptionsError`` rolls the whole change back.
    """


@_hook("life-cycle")
def running() -> None:
    """The proxy is up and listening; an addon added later gets this at once. May be async.

    The place to open files and sockets: at a reload the old version's ``done`` has run by now.
    """


@_hook("life-cycle")
def done() -> None:
    """The addon has been removed or replaced, or the proxy shuts down: release what you hold. May be async.

    Flows that began before the removal still reach the hooks of the removed addon.
    """


def save_state() -> object:
    """A new version of the addon has been loaded: return what it shall go on with. Sync only.

    Called at each reload of a script, and by ``AddonManager.replace``, before ``done``. The very object goes
    to ``load_state`` of the new version; None means that there is nothing to hand over.
    """


def load_state(state: object) -> None:
    """What the version before has returned from ``save_state``; it still serves. Sync only.

    Called after ``load`` and ``configure``, before anything else. *state* may be of an older shape than you
    expect: what you raise is logged, and the new version begins without it.
    """


#: How an addon hands its state to its next version: two functions that are no hooks. Nobody else is called
#: with them, what they return counts, and functions of these names with other arguments are the addon's own.
HAND_OVER: dict[str, Callable[..., object]] = {"save_state": save_state, "load_state": load_state}


@_hook("connection")
def client_connected(client: Client) -> None:
    """A client has connected, nothing has been read. Set ``client.error`` to drop it. May be async."""


@_hook("connection")
def client_disconnected(client: Client) -> None:
    """A client connection is closed, by either side. Nothing can be changed any more. May be async."""


@_hook("connection")
def server_connect(data: ServerConnectionHookData) -> None:
    """A server is about to be dialled: change ``data.server.address`` or ``.via``. May be async.

    ``data.addresses = [("192.0.2.7", 443)]`` resolves its name in your own way, for this connection, which
    may serve many requests: call ``ctx.proxy.renew_connections(host)`` when your mind has changed.
    Set ``data.server.error`` to refuse; then ``server_connect_error`` follows. ``data.flow`` is the request
    that needs the connection, None for tunnels and datagrams.
    """


@_hook("connection")
def server_connected(data: ServerConnectionHookData) -> None:
    """The server accepted the connection; TLS has not begun. May be async."""


@_hook("connection")
def server_connect_error(data: ServerConnectionHookData) -> None:
    """No connection to the server; ``data.server.error`` says why. May be async.

    Exactly one of this and ``server_connected`` follows each ``server_connect``.
    """


@_hook("connection")
def server_disconnected(data: ServerConnectionHookData) -> None:
    """A server connection is closed, by either side. Nothing can be changed any more. May be async."""


@_hook("HTTP")
def requestheaders(flow: HTTPFlow) -> None:
    """The head of a request has been read; its body has not. May be async.

    Change method, URL and headers; the last moment to set ``flow.request.stream``. ``flow.response`` answers
    without the origin, ``flow.kill()`` ends the flow before a byte of it is sent.
    """


@_hook("HTTP")
def request(flow: HTTPFlow) -> None:
    """The request is here: whole, or if its body is streamed, before any of it is forwarded. May be async.

    Change any part of ``flow.request``, or set ``flow.response`` to answer without the origin, which then
    gets nothing. The content of a streamed body is None: it passes after this hook.
    """


@_hook("HTTP")
def responseheaders(flow: HTTPFlow) -> None:
    """The head of the response is here, from the origin or an addon; its body is not. May be async.

    Change status and headers; the last moment to set ``flow.response.stream``.
    """


@_hook("HTTP")
def response(flow: HTTPFlow) -> None:
    """The whole response is here and not yet sent. May be async.

    Change any part of ``flow.response``; of a streamed one only the trailers have not been sent.
    """


@_hook("HTTP")
def error(flow: HTTPFlow) -> None:
    """The exchange failed: ``flow.error`` says why. May be async.

    A flow gets ``response`` or ``error``, never both. ``flow.response`` may hold what we answer instead.
    """


@_hook("HTTP")
def sse_event(flow: HTTPFlow, event: ServerSentEvent) -> None:
    """The origin has sent one event of a ``text/event-stream`` body, while it streams. May be async.

    Change the event or ``drop()`` it; it is sent on when the hook returns, and later ones after it. A stream
    that nobody has this hook for is not parsed; one that is goes on without its Content-Encoding.
    """


@_hook("HTTP")
def http_connect(flow: HTTPFlow) -> None:
    """A client asks for a tunnel (CONNECT). May be async.

    A ``flow.response`` other than 2xx refuses it. The other HTTP hooks do not fire for CONNECT.
    """


@_hook("HTTP")
def http_connect_upstream(flow: HTTPFlow) -> None:
    """An upstream proxy will be asked for a tunnel: add credentials to ``flow.request``. May be async.

    The proxy is ``flow.server_conn.via``. The flow is there for this hook alone: it has no other and no end.
    """


@_hook("HTTP")
def http_connected(flow: HTTPFlow) -> None:
    """The tunnel a client asked for is open. May be async."""


@_hook("HTTP")
def http_connect_error(flow: HTTPFlow) -> None:
    """The tunnel a client asked for was refused; ``flow.error`` is unset if an addon did. May be async."""


@_hook("WebSocket")
def websocket_start(flow: HTTPFlow) -> None:
    """The handshake is complete; ``flow.websocket`` is there. Follows ``response`` (101). May be async.

    It shows as GET with ``Upgrade: websocket`` and 101 in HTTP/2 too, where the wire says it otherwise.
    """


@_hook("WebSocket")
def websocket_message(flow: HTTPFlow) -> None:
    """A whole message has arrived: ``flow.websocket.messages[-1]``. May be async.

    Change its content or ``drop()`` it; it is sent on when the hook returns. Later messages wait, in both
    directions; pings do not. ``flow.websocket.inject()`` sends a message of your own, which comes here too.
    """


@_hook("WebSocket")
def websocket_end(flow: HTTPFlow) -> None:
    """The WebSocket is closed; ``flow.websocket.close_code`` and the like say how. May be async."""


@_hook("TCP")
def tcp_start(flow: TCPFlow) -> None:
    """A raw TCP stream begins; the server is connected. May be async."""


@_hook("TCP")
def tcp_message(flow: TCPFlow) -> None:
    """Bytes have arrived: ``flow.messages[-1]``. May be async.

    Change its content; it is one read from the socket, not a message of the protocol inside.
    """


@_hook("TCP")
def tcp_end(flow: TCPFlow) -> None:
    """The stream ended in order. A flow gets this or ``tcp_error``. May be async."""


@_hook("TCP")
def tcp_error(flow: TCPFlow) -> None:
    """The stream broke: ``flow.error`` says why. May be async."""


@_hook("UDP")
def udp_start(flow: UDPFlow) -> None:
    """The first datagram between two addresses has arrived. May be async."""


@_hook("UDP")
def udp_message(flow: UDPFlow) -> None:
    """A datagram has arrived: ``flow.messages[-1]``. Change its content. May be async."""


@_hook("UDP")
def udp_end(flow: UDPFlow) -> None:
    """No datagram for a while, or the proxy stops. A flow gets this or ``udp_error``. May be async."""


@_hook("UDP")
def udp_error(flow: UDPFlow) -> None:
    """The exchange of datagrams failed: ``flow.error`` says why. May be async."""


@_hook("DNS")
def dns_request(flow: DNSFlow) -> None:
    """A query has arrived. Change ``flow.request``, or set ``flow.response`` to answer it. May be async."""


@_hook("DNS")
def dns_response(flow: DNSFlow) -> None:
    """An answer is here and not yet sent. Change ``flow.response``. May be async."""


@_hook("DNS")
def dns_error(flow: DNSFlow) -> None:
    """No answer: ``flow.error`` says why; the client is told SERVFAIL. May be async."""


@_hook("TLS")
def tls_clienthello(data: ClientHelloData) -> None:
    """A ClientHello has been read, nothing has been answered. May be async.

    Set ``data.ignore_connection`` to pass the bytes through untouched, ``data.establish_server_tls_first`` to
    shake hands with the server before the client.
    """


@_hook("TLS")
def tls_start_client(data: TlsData) -> None:
    """TLS with the client is about to start. May be async.

    Set ``data.ssl_conn`` to a pyOpenSSL connection of your own making; the first addon that does wins.
    """


@_hook("TLS")
def tls_start_server(data: TlsData) -> None:
    """TLS with the server is about to start. May be async.

    Set ``data.ssl_conn`` to a pyOpenSSL connection of your own making; the first addon that does wins.
    """


@_hook("TLS")
def tls_established_client(data: TlsData) -> None:
    """The handshake with the client is complete; ``data.conn`` holds what was agreed. May be async."""


@_hook("TLS")
def tls_established_server(data: TlsData) -> None:
    """The handshake with the server is complete; ``data.conn.certificate_list`` is there. May be async."""


@_hook("TLS")
def tls_failed_client(data: TlsData) -> None:
    """The handshake with the client failed: ``data.conn.error`` says why. May be async."""


@_hook("TLS")
def tls_failed_server(data: TlsData) -> None:
    """The handshake with the server failed: ``data.conn.error`` says why. May be async."""


@_hook("QUIC")
def quic_start_client(data: QuicStartData) -> None:
    """QUIC with the client is about to start: an addon supplies ``data.settings``. May be async."""


@_hook("QUIC")
def quic_start_server(data: QuicStartData) -> None:
    """QUIC with the server is about to start: an addon supplies ``data.settings``. May be async."""


@_hook("SOCKS")
def socks5_auth(data: Socks5AuthData) -> None:
    """A SOCKS5 client sent credentials, or has none: set ``data.valid`` to let it in. May be async.

    Without credentials, user name and password are empty. Where nobody implements this, everybody is let in.
    """


@_hook("advanced")
def next_layer(nextlayer: NextLayer) -> None:
    """The next protocol of a connection has to be chosen; may fire several times for one. May be async.

    Set ``nextlayer.layer`` to choose it instead of the proxy: ``"tls"``, ``"http"``, ``"tcp"``, or
    ``"ignored"``, which is carried and makes no flow. It fires where a destination is known: in tunnels, for
    SOCKS and redirected clients, and again inside their TLS.
    """


@_hook("advanced")
def flow_paused(pause: Pause) -> None:
    """A flow is held after a hook in which ``flow.intercept()`` was called. May be async.

    ``pause.flow`` can be changed and answered as in that hook, until ``flow.resume()`` or ``flow.kill()``.
    ``pause.by`` says who holds it, ``pause.timeout`` for how many seconds at most.
    """


@_hook("advanced")
def flow_resumed(pause: Pause) -> None:
    """A held flow goes on, or is over; ``pause.ended`` says why. May be async."""


@_hook("advanced")
def update(flows: Sequence[Flow]) -> None:
    """Flows have changed outside their own hooks, or a hook of theirs has just run. May be async."""


@_hook("advanced")
def add_log(entry: LogEntry) -> None:
    """A log record was written. Kept for old scripts: use a ``logging.Handler`` instead. May be async."""


@_hook("advanced")
def flow_end(flow: Flow) -> None:
    """The flow is over, however it ended: fires exactly once for each flow, after every other hook of it.

    Nothing of the flow changes afterwards: the place to store, count or print it. May be async.
    """
