"""What a route does with a request: answer it, send it on, break off, or ask a function of the test."""

from __future__ import annotations

import asyncio
import inspect
import json as jsons
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias, get_args

from proxyfw.http import HTTPFlow, Response

from .background import in_thread

AbortKind: TypeAlias = Literal["reset", "close", "refused"]
Headers: TypeAlias = Mapping[str, str | None]
Outcome: TypeAlias = "Response | Abort | int | str | bytes | dict[str, Any] | list[Any] | None"
"""What a handler may return: an answer, as such or as its status, text, content or JSON; or None."""
Handler: TypeAlias = "Callable[[HTTPFlow], Outcome | Awaitable[Outcome]]"
Edit: TypeAlias = Callable[[HTTPFlow], object]
_JSON, _TEXT = "application/json", "text/plain; charset=utf-8"


class Action(Protocol):
    """One thing that a route does."""

    async def __call__(self, flow: HTTPFlow) -> bool:
        """Do it. Returns whether it is settled what becomes of the request."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Answers with these."""

    status: int
    content: bytes | str
    headers: tuple[tuple[bytes, bytes], ...]

    async def __call__(self, flow: HTTPFlow) -> bool:
        flow.response = Response.make(self.status, self.content, self.headers)
        return True


def answer(
    status: int,
    *,
    json: Any = None,
    text: str | None = None,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """An `Answer` with the content given as one of json, text and body. Raises TypeError."""
    given = [name for name, value in (("json", json), ("text", text), ("body", body)) if value is not None]
    if len(given) > 1:
        raise TypeError(f"an answer has one content: give {' or '.join(given)}, not all of them")
    fields = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    kind = _JSON if json is not None else _TEXT if text is not None else ""
    if kind and not any(name.lower() == b"content-type" for name, _ in fields):
        fields.append((b"Content-Type", kind.encode()))
    content = jsons.dumps(json) if json is not None else text if text is not None else body or b""
    Response.make(status, content, fields)  # so that what is wrong with them is said now
    return Answer(status, content, tuple(fields))


@dataclass(frozen=True, slots=True)
class Forward:
    """Changes the request and sends it on; the answer is the network's."""

    method: str | None = None
    url: str | None = None
    headers: Headers = field(default_factory=dict)
    content: bytes | str | None = None
    edit: Calling | None = None

    async def __call__(self, flow: HTTPFlow) -> bool:
        request = flow.request
        if self.method is not None:
            request.method = self.method
        if self.url is not None:
            request.url = self.url
        for name, value in self.headers.items():
            if value is None:
                request.headers.pop(name, None)
            else:
                request.headers[name] = value
        if self.content is not None:
            request.content = self.content.encode() if isinstance(self.content, str) else self.content
        if self.edit is not None:
            await self.edit(flow)
        return True


@dataclass(frozen=True, slots=True)
class Abort:
    """Gives no answer: the client's connection is reset or closed, or it is told that the origin refuses."""

    kind: AbortKind = "reset"

    def __post_init__(self) -> None:
        if self.kind not in get_args(AbortKind):
            raise ValueError(f"abort: {self.kind!r} is none of {', '.join(get_args(AbortKind))}")

    async def __call__(self, flow: HTTPFlow) -> bool:
        if self.kind == "refused":
            host, port = flow.request.host, flow.request.port
            flow.response = Response.make(502, f"cannot connect to {host}:{port}: Connection refused\n")
        else:
            flow.kill(reset=self.kind == "reset")
        return True


class Calling:
    """A function of the test, called where it belongs.

    A coroutine runs in the event loop that the route was made in, so that it may use what the test has there;
    in a test without one it runs in the proxy's. A plain function runs in a thread, so that it may block.
    """

    def __init__(self, function: Callable[[HTTPFlow], Any]) -> None:
        if not callable(function):
            raise TypeError(f"a handler is a function of the flow, not {function!r}")
        self._function = function
        try:
            self._loop: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None

    async def __call__(self, flow: HTTPFlow) -> Any:
        if inspect.iscoroutinefunction(self._function):
            return await self._at_home(self._function(flow))
        result = await in_thread(self._function, flow)
        return await self._at_home(result) if inspect.iscoroutine(result) else result

    async def _at_home(self, work: Any) -> Any:
        if self._loop is None or self._loop is asyncio.get_running_loop():
            return await work
        if self._loop.is_closed():
            work.close()
            raise RuntimeError("the event loop in which this route was made is closed")
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))


class Handle:
    """Leaves it to a handler. One that returns None without setting ``flow.response`` declines."""

    def __init__(self, handler: Handler) -> None:
        self._call = Calling(handler)

    async def __call__(self, flow: HTTPFlow) -> bool:
        outcome = await self._call(flow)
        if isinstance(outcome, Abort):
            return await outcome(flow)
        if outcome is not None:
            flow.response = response_of(outcome)
        return flow.response is not None or flow.error is not None


def response_of(outcome: Any) -> Response:
    """What a handler has returned, as a response. Raises TypeError."""
    match outcome:
        case Response():
            return outcome
        case bool():
            pass
        case int():
            return Response.make(outcome)
        case bytes():
            return Response.make(200, outcome)
        case str():
            return Response.make(200, outcome, {"Content-Type": _TEXT})
        case dict() | list():
            return Response.make(200, jsons.dumps(outcome), {"Content-Type": _JSON})
    raise TypeError(
        f"a handler returns a Response, a status, text, bytes, JSON (a dict or list), Abort() or None, "
        f"not {outcome!r}"
    )
