"""The floor: the least that a proxy in Python can do, which is to copy bytes and read nothing.

``python relay.py PORT ORIGIN_PORT``: CONNECT becomes a tunnel, everything else goes to ORIGIN_PORT as it is.
"""

from __future__ import annotations

import asyncio
import sys
from typing import cast

_HIGH_WATER = 1 << 20


class End(asyncio.Protocol):
    """One side of a relayed connection."""

    def __init__(self, origin: int, other: End | None = None) -> None:
        self.transport: asyncio.Transport
        self.other = other
        self._origin = origin
        self._kept = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(_HIGH_WATER)

    def data_received(self, data: bytes) -> None:
        if self.other:
            self.other.transport.write(data)
            return
        self._kept += data
        if b"\r\n\r\n" in self._kept:
            self.transport.pause_reading()
            self._task = asyncio.ensure_future(self._dial())

    async def _dial(self) -> None:
        tunnel = self._kept.startswith(b"CONNECT ")
        port = int(self._kept.split(b" ", 2)[1].rpartition(b":")[2]) if tunnel else self._origin
        loop = asyncio.get_running_loop()
        _, self.other = await loop.create_connection(lambda: End(port, self), "127.0.0.1", port)
        if tunnel:
            self.transport.write(b"HTTP/1.1 200 OK\r\n\r\n")
        else:
            self.other.transport.write(self._kept)
        self.transport.resume_reading()

    def pause_writing(self) -> None:
        if self.other:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other:
            self.other.transport.resume_reading()

    def connection_lost(self, reason: Exception | None) -> None:
        if self.other:
            self.other.transport.close()


async def main() -> None:
    port, origin = map(int, sys.argv[1:3])
    server = await asyncio.get_running_loop().create_server(lambda: End(origin), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    try:
        import uvloop
    except ImportError:
        asyncio.run(main())
    else:
        uvloop.run(main())
