"""A proxy on real sockets that runs beside a test, in a thread of its own: the test may block or await."""

from __future__ import annotations

import os
import ssl
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from proxyfw.child.roots import write_roots
from proxyfw.child.variables import variables
from proxyfw.proxy import DEFAULT_ADDONS, Proxy

from .actions import Handler
from .background import Background
from .client import ProxyClient
from .flowlog import FlowLog
from .matching import Matching
from .routes import Route, Routes
from .strictness import Strictness

T = TypeVar("T")
_ROUTES = "routes"
_STORED = "rule_engine"


class LiveProxy:
    """What the fixture ``proxy`` is. All of it may be used from the test's thread.

    *options* and *addons* are those of `Proxy`; it listens on a random port of 127.0.0.1.
    """

    def __init__(
        self,
        background: Background,
        options: Mapping[str, Any],
        addons: Sequence[object] = (),
        default_addons: Sequence[str] = DEFAULT_ADDONS,
    ) -> None:
        """Start it. Raises what `Proxy` raises."""
        self._background = background
        self._routes = Routes()
        self._strictness = Strictness(self._routes)
        self._added: list[object] = []
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._variables: dict[str, str] = {}
        self.flows = FlowLog()
        """What the fixture ``flow_log`` is."""
        self.proxy: Proxy = background.run(self._start(dict(options), addons, default_addons))
        """The proxy itself, which belongs to another thread: use `call` to touch it."""

    async def _start(
        self, options: dict[str, Any], addons: Sequence[object], default_addons: Sequence[str]
    ) -> Proxy:
        settings = {"listen_host": "127.0.0.1", "listen_port": 0, "shutdown_timeout": 0.05, **options}
        proxy = Proxy(settings, addons=addons, default_addons=default_addons)
        proxy.addons.add(self.flows, "flow_log", first=True)
        proxy.addons.add(self._routes, _ROUTES)
        if _STORED in proxy.addons:  # what a test says comes before what is stored
            proxy.addons.move(_STORED, after=_ROUTES)
        proxy.addons.add(self._strictness, "strictness")
        await proxy.start()
        return proxy

    def stop(self) -> None:
        """Stop it. Nothing of it is left."""
        self._background.run(self.proxy.stop())
        if self._folder:
            self._folder.cleanup()

    # Where it is

    @property
    def url(self) -> str:
        """What a client is told: ``http://127.0.0.1:40123``."""
        return self.proxy.url

    @property
    def host(self) -> str:
        """The address it listens on."""
        return self.proxy.address[0]

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self.proxy.address[1]

    @property
    def ca_cert_path(self) -> Path:
        """The authority that its clients have to trust."""
        return self.proxy.ca_cert_path

    @property
    def environment(self) -> dict[str, str]:
        """Variables that send a program through it: a whole environment for ``subprocess.run(env=…)``."""
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="proxyfw-")
            roots = write_roots(Path(self._folder.name), self.ca_cert_path, os.environ)
            self._variables = variables(self.url, roots, os.environ)
        return {**os.environ, **self._variables}

    def ssl_context(self) -> ssl.SSLContext:
        """For clients in Python: trusts this proxy, and nobody else."""
        return ssl.create_default_context(cafile=self.ca_cert_path)

    def client(self) -> ProxyClient:
        """A client that goes through it; what the fixture ``proxy_client`` is."""
        return ProxyClient(self.proxy.address, self.ssl_context())

    # What it does

    @property
    def strict(self) -> bool:
        """What no route is for gets no further and fails the test, and so does a route that is not used."""
        return self._strictness.on

    @strict.setter
    def strict(self, strict: bool) -> None:
        self._strictness.on = strict

    def route(
        self,
        method: str | Sequence[str] | None = None,
        url: str | None = None,
        handler: Handler | None = None,
        *,
        optional: bool = False,
        **match: Any,
    ) -> Route:
        """A new route for these requests, which comes before all older ones until the test is over.

        *url*: ``https://api.example/*``, ``/users*`` on any host, or a regular expression ``/…/i``. *match*:
        the words of ``match`` in rules, such as ``host="*.example"``, ``query={"page": "2"}``, ``headers=``,
        ``json=``, ``json_contains=``, ``body=``, ``filter="~m POST"``. All that is given must hold. Raises
        ValueError for what cannot be read. *optional*: strict mode does not mind if it is not used.
        """
        __tracebackhide__ = True
        try:
            return self._routes.add(Matching(method, url, match), handler, optional)
        except ValueError as problem:
            raise problem.with_traceback(None) from None  # the line of the test is what matters

    def add_addon(self, addon: object) -> None:
        """Load an addon for the rest of the test. It sees requests before the routes do."""
        self.call(lambda: self.proxy.addons.add(addon, before=_ROUTES))
        self._added.append(addon)

    def configure(self, **options: Any) -> None:
        """Change options. Raises OptionsError."""
        self.call(lambda: self.proxy.options.update(**options))
        self._background.run(self.proxy.settled())

    def call(self, function: Callable[[], T]) -> T:
        """What *function* returns, called where the proxy runs."""
        return self._background.call(lambda: self.proxy.context.copy().run(function))

    # Between tests

    def problems(self) -> list[str]:
        """Why the test has to fail, one reason each: failures of handlers; what strict mode objects to."""
        return self._routes.failures + self._strictness.problems()

    def reset(self) -> None:
        """Forget routes, flows, and addons that were added since it started."""
        while self._added:
            addon = self._added.pop()
            self.call(lambda addon=addon: self.proxy.addons.remove(addon))  # type: ignore[misc]
        self._routes.clear()
        self._strictness.clear()
        self.flows.clear()
