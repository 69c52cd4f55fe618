"""The requests of a client that speaks HTTP/2: beside each other, so that a slow one holds up no other."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from proxyfw.connection import shown_address
from proxyfw.exceptions import PeerGone, ProtocolError
from proxyfw.net.http2_roles import ServerConnection
from proxyfw.net.http2_stream import Http2Stream
from proxyfw.net.peer import Peer
from proxyfw.net.wire import Wire
from proxyfw.protocol.events import End, Event, RequestHead
from proxyfw.protocol.fields import notable
from proxyfw.protocol.http2 import STREAM_WINDOW, Codec
from proxyfw.protocol.http2_upgrade import SWITCHING

from .answers import error_answer
from .house import House

log = logging.getLogger("proxyfw")

Answer = Callable[[Http2Stream, RequestHead], Awaitable[None]]
"""Tells the story of a request on a stream. Raises ProtocolError."""


def new_codec(house: House, upgraded: bytes | None = None) -> Codec:
    """For the connection of a client; *upgraded* as `proxyfw.protocol.http2.Codec` has it."""
    settings = house.settings
    return Codec(
        client=False,
        max_head_size=settings.max_head_size,
        websocket=settings.websocket,
        upgraded=upgraded,
    )


async def switch(house: House, peer: Peer, head: RequestHead, settings: bytes) -> Codec | None:
    """Answer 101 to the request *head*, which asks for HTTP/2 with these *settings*; what is spoken then.

    None if the request stays in HTTP/1.1, as any may: if the settings are wrong, or a body comes with it that
    is not known to fit into a stream's window. Raises ProtocolError and PeerGone. RFC 7540 section 3.2.
    """
    known = notable(head.headers)
    size = known.get(b"content-length", b"0")
    if int(size) > STREAM_WINDOW or not known.keys().isdisjoint((b"transfer-encoding", b"expect")):
        return None
    try:
        codec = new_codec(house, settings)
    except ProtocolError as e:
        log.info("%s: stays in HTTP/1.1: %s", shown_address(peer.wire.peername), e)
        return None
    request: list[Event] = []
    while not request or type(request[-1]) is not End:
        request.append(await peer.receive())
    codec.take_over(head, *request)
    peer.send(SWITCHING)
    return codec


class Parallel:
    """One HTTP/2 connection of a client, each request in a task of its own."""

    def __init__(self, house: House, wire: Wire, answer: Answer, codec: Codec) -> None:
        self._house = house
        self._peername = wire.peername
        self._tell = answer
        self._stories: set[asyncio.Task[None]] = set()
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
            await self._tell(stream, head)
        except ProtocolError as e:
            log.info("%s: bad request: %s", shown_address(self._peername), e)
            stream.send(*error_answer(e.status, str(e)))
        except PeerGone:
            pass  # before it was known what it wanted
        finally:
            stream.release()
