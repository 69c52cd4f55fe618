"""What keeps a strict proxy off the network: an addon behind the routes and the stored rules."""

from __future__ import annotations

from proxyfw.connection import ServerConnectionHookData
from proxyfw.http import HTTPFlow, Response

from .routes import Routes

UNROUTED = 503
"""The status of the answer to what no route of a strict proxy is for."""


class Strictness:
    """Answers, in the network's place, what no route is for, and notes it. It is switched on by `on`."""

    def __init__(self, routes: Routes) -> None:
        self.on = False
        self.unmatched: list[str] = []
        self._routes = routes
        self._open: set[tuple[str, int]] = set()
        """Where it is allowed to connect to."""

    def clear(self) -> None:
        """Switch it off, and forget."""
        self.on, self.unmatched, self._open = False, [], set()

    def problems(self) -> list[str]:
        """What it objects to, one reason each."""
        if not self.on:
            return []
        unmatched = [f"no route is for {what}" for what in self.unmatched]
        return unmatched + [f"the route {route} was not used" for route in self._routes.unused()]

    # Hooks

    def request(self, flow: HTTPFlow) -> None:
        if not self.on or flow.response is not None or flow.error is not None:
            return
        if self._routes.knows(flow):
            self._open.add((flow.request.host, flow.request.port))
            return
        what = f"{flow.request.method} {flow.request.pretty_url}"
        self.unmatched.append(what)
        flow.response = Response.make(
            UNROUTED,
            f"no route is for {what}, and this test is strict; routes, newest first:"
            f"{self._routes.listing()}\n",
        )

    def server_connect(self, data: ServerConnectionHookData) -> None:
        """For what is no HTTP, and has no request."""
        if self.on and data.server.address not in self._open:
            host, port = data.server.address or ("", 0)
            data.server.error = "no route is for it, and this test is strict"
            self.unmatched.append(f"a connection to {host}:{port}")
