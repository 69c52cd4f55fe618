"""Who speaks first, and what: the client's first bytes tell, or in a tunnel the server breaks the silence."""

from __future__ import annotations

import asyncio
import logging

from proxyfw.connection import Client, Server
from proxyfw.exceptions import ConnectionProblem, PeerGone
from proxyfw.net.tls import TlsWire
from proxyfw.net.wire import Lobby, Wire
from proxyfw.protocol.detect import Speech, detect
from proxyfw.protocol.http2_names import PREFACE

from .house import House
from .pool import Pool

log = logging.getLogger("proxyfw")


async def sniff(house: House, pool: Pool, lobby: Lobby, server: Server, client: Client) -> Speech:
    """What *client* speaks first; OTHER if *server* speaks before it. Nothing is taken out of *lobby*.

    A client that is silent at first is either slow, or waits for the server to speak: the server is connected
    to then, and the first word decides. Empty lines before a protocol that is known are swallowed; some
    clients send one after the head of CONNECT. Raises PeerGone.
    """
    patience = house.settings.sniff_timeout
    speech = await _first_words(house, lobby, patience)
    if speech is None:
        if await _server_speaks_first(house, pool, lobby, server, client):
            return Speech.OTHER
        speech = await _first_words(house, lobby, patience) or Speech.OTHER
    if speech is not Speech.OTHER:
        lobby.data = lobby.data.lstrip(b"\r\n")
    return speech


async def speaks_http2(house: House, client: Client, wire: Wire) -> bool:
    """Whether *client* speaks HTTP/2 on *wire*: by agreement, or by prior knowledge. RFC 9113 section 3."""
    if isinstance(wire, TlsWire) and client.alpn == b"h2":
        return True
    lobby = wire.receiver
    assert isinstance(lobby, Lobby)
    if not house.settings.http2 or not lobby.data:
        return False
    try:
        async with asyncio.timeout(house.settings.head_timeout):
            while len(lobby.data) < len(PREFACE) and PREFACE.startswith(lobby.data):
                if not await lobby.more():
                    break
    except TimeoutError:
        return False
    return lobby.data.startswith(PREFACE)


async def _first_words(house: House, lobby: Lobby, patience: float) -> Speech | None:
    """What the client speaks; None if it says nothing for *patience* seconds."""
    try:
        async with asyncio.timeout(patience) as limit:
            while (speech := detect(lobby.data)) is None:
                if lobby.data.strip(b"\r\n"):  # it does speak, only slowly
                    limit.reschedule(asyncio.get_running_loop().time() + house.settings.head_timeout)
                if not await lobby.more():
                    if lobby.data and not lobby.wire.closed:
                        return Speech.OTHER
                    raise PeerGone("the client closed the tunnel without using it")
    except TimeoutError:
        if not lobby.data.strip(b"\r\n"):
            return None
        return detect(lobby.data) or Speech.OTHER  # words may have come as patience ended
    return speech


async def _server_speaks_first(
    house: House, pool: Pool, lobby: Lobby, server: Server, client: Client
) -> bool:
    """Connect to *server* and wait until one of both says something."""
    idle = house.settings.idle_timeout
    if lobby.data:  # empty lines, which may be all that it wants to say for now
        idle = min(idle, house.settings.sniff_timeout)
    silent = [lobby]
    try:
        origin = (await pool.dial_ahead(server, client)).receiver
        assert isinstance(origin, Lobby), origin
        silent.append(origin)
    except ConnectionProblem as e:  # an addon may answer for it yet, once we know what is asked
        log.debug("%s: %s", client, e)
    if not any(each.data.strip(b"\r\n") for each in silent):
        words = [asyncio.ensure_future(each.more()) for each in silent]
        try:
            done, _ = await asyncio.wait(words, timeout=idle, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for word in words:
                word.cancel()
        if not done and not lobby.data:
            raise PeerGone(f"neither side said anything within {idle:g} s")
    return not lobby.data.strip(b"\r\n")
