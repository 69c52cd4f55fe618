"""The listeners of one proxy and the sessions of all its clients."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from proxyfw.connection import ServerSpec
from proxyfw.http import HTTPFlow
from proxyfw.net.network import Listener
from proxyfw.net.wire import Address, Wire

from .house import House
from .listeners import Listeners, Place
from .modes import Mode
from .pool import Pool
from .session import Session
from .udp import Associations

if TYPE_CHECKING:
    from .replay import Replay


class Server:
    """Listens, and gives every client a `Session` of its own."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.pool = Pool(house)
        self._listeners = Listeners(self._listen)
        self._sessions: dict[asyncio.Task[None], Session | Replay] = {}

    @property
    def addresses(self) -> list[Address]:
        return self._listeners.addresses

    async def listen(self, places: Sequence[Place]) -> None:
        """Accept clients at *places*, and nowhere else any more. Raises ConnectError, changing nothing."""
        for mode, _ in places:
            self._know(mode)
        await self._listeners.become(places)
        self.house.own_addresses[:] = self.addresses

    def _know(self, mode: Mode) -> None:
        if mode.name == "upstream" and (to := mode.target):
            spec = ServerSpec(to.scheme, (to.host, to.port), to.credentials)
            self.house.upstreams[str(mode)] = spec  # never removed: its clients may outlive a mode

    async def _listen(self, host: str, port: int, mode_now: Callable[[], Mode]) -> Listener:
        """Listen in the way of a mode. Raises OSError."""
        mode = mode_now()
        target = (mode.target.host, mode.target.port) if mode.target else None
        if mode.speaks_dns:
            from .dns_port import DnsPort  # dnspython is not light, and most proxies do without

            return await DnsPort(self.house, str(mode), target).listen(host, port)
        if target and "udp" in mode.transports:
            return await Associations(self.house, target, str(mode)).listen(host, port)
        return await self.house.network.listen(host, port, lambda wire: self._accept(wire, mode_now()))

    def _accept(self, wire: Wire, mode: Mode) -> None:
        self._begin(Session(self.house, self.pool, wire, mode))

    def _begin(self, session: Session | Replay) -> asyncio.Task[None]:
        task = self.house.spawn(session.run())
        self._sessions[task] = session
        task.add_done_callback(self._sessions.__delitem__)
        return task

    async def replay(self, flow: HTTPFlow, modes: Sequence[Mode], recorded: bool) -> None:
        """Send *flow*, which is prepared for it, and wait for its end. *modes*: those of the options.

        *recorded*: it comes from a file, so a reverse proxy sends it to its server.
        """
        from .replay import Replay, retarget  # few proxies replay

        for mode in modes:
            self._know(mode)
        if recorded:
            retarget(flow, modes, self.house)
        story = self._begin(Replay(self.house, self.pool, flow, modes))
        try:
            await asyncio.wait([story])
        except asyncio.CancelledError:
            story.cancel()
            raise

    async def close(self) -> None:
        """Accept no more clients, let exchanges under way finish for a while, then end them."""
        self._listeners.close()
        for flow in list(self.house.live):
            flow.resume()  # nobody will, from now on
        for session in self._sessions.values():
            session.stop()
        patience = self.house.settings.shutdown_timeout
        if self._sessions:
            await asyncio.wait(self._sessions, timeout=patience)
        while self._sessions:  # each time, a hook that does not return is given up
            for task in self._sessions:
                task.cancel()
            await asyncio.wait(self._sessions, timeout=patience)
        self.pool.close()
        if tasks := self.house.tasks - {asyncio.current_task()}:  # hooks about closed connections
            _, late = await asyncio.wait(tasks, timeout=patience)
            for task in late:
                task.cancel()
        self.house.watch.close()
