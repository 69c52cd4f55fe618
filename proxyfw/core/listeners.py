"""The ports a proxy listens on; a change while it runs starts and stops no more than the difference."""

from __future__ import annotations

import logging
import os
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field

from proxyfw.exceptions import ConnectError
from proxyfw.net.network import Listener
from proxyfw.net.wire import Address

from .modes import Mode

log = logging.getLogger("proxyfw")

_CONNECTIONS = ("tcp",)

Place = tuple[Mode, Address]
"""A mode, and where it listens; port 0 is any free one."""
Listen = Callable[[str, int, Callable[[], Mode]], Awaitable[Listener]]
"""Listens on host and port for clients of the mode that the function says at that time. Raises OSError."""


@dataclass(slots=True)
class _Open:
    mode: Mode
    """What a client that connects from now on is taken for."""
    address: Address
    listener: Listener = field(init=False)


class Listeners:
    """All listeners of one proxy, which *listen* makes."""

    def __init__(self, listen: Listen) -> None:
        self._make = listen
        self._open: list[_Open] = []

    @property
    def addresses(self) -> list[Address]:
        """Where clients are accepted, in the order of the modes."""
        return [address for one in self._open for address in one.listener.addresses]

    async def become(self, wanted: Sequence[Place]) -> None:
        """Listen at *wanted* and nowhere else. Raises ConnectError; all is as it was before then.

        A port that only changes its mode stays open, and connections live on whatever becomes of their port.
        """
        leaving = list(self._open)
        kept = [_take(leaving, place) for place in wanted]
        kept = [one or _take_over(leaving, place) for one, place in zip(kept, wanted, strict=True)]
        new = {i: place for i, place in enumerate(wanted) if kept[i] is None}
        ports = {address[1] for _, address in new.values()}
        in_the_way = [one for one in leaving if one.address[1] in ports - {0}]
        _close(in_the_way)
        started: dict[int, _Open] = {}
        try:
            for i, place in new.items():
                one = _Open(*place)
                one.listener = await self._listen(one)
                started[i] = one
        except BaseException:
            _close(started.values())
            await self._reopen(in_the_way)
            raise
        _close(one for one in leaving if one not in in_the_way)
        self._open = [one or started[i] for i, one in enumerate(kept)]
        for one, (mode, _) in zip(self._open, wanted, strict=True):
            one.mode = mode

    def close(self) -> None:
        """Accept nobody any more."""
        _close(self._open)
        self._open.clear()

    async def _listen(self, one: _Open) -> Listener:
        host, port = one.address
        try:
            return await self._make(host, port, lambda: one.mode)
        except OSError as e:
            # asyncio puts the address into strerror, and more words
            reason = os.strerror(e.errno) if e.errno and e.errno > 0 else e.strerror or e
            raise ConnectError(
                f"cannot listen on {host or '*'}:{port}: {reason}"
                " (another port: --listen-port, 0 for any free one)"
            ) from e

    async def _reopen(self, closed: list[_Open]) -> None:
        for one in closed:
            try:
                one.listener = await self._listen(one)
            except ConnectError as e:
                log.error("%s; it was open until now", e)
                self._open.remove(one)


def _take(among: list[_Open], place: Place) -> _Open | None:
    """Remove the one that is at *place* from *among*."""
    return _first(among, lambda one: (one.mode, one.address) == place)


def _take_over(among: list[_Open], place: Place) -> _Open | None:
    """Remove one of another mode that can go on as *place*: connections alone do not care for their port."""
    mode, address = place
    if mode.transports != _CONNECTIONS:
        return None
    return _first(among, lambda one: one.address == address and one.mode.transports == _CONNECTIONS)


def _first(among: list[_Open], fits: Callable[[_Open], bool]) -> _Open | None:
    for one in among:
        if fits(one):
            among.remove(one)
            return one
    return None


def _close(some: Iterable[_Open]) -> None:
    for one in some:
        one.listener.close()
