"""Answers as broken networks and servers give them: reset, closed, cut short, garbage, in drops, or never.

What is sent is not HTTP any more, or not all of it; the flow keeps what the client got.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from proxyfw import ctx
from proxyfw.addonmanager import Loader
from proxyfw.rules import RuleBook, split_spec, split_words

from .action import Fault

__all__ = ["Fault", "Faults"]

_FORM = "/[filter/]kind"


class Faults:
    """The addon: action `fault`, option `fault`."""

    name = "faults"

    def load(self, loader: Loader) -> None:
        """Declare both."""
        loader.add_action("fault", Fault)
        loader.add_option(
            "fault",
            Sequence[str],
            [],
            f"Break the answer to what a filter matches: reset, or {_FORM} with fields of that action, as "
            "'/~d api.example.com/close after=10k'.",
            flag="--fault",
        )

    def configure(self, updated: set[str]) -> None:
        """Make rules of the option. Raises OptionsError."""
        if "fault" in updated:
            book: RuleBook = ctx.master.addons.rules
            specs = ctx.options.fault
            rules = list(_rules(specs))
            book.provide(self.name, book.read(rules, locate=lambda where: f"fault: {specs[int(where[0])]!r}"))


def _rules(specs: Iterable[str]) -> Iterable[dict[str, Any]]:
    for index, spec in enumerate(specs):
        expression, words = ("", spec) if spec[:1].isalnum() else split_spec("fault", spec, _FORM)
        yield {
            "name": f"fault[{index}]",
            "match": {"filter": expression} if expression else {},
            "action": {"type": "fault", **split_words("fault", spec, words, "kind")},
        }
