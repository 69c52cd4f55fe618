"""Learns which clients do not accept our certificate for a host, and lets them pass through to it unopened.

Applications that pin certificates refuse every other one; after a few refusals their connections to that host
are tunnelled as they are, until that is forgotten again. Nothing is learnt about other clients of the host.
"""

from __future__ import annotations

import logging
from collections import OrderedDict

from proxyfw import ctx, flow
from proxyfw.addonmanager import Loader
from proxyfw.tls import ClientHelloData, TlsData

log = logging.getLogger("proxyfw")

_MEMORY = 4096
_REJECTIONS = ("certificate", "unknown_ca", "closed the connection")
"""What the error of a handshake speaks of when a client may not have liked what it was shown."""

Pair = tuple[str, str]


class SslPassthrough:
    """Counts refusals for each pair of client and host; `passed` says until when a pair passes through."""

    def __init__(self) -> None:
        self.refusals: OrderedDict[Pair, int] = OrderedDict()
        self.passed: OrderedDict[Pair, float] = OrderedDict()

    def load(self, loader: Loader) -> None:
        """Declare the options."""
        loader.add_option(
            "ssl_passthrough_after",
            int,
            2,
            "Refusals of our certificate after which a client passes through.",
        )
        loader.add_option("ssl_passthrough_expiry", float, 3600.0, "Seconds until it is intercepted again.")

    def tls_clienthello(self, data: ClientHelloData) -> None:
        """Let the connection pass if its client has refused us often enough, and not too long ago."""
        pair = _pair(data)
        if pair not in self.passed:
            return
        if self.passed[pair] > flow.clock():
            data.ignore_connection = True
        else:
            del self.passed[pair]

    def tls_established_client(self, data: TlsData) -> None:
        """It trusts us after all."""
        self.refusals.pop(_pair(data), None)

    def tls_failed_client(self, data: TlsData) -> None:
        """Count a refusal."""
        if not any(word in (data.conn.error or "") for word in _REJECTIONS):
            return
        pair = _pair(data)
        count = self.refusals[pair] = self.refusals.pop(pair, 0) + 1
        if count >= ctx.options.ssl_passthrough_after:
            del self.refusals[pair]
            self.passed[pair] = flow.clock() + ctx.options.ssl_passthrough_expiry
            log.warning("%s has refused our certificate for %s: it passes through from now on", *pair)
        for memory in (self.refusals, self.passed):
            if len(memory) > _MEMORY:
                memory.popitem(last=False)


def _pair(data: ClientHelloData | TlsData) -> Pair:
    """The client's address, and the host that it wants."""
    client, server = data.client, data.server
    host = client.sni or (server.address[0] if server and server.address else "")
    return (client.peername or ("",))[0], host
