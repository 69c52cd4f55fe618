"""Asking a name server: over UDP, with a question nobody can answer in its place, or over TCP."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence

from proxyfw.connection import Client, Server
from proxyfw.dns import Question
from proxyfw.exceptions import ConnectError, ProtocolError
from proxyfw.net.wire import Address, Lobby
from proxyfw.protocol.dns import Frames, frame, same_question, unpack

from .house import House
from .pool import connect, disconnected
from .udp import reach

_FIRST_TRY = 0.25
"""Of the time a server is waited for, the part after which the query is sent a second time."""


async def ask(
    house: House, server: Server, client: Client, query: bytes, questions: Sequence[Question]
) -> bytes:
    """What *server* answers to *query*, under the query's id. Raises ConnectionProblem."""
    ours = _Awaited(secrets.token_bytes(2), questions)
    socket = await reach(house, server, client, ours)
    timeout = house.settings.dns_timeout
    try:
        for patience in (timeout * _FIRST_TRY, timeout * (1 - _FIRST_TRY)):
            socket.send(ours.id + query[2:])
            if (await asyncio.wait([ours.answer], timeout=patience))[0]:
                return query[:2] + ours.answer.result()[2:]
        raise ConnectError(f"no answer from the name server {server} within {timeout:g} s")
    finally:
        ours.answer.cancel()
        socket.close()
        disconnected(house, server, client)


class _Awaited:
    """The answer to one query; a `proxyfw.net.datagram.DatagramReceiver`."""

    def __init__(self, id: bytes, questions: Sequence[Question]) -> None:
        self.id = id
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._questions = questions

    def datagram_received(self, data: bytes, source: Address) -> None:
        if not self.answer.done() and data[:2] == self.id and self._fits(data):
            self.answer.set_result(data)

    def failed(self, reason: Exception) -> None:
        if not self.answer.done():
            why = getattr(reason, "strerror", None) or reason
            self.answer.set_exception(ConnectError(f"the name server cannot be reached: {why}"))

    def _fits(self, data: bytes) -> bool:
        """Whether *data* answers our question: a late answer to another, or a forged one, does not."""
        try:
            message = unpack(data)
        except ProtocolError:
            return False
        told_why = bool(message.response_code) and not message.questions  # some do not repeat it then
        return not message.query and (told_why or same_question(message.questions, self._questions))


async def ask_over_tcp(house: House, server: Server, client: Client, query: bytes) -> bytes:
    """What *server* answers to *query* on a connection of its own. Raises ConnectionProblem."""
    wire = await connect(house, server, client)
    lobby, frames = wire.receiver, Frames()
    assert isinstance(lobby, Lobby)
    timeout = house.settings.dns_timeout
    try:
        async with asyncio.timeout(timeout):
            wire.write(frame(query))
            while not (messages := frames.receive(lobby.take())):
                if not await lobby.more():
                    raise ConnectError(f"the name server {server} closed the connection")
    except TimeoutError:
        raise ConnectError(f"no answer from the name server {server} within {timeout:g} s") from None
    finally:
        wire.close()
        disconnected(house, server, client)
    return messages[0]
