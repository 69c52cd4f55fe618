"""The machine's network for a process that shares its ports with others like it."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Sequence

from . import ports
from .network import SocketNetwork


class SharedNetwork(SocketNetwork):
    """`SocketNetwork` with listeners that leave room for those of other processes.

    The first process makes it without *numbers*: it finds a number for each port 0 and makes sure that no
    other program has the ports. The others get the `numbers` that it has found, in the same order.
    """

    def __init__(self, numbers: Sequence[int] | None = None) -> None:
        super().__init__()
        self.numbers = list(numbers or ())
        """What each port 0 has become, in the order in which they were listened on."""
        self._claiming = numbers is None
        self._given = deque(self.numbers)

    def claimed(self) -> None:
        """The other processes may come: from now on, no port has to be ours alone."""
        self._claiming = False

    async def _bind(self, hosts: Sequence[str], port: int, kind: int) -> list[socket.socket]:
        number = port or (self._given.popleft() if self._given else 0)
        if self._claiming:
            number = await ports.claim(hosts, port, kind)
            if not port:
                self.numbers.append(number)
        return await ports.bind(hosts, number, kind, ports.sharing_option())
