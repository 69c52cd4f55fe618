"""The action `throttle`: gives flows their part of a link, and breaks off what the link loses."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Annotated, Literal
from weakref import WeakValueDictionary

from proxyfw import ctx
from proxyfw.connection import Client, ServerConnectionHookData
from proxyfw.dns import DNSFlow, ResponseCode
from proxyfw.flow import Flow
from proxyfw.http import HTTPFlow
from proxyfw.rules import Action, Chance, Duration, Hit, Rate
from proxyfw.tcp import TCPFlow
from proxyfw.tls import ClientHelloData
from proxyfw.udp import UDPFlow

from .link import FlowLine, Link, PacketLine
from .profiles import Profile, Profiles

_HOOKS = ["requestheaders", "request", "responseheaders", "tcp_start", "udp_start", "dns_request"]
_LOSING = ["websocket_message", "udp_message"]
_TUNNELS = ["http_connect", "tls_clienthello", "server_connect"]
_ASKED_FOR = ("regular", "upstream")
"""Modes in which a client may reach many hosts over one connection, but for a tunnel sends CONNECT."""


@dataclass
class Throttle(Action):
    """Let it go through a slow or bad network."""

    profile: Annotated[str | None, "Name of a network: `Slow 3G`, or one of `throttle_profiles`."] = None
    down: Annotated[Rate | None, "Towards the client, in a second: 780kbit, 1.5mbit, 96KiB."] = None
    up: Annotated[Rate | None, "From the client."] = None
    latency: Annotated[Duration | None, "There and back: half of it each way."] = None
    jitter: Annotated[Duration | None, "The latency is up to so much less or more."] = None
    loss: Annotated[
        Chance | None, "Part of requests, of WebSocket messages, of raw streams that end in a reset."
    ] = None
    offline: Annotated[bool | None, "Nothing goes through: connections are reset at once."] = None
    per: Annotated[
        Literal["rule", "host", "client", "flow"],
        "Who shares the link: all flows of the rule, those to one host, those of one client, or nobody.",
    ] = "rule"
    tunnels: Annotated[bool, "Connections that are passed through unopened go over the link, too."] = True
    name: str = field(init=False, repr=False, default="")
    link: Link = field(init=False, repr=False)
    _links: WeakValueDictionary[object, Link] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.name, profile = Profiles(_custom()).find(self.profile or "No Throttling")
        fields = {each: getattr(self, each) for each in Profile.__dataclass_fields__}
        given = {each: value for each, value in fields.items() if value is not None}
        if not given and self.profile is None:
            raise ValueError("needs a profile, or some of down, up, latency, jitter, loss, offline")
        for each in ("down", "up"):
            if given.get(each) == 0:
                raise ValueError(f"{each}: nothing ever gets through at 0; for that write offline: true")
        self.link = Link(Profile(**{**vars(profile), **given}))
        self._links = WeakValueDictionary()

    def acts_in(self) -> list[str]:
        """No hooks for messages unless some are lost, none for tunnels if they are left alone."""
        losing = _LOSING if self.network.loss or self.network.offline else []
        return [*_HOOKS, *losing, *(_TUNNELS if self.tunnels else [])]

    @property
    def network(self) -> Profile:
        """What it comes to."""
        return self.link.profile

    # HTTP

    def requestheaders(self, flow: HTTPFlow, hit: Hit) -> None:
        """Put the flow on the link, as soon as may be."""
        self._carry(flow, hit)

    def request(self, flow: HTTPFlow, hit: Hit) -> None:
        """The same, where the match asks about the body."""
        self._carry(flow, hit)

    def responseheaders(self, flow: HTTPFlow, hit: Hit) -> None:
        """The same, where the match asks about the response, or another rule has answered."""
        self._carry(flow, hit)

    def _carry(self, flow: HTTPFlow, hit: Hit) -> None:
        if flow.line is not None:  # the first rule counts; or it is ours already
            return
        if hit.dry or not self._loses(flow, hit):
            hit.note(f"{self.profile or 'throttled'}: {self.network}")
            flow.line = self._line(hit, flow.client_conn, flow.request.pretty_host)

    def websocket_message(self, flow: HTTPFlow, hit: Hit) -> None:
        """Break the connection off if the message is lost."""
        self._loses(flow, hit)

    def _loses(self, flow: Flow, hit: Hit) -> bool:
        """Whether the network loses it, which is its end then."""
        if not self._lost(hit):
            return False
        hit.note("offline" if self.network.offline else "lost")
        flow.kill()
        return True

    def _lost(self, hit: Hit) -> bool:
        loss = self.network.loss
        return self.network.offline or (bool(loss) and hit.random.random() < loss)

    # Raw streams, and tunnels nobody looks into

    def tcp_start(self, flow: TCPFlow, hit: Hit) -> None:
        """Put a raw stream on the link."""
        if self.network.offline:
            self._loses(flow, hit)
        elif flow.line is None:
            hit.note(f"{self.profile or 'throttled'}: {self.network}")
            flow.line = self._line(hit, flow.client_conn, _host(flow), self.network.loss)

    def http_connect(self, flow: HTTPFlow, hit: Hit) -> None:
        """Put a tunnel on the link, if it comes to nobody looking into it."""
        if self.network.offline:
            self._loses(flow, hit)
        else:
            self._tunnel(flow.client_conn, hit, flow.request.host)

    def tls_clienthello(self, data: ClientHelloData, hit: Hit) -> None:
        """The same, where the host is known from the ClientHello."""
        self._tunnel(data.client, hit, data.client_hello.sni or "")

    def server_connect(self, data: ServerConnectionHookData, hit: Hit) -> None:
        """The same, where the client did not ask for a tunnel, as in mode socks5."""
        if self.network.offline:
            data.server.error = data.server.error or f"offline ({hit.rule.name})"
        elif data.client.proxy_mode.type_name not in _ASKED_FOR:
            self._tunnel(data.client, hit, data.server.address[0] if data.server.address else "")

    def _tunnel(self, client: Client, hit: Hit, host: str) -> None:
        if client.line is None and not hit.dry:
            client.line = self._line(hit, client, host, self.network.loss)

    # Datagrams

    def udp_start(self, flow: UDPFlow, hit: Hit) -> None:
        """Put datagrams on the link."""
        if flow.line is None:
            link = self._link_for(flow.client_conn, _host(flow))
            flow.line = PacketLine(link, Random(hit.random.getrandbits(64)))

    def udp_message(self, flow: UDPFlow, hit: Hit) -> None:
        """Drop a datagram that is lost."""
        if self._lost(hit):
            flow.messages[-1].content = b""

    async def dns_request(self, flow: DNSFlow, hit: Hit) -> None:
        """Let a query take its time, or get no answer."""
        if hit.dry:
            hit.note(f"{self.profile or 'throttled'}: {self.network}")
        elif self.network.offline:
            flow.response = flow.request.fail(ResponseCode.SERVFAIL)
        elif not self._loses(flow, hit):
            line = self._line(hit, flow.client_conn, "")
            await flow.wait_until_gone(line.lag() + line.lag())

    # The link

    def _line(self, hit: Hit, client: Client, host: str, loss: float = 0) -> FlowLine:
        # A chance of its own: when it is used depends on the timing, which must not change what is lost.
        return FlowLine(self._link_for(client, host), Random(hit.random.getrandbits(64)), loss)

    def _link_for(self, client: Client, host: str) -> Link:
        if self.per == "rule":
            return self.link
        if self.per == "flow":
            return Link(self.network)
        key = host.lower() if self.per == "host" else client.peername and client.peername[0]
        link = self._links.get(key)
        if link is None:
            self._links[key] = link = Link(self.network)
        return link


def _host(flow: Flow) -> str:
    server = flow.server_conn
    return server.sni or (server.address[0] if server.address else "")


def _custom() -> dict[str, object]:
    try:
        return dict(ctx.options.throttle_profiles)
    except AttributeError:  # made by code, where the addon is not loaded
        return {}
