"""Raw TCP (and TLS over TCP) connections as addons see them. Records only; sending is the core's work."""

from __future__ import annotations

from proxyfw.model.chunks import Chunk, ChunkFlow


class TCPMessage(Chunk):
    """What one read gave: TCP has no messages, so boundaries mean nothing."""

    __slots__ = ()


class TCPFlow(ChunkFlow[TCPMessage]):
    """One TCP connection; `messages` grows while it lasts."""

    type = "tcp"
    __slots__ = ()
    _chunk = TCPMessage
