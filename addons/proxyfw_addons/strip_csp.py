"""Takes Content-Security-Policy out of answers, or those directives of it that keep tools out of a page.

The headers only: what a page says about itself in a meta element stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from proxyfw import ctx
from proxyfw.addonmanager import Loader
from proxyfw.exceptions import OptionsError
from proxyfw.http import HTTPFlow
from proxyfw.rules import Action, Hit, Match, Rule, RuleBook, keep_original

HEADERS = ("content-security-policy", "content-security-policy-report-only")
ALWAYS = frozenset(
    {"frame-ancestors", "navigate-to", "require-trusted-types-for", "sandbox", "trusted-types"}
)
"""Directives that are never kept."""
UNLESS_NAMED = frozenset(
    {"child-src", "default-src", "form-action", "frame-src", "script-src", "script-src-elem"}
)
"""Directives that are kept only if they are named."""


@dataclass
class StripCSP(Action):
    """Remove Content-Security-Policy from the response, its report-only form, too."""

    keep: Annotated[
        bool | list[str],
        "true: only directives that keep tools out are removed; a list: of these, the named ones are kept.",
    ] = False

    def __post_init__(self) -> None:
        if not isinstance(self.keep, bool):
            check_names(self.keep)
            self.keep = [name.lower() for name in self.keep]

    def responseheaders(self, flow: HTTPFlow, hit: Hit) -> None:
        """Remove it."""
        if flow.response is None:
            return
        headers = flow.response.headers
        for name in HEADERS:
            old = headers.get_all(name)
            new = [text for value in old if (text := self._kept(value))]
            if new != old:
                keep_original(flow)
                headers.set_all(name, new)
                hit.note(f"{name}: {'; '.join(new) or 'removed'}")

    def _kept(self, value: str) -> str:
        """What is left of a field that has one policy, or several with commas between them."""
        if self.keep is False:
            return ""
        policies = (self._kept_of_policy(policy) for policy in value.split(","))
        return ",".join(filter(None, policies))

    def _kept_of_policy(self, policy: str) -> str:
        directives = policy.split(";")
        kept = [directive for directive in directives if not directive.strip() or self._keeps(directive)]
        if kept == directives:
            return policy
        return ";".join(filter(str.strip, kept)).strip()

    def _keeps(self, directive: str) -> bool:
        name = directive.split(None, 1)[0].lower()
        if name in ALWAYS:
            return False
        return name not in UNLESS_NAMED or (isinstance(self.keep, list) and name in self.keep)


class StrippingCSP:
    """The addon: the action, and the options `strip_csp` and `strip_csp_keep`."""

    name = "strip_csp"

    def load(self, loader: Loader) -> None:
        """Declare them."""
        loader.add_action("strip_csp", StripCSP)
        loader.add_option(
            "strip_csp",
            bool,
            False,
            "Remove Content-Security-Policy headers from answers.",
            flag="--strip-csp",
        )
        loader.add_option(
            "strip_csp_keep",
            Sequence[str],
            [],
            "With strip_csp: remove only directives that keep tools out, and of these keep the named ones; "
            "true keeps none of them.",
        )

    def configure(self, updated: set[str]) -> None:
        """Make a rule of the options. Raises OptionsError."""
        if not updated.isdisjoint({"strip_csp", "strip_csp_keep"}):
            book: RuleBook = ctx.master.addons.rules
            names = ctx.options.strip_csp_keep
            try:
                action = StripCSP(_keep(names))
            except ValueError as problem:
                raise OptionsError(f"strip_csp_keep: {problem}") from None
            rule = Rule("strip_csp", Match(), (action,), place="option strip_csp")
            book.provide("strip_csp", [rule] if ctx.options.strip_csp else [])


def check_names(names: Sequence[Any]) -> None:
    """Raise ValueError unless all of *names* are directives that can be kept."""
    for name in names:
        if name.lower() in ALWAYS:
            raise ValueError(f"{name} is always removed: it keeps a page out of frames and tools")
        if name.lower() not in UNLESS_NAMED:
            raise ValueError(f"{name!r} need not be named: write {', '.join(sorted(UNLESS_NAMED))}")


def _keep(names: Sequence[str]) -> bool | list[str]:
    """The option, as the action has it: nothing, true, or directives."""
    return True if list(names) == ["true"] else list(names) or False
