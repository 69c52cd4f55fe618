"""How rules meet a flow: those that may concern its host, in order, each seeing what earlier ones did.

The walk ends at the first rule that answers. It knows no event loop: it waits for nothing but the actions.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Awaitable, Iterable, Iterator, Sequence
from inspect import isawaitable
from random import Random
from typing import Any

from proxyfw.connection import ServerConnectionHookData
from proxyfw.dns import DNSFlow
from proxyfw.exceptions import ProxyfwError
from proxyfw.flow import Flow
from proxyfw.http import HTTPFlow
from proxyfw.model.trace import FAILED, LATE, MATCHED, MISSED, SPENT, Step, Trace
from proxyfw.ruleset import facts
from proxyfw.ruleset.match import Known
from proxyfw.ruleset.patterns import Found
from proxyfw.ruleset.rule import KNOWN, Action, Hit, Rule
from proxyfw.tls import ClientHelloData

log = logging.getLogger("proxyfw.rules")

_MOST_HOSTS = 4096
"""Hosts of which it is remembered which rules may concern them."""

_EARLY = "requestheaders"
_MAY_ANSWER = frozenset({"http_connect", "requestheaders", "request", "dns_request", "tls_clienthello"})


class Active:
    """A rule that is in force: its tests made ready, and how often it has been used."""

    __slots__ = ("_hosts", "calls", "early", "order", "random", "rule", "tests", "used")

    def __init__(self, rule: Rule, order: int, seed: str | None) -> None:
        self.rule = rule
        self.order = order
        self.used = 0
        self.random = Random(None if seed is None else f"{seed}/{rule.name}")
        self.tests = rule.match.tests(self.random)
        self._hosts = rule.match.hosts()
        needed = max((test.known for test in self.tests), default=Known.CONNECTION)
        hooks = [hook for hook in rule.hooks() if KNOWN[hook] >= needed]
        calls = {hook: [getattr(action, hook) for action in _acting(rule, hook)] for hook in hooks}
        self.calls = {hook: found for hook, found in calls.items() if found}
        """What it does in each hook."""
        self.early = _EARLY in self.calls and rule.actions[0].early
        """What it does in `requestheaders` can be done in `request` as well."""

    def go_on(self, before: Active) -> None:
        """Count on from where a rule of the same name was."""
        self.used, self.random = before.used, before.random
        self.tests = self.rule.match.tests(self.random)

    def may_concern(self, host: str) -> bool:
        """Whether nothing about *host* rules it out."""
        return self._hosts is None or any(pattern(host) for pattern in self._hosts)

    def left_out(self, host: str) -> Step:
        """Why a flow to *host* has not met it."""
        hook = next(iter(self.calls), "")
        if self.may_concern(host):
            return Step(self.rule.name, hook, LATE, "it did not come to that")
        return Step(self.rule.name, hook, MISSED, "host")

    def decide(self, subject: Any) -> tuple[Found | None, str]:
        """What was found, or None and the field that failed."""
        found: Found = ()
        for test in self.tests:
            groups = test.holds(subject)
            if groups is None:
                return None, test.field
            found += groups
        return found, ""


def _acting(rule: Rule, hook: str) -> Iterator[Action]:
    """The actions of *rule* that act in *hook*; early ones that come after others are not early."""
    for action in rule.actions:
        late = hook == _EARLY and action.early and action is not rule.actions[0]
        if hook in action.acts_in() and not late:
            yield action


class Rules:
    """Rules in the order they run in; it never changes, so that a flow ends under the rules it began with."""

    __slots__ = ("_by_hook", "_seen", "active")

    def __init__(
        self, rules: Iterable[Rule] = (), seed: str | None = None, before: Rules | None = None
    ) -> None:
        """Rules that were in force *before* and keep their names go on counting their uses.

        Files may have rules of the same name: the first of them goes on where the first was.
        """
        used: dict[str, deque[Active]] = {}
        for active in before.active if before else ():
            used.setdefault(active.rule.name, deque()).append(active)
        self.active: list[Active] = []
        for order, rule in enumerate(rule for rule in rules if rule.enabled):
            active = Active(rule, order, seed)
            if used.get(rule.name):
                active.go_on(used[rule.name].popleft())
            self.active.append(active)
        self._by_hook = {
            hook: tuple(a for a in self.active if hook in a.calls)
            for hook in KNOWN
            if any(hook in a.calls for a in self.active)
        }
        self._seen: dict[tuple[str, str], tuple[Active, ...]] = {}

    @property
    def hooks(self) -> frozenset[str]:
        """The hooks in which there is anything to do."""
        return frozenset(self._by_hook)

    def concerning(self, hook: str, host: str) -> tuple[Active, ...]:
        """The rules that act in *hook* and may concern *host*, in order."""
        found = self._seen.get((hook, host))
        if found is None:
            if len(self._seen) >= _MOST_HOSTS:
                self._seen.clear()
            found = tuple(a for a in self._by_hook.get(hook, ()) if a.may_concern(host))
            self._seen[hook, host] = found
        return found

    def others(self, trace: Trace) -> list[Step]:
        """Of rules that no step of *trace* is about: their host did not match, or it never came to them."""
        named = {step.rule for step in trace.steps}
        return [
            active.left_out(trace.host)
            for active in self.active
            if active.calls and active.rule.name not in named
        ]

    def run(self, hook: str, args: Sequence[Any], dry: bool = False) -> Awaitable[None] | None:
        """Run what there is to do in *hook*; what has to be awaited, if anything has."""
        subject = args[0]
        trace: Trace | None = None
        host = facts.host(subject)
        queue = self.concerning(hook, host)
        if isinstance(subject, Flow):
            trace = subject.trace
            if trace is None:
                subject.trace = trace = Trace(self)
                trace.hits = {}
            trace.host = host
            queue = self._with_earlier(hook, queue, trace)
        if not queue:
            return None
        return _Walk(self, hook, args, host, queue, trace or self._trace_of(subject), dry).go()

    def _trace_of(self, subject: Any) -> Trace:
        """Where to note what is decided about a connection: with the request that needs it, if one does."""
        trace = Trace()
        if isinstance(subject, ServerConnectionHookData) and subject.flow is not None:
            if subject.flow.trace is None:
                subject.flow.trace = Trace(self)
                subject.flow.trace.hits = {}
            trace.steps = subject.flow.trace.steps
        return trace

    def _with_earlier(self, hook: str, queue: tuple[Active, ...], trace: Trace) -> tuple[Active, ...]:
        """*queue*, and those that matched before the flow was sent to another host."""
        missing = [
            active
            for active, hit in (trace.hits or {}).items()
            if hit is not None and hook in active.calls and active not in queue
        ]
        return tuple(sorted((*queue, *missing), key=lambda active: active.order)) if missing else queue


class _Walk:
    """One hook of one flow."""

    __slots__ = ("_args", "_before", "_dry", "_host", "_queue", "_rules", "_subject", "_trace", "hook")

    def __init__(
        self,
        rules: Rules,
        hook: str,
        args: Sequence[Any],
        host: str,
        queue: tuple[Active, ...],
        trace: Trace,
        dry: bool,
    ) -> None:
        self.hook = hook
        self._rules = rules
        self._args = args
        self._subject = args[0]
        self._host = host
        self._queue = list(reversed(queue))
        self._trace = trace
        self._dry = dry
        self._before: list[Active] | None = None
        """Rules that may act on the request later, the first of them last; None: not looked for yet."""

    def go(self) -> Awaitable[None] | None:
        """Run plain actions now, and give what is left from the first that has to be awaited."""
        if self._over():
            self._late(self._trace.answered_by or "another addon")
            return None
        while self._queue:
            active = self._queue.pop()
            if active.early and self.hook == _EARLY and self._must_wait(active):
                continue
            hit = self._hit(active)
            if hit is None:
                continue
            calls = list(active.calls[self.hook])
            while calls:
                pending = self._call(calls.pop(0), active, hit)
                if pending is not None:
                    return self._go_on(pending, active, hit, calls)
                if self._ends(active):
                    return None
            self._follow(active)
        return None

    def _must_wait(self, active: Active) -> bool:
        """Whether a rule before *active* may yet act on the request, so that it is not its turn."""
        if self._before is None:
            later = self._rules.concerning("request", self._host)
            self._before = [each for each in reversed(later) if not each.early]
        decided = self._trace.hits or {}
        while self._before and decided.get(self._before[-1], active) is None:
            self._before.pop()
        return bool(self._before) and self._before[-1].order < active.order

    async def _go_on(self, pending: Awaitable[object], active: Active, hit: Hit, calls: list[Any]) -> None:
        try:
            await pending
        except Exception as problem:
            self._failed(active, problem)
        if self._ends(active):
            return
        while calls:
            more = self._call(calls.pop(0), active, hit)
            if more is not None:
                return await self._go_on(more, active, hit, calls)
            if self._ends(active):
                return
        self._follow(active)
        rest = self.go() if self._queue else None
        if rest is not None:
            await rest

    def _hit(self, active: Active) -> Hit | None:
        """The use of the rule if it matches, as decided now or earlier for this flow."""
        hits = self._trace.hits
        if hits is not None and active in hits and KNOWN[self.hook] is not Known.MESSAGE:
            decided: Hit | None = hits[active]
            return decided
        rule, trace = active.rule, self._trace
        if rule.times is not None and active.used >= rule.times:
            trace.add(rule.name, self.hook, SPENT, f"{active.used} times")
            return None
        found, failed = active.decide(self._subject)
        hit = None
        if found is None:
            trace.add(rule.name, self.hook, MISSED, failed)
        else:
            active.used += 1
            trace.add(rule.name, self.hook, MATCHED)
            hit = Hit(rule, found, active.used, active.random, trace, self._dry, self.hook)
        if hits is not None:
            hits[active] = hit
        return hit

    def _call(self, call: Any, active: Active, hit: Hit) -> Awaitable[object] | None:
        try:
            result = call(*self._args, hit)
        except Exception as problem:
            self._failed(active, problem)
            return None
        return result if result is not None and isawaitable(result) else None

    def _failed(self, active: Active, problem: Exception) -> None:
        reason = str(problem) if isinstance(problem, ProxyfwError) else f"{type(problem).__name__}: {problem}"
        self._trace.add(active.rule.name, self.hook, FAILED, reason)
        if isinstance(self._subject, Flow):
            self._subject.addon_errors.append(f"rule {active.rule}: {reason}")
        known = isinstance(problem, ProxyfwError | OSError)
        log.error(
            "rule %s failed in %s: %s", active.rule, self.hook, reason, exc_info=None if known else problem
        )

    def _ends(self, active: Active) -> bool:
        """Whether the rule has answered, or made an end of the flow: later ones have nothing to do then."""
        if not self._over():
            return False
        self._trace.answered_by = active.rule.name
        self._late(active.rule.name)
        return True

    def _late(self, name: str) -> None:
        for active in reversed(self._queue):
            if active.rule.name != name:
                self._trace.add(active.rule.name, self.hook, LATE, f"{name} had answered")
        self._queue.clear()

    def _over(self) -> bool:
        subject = self._subject
        if isinstance(subject, ClientHelloData):
            return subject.ignore_connection
        if not isinstance(subject, Flow):
            return bool(getattr(getattr(subject, "server", subject), "error", None))
        if (
            self.hook in _MAY_ANSWER
            and isinstance(subject, HTTPFlow | DNSFlow)
            and subject.response is not None
        ):
            return True
        return subject.error is not None and self.hook not in ("error", "flow_end")

    def _follow(self, active: Active) -> None:
        """Where the rule has sent the flow to another host, the rules of that one go on."""
        host = facts.host(self._subject)
        if host != self._host:
            self._host = self._trace.host = host
            queue = self._rules.concerning(self.hook, host)
            if isinstance(self._subject, Flow):
                queue = self._rules._with_earlier(self.hook, queue, self._trace)
            self._queue = [other for other in reversed(queue) if other.order > active.order]
