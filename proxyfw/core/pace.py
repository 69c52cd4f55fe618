"""Sends what the `proxyfw.flow.Line` of a flow lets through, when it does."""

from __future__ import annotations

from collections.abc import Callable

from proxyfw.flow import Line
from proxyfw.net.peer import Stream
from proxyfw.protocol.events import Data, Event


async def send(line: Line, stream: Stream, to_client: bool, *events: Event) -> None:
    """As ``stream.send(*events)``, but bodies in the pieces and at the times that *line* says."""
    for event in events:
        if type(event) is not Data:
            stream.send(event)
            continue
        rest = memoryview(event.data)
        while rest:
            allowed = max(1, await line.take(to_client, len(rest)))
            stream.send(Data(bytes(rest[:allowed])))
            await stream.drain()
            rest = rest[allowed:]


async def wait(line: Line, to_client: bool, size: int, over: Callable[[], bool] = lambda: False) -> None:
    """Wait until *size* bytes, which cannot be sent in pieces, may go; no longer than until it is *over*."""
    while size > 0 and not over():
        size -= max(1, await line.take(to_client, size))
