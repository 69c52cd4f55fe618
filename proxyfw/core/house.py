"""What all connections of one proxy share, so that a story needs one thing to know them all."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import re
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

from proxyfw.addonmanager import AddonManager
from proxyfw.certs import CertStore
from proxyfw.connection import Client, Server, ServerSpec
from proxyfw.flow import Flow
from proxyfw.net.contexts import LeafContexts, OriginContexts
from proxyfw.net.network import Network, is_local
from proxyfw.net.peer import Patience
from proxyfw.net.watch import Watch
from proxyfw.net.wire import Address

from .settings import Settings

log = logging.getLogger("proxyfw")


@dataclass(slots=True)
class House:
    """The parts of one running proxy. Replacing `settings` or the TLS contexts concerns new connections."""

    addons: AddonManager
    network: Network
    certs: CertStore
    settings: Settings
    leaf_contexts: LeafContexts
    origin_contexts: OriginContexts
    watch: Watch
    context: contextvars.Context
    """Where `proxyfw.ctx` is this proxy: stories run in copies of it."""
    ignore_hosts: Sequence[re.Pattern[str]] = ()
    allow_hosts: Sequence[re.Pattern[str]] = ()
    tcp_hosts: Sequence[re.Pattern[str]] = ()
    udp_hosts: Sequence[re.Pattern[str]] = ()
    upstreams: dict[str, ServerSpec] = field(default_factory=dict)
    """The upstream proxy of clients by their `proxy_mode`, where that has one."""
    own_addresses: list[Address] = field(default_factory=list)
    """Where this proxy listens."""
    tasks: set[asyncio.Task[Any]] = field(default_factory=set)
    live: set[Flow] = field(default_factory=set)
    """The flows that are under way."""

    def server(self, client: Client, address: Address, instead: Server | None = None) -> Server:
        """A connection to *address* that may be made for *client*: by its mode's upstream proxy, if any.

        *instead*: of this one, in which an addon may have chosen another upstream proxy; that holds then.
        """
        server = Server(address=address)
        if self.upstreams:
            server.via = self._upstream(client, address)
        if instead and not same_way(instead.via, self._upstream(client, instead.address)):
            server.via = instead.via
        return server

    def _upstream(self, client: Client, address: Address | None) -> ServerSpec | None:
        via = self.upstreams.get(client.proxy_mode)
        return None if via is None or (address and self.settings.upstream_bypass.covers(address)) else via

    def spawn(self, story: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run *story* beside this one; a fault in it is logged, never lost."""
        task = self.watch.loop.create_task(story, context=self.context.copy())
        self.tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("internal error", exc_info=error)

    @property
    def patience_with_clients(self) -> Patience:
        s = self.settings
        return Patience(s.idle_timeout, s.head_timeout, s.half_close_timeout)

    @property
    def patience_with_origins(self) -> Patience:
        return Patience(self.settings.idle_timeout, self.settings.head_timeout)

    @property
    def alpn(self) -> tuple[bytes, ...]:
        """The versions of HTTP that we speak, the one we prefer first."""
        return (b"h2", b"http/1.1") if self.settings.http2 else (b"http/1.1",)

    def passes_through(self, names: Sequence[str]) -> bool:
        """Whether ``host:port`` *names* of one destination are exempt from interception by the options."""
        if self.ignore_hosts and any(p.search(name) for p in self.ignore_hosts for name in names):
            return True
        return bool(self.allow_hosts) and not any(p.search(n) for p in self.allow_hosts for n in names)

    def is_raw(self, names: Sequence[str]) -> bool:
        """Whether ``host:port`` *names* of one destination are raw TCP whatever it looks like."""
        return bool(self.tcp_hosts) and any(p.search(name) for p in self.tcp_hosts for name in names)

    def is_own(self, address: Address) -> bool:
        """Whether connecting to *address* would reach this very proxy."""
        host, port = address
        return any(
            port == own_port and (host == own or (own in ("0.0.0.0", "::") and is_local(host)))
            for own, own_port in self.own_addresses
        )


def same_way(via: ServerSpec | None, other: ServerSpec | None) -> bool:
    """Whether both are the same way, by the same account."""
    return via == other and (via is None or other is None or via.credentials == other.credentials)
