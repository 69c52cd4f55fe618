"""All rules of one proxy, whoever gave them, and the types of action that addons offer.

Rules that code adds run first, the newest before the older ones; then all others by priority, and where that
is equal in the order they were given in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proxyfw.exceptions import AddonError, OptionsError

if TYPE_CHECKING:  # what rules are made of is imported when there are any
    from proxyfw.ruleset.rule import Action, Rule
    from proxyfw.ruleset.shape import Problem, Where
    from proxyfw.ruleset.walk import Rules

Locate = Callable[["Where"], str]
"""Where in a file a value stands, as ``rules.yaml:12:5``."""
Reader = Callable[[], Iterable["Rule"]]
"""Reads the rules of one source. Raises OptionsError."""


class RuleBook:
    """The rules in force. *changed* is called after each change of them."""

    def __init__(self, changed: Callable[[], None] = lambda: None) -> None:
        self.types: dict[str, type[Action]] = {}
        self.finder: Callable[[str], None] | None = None
        """Is asked, with a name, to have a type of action defined that is not there."""
        self._current: Rules | None = None
        self.seed: str | None = None
        self._changed = changed
        self._sources: dict[str, tuple[Rule, ...]] = {}
        self._added: list[Rule] = []
        self.owners: dict[str, str] = {}
        """Which addon offers a type of action."""
        self._readers: dict[str, Reader] = {}
        self._unread: dict[str, OptionsError] = {}
        self._dirty = False
        """Types of action have come or gone since the readers were last asked."""

    @property
    def current(self) -> Rules:
        """The rules in force, ready to run."""
        if self._current is None:
            from proxyfw.ruleset.walk import Rules

            self._current = Rules()
        return self._current

    def __iter__(self) -> Iterator[Rule]:
        """All rules, those too that are switched off, in the order they run in."""
        return iter(self._ordered())

    def __len__(self) -> int:
        return len(self._added) + sum(map(len, self._sources.values()))

    # types of action

    def define(self, name: str, kind: Any, source: str = "proxyfw") -> None:
        """Offer *kind* as action *name*. Raises AddonError if that is another addon's, or not an action."""
        owner = self.owners.get(name)
        if owner is not None and owner != source:
            raise AddonError(f"action {name!r} is offered by {owner} and by {source}: rename one")
        from proxyfw.ruleset import shape
        from proxyfw.ruleset.rule import Action

        try:
            usable = issubclass(kind, Action) and bool(kind.hooks()) and shape.fields(kind) is not None
        except TypeError:
            usable = False
        if not usable:
            raise AddonError(
                f"{source}: action {name!r} must be a dataclass, derived from proxyfw.rules.Action, "
                f"with a method named like a hook"
            )
        self.types[name] = kind
        self.owners[name] = source
        self._dirty = True

    def release(self, source: str) -> None:
        """The addon *source* is gone, with its actions and rules."""
        for name in [name for name, owner in self.owners.items() if owner == source]:
            del self.types[name], self.owners[name]
            self._dirty = True
        self._readers.pop(source, None)
        self._unread.pop(source, None)
        self.provide(source, ())

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Undo what was defined and provided inside if an exception leaves the block."""
        kept = [dict(part) for part in (self.types, self.owners, self._sources, self._readers, self._unread)]
        try:
            yield
        except BaseException:
            self.types, self.owners, self._sources, self._readers, self._unread = kept  # type: ignore[assignment]
            self._renew()
            raise

    def settle(self) -> None:
        """Addons have come or gone: read again what may mean something else now.

        What cannot be read keeps the rules it gave before, and `check` says why.
        """
        if self._dirty:
            self._dirty = False
            for source in list(self._readers):
                self._read_again(source)

    def read_again(self) -> None:
        """What is named in rules means something else now: read them all. Raises OptionsError."""
        self._dirty = True
        self.settle()
        self.check()

    def check(self) -> None:
        """Raise OptionsError if there is a source of rules that cannot be read."""
        if self._unread:
            raise OptionsError("\n".join(map(str, self._unread.values())))

    # rules

    def read(
        self,
        data: object,
        base: Path | None = None,
        locate: Locate | None = None,
        where: Where = (),
    ) -> list[Rule]:
        """The rules that *data*, a list of mappings, means; files in them are relative to *base*.

        Raises OptionsError with all that is wrong, a line each; *locate* says where it is written.
        """
        from proxyfw.ruleset.rule import read_rule
        from proxyfw.ruleset.shape import Problem, ShapeError

        if not isinstance(data, Sequence) or isinstance(data, str | bytes):
            place = locate(where) if locate else "rules"
            raise OptionsError(f"{place}: must be a list of rules, each a mapping with match and action")
        rules: list[Rule] = []
        problems: list[Problem] = []
        names: dict[str, int] = {}
        for index, each in enumerate(data):
            here = (*where, index)
            self._find_types(each)
            try:
                rule = read_rule(each, self.types, here, base or Path(), locate(here) if locate else "")
            except ShapeError as problem:
                problems += problem.problems
                continue
            if rule.name in names:
                message = f"{rule.name!r} is the name of rule {names[rule.name]}, too: give each its own"
                problems.append(Problem((*here, "name"), message))
            names[rule.name] = index + 1
            rules.append(rule)
        if problems:
            raise OptionsError("\n".join(_told(problem, locate) for problem in problems))
        return rules

    def _find_types(self, rule: object) -> None:
        actions = rule.get("action") if isinstance(rule, Mapping) else None
        for action in actions if isinstance(actions, list | tuple) else [actions]:
            name = action.get("type") if isinstance(action, Mapping) else action
            if isinstance(name, str) and name not in self.types and self.finder is not None:
                self.finder(name)

    def provide(self, source: str, rules: Iterable[Rule]) -> None:
        """Make *rules* those of *source*, instead of the ones it gave before."""
        given = tuple(rules)
        if given != self._sources.get(source, ()):
            self._sources[source] = given
            self._renew()

    def provide_from(self, source: str, reader: Reader) -> OptionsError | None:
        """Let *reader* give the rules of *source*, now and whenever there are other types of action.

        If it raises OptionsError, which is returned, the rules stay as they are until it does not.
        """
        self._readers[source] = reader
        return self._read_again(source)

    def _read_again(self, source: str) -> OptionsError | None:
        try:
            rules = list(self._readers[source]())
        except OptionsError as problem:
            self._unread[source] = problem
            return problem
        self._unread.pop(source, None)
        self.provide(source, rules)
        return None

    def add(self, rule: Rule | Mapping[str, Any]) -> Rule:
        """Add one rule, before all others. Raises OptionsError if it is data and wrong."""
        from proxyfw.ruleset.rule import Rule

        if not isinstance(rule, Rule):
            (rule,) = self.read([rule])
        self._added.insert(0, rule)
        self._renew()
        return rule

    def remove(self, rule: Rule) -> None:
        """Take a rule away that was added. Raises OptionsError if there is no such rule."""
        if rule not in self._added:
            raise OptionsError(f"rule {rule} was not added, or has been removed")
        self._added.remove(rule)
        self._renew()

    def reseed(self, seed: str | None) -> None:
        """Make all chance begin anew, and repeatable unless *seed* is None."""
        if seed != self.seed:
            self.seed = seed
            self._current = None
            self._renew()

    def schema(self) -> dict[str, Any]:
        """A list of rules as JSON Schema, with the actions there are now."""
        from proxyfw.ruleset.rule import schema

        return schema(self.types)

    def _ordered(self) -> list[Rule]:
        stored = [rule for rules in self._sources.values() for rule in rules]
        return [*self._added, *sorted(stored, key=lambda rule: rule.priority)]

    def _renew(self) -> None:
        from proxyfw.ruleset.walk import Rules

        self._current = Rules(self._ordered(), self.seed, self.current)
        self._changed()


def _told(problem: Problem, locate: Locate | None) -> str:
    from proxyfw.ruleset import shape

    if locate is None:
        return f"rules{shape.spoken(problem.where).removesuffix(': ')}: {problem.message}"
    inner = problem.where[1:] if problem.where and problem.where[0] == "rules" else problem.where
    return f"{locate(problem.where)}: {_short(inner)}{problem.message}"


def _short(where: Where) -> str:
    """The path below the rule, which its place names already."""
    from proxyfw.ruleset import shape

    return shape.spoken(tuple(where[1:]) if where and isinstance(where[0], int) else where)
