"""The innermost step of an exchange, as an interface: where answers come from that no addon gave.

The pool of connections is one `Fetch`; a recording, a browser's network API or an application in this
process can be another.
"""

from __future__ import annotations

from typing import Protocol

from proxyfw.http import HTTPFlow
from proxyfw.net.peer import Stream


class OriginStream(Stream, Protocol):
    """A `Stream` to an origin, borrowed for one exchange."""

    @property
    def reused(self) -> bool:
        """It has served before, so the origin may have closed it meanwhile."""

    def release(self) -> None:
        """Give it back: it is kept if its exchange is complete, else closed."""


class Fetch(Protocol):
    async def open(self, flow: HTTPFlow, *, fresh: bool = False) -> OriginStream:
        """A stream to where *flow* is addressed; *fresh*: one that has not served before.

        Raises ConnectionProblem.
        """
