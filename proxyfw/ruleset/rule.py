"""A rule: for which flows, and what to do with them. As data it is a mapping, in a file it is YAML.

Which types of action there are is not known here: addons define them.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Annotated, Any

from proxyfw.hookspecs import HOOKS
from proxyfw.model.trace import MATCHED, Trace
from proxyfw.ruleset import shape
from proxyfw.ruleset.match import Known, Match
from proxyfw.ruleset.patterns import Found
from proxyfw.ruleset.shape import Problem, ShapeError, Where

KNOWN: dict[str, Known] = {
    **dict.fromkeys(
        (
            "client_connected", "tls_clienthello", "tls_start_client", "tls_established_client",
            "tls_failed_client", "server_connect", "tls_start_server", "next_layer",
        ),
        Known.CONNECTION,
    ),
    "http_connect": Known.REQUEST_HEAD, "requestheaders": Known.REQUEST_HEAD, "request": Known.REQUEST_BODY,
    "responseheaders": Known.RESPONSE_HEAD, "response": Known.RESPONSE_BODY,
    "websocket_start": Known.RESPONSE_HEAD, "websocket_message": Known.MESSAGE, "sse_event": Known.MESSAGE,
    "tcp_start": Known.RESPONSE_BODY, "tcp_message": Known.MESSAGE,
    "udp_start": Known.RESPONSE_BODY, "udp_message": Known.MESSAGE,
    "dns_request": Known.REQUEST_BODY, "dns_response": Known.RESPONSE_BODY,
    "error": Known.RESPONSE_BODY, "flow_end": Known.RESPONSE_BODY,
}  # fmt: skip
"""The hooks an action may have, in the order they come in, and what is known in each."""
assert KNOWN.keys() <= HOOKS.keys()


class Action:
    """What a rule does. A subclass is a dataclass: its fields are what is written in the rule.

    Its methods are named like hooks and take the same arguments and the `Hit`; they may be ``async``. An
    action that sets ``flow.response`` while the request is dealt with has answered: no later rule runs then.
    """

    __slots__ = ()
    early = False
    """True: it does the same in `requestheaders` and `request`, and in the former only if no rule before it
    has anything left to do, so that answers come early, and still in the order of the rules."""

    @classmethod
    def hooks(cls) -> list[str]:
        """The hooks it acts in, in their order."""
        return [hook for hook in KNOWN if callable(getattr(cls, hook, None))]

    def acts_in(self) -> list[str]:
        """The hooks this one acts in: fewer than `hooks` if its fields say so."""
        return self.hooks()


class Hit:
    """One use of a rule, for its action."""

    __slots__ = ("dry", "found", "hook", "number", "random", "rule", "trace")

    def __init__(
        self,
        rule: Rule,
        found: Found,
        number: int,
        random: Random,
        trace: Trace,
        dry: bool,
        hook: str = "",
    ) -> None:
        self.rule = rule
        self.found = found
        """What the wildcards and groups of the rule's patterns stood for."""
        self.number = number
        """This is the rule's first use, its second, …"""
        self.random = random
        """The rule's own chance, so that with `rules_seed` each run is like the last."""
        self.trace = trace
        self.dry = dry
        """Nothing is on the wire: do not wait, and touch no network."""
        self.hook = hook
        """Where the rule was found to match: in earlier ones it has done nothing."""

    def note(self, text: str) -> None:
        """Say in the flow's trace what was done."""
        self.trace.add(self.rule.name, "note", MATCHED, text)

    def expand(self, text: str) -> str:
        """*text* with ``$1``, ``$2``, … replaced by what was found, and ``$$`` by a dollar."""
        parts = text.split("$$")
        for number in range(len(self.found), 0, -1):
            parts = [part.replace(f"${number}", self.found[number - 1]) for part in parts]
        return "$".join(parts)


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """For which flows (`match`), and what to do with them, in this order (`actions`).

    Lower `priority` runs earlier, equal ones in the order they are given in. After `times` uses a rule is
    spent. `place` is where it was written.
    """

    name: str
    match: Match
    actions: tuple[Action, ...]
    enabled: bool = True
    priority: int = 0
    times: int | None = None
    place: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.place})" if self.place else self.name

    def hooks(self) -> list[str]:
        """The hooks in which it acts."""
        named = {hook for action in self.actions for hook in action.acts_in()}
        return [hook for hook in KNOWN if hook in named]


@dataclass(frozen=True, kw_only=True)
class _Outline:
    """A rule as it is written, but for its actions."""

    name: Annotated[str | None, "What it is called in traces and messages."] = None
    enabled: Annotated[bool, "False: it is left out."] = True
    priority: Annotated[int, "Lower runs earlier; equal ones in the order they are written in."] = 0
    times: Annotated[int | None, "How often it may be used."] = None
    match: Annotated[Match, "Which flows it is for; empty: all."] = field(default_factory=Match)
    action: Annotated[Any, "What is done: one action, or several in this order."] = None

    def __post_init__(self) -> None:
        if self.times is not None and self.times < 1:
            raise ShapeError(
                [Problem(("times",), "must be 1 or more; to switch the rule off: enabled: false")]
            )


Types = Mapping[str, type[Action]]
"""The types of action there are, by the name they have in rules."""


def read_rule(data: object, types: Types, where: Where, base: Path, place: str) -> Rule:
    """The rule that *data* is. Raises ShapeError."""
    if not isinstance(data, Mapping):
        raise ShapeError([Problem(where, "a rule must be a mapping with match and action")])
    problems: list[Problem] = []
    outline: _Outline | None = None
    actions: tuple[Action, ...] = ()
    try:
        outline = shape.read(_Outline, {k: v for k, v in data.items() if k != "action"}, where, base)
    except ShapeError as problem:
        problems += problem.problems
    try:
        actions = _read_actions(data.get("action"), types, (*where, "action"), base)
    except ShapeError as problem:
        problems += problem.problems
    if problems or outline is None:
        raise ShapeError(problems)
    rule = Rule(
        name=outline.name or f"{'+'.join(_type_name(types, action) for action in actions)}#{_number(where)}",
        match=outline.match,
        actions=actions,
        enabled=outline.enabled,
        priority=outline.priority,
        times=outline.times,
        place=place or f"rules{shape.spoken(where)}".removesuffix(": "),
    )
    _check_known(rule, where)
    return rule


def _number(where: Where) -> int:
    return next((step + 1 for step in reversed(where) if isinstance(step, int)), 1)


def _type_name(types: Types, action: Action) -> str:
    return next((name for name, kind in types.items() if kind is type(action)), type(action).__name__.lower())


def _read_actions(data: object, types: Types, where: Where, base: Path) -> tuple[Action, ...]:
    if data is None or data == []:
        raise ShapeError([Problem(where[:-1], f"action is missing; there are {', '.join(sorted(types))}")])
    if not isinstance(data, list | tuple):
        return (_read_action(data, types, where, base),)
    return tuple(_read_action(each, types, (*where, index), base) for index, each in enumerate(data))


def _read_action(data: object, types: Types, where: Where, base: Path) -> Action:
    given: Mapping[str, Any] = {"type": data} if isinstance(data, str) else data  # type: ignore[assignment]
    if not isinstance(given, Mapping) or "type" not in given:
        raise ShapeError([Problem(where, "an action must be a mapping with its type, or the name of a type")])
    name = given["type"]
    if name not in types:
        nearest = difflib.get_close_matches(str(name), types, 1)
        hint = f"did you mean {nearest[0]}?" if nearest else f"there are {', '.join(sorted(types)) or 'none'}"
        raise ShapeError([Problem((*where, "type"), f"there is no action {name!r}; {hint}")])
    return shape.read(types[name], {k: v for k, v in given.items() if k != "type"}, where, base)


def _check_known(rule: Rule, where: Where) -> None:
    """What the rule asks must be known at the latest when its last action acts."""
    last = max(rule.hooks(), key=lambda hook: KNOWN[hook])
    late = [test.field for test in rule.match.tests(Random(0)) if test.known > KNOWN[last]]
    if late:
        message = f"is not yet known when the action acts ({last})"
        raise ShapeError([Problem((*where, "match", *field.split(".")), message) for field in late])


def schema(types: Types) -> dict[str, Any]:
    """A list of rules as JSON Schema, draft 2020-12, whose ``$defs`` belong to the root of the document."""
    rule = shape.schema(_Outline)
    named: dict[str, Any] = {"enum": sorted(types)}
    actions = [_action_schema(name, kind) for name, kind in sorted(types.items())]
    one = {"$ref": "#/$defs/action"}
    rule["properties"]["action"] = {"anyOf": [one, {"type": "array", "items": one}]}
    rule["required"] = ["action"]
    return {
        "type": "array",
        "items": {"$ref": "#/$defs/rule"},
        "$defs": {"rule": rule, "action": {"anyOf": [named, *actions]}},
    }


def _action_schema(name: str, kind: type[Action]) -> dict[str, Any]:
    result = shape.schema(kind)
    result["properties"] = {"type": {"const": name}, **result["properties"]}
    result["required"] = ["type", *result.get("required", [])]
    if kind.__doc__:
        result["description"] = kind.__doc__.partition("\n\n")[0]
    return result
