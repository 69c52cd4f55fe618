"""The SOCKS 5 entrance: who is there, and where do they want to go?"""

from __future__ import annotations

import asyncio
import errno
import logging

from proxyfw import hookspecs
from proxyfw.connection import Client
from proxyfw.exceptions import ConnectionProblem, PeerGone, ProtocolError
from proxyfw.hookspecs import Socks5AuthData
from proxyfw.net.wire import Address, Lobby
from proxyfw.protocol.socks import (
    CONNECT,
    LOGIN,
    NO_LOGIN,
    NONE_ACCEPTABLE,
    Greeting,
    Listening,
    Login,
    Reply,
    Request,
    UnknownAddressType,
)

from .house import House

log = logging.getLogger("proxyfw")

_REPLIES = {
    errno.ECONNREFUSED: Reply.REFUSED,
    errno.ENETUNREACH: Reply.NETWORK_UNREACHABLE,
    errno.EHOSTUNREACH: Reply.HOST_UNREACHABLE,
}


class Welcome:
    """What is agreed on with one SOCKS client before its own bytes begin."""

    def __init__(self, house: House, client: Client, lobby: Lobby) -> None:
        self._house = house
        self._client = client
        self._lobby = lobby
        self._codec = Listening()

    async def destination(self) -> Address:
        """Where the client wants to go. Raises ConnectionProblem after telling it why not, if it may not."""
        try:
            async with asyncio.timeout(self._house.settings.head_timeout):
                greeting = await self._next()
                assert isinstance(greeting, Greeting)
                await self._know(greeting.methods)
                request = await self._next()
        except TimeoutError:
            raise PeerGone("the client did not complete its SOCKS request in time") from None
        except UnknownAddressType:
            self._send(self._codec.reply(Reply.ADDRESS_UNKNOWN))
            raise
        assert isinstance(request, Request)
        if request.command != CONNECT:
            self._send(self._codec.reply(Reply.COMMAND_UNKNOWN))
            raise ProtocolError(f"SOCKS command {request.command} is not supported, only CONNECT is")
        if not request.port:
            self._send(self._codec.reply(Reply.FAILURE))
            raise ProtocolError("0 is not a port to connect to")
        return request.host, request.port

    def grant(self) -> Lobby:
        """Tell the client to go ahead; what it says from now on is for its destination."""
        self._send(self._codec.reply(Reply.SUCCEEDED))
        self._lobby.put_back(self._codec.unread)
        return self._lobby

    def deny(self, reason: ConnectionProblem) -> None:
        """Tell the client that there is no way to its destination."""
        number = getattr(reason.__cause__, "errno", None)
        self._send(self._codec.reply(_REPLIES.get(number or 0, Reply.HOST_UNREACHABLE)))

    async def _know(self, methods: bytes) -> None:
        """Find out who the client is, if an addon wants to know. Raises ProtocolError if it is not let in."""
        data = Socks5AuthData(self._client, "", "", not self._wanted)
        if LOGIN in methods and (self._wanted or NO_LOGIN not in methods):
            self._send(self._codec.choose(LOGIN))
            login = await self._next()
            assert isinstance(login, Login)
            data.username, data.password = login.username, login.password
            await self._house.addons.calls.call(hookspecs.socks5_auth, data)
            self._send(self._codec.judge(data.valid))
            if not data.valid:
                raise ProtocolError(f"SOCKS user {data.username!r} is not let in")
            return
        if NO_LOGIN in methods:
            await self._house.addons.calls.call(hookspecs.socks5_auth, data)
        else:
            data.valid = False
        self._send(self._codec.choose(NO_LOGIN if data.valid else NONE_ACCEPTABLE))
        if not data.valid:
            raise ProtocolError(
                "the SOCKS client gave neither user nor password"
                if NO_LOGIN in methods
                else "the SOCKS client offers no method of authentication that is known here"
            )

    @property
    def _wanted(self) -> bool:
        return self._house.addons.calls.wants(hookspecs.socks5_auth)

    async def _next(self) -> Greeting | Login | Request:
        while (event := self._codec.receive(self._lobby.take())) is None:
            if not await self._lobby.more():
                raise PeerGone("the client left within its SOCKS request")
        return event

    def _send(self, data: bytes) -> None:
        self._lobby.wire.write(data)
