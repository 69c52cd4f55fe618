"""The requests of a client that speaks HTTP/2: beside each other, so that a slow one holds up no other."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from proxyfw.exceptions import PeerGone, ProtocolError
from proxyfw.net.http2_roles import ServerConnection
from proxyfw.net.http2_stream import Http2Stream
from proxyfw.net.wire import Wire
from proxyfw.protocol.events import RequestHead
from proxyfw.protocol.http2 import Codec

from .answers import error_answer
from .house import House

log = logging.getLogger("proxyfw")

Answer = Callable[[Http2Stream, RequestHead], Awaitable[None]]
"""Tells the story of a request on a stream. Raises ProtocolError."""


class Parallel:
    """One HTTP/2 connection of a client, each request in a task of its own."""

    def __init__(self, house: House, wire: Wire, answer: Answer) -> None:
        self._house = house
        self._peername = wire.peername
        self._tell = answer
        self._stories: set[asyncio.Task[None]] = set()
        settings = house.settings
        codec = Codec(client=False, max_head_size=settings.max_head_size, websocket=settings.websocket)
        patience = house.patience_with_clients
        self._connection = ServerConnection(wire, codec, house.watch, patience, self._accept)

    def stop(self) -> None:
        """Take no more requests, and close when those under way have been answered."""
        self._connection.wind_up()

    async def run(self) -> None:
        """Answer requests until the connection is closed and nobody tells a story of it any more."""
        connection = self._connection
        connection.start()
        try:
            await connection.ended()
        except asyncio.CancelledError:
            for story in self._stories:
                story.cancel()
            if self._stories:
                await asyncio.wait(self._stories)  # they have last words
            raise
        finally:
            connection.close()
            if self._stories:
                await asyncio.wait(self._stories)

    def _accept(self, stream: Http2Stream) -> None:
        story = self._house.spawn(self._answer(stream))
        self._stories.add(story)
        story.add_done_callback(self._stories.discard)

    async def _answer(self, stream: Http2Stream) -> None:
        try:
            head = await stream.receive()
            assert isinstance(head, RequestHead), head
            if head.method == b"CONNECT":
                raise ProtocolError("CONNECT is understood in HTTP/1.1 only", 501)
            await self._tell(stream, head)
        except ProtocolError as e:
            log.info("%s: bad request: %s", self._peername, e)
            stream.send(*error_answer(e.status, str(e)))
        except PeerGone:
            pass  # before it was known what it wanted
        finally:
            stream.release()
