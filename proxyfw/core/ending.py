"""How an exchange ends without its answer: something fails, the client leaves, an addon breaks it off.

Whatever happens, nobody is left waiting, and the addons learn why.
"""

from __future__ import annotations

import asyncio
from typing import Any

from proxyfw import hookspecs
from proxyfw.addon.calls import Calls
from proxyfw.exceptions import ConnectionProblem, ProtocolError
from proxyfw.flow import Error
from proxyfw.http import HTTPFlow
from proxyfw.net.peer import Stream

from .answers import error_answer
from .fetch import OriginStream
from .hold import Holder
from .scope import Scope


class Failed(Exception):
    """The exchange cannot be completed. *status*: what the client is told, None if it is only cut off."""

    def __init__(self, message: str, status: int | None) -> None:
        super().__init__(message)
        self.status = status


class Ending(Holder[HTTPFlow]):
    """The half of an exchange that breaks it off; a `proxyfw.flow.Control`, `proxyfw.http.RawAnswer`."""

    __slots__ = ("_answered", "_calls", "_client", "_origin", "_polite", "_scope", "_told")

    def __init__(self, flow: HTTPFlow, client: Stream, calls: Calls, task: asyncio.Task[Any]) -> None:
        """*task* is the one in which the exchange runs."""
        super().__init__(flow)
        self._client = client
        self._calls = calls
        self._scope = Scope(task)
        self._origin: OriginStream | None = None
        self._answered = False
        """The head of the answer is on its way: the client cannot be told of errors any more."""
        self._polite = False
        """If the client is to be cut off, then after it got what has been sent."""
        self._told = False
        """The addons have seen the response, so they are not told of an error too."""

    def break_off(self, reset: bool) -> None:
        """Break off both sides now, whatever is under way."""
        self._scope.interrupt(Failed(Error.KILLED_MESSAGE, None))
        self._polite = not reset
        if reset:
            self._client.abort()
        else:
            self._client.close()
        self._give_up()

    def answer_raw(self, data: bytes) -> None:
        """Send *data*, which need not be HTTP, and then nothing more."""
        self._scope.interrupt(Failed("an addon has answered with bytes that are not HTTP", None))
        self._polite = self._answered = True
        self._client.write(data)
        self._give_up()

    def _give_up(self) -> None:
        if self._origin:
            self._origin.abort()
        self.let_go()

    def _client_gone(self, reason: ConnectionProblem) -> None:
        if isinstance(reason, ProtocolError):
            self._scope.interrupt(Failed(str(reason), reason.status))
        else:
            self._scope.interrupt(Failed("client disconnected", None))
        self.let_go()

    async def _fail(self, message: str, status: int | None, code: int | None = None) -> None:
        """Record why, leave nobody waiting, and tell the addons. *code*: what the origin has said."""
        flow = self.flow
        if flow.error is None:
            flow.error = Error(message)
        if self._origin:
            self._origin.abort()
        try:
            if self._polite:
                self._client.close()
            elif status is None or self._client.can_say(code):
                self._client.abort(code)
            elif self._answered:
                self._client.cut(code)
            else:
                self._client.send(*error_answer(status, message, flow.request.headers))
        except Exception:  # what went wrong before goes wrong again
            self._client.abort()
        if not self._told:
            await self._calls.call(hookspecs.error, flow)
