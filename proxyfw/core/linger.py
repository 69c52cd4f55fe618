"""The last moments of a client connection: what we have said is to be read before it is closed."""

from __future__ import annotations

import asyncio

from proxyfw.net.peer import Peer

_LINGER = 2.0
"""Seconds a client may take to read our last answer while it is still sending. RFC 9112 section 9.6."""


async def linger(peer: Peer) -> None:
    """Close *peer* so that it can still read our answer, though it may be in the middle of sending."""
    wire = peer.detach().wire
    if wire.closed:
        return
    sink = _Sink()
    wire.attach(sink)
    wire.write_eof()
    if not wire.eof:
        try:
            async with asyncio.timeout(_LINGER):
                await sink.ended
        except TimeoutError:
            pass
    wire.close()


class _Sink:
    """Takes bytes that nobody wants. A `proxyfw.net.wire.Receiver`."""

    def __init__(self) -> None:
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        pass

    def eof_received(self) -> None:
        self.connection_lost(None)

    def connection_lost(self, reason: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_result(None)

    def writable_changed(self) -> None:
        pass
