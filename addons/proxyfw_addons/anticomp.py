"""Has origins send their answers uncompressed."""

from __future__ import annotations

from dataclasses import dataclass

from proxyfw import ctx
from proxyfw.addonmanager import Loader
from proxyfw.http import HTTPFlow
from proxyfw.rules import Action, Hit, Match, Rule, RuleBook


@dataclass
class Anticomp(Action):
    """Ask for an uncompressed answer: Accept-Encoding: identity."""

    def request(self, flow: HTTPFlow, hit: Hit) -> None:
        """Ask for it."""
        flow.request.anticomp()


class Anticompressing:
    """The addon: the action and the option `anticomp`."""

    name = "anticomp"

    def load(self, loader: Loader) -> None:
        """Declare them."""
        loader.add_action("anticomp", Anticomp)
        loader.add_option(
            "anticomp",
            bool,
            False,
            "Ask origins for uncompressed answers: Accept-Encoding: identity.",
            flag="--anticomp",
        )

    def configure(self, updated: set[str]) -> None:
        """Make a rule of the option."""
        if "anticomp" in updated:
            book: RuleBook = ctx.master.addons.rules
            rule = Rule("anticomp", Match(), (Anticomp(),), place="option anticomp")
            book.provide("anticomp", [rule] if ctx.options.anticomp else [])
