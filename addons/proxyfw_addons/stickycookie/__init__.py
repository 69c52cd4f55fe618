"""Keeps the cookies that origins set and sends them with requests: clients without a jar stay logged in.

One jar is for all clients of the proxy; it lasts as long as the proxy runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from proxyfw import ctx
from proxyfw import flow as flows
from proxyfw.addonmanager import Loader
from proxyfw.http import HTTPFlow
from proxyfw.options import parse_filter
from proxyfw.rules import Action, Hit, Match, Rule, RuleBook

from .jar import Jar

__all__ = ["Jar", "StickyCookie"]


@dataclass
class Keep(Action):
    """Keep the cookies that responses set."""

    def responseheaders(self, flow: HTTPFlow, hit: Hit) -> None:
        """Keep them."""
        if flow.response is not None and not hit.dry:
            _jar().store(flow.request, flow.response, flows.clock())


@dataclass
class Send(Action):
    """Send the cookies that are kept."""

    def request(self, flow: HTTPFlow, hit: Hit) -> None:
        """Send them; others that the client sends stay."""
        kept = _jar().cookies(flow.request, flows.clock())
        if kept:
            names = {name for name, _ in kept}
            own = [each for each in flow.request.cookies.items(multi=True) if each[0] not in names]
            flow.request.cookies = own + kept
            flow.metadata["stickycookie"] = True
            hit.note(f"cookies: {', '.join(name for name, _ in kept)}")


@dataclass
class Sticky(Keep, Send):
    """Keep the cookies that responses set, and send them with requests."""


class StickyCookie:
    """The addon: the action and the option `stickycookie`."""

    name = "stickycookie"

    def __init__(self) -> None:
        self.jar = Jar()

    def load(self, loader: Loader) -> None:
        """Declare them."""
        loader.add_action("stickycookie", Sticky)
        loader.add_option(
            "stickycookie",
            str | None,
            None,
            "Send the cookies that origins have set with requests that this filter means.",
            flag="--stickycookie",
        )

    def configure(self, updated: set[str]) -> None:
        """Make rules of the option. Raises OptionsError."""
        if "stickycookie" in updated:
            book: RuleBook = ctx.master.addons.rules
            book.provide("stickycookie", list(_rules(ctx.options.stickycookie)))


def _jar() -> Jar:
    addon: StickyCookie = ctx.master.addons.get(StickyCookie.name)
    return addon.jar


def _rules(expression: str | None) -> Iterator[Rule]:
    """All cookies are kept, whatever the filter is: the request that logs in need not match it."""
    condition: Any = parse_filter("stickycookie", expression)
    if condition is None:
        return
    place = "option stickycookie"
    yield Rule("stickycookie keeps", Match(), (Keep(),), place=place)
    yield Rule("stickycookie", Match(filter=condition), (Send(),), place=place)
