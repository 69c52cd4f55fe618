"""Takes secrets out of what is stored, printed, logged and exported. On the wire nothing changes.

It works on copies, and only when somebody is about to keep or show a flow, see `proxyfw.redaction`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

from proxyfw import ctx
from proxyfw.addonmanager import Loader
from proxyfw.flow import Flow
from proxyfw.rules import Action, Hit, Pattern, Rules

from .kinds import JsonPath, Mark, Secret, marker

if TYPE_CHECKING:
    from .recipe import Recipe

__all__ = ["Redact", "Redacting"]


@dataclass
class Redact(Action):
    """Leave secrets out of what is kept or shown of the flow; without any field, the default list."""

    headers: Annotated[list[Pattern], "Names of header fields whose values are secret."] = field(
        default_factory=list
    )
    query: Annotated[list[Pattern], "Names of parameters, of fields of forms, and of XML elements."] = field(
        default_factory=list
    )
    json: Annotated[
        list[JsonPath], "Values in JSON: `password` (at any depth), `$.user.mail`, `$.cards[*].number`."
    ] = field(default_factory=list)
    body: Annotated[
        list[Secret], "Text anywhere, `/…/i` for an expression; if that has groups, what they stand for."
    ] = field(default_factory=list)
    cards: Annotated[bool, "Numbers of payment cards."] = False
    tokens: Annotated[bool, "What looks like a credential or a key: Bearer, JWT, AWS, GitHub, …"] = False
    defaults: Annotated[bool, "The default list, too."] = False

    def __post_init__(self) -> None:
        from .recipe import Recipe, standard  # not before there is such a rule

        names = ("headers", "query", "json", "body", "cards", "tokens")
        given = {name: getattr(self, name) for name in names}
        self.recipes = [Recipe(**given)] if any(given.values()) else []
        if self.defaults or not self.recipes:
            self.recipes.append(standard())

    def flow_end(self, flow: Flow, hit: Hit) -> None:
        """Say it in the trace; the work is done when the flow is kept or shown."""
        hit.note("secrets are left out of what is kept")


class Redacting:
    """The rule action `redact`, the options `redact…`, and what takes secrets out: a `Redactor`."""

    name = "redact"

    def __init__(self) -> None:
        self._standard: Recipe | None = None
        self._mark: Mark = marker(None)
        self._master: Any = None
        self._seen: Rules | None = None
        self._rules: list[tuple[Any, list[Recipe]]] = []
        """Rules that redact, as they are in force, and what they name."""

    def load(self, loader: Loader) -> None:
        """Declare the options, offer the action, and be asked."""
        loader.add_option(
            "redact",
            bool,
            False,
            "Leave usual secrets out of what is stored, shown and logged.",
            flag="--redact",
        )
        loader.add_option(
            "redact_key",
            str | None,
            None,
            "Secrets become hashes with this key, so that equal ones stay equal; unset: they all look alike.",
        )
        loader.add_action("redact", Redact)
        loader.add_redactor(self)
        self._master = loader.master

    def configure(self, updated: set[str]) -> None:
        """Take up the options."""
        if "redact" in updated:
            self._standard = _standard() if ctx.options.redact else None
        if "redact_key" in updated:
            self._mark = marker(ctx.options.redact_key or None)

    def plan(self, flow: Flow) -> Callable[[Flow], None] | None:
        """What takes the secrets out of a copy of *flow*, if it is meant: by the option, or by any rule.

        All rules are asked, whether or not they came to act while the flow was under way.
        """
        self._look()
        recipes = [self._standard] if self._standard else []
        for active, named in self._rules:
            if active.decide(flow)[0] is not None:
                recipes += named
        return (lambda copy: _clean(copy, recipes, self._mark)) if recipes else None

    def text(self, text: str) -> str:
        """*text* without secrets of any kind that the option or a rule names."""
        self._look()
        for recipe in self._all_recipes():
            text = recipe.line(text, self._mark)
        return text

    def _all_recipes(self) -> Sequence[Recipe]:
        own = [self._standard] if self._standard else []
        return own + [recipe for _, named in self._rules for recipe in named]

    def _look(self) -> None:
        """See whether there are other rules than before."""
        current = self._master.addons.rules.current
        if current is not self._seen:
            self._seen = current
            self._rules = [
                (active, named) for active in current.active if (named := _recipes(active.rule.actions))
            ]


def _standard() -> Recipe:
    from .recipe import standard  # not before somebody wants it

    return standard()


def _recipes(actions: Sequence[Action]) -> list[Recipe]:
    return [recipe for action in actions if isinstance(action, Redact) for recipe in action.recipes]


def _clean(copy: Flow, recipes: Sequence[Recipe], mark: Mark) -> None:
    from .copies import clean  # not before there is a flow to be redacted

    clean(copy, recipes, mark)
