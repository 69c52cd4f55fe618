"""Lines that spoil the way of an answer to the client: broken in the body, in drops, or closed late.

Each lies over the line that the flow has from elsewhere, if it has one, and leaves requests alone.
"""

from __future__ import annotations

import asyncio

from proxyfw.exceptions import PeerGone
from proxyfw.http import HTTPFlow

_GRACE = 0.05
"""Seconds between the last bytes and the reset, which would overtake them."""


class Spoiler:
    """Asks `limit` about the bytes of the body; a `proxyfw.flow.Line`."""

    __slots__ = ("_begun", "_below", "flow")

    def __init__(self, flow: HTTPFlow) -> None:
        self.flow = flow
        self._below = flow.line
        self._begun = False
        """The head of the answer, which is never spoilt, has gone."""

    async def take(self, to_client: bool, size: int) -> int:
        """How many of *size* bytes may go, after waiting for it."""
        in_body, self._begun = to_client and self._begun, self._begun or to_client
        if in_body:
            size = await self.limit(size)
        allowed = size if self._below is None else await self._below.take(to_client, size)
        if in_body:
            self.sent(allowed)
        return allowed

    async def limit(self, size: int) -> int:
        """How many of the next *size* bytes of the body may go, after waiting for it. Raises PeerGone."""
        raise NotImplementedError

    def sent(self, size: int) -> None:
        """So many go."""

    async def end(self, to_client: bool) -> None:
        """All has been sent."""
        if self._below is not None:
            await self._below.end(to_client)


class Break(Spoiler):
    """Ends the connection after so many bytes of the body, None: half of it; a shorter one passes."""

    __slots__ = ("_after", "_reset", "_sent")

    def __init__(self, flow: HTTPFlow, after: int | None, reset: bool) -> None:
        super().__init__(flow)
        self._after = after
        self._reset = reset
        self._sent = 0

    async def limit(self, size: int) -> int:
        """As many as are left; if there are none, the end."""
        if self._after is None:
            self._after = size // 2
        if self._sent >= self._after:
            await self._end()
        return min(size, self._after - self._sent)

    def sent(self, size: int) -> None:
        """There are fewer left."""
        self._sent += size

    async def _end(self) -> None:
        if self._reset or _is_stream(self.flow):
            await asyncio.sleep(_GRACE)
        response = self.flow.response
        if response is not None and response.raw_content is not None:
            response.raw_content = response.raw_content[: self._after]
        self.flow.kill(reset=self._reset)
        raise PeerGone("broken off in the body")


class Dribble(Spoiler):
    """Lets the body, of *size* bytes if that is known, go in pieces at even intervals."""

    __slots__ = ("_chunk", "_chunks", "_left", "_pause")

    def __init__(self, flow: HTTPFlow, size: int | None, chunks: int, seconds: float) -> None:
        super().__init__(flow)
        self._pause = seconds / chunks
        self._chunks = chunks
        self._chunk = 0 if size is None else -(-size // chunks)
        self._left = 0

    async def limit(self, size: int) -> int:
        """What is left of the present piece; if nothing is, the next, after the interval."""
        if self._left == 0:
            self._chunk = self._chunk or -(-size // self._chunks)
            self._left = self._chunk
            await asyncio.sleep(self._pause)
        return min(size, self._left)

    def sent(self, size: int) -> None:
        """There is less left."""
        self._left -= size


class SlowClose(Spoiler):
    """Closes the connection after the answer, but not at once."""

    __slots__ = ("_seconds",)

    def __init__(self, flow: HTTPFlow, seconds: float) -> None:
        super().__init__(flow)
        self._seconds = seconds

    async def limit(self, size: int) -> int:
        """All of them."""
        return size

    async def end(self, to_client: bool) -> None:
        """Wait, and close; a connection of HTTP/2, which is not this answer's alone, stays."""
        await super().end(to_client)
        await asyncio.sleep(self._seconds)
        if not _is_stream(self.flow):
            self.flow.kill(reset=False)


def _is_stream(flow: HTTPFlow) -> bool:
    """Whether its client speaks HTTP/2, where only a reset ends an answer early."""
    return flow.request.version_bytes == b"HTTP/2.0"
