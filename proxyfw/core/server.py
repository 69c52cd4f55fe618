"""The listeners of one proxy and the sessions of all its clients."""

from __future__ import annotations

import asyncio

from proxyfw.exceptions import ConnectError
from proxyfw.net.network import Listener
from proxyfw.net.wire import Address, Wire

from .house import House
from .modes import Mode
from .pool import Pool
from .session import Session


class Server:
    """Listens, and gives every client a `Session` of its own."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.pool = Pool(house)
        self._listeners: list[Listener] = []
        self._sessions: dict[asyncio.Task[None], Session] = {}

    @property
    def addresses(self) -> list[Address]:
        return [address for listener in self._listeners for address in listener.addresses]

    async def listen(self, mode: Mode, host: str, port: int) -> None:
        """Accept clients of *mode*. Raises ConnectError if the port is taken or may not be used."""
        host, port = mode.host or host, port if mode.port is None else mode.port

        def accept(wire: Wire) -> None:
            session = Session(self.house, self.pool, wire, mode.name)
            task = self.house.spawn(session.run())
            self._sessions[task] = session
            task.add_done_callback(self._sessions.__delitem__)

        try:
            listener = await self.house.network.listen(host, port, accept)
        except OSError as e:
            raise ConnectError(
                f"cannot listen on {host or '*'}:{port}: {e.strerror or e}"
                " (another port: --listen-port, 0 for any free one)"
            ) from e
        self._listeners.append(listener)
        self.house.own_addresses.extend(listener.addresses)

    async def close(self) -> None:
        """Accept no more clients, let exchanges under way finish for a while, then end them."""
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()
        for session in list(self._sessions.values()):
            if session.idle:
                session.wire.close()
        if self._sessions:
            await asyncio.wait(self._sessions, timeout=self.house.settings.shutdown_timeout)
        for task in list(self._sessions):
            task.cancel()
        if self._sessions:
            await asyncio.wait(self._sessions)
        self.pool.close()
        if tasks := self.house.tasks - {asyncio.current_task()}:  # hooks about closed connections
            _, late = await asyncio.wait(tasks, timeout=self.house.settings.shutdown_timeout)
            for task in late:
                task.cancel()
        self.house.watch.close()
