"""Modifies requests and responses: heads, queries, bodies; by rules, or by the specs of two options."""

from __future__ import annotations

from collections.abc import Sequence

from proxyfw import ctx
from proxyfw.addonmanager import Loader
from proxyfw.rules import RuleBook

from .actions import ModifyRequest, ModifyResponse
from .specs import BODY_FORM, HEADERS_FORM, body_rules, header_rules

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
            f"Set a header field, or remove it if the value is empty: {HEADERS_FORM}. @ is a file.",
            flag="--modify-headers", short="-H",
        )  # fmt: skip
        loader.add_option(
            "modify_body", Sequence[str], [],
            rf"Replace in bodies of text: {BODY_FORM}. \1 is a group, @ is a file.",
            flag="--modify-body", short="-B",
        )  # fmt: skip

    def configure(self, updated: set[str]) -> None:
        """Make rules of the specs. Raises OptionsError."""
        book: RuleBook = ctx.master.addons.rules
        if "modify_headers" in updated:
            book.provide("modify_headers", list(header_rules(ctx.options.modify_headers)))
        if "modify_body" in updated:
            book.provide("modify_body", list(body_rules(ctx.options.modify_body)))
