"""Templates: text with ``{{ … }}`` for values of the request, filled in by Jinja's sandbox.

Nothing of the proxy can be reached from them: they are given plain copies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache, cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from proxyfw import flow as flows
from proxyfw.exceptions import ProxyfwError
from proxyfw.http import HTTPFlow, Request
from proxyfw.rules import Hit

if TYPE_CHECKING:
    from jinja2.sandbox import SandboxedEnvironment

Fill = Callable[[str], str]
"""Fills in a template."""


def filler(flow: HTTPFlow, hit: Hit) -> Fill:
    """What fills in templates that answer *flow*. It raises ProxyfwError."""
    values = {
        "request": Values(flow.request),
        "found": (flow.request.pretty_url, *hit.found),
        "number": hit.number,
        "random": hit.random.randint,
        "now": flows.clock(),
    }

    def fill(text: str) -> str:
        template = parsed(text)
        try:
            return template(values)
        except Exception as problem:  # what a template does is its author's affair
            raise ProxyfwError(f"the template fails: {type(problem).__name__}: {problem}") from None

    return fill


@lru_cache(maxsize=256)
def parsed(text: str) -> Callable[[dict[str, Any]], str]:
    """*text* as a function of the values in it. Raises ProxyfwError."""
    from jinja2 import TemplateError

    try:
        return _environment().from_string(text).render
    except TemplateError as problem:
        line = getattr(problem, "lineno", 1)
        raise ProxyfwError(f"the template cannot be read: line {line}: {problem.message}") from None


@cache
def _environment() -> SandboxedEnvironment:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment

    return SandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True)


class Values:
    """A request as templates see it: plain values, found when they are asked for."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self.method = request.method
        self.url = request.pretty_url
        self.scheme = request.scheme
        self.host = request.pretty_host
        self.port = request.port
        self.path = request.path.partition("?")[0]

    @cached_property
    def query(self) -> dict[str, str]:
        """Parameters; of repeated ones the first."""
        return _first(self._request.query.items(multi=True))

    @cached_property
    def headers(self) -> dict[str, str]:
        """Fields by name in lower case; repeated ones are joined."""
        return {name.lower(): value for name, value in self._request.headers.items()}

    @cached_property
    def cookies(self) -> dict[str, str]:
        """Values by name; of repeated ones the first."""
        return _first(self._request.cookies.items(multi=True))

    @cached_property
    def form(self) -> dict[str, str]:
        """Fields of a form; of repeated ones the first."""
        return _first(self._request.urlencoded_form.items(multi=True))

    @cached_property
    def text(self) -> str:
        """The decoded body."""
        return self._request.get_text(strict=False) or ""

    @cached_property
    def json(self) -> Any:
        """The body as JSON. Raises ValueError if it is not."""
        import json  # only now: a proxy without templates needs none

        return json.loads(self.text)


def _first(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in pairs:
        found.setdefault(name, value)
    return found
