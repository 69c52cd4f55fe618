"""The addon that runs the rules: it has the hooks in which there is something to do, and no others."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from proxyfw import ctx
from proxyfw.flow import Flow
from proxyfw.ruleset.book import RuleBook


class RuleEngine:
    """Runs the rules of *book*. Its hooks are attributes that come and go with them."""

    def __init__(self, book: RuleBook) -> None:
        self._book = book

    def load(self, loader: Any) -> None:
        """Declare the option."""
        loader.add_option(
            "rules_seed", str | None, None, "Makes chance in rules repeatable: same seed, same choices."
        )  # fmt: skip

    def configure(self, updated: set[str]) -> None:
        """Begin chance anew."""
        if "rules_seed" in updated:
            self._book.reseed(ctx.options.rules_seed)

    def adjust(self) -> bool:
        """Have the hooks that the present rules need; whether that changed anything."""
        from proxyfw.ruleset.rule import KNOWN

        wanted = self._book.current.hooks
        had = frozenset(hook for hook in KNOWN if hook in self.__dict__)
        for hook in had - wanted:
            delattr(self, hook)
        for hook in wanted - had:
            setattr(self, hook, self._entry(hook))
        return wanted != had

    def _entry(self, hook: str) -> Callable[..., Awaitable[None] | None]:
        def run(*args: Any) -> Awaitable[None] | None:
            rules = self._book.current
            if isinstance(args[0], Flow) and args[0].trace is not None:
                rules = args[0].trace.rules or rules
            return rules.run(hook, args)

        return run
