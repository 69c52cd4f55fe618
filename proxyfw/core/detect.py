"""What is spoken on a connection whose destination is known, and then again inside its TLS: one table.

Who comes first is asked first; who has nothing to say leaves it to the next. Clients that speak HTTP to the
proxy itself, and those of ``reverse:http[s]``, are not in question: they speak HTTP, or TLS around it.

    ============  =======  ============================================================================
    asked         says     when
    ============  =======  ============================================================================
    mode          tcp      reverse:tcp, and reverse:tls inside TLS
    next_layer    any      an addon sets ``nextlayer.layer`` to "tls", "http", "tcp" or "ignored"
    ALPN          http     inside TLS, a version of HTTP was agreed on, and tcp_hosts does not match
    first bytes   tls      a ClientHello begins; ignore_hosts and allow_hosts are asked again with its SNI
    ignore_hosts  ignored  host:port matches
    allow_hosts   ignored  there are some, and none matches host:port
    tcp_hosts     tcp      host:port, or inside TLS SNI:port, matches
    first bytes   http     a request begins, or HTTP/2 and the option http2 is on
    first bytes   tcp      anything else begins
    silence       tcp      the client says nothing for `sniff_timeout`, and the server speaks first
    ============  =======  ============================================================================
"""

from __future__ import annotations

import asyncio
import logging
from enum import Enum

from proxyfw import hookspecs
from proxyfw.hookspecs import NextLayer
from proxyfw.net.wire import Lobby
from proxyfw.protocol.detect import Speech

from .house import House
from .pool import Pool
from .sniff import sniff

log = logging.getLogger("proxyfw")


class Layer(Enum):
    """What a connection goes on with."""

    TLS = "tls"
    HTTP = "http"
    TCP = "tcp"
    IGNORED = "ignored"
    """Bytes that are carried and nobody looks at."""


_LAYERS = {
    Speech.TLS: Layer.TLS,
    Speech.HTTP: Layer.HTTP,
    Speech.HTTP2: Layer.HTTP,
    Speech.OTHER: Layer.TCP,
}


async def next_layer(house: House, pool: Pool, lobby: Lobby, asked: NextLayer, names: list[str]) -> Layer:
    """What comes next on the connection that *asked* is about, by the table above. Raises PeerGone.

    *names* are ``host:port`` as the options know the destination.
    """
    if layer := await _by_addon(house, lobby, asked):
        return layer
    in_tls, raw = "tls" in asked.layers, house.is_raw(names)
    if in_tls and asked.client.alpn and not raw:
        return Layer.HTTP
    assert asked.server
    speech = await sniff(house, pool, lobby, asked.server, asked.client)
    layer = Layer.TCP if speech is Speech.HTTP2 and not house.settings.http2 else _LAYERS[speech]
    if layer is Layer.TLS:
        return Layer.TCP if in_tls else layer
    if not in_tls and house.passes_through(names):
        return Layer.IGNORED
    return Layer.TCP if raw else layer


async def _by_addon(house: House, lobby: Lobby, asked: NextLayer) -> Layer | None:
    """What an addon decides, if one wants to, once it can see what the client begins with."""
    calls = house.addons.calls
    if not calls.wants(hookspecs.next_layer):
        return None
    try:
        async with asyncio.timeout(house.settings.sniff_timeout):
            while not lobby.data and await lobby.more():
                pass
    except TimeoutError:
        pass  # it is silent, which may be enough to decide
    asked.received_from_client = lobby.data
    await calls.call(hookspecs.next_layer, asked)
    if asked.layer is None:
        return None
    try:
        return Layer(getattr(asked.layer, "value", asked.layer))
    except ValueError:
        known = ", ".join(repr(layer.value) for layer in Layer)
        log.error("next_layer: an addon set layer to %r, which is none of %s", asked.layer, known)
        return None
