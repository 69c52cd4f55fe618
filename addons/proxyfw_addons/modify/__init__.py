"""Modifies requests and responses: heads, queries, bodies; by rules, or by the specs of two options."""

from __future__ import annotations

from collections.abc import Sequence

from proxyfw import ctx
from proxyfw.addonmanager import Loader
from proxyfw.rules import RuleBook

from .actions import ModifyRequest, ModifyResponse

__all__ = ["Modify", "ModifyRequest", "ModifyResponse"]


class Modify:
    """The addon: actions `modify_request`, `modify_response`, options `modify_headers`, `modify_body`."""

    name = "modify"

    def load(self, loader: Loader) -> None:
        """Declare actions and options."""
        loader.add_action("modify_request", ModifyRequest)
        loader.add_action("modify_response", ModifyResponse)
        loader.add_option(
            "modify_headers", Sequence[str], [],
            "Set a header field, or remove it if the value is empty: /[filter/]name/[@]value. @ is a file.",
            flag="--modify-headers", short="-H",
        )  # fmt: skip
        loader.add_option(
            "modify_body", Sequence[str], [],
            r"Replace in bodies of text: /[filter/]regex/[@]replacement. \1 is a group, @ is a file.",
            flag="--modify-body", short="-B",
        )  # fmt: skip

    def configure(self, updated: set[str]) -> None:
        """Make rules of the specs. Raises OptionsError."""
        for option in ("modify_headers", "modify_body"):
            if option in updated:
                self._provide(option, getattr(ctx.options, option))

    def _provide(self, option: str, specs: Sequence[str]) -> None:
        book: RuleBook = ctx.master.addons.rules
        if not specs:
            book.provide(option, ())
            return
        from .specs import body_rules, header_rules  # most proxies have none

        book.provide(option, list((header_rules if option == "modify_headers" else body_rules)(specs)))
