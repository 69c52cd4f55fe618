"""Remembers what clients authorise themselves with, and sends it along where they do not.

What was meant for one origin (scheme, host and port) is never sent to another.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from proxyfw import ctx
from proxyfw.addonmanager import Loader
from proxyfw.http import HTTPFlow, Request
from proxyfw.options import parse_filter
from proxyfw.rules import Action, Hit, Match, Pattern, Rule, RuleBook

_MOST_ORIGINS = 1000
_OF_A_CONNECTION = frozenset({"ntlm", "negotiate"})
"""Schemes that authorise a connection, not a request: repeating what was sent there means nothing."""

Origin = tuple[str, str, int]


class Memory:
    """The latest Authorization for each origin."""

    def __init__(self) -> None:
        self._known: OrderedDict[Origin, str] = OrderedDict()

    def keep(self, request: Request) -> None:
        """Remember what *request* has, if it means something in another request."""
        value = request.headers.get("authorization", "")
        if value and value.split(None, 1)[0].lower() not in _OF_A_CONNECTION:
            self._known[_origin(request)] = value
            self._known.move_to_end(_origin(request))
            if len(self._known) > _MOST_ORIGINS:
                self._known.popitem(last=False)

    def give(self, request: Request) -> bool:
        """Put it into *request*, if it has none and some is known; whether that was done."""
        value = self._known.get(_origin(request))
        if value is None or "authorization" in request.headers:
            return False
        request.headers["Authorization"] = value
        return True


def _origin(request: Request) -> Origin:
    return request.scheme, request.host, request.port


@dataclass
class Remember(Action):
    """Remember the Authorization of requests."""

    def request(self, flow: HTTPFlow, hit: Hit) -> None:
        """Remember it."""
        if not hit.dry:
            _memory().keep(flow.request)


@dataclass
class Sticky(Remember):
    """Remember the Authorization of requests for each origin, and add it to those that have none."""

    def request(self, flow: HTTPFlow, hit: Hit) -> None:
        """Remember it, or add it."""
        super().request(flow, hit)
        if _memory().give(flow.request):
            hit.note("added an Authorization that is remembered")


class StickyAuth:
    """The addon: the action and the option `stickyauth`."""

    name = "stickyauth"

    def __init__(self) -> None:
        self.memory = Memory()

    def load(self, loader: Loader) -> None:
        """Declare them."""
        loader.add_action("stickyauth", Sticky)
        loader.add_option(
            "stickyauth",
            str | None,
            None,
            "Add the Authorization that an origin was last sent to requests that this filter means.",
            flag="--stickyauth",
        )

    def configure(self, updated: set[str]) -> None:
        """Make rules of the option. Raises OptionsError."""
        if "stickyauth" in updated:
            book: RuleBook = ctx.master.addons.rules
            book.provide("stickyauth", list(_rules(ctx.options.stickyauth)))


def _memory() -> Memory:
    addon: StickyAuth = ctx.master.addons.get(StickyAuth.name)
    return addon.memory


def _rules(expression: str | None) -> Iterator[Rule]:
    """All origins are remembered, whatever the filter is: the request that logs in need not match it."""
    condition: Any = parse_filter("stickyauth", expression)
    if condition is None:
        return
    place = "option stickyauth"
    yield Rule(
        "stickyauth remembers", Match(headers={"authorization": [Pattern("*")]}), (Remember(),), place=place
    )
    yield Rule("stickyauth", Match(filter=condition), (Sticky(),), place=place)
