"""UDP associations as addons see them. Records only; sending is the core's work."""

from __future__ import annotations

from proxyfw.model.chunks import Chunk, ChunkFlow


class UDPMessage(Chunk):
    """One datagram."""

    __slots__ = ()


class UDPFlow(ChunkFlow[UDPMessage]):
    """Datagrams between one client address and one server; `messages` grows while they last."""

    type = "udp"
    __slots__ = ()
    _chunk = UDPMessage
