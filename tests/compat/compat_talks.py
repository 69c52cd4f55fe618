"""A proxy in memory with one script, and an origin that answers whatever it is asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from proxyfw.protocol.websocket import Event, Fragment, WebSocketCodec
from proxyfw.testing import End, Origin, World, world

SCRIPTS = Path(__file__).parent / "scripts"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nbody"


class Talk:
    """One client, and what origins were asked."""

    def __init__(self, world: World, script: str) -> None:
        self.world = world
        self.module: Any = world.proxy.addons.get(f"{script}.py")
        self.asked: list[bytes] = []
        self.answer = ANSWER
        self._serving: list[asyncio.Task[None]] = []

    def serve(self, host: str = "example.com", port: int = 80) -> None:
        """Have an origin there that answers with `answer`."""
        self._serving.append(asyncio.create_task(self._serve(self.world.origin(host, port))))

    async def _serve(self, origin: Origin) -> None:
        while True:
            connection = await origin.accept()
            self._serving.append(asyncio.create_task(self._answer(connection)))

    async def _answer(self, connection: End) -> None:
        try:
            while True:
                self.asked.append(await connection.message())
                connection.write(self.answer)
        except EOFError:
            pass

    async def get(self, target: str = "http://example.com/path", more: bytes = b"") -> bytes:
        """What a client is answered that asks for *target*."""
        return await self.ask(b"GET %s HTTP/1.1\r\nHost: example.com\r\n%s\r\n" % (target.encode(), more))

    async def ask(self, request: bytes) -> bytes:
        """What a client is answered."""
        client = self.world.client()
        client.write(request)
        return await client.message()

    def close(self) -> None:
        for task in self._serving:
            task.cancel()


class WebSocketEnd:
    """One end that speaks WebSocket."""

    def __init__(self, end: End, client: bool) -> None:
        self._end = end
        self._codec = WebSocketCodec(client, None)
        self._events: list[Event] = []

    def text(self, *texts: str) -> None:
        self._end.write(self._codec.send(*[Fragment(text.encode(), True) for text in texts]))

    async def data(self) -> bytes:
        """The content of the next message."""
        while not self._events:
            self._events += self._codec.receive(await self._end.until(bool))
        event = self._events.pop(0)
        assert isinstance(event, Fragment), event
        return event.data


@asynccontextmanager
async def talk(script: str, **options: Any) -> AsyncIterator[Talk]:
    """A proxy that runs *script*, loaded as its users load it, and an origin example.com."""
    async with world(scripts=[str(SCRIPTS / f"{script}.py")], **options) as running:
        t = Talk(running, script)
        t.serve()
        try:
            yield t
        finally:
            t.close()
