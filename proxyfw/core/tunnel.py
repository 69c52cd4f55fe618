"""A tunnel: bytes from one wire to another and back, unseen and unchanged."""

from __future__ import annotations

import asyncio

from proxyfw.net.wire import Wire


class _Half:
    """One direction: what arrives on one wire is written to the other. A `proxyfw.net.wire.Receiver`."""

    __slots__ = ("_done", "_from", "_to")

    def __init__(self, source: Wire, sink: Wire, done: asyncio.Future[None]) -> None:
        self._from = source
        self._to = sink
        self._done = done

    def data_received(self, data: bytes) -> None:
        self._to.write(data)
        if not self._to.writable:
            self._from.pause()

    def eof_received(self) -> None:
        if not self._to.closed:
            self._to.write_eof()
        if self._to.eof:
            self._finish()

    def connection_lost(self, reason: Exception | None) -> None:
        if reason is not None and not self._to.closed:
            self._to.abort()
        self._finish()

    def writable_changed(self) -> None:
        """The source can take more, so the sink's bytes, which come the other way, may flow."""
        if self._from.writable:
            self._to.resume()

    def _finish(self) -> None:
        if not self._done.done():
            self._done.set_result(None)


async def relay(one: Wire, other: Wire) -> None:
    """Join *one* and *other* until both have said all, or one breaks; both are closed then."""
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    try:
        one.attach(_Half(one, other, done))
        other.attach(_Half(other, one, done))
        await done
    finally:
        one.close()
        other.close()
