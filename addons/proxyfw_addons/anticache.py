"""Has origins answer as if the client had nothing in its cache: no 304, but the whole answer."""

from __future__ import annotations

from dataclasses import dataclass

from proxyfw import ctx
from proxyfw.addonmanager import Loader
from proxyfw.http import HTTPFlow
from proxyfw.rules import Action, Hit, Match, Rule, RuleBook


@dataclass
class Anticache(Action):
    """Remove If-None-Match and If-Modified-Since from the request."""

    def request(self, flow: HTTPFlow, hit: Hit) -> None:
        """Remove them."""
        flow.request.anticache()


class Anticaching:
    """The addon: the action and the option `anticache`."""

    name = "anticache"

    def load(self, loader: Loader) -> None:
        """Declare them."""
        loader.add_action("anticache", Anticache)
        loader.add_option(
            "anticache",
            bool,
            False,
            "Remove If-None-Match and If-Modified-Since, so that answers come whole.",
            flag="--anticache",
        )

    def configure(self, updated: set[str]) -> None:
        """Make a rule of the option."""
        if "anticache" in updated:
            book: RuleBook = ctx.master.addons.rules
            rule = Rule("anticache", Match(), (Anticache(),), place="option anticache")
            book.provide("anticache", [rule] if ctx.options.anticache else [])
