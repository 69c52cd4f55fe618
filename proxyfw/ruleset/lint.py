"""Looks for rules that cannot do what they seem to say, without any traffic."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from proxyfw.ruleset.match import Match
from proxyfw.ruleset.patterns import Pattern
from proxyfw.ruleset.rule import Rule

_ONE_OF = ("url", "scheme", "host", "port", "path", "method", "protocol")
_ALL_OF = ("query", "headers", "cookies", "form")
_NARROWING = ("filter", "json", "json_contains", "graphql", "body", "status", "message", "sender", "chance")
_BEYOND_ORDER = Match()


def lint(rules: Iterable[Rule]) -> list[str]:
    """What is suspicious about *rules*, in the order they run in; a sentence each, with the place."""
    enabled = [rule for rule in rules if rule.enabled]
    found = []
    for index, rule in enumerate(enabled):
        above = next((other for other in enabled[:index] if _hides(other, rule)), None)
        if above is not None:
            found.append(f"{rule} can never run: {above} answers everything before it that it is for")
        found += _regexes(rule)
    return found


def _hides(above: Rule, rule: Rule) -> bool:
    """Whether *above* answers whatever *rule* is for, whenever it comes."""
    if above.times is not None or not any(getattr(action, "answers", False) for action in above.actions):
        return False
    acts = {"requestheaders", "request"}
    return bool(acts.intersection(rule.hooks())) and covers(above.match, rule.match)


def covers(wide: Match, narrow: Match) -> bool:
    """Whether all that *narrow* means is surely meant by *wide*, too. False may also mean: not sure."""
    for name in _NARROWING:
        wanted = getattr(wide, name)
        if wanted != getattr(_BEYOND_ORDER, name) and wanted != getattr(narrow, name):
            return False
    for name in _ALL_OF:
        inner = getattr(narrow, name) or {}
        if any(inner.get(key, ()) != value for key, value in (getattr(wide, name) or {}).items()):
            return False
    return all(_one_covers(getattr(wide, name), getattr(narrow, name)) for name in _ONE_OF)


def _one_covers(wide: Sequence[object] | None, narrow: Sequence[object] | None) -> bool:
    if wide is None:
        return True
    return narrow is not None and all(any(_pattern_covers(w, n) for w in wide) for n in narrow)


def _pattern_covers(wide: object, narrow: object) -> bool:
    if wide == narrow or not isinstance(wide, Pattern) or not isinstance(narrow, Pattern):
        return wide == narrow
    # A wildcard of the narrow one, taken literally, must be matched by one of the wide one.
    return not wide.is_regex and not narrow.is_regex and wide(narrow.text)


def _regexes(rule: Rule) -> list[str]:
    patterns = [pattern for pattern in rule.match.host or () if isinstance(pattern, Pattern)]
    return [
        f"{rule}: the dot in {pattern} stands for any character; write \\. if you mean a dot"
        for pattern in patterns
        if pattern.is_regex and re.search(r"(?<!\\)\.(?![*+?{])", pattern.text)
    ]
