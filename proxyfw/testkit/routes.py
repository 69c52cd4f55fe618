"""Routes: what a test says shall become of requests, instead of the network or on the way to it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from typing import Any, Self
from weakref import WeakSet

from proxyfw.http import HTTPFlow, Response

from .actions import Abort, AbortKind, Action, Calling, Edit, Forward, Handle, Handler, Headers, answer
from .changes import Changes
from .flowlog import line
from .matching import Matching
from .patience import PATIENCE


class Route:
    """One route: which requests it is for, and what it does with them.

    Actions given one after the other are for the first request, the second…; the last one is for all that
    follow. A route without an action watches: the request goes on to older routes and to the network.
    Every method returns the route.
    """

    def __init__(self, matching: Matching, routes: Routes, *, optional: bool = False) -> None:
        self.matching = matching
        self.optional = optional
        """Strict mode does not mind if it is not used."""
        self.flows: list[HTTPFlow] = []
        """The requests that it was given, in order of arrival."""
        self._routes = routes
        self._actions: list[Action] = []
        self._edits: list[Calling] = []
        self._delay = 0.0
        self._times: int | None = None
        self._awaited = 0
        self._taking = threading.Lock()

    # What it does

    def reply(
        self,
        status: int = 200,
        *,
        json: Any = None,
        text: str | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Self:
        """Answer, without the network. Raises TypeError for more than one content, ValueError for headers."""
        return self._add(answer(status, json=json, text=text, body=body, headers=headers))

    def continue_(
        self,
        *,
        method: str | None = None,
        url: str | None = None,
        headers: Headers | None = None,
        body: bytes | str | None = None,
    ) -> Self:
        """Send the request to the network, with these parts changed; a header that is None is left out."""
        return self._add(Forward(method, url, headers or {}, body))

    def modify(self, request: Edit | None = None, *, response: Edit | None = None) -> Self:
        """Send the request to the network; functions of the flow edit it before, and the response after."""
        if response is not None:
            self._edits.append(Calling(response))
        return self._add(Forward(edit=Calling(request) if request else None))

    def abort(self, kind: AbortKind = "reset") -> Self:
        """Give no answer: reset or close the connection, or say 502 as if the origin ``refused`` its own."""
        return self._add(Abort(kind))

    def handle(self, handler: Handler) -> Self:
        """Leave it to a function of the flow, plain or async; several requests may be in it at a time.

        It returns (or sets as ``flow.response``) an answer: a Response, a status, text, bytes, or a dict or
        list as JSON; or `Abort`. None declines: the request, as edited, goes on to the next route that is for
        it, in the end to the network. An exception fails the test.
        """
        return self._add(Handle(handler))

    def delay(self, seconds: float) -> Self:
        """Wait before doing it."""
        if seconds < 0:
            raise ValueError(f"delay: {seconds} is in the past")
        self._delay = seconds
        return self

    def times(self, count: int) -> Self:
        """Retire after having been given *count* requests."""
        if count < 1:
            raise ValueError(f"times: {count} is too few; a route that is for no request is not needed")
        self._times = count
        return self

    # What has come

    @property
    def count(self) -> int:
        """How many requests it was given."""
        return len(self.flows)

    @property
    def requests(self) -> list[Any]:
        """The requests that it was given."""
        return [flow.request for flow in self.flows]

    def wait(self, timeout: float = PATIENCE, *, answered: bool = False) -> HTTPFlow:
        """The next request that nobody has waited for: the first call returns the first one, and so on.

        Blocks until it is there; with *answered*, until its response or error is too. Raises TimeoutError,
        which says what did arrive.
        """
        number = self._take_turn()
        return self._routes.changes.wait(lambda: self._arrived(number, answered), timeout) or self._missing(
            number, timeout
        )

    async def next(self, timeout: float = PATIENCE, *, answered: bool = False) -> HTTPFlow:
        """As `wait`, for async tests."""
        number = self._take_turn()
        found = await self._routes.changes.wait_async(lambda: self._arrived(number, answered), timeout)
        return found or self._missing(number, timeout)

    def __repr__(self) -> str:
        return f"<Route {self}, {_seen(self.count)}>"

    def __str__(self) -> str:
        return str(self.matching)

    # The proxy's side

    def is_for(self, flow: HTTPFlow) -> bool:
        """Whether it is to be given this flow."""
        return not self._retired and self.matching(flow)

    @property
    def _retired(self) -> bool:
        return self._times is not None and self.count >= self._times

    async def settle(self, flow: HTTPFlow) -> bool:
        """Do with *flow* what is to be done. Returns whether that is settled now."""
        number = self.count
        self.flows.append(flow)
        self._routes.changes.tell()
        if self._delay:
            await asyncio.sleep(self._delay)
        if not self._actions:
            return False
        return await self._actions[min(number, len(self._actions) - 1)](flow)

    @property
    def edits(self) -> list[Calling]:
        """What edits the responses."""
        return self._edits

    @property
    def watches(self) -> bool:
        """It has no action."""
        return not self._actions

    def _add(self, action: Action) -> Self:
        self._actions.append(action)
        return self

    def _take_turn(self) -> int:
        with self._taking:
            self._awaited += 1
            return self._awaited

    def _arrived(self, number: int, answered: bool) -> HTTPFlow | None:
        if self.count < number:
            return None
        flow = self.flows[number - 1]
        return flow if not answered or flow.response or flow.error else None

    def _missing(self, number: int, timeout: float) -> HTTPFlow:
        self._awaited -= 1
        raise TimeoutError(
            f"request {number} for {self} did not come in {timeout:g} s; {self._routes.summary()}"
        )


class Routes:
    """All routes of one proxy: the addon that stands where the network would be."""

    def __init__(self) -> None:
        self.changes = Changes()
        self._routes: tuple[Route, ...] = ()
        self._pending: dict[str, list[Calling]] = {}
        self._seen: list[HTTPFlow] = []
        self._known: WeakSet[HTTPFlow] = WeakSet()
        """Requests that a route has sent on, or watches."""
        self.failures: list[str] = []
        """Exceptions of handlers."""

    def add(self, matching: Matching, handler: Handler | None, optional: bool) -> Route:
        """A new route, which comes before all older ones."""
        route = Route(matching, self, optional=optional)
        if handler is not None:
            route.handle(handler)
        self._routes = (route, *self._routes)
        return route

    def clear(self) -> None:
        """Forget all routes, and what has come."""
        self._routes, self._seen, self._pending, self.failures = (), [], {}, []

    def summary(self) -> str:
        """What did arrive, for people."""
        if not self._seen:
            return "no request arrived at all"
        return "\n  ".join([f"{len(self._seen)} arrived:", *map(line, self._seen)])

    def listing(self) -> str:
        """The routes, newest first, a line each."""
        return "".join(f"\n  {route}, {_seen(route.count)}" for route in self._routes) or " none"

    def unused(self) -> list[Route]:
        """The routes that no request has come to, and that are not optional, in the order of making."""
        return [route for route in reversed(self._routes) if not route.count and not route.optional]

    def knows(self, flow: HTTPFlow) -> bool:
        """Whether a route has sent *flow* on, or watches it."""
        return flow in self._known

    # Hooks

    async def request(self, flow: HTTPFlow) -> None:
        """Offer it to the routes, newest first."""
        if flow.response is not None or flow.error is not None:
            return
        self._seen.append(flow)
        self.changes.tell()
        for route in self._routes:
            if not route.is_for(flow):
                continue
            try:
                settled = await route.settle(flow)
            except Exception as problem:
                self._failed(route, flow, problem)
                return
            if route.edits:
                self._pending.setdefault(flow.id, []).extend(route.edits)
            if settled or route.watches:
                self._known.add(flow)
            if settled:
                return

    async def response(self, flow: HTTPFlow) -> None:
        """Let the routes edit it."""
        for edit in self._pending.pop(flow.id, ()) if self._pending else ():
            try:
                await edit(flow)
            except Exception as problem:
                self._failed(None, flow, problem)
        self.changes.tell()

    def error(self, flow: HTTPFlow) -> None:
        self._pending.pop(flow.id, None)
        self.changes.tell()

    def _failed(self, route: Route | None, flow: HTTPFlow, problem: Exception) -> None:
        whose = f"the handler of {route}" if route else "a response function"
        what = f"{flow.request.method} {flow.request.pretty_url}"
        self.failures.append(f"{whose} failed for {what}: {type(problem).__name__}: {problem}")
        flow.response = Response.make(500, f"{self.failures[-1]}\n")


def _seen(count: int) -> str:
    return "not used" if not count else f"used {count} time{'' if count == 1 else 's'}"
