"""A tunnel: bytes from one wire to another and back, unseen and unchanged."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from proxyfw.net.watch import Watch
from proxyfw.net.wire import Wire


@dataclass(slots=True)
class Tally:
    """What went through a tunnel: bytes from the one side and from the other, and why it broke, if it did."""

    from_one: int = 0
    from_other: int = 0
    failure: str | None = None


async def relay(one: Wire, other: Wire, watch: Watch, patience: float, tally: Tally | None = None) -> None:
    """Join *one* and *other* until both have said all, or one breaks, or both are silent for *patience* s.

    Both are closed then. *tally* is filled in then.
    """
    tunnel = _Tunnel(watch, patience)
    watch.add(tunnel)
    ahead, back = _Half(one, other, tunnel), _Half(other, one, tunnel)
    try:
        one.attach(ahead)
        other.attach(back)
        await tunnel.ended
    finally:
        watch.discard(tunnel)
        one.close()
        other.close()
        if tally:
            tally.from_one, tally.from_other = ahead.carried, back.carried
            tally.failure = ahead.failure or back.failure


class _Tunnel:
    """What both directions share: whether it is over. A `proxyfw.net.watch.Watched`."""

    __slots__ = ("_patience", "_watch", "deadline", "ended")

    def __init__(self, watch: Watch, patience: float) -> None:
        self.ended: asyncio.Future[None] = watch.loop.create_future()
        self._watch = watch
        self._patience = patience
        self.touch()

    def touch(self) -> None:
        self.deadline = self._watch.loop.time() + self._patience

    def end(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)

    def expired(self) -> None:
        self.end()


class _Half:
    """One direction: what arrives on one wire is written to the other. A `proxyfw.net.wire.Receiver`."""

    __slots__ = ("_from", "_to", "_tunnel", "carried", "failure")

    def __init__(self, source: Wire, sink: Wire, tunnel: _Tunnel) -> None:
        self._from = source
        self._to = sink
        self._tunnel = tunnel
        self.carried = 0
        self.failure: str | None = None

    def data_received(self, data: bytes) -> None:
        self._tunnel.touch()
        self.carried += len(data)
        self._to.write(data)
        if not self._to.writable:
            self._from.pause()

    def eof_received(self) -> None:
        if not self._to.closed:
            self._to.write_eof()
        if self._to.eof:
            self._tunnel.end()

    def connection_lost(self, reason: Exception | None) -> None:
        if reason is not None:
            self.failure = str(reason)
            if not self._to.closed:
                self._to.abort()
        self._tunnel.end()

    def writable_changed(self) -> None:
        """The source can take more, so the sink's bytes, which come the other way, may flow."""
        if self._from.writable:
            self._to.resume()
