"""A link between a client and the world: bytes go over it one after the other, at its rate and after its
latency. It keeps time with the clock of the event loop, and knows neither flows nor rules.
"""

from __future__ import annotations

import asyncio
from math import inf
from random import Random

from proxyfw.exceptions import PeerGone

from .profiles import Profile

_QUANTUM = 0.04
"""Seconds' worth of bytes that go at a time: the smaller, the smoother and the more work."""
_HEAD_START = 0.02
"""Seconds' worth of bytes that a link which was not in use lets go at once."""
_AT_ONCE = 0.005
"""Who comes back within so many seconds has more to send, and is made up for what the loop was late…"""
_CATCH_UP = 0.5
"""…by up to so many."""


class Channel:
    """One direction of a link, for all who share the link; *rate* in bits a second, None: no limit."""

    __slots__ = ("_free_at", "_quantum", "_rate", "_released")

    def __init__(self, rate: float | None) -> None:
        self._rate = rate / 8 if rate else inf
        self._quantum = max(1, int(min(self._rate * _QUANTUM, 1 << 20)))
        self._free_at = self._released = -inf

    async def take(self, size: int) -> int:
        """Wait for the turn of some of *size* bytes; how many."""
        if self._rate == inf:
            return size
        clock = asyncio.get_running_loop().time
        now = clock()
        allowed = min(size, self._quantum)
        credit = _CATCH_UP if now - self._released < _AT_ONCE else _HEAD_START
        seconds = self.book(allowed, credit)
        if seconds > 0:
            await asyncio.sleep(seconds)
        self._released = clock()
        return allowed

    def book(self, size: int, credit: float = _HEAD_START) -> float:
        """In how many seconds *size* bytes are through, if they queue now; *credit* as they may be ahead."""
        now = asyncio.get_running_loop().time()
        self._free_at = max(self._free_at, now - credit) + size / self._rate
        return max(0, self._free_at - now)


class Link:
    """Both directions, for all lines that share it."""

    __slots__ = ("__weakref__", "_down", "_up", "lag", "profile", "spread")

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.lag = profile.latency / 2
        self.spread = profile.jitter / 2
        self._down, self._up = Channel(profile.down), Channel(profile.up)

    def channel(self, to_client: bool) -> Channel:
        """The direction."""
        return self._down if to_client else self._up


class FlowLine:
    """One flow's part of *link*; a `proxyfw.flow.Line`.

    Latency is waited for at the beginning of a message, and of what follows a silence: what comes close
    behind is on its way meanwhile. *loss*: the chance that all breaks off at the first byte, with PeerGone.
    """

    __slots__ = ("_link", "_loss", "_random", "_spoke")

    def __init__(self, link: Link, random: Random, loss: float = 0) -> None:
        self._link = link
        self._random = random
        self._loss = loss
        self._spoke = [-inf, -inf]
        """When something last went from the client, and to it."""

    async def take(self, to_client: bool, size: int) -> int:
        """Wait for the turn of some of *size* bytes; how many. Raises PeerGone if it is lost."""
        link = self._link
        if self._loss:
            lost, self._loss = self._random.random() < self._loss, 0
            if lost:
                raise PeerGone("lost by the rule that throttles it")
        clock = asyncio.get_running_loop().time
        if clock() - self._spoke[to_client] > link.lag:
            await asyncio.sleep(self.lag())
        allowed = await link.channel(to_client).take(size)
        self._spoke[to_client] = clock()
        return allowed

    def lag(self) -> float:
        """How long something takes one way, this time; in seconds."""
        spread = self._link.spread
        return max(0, self._link.lag + self._random.uniform(-spread, spread))

    async def end(self, to_client: bool) -> None:
        """There is nothing to wait for."""


class PacketLine(FlowLine):
    """The same for datagrams, which go whole, and each with the latency."""

    __slots__ = ()

    async def take(self, to_client: bool, size: int) -> int:
        """Wait for the turn of a datagram of *size* bytes, and until it has come through."""
        await asyncio.sleep(self._link.channel(to_client).book(size) + self.lag())
        return size
