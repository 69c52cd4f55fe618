"""What rules did to a flow: each one that was looked at, what came of it, and who answered.

Facts only: it is filled in by whoever evaluates rules.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Protocol

MATCHED = "matched"
MISSED = "missed"
SPENT = "spent"
LATE = "late"
FAILED = "failed"

MOST_STEPS = 4096
"""Steps that are kept; a connection can last for weeks, with a step for each of its messages."""

_SPOKEN = {
    MATCHED: "matched",
    MISSED: "did not match: {}",
    SPENT: "has been used up: {}",
    LATE: "was not looked at: {}",
    FAILED: "failed: {}",
}


class Step(NamedTuple):
    """One rule in one phase. *outcome* is one of those above, *detail* the field that failed, or a reason."""

    rule: str
    phase: str
    outcome: str
    detail: str = ""

    def __str__(self) -> str:
        text = f"{self.phase}: {self.rule} {_SPOKEN[self.outcome].format(self.detail)}"
        return text if self.outcome != MATCHED or not self.detail else f"{text} ({self.detail})"


class Origin(Protocol):
    """The rules a trace is about."""

    def others(self, trace: Trace) -> list[Step]:
        """Those that *trace* has no step of."""


class Trace:
    """What rules did to one flow, in order. Reading it like a sequence gives `Step`s.

    Rules that cannot concern a flow because of its host are not looked at one by one; *rules* names them when
    somebody asks.
    """

    __slots__ = ("answered_by", "hits", "host", "rules", "steps")

    def __init__(self, rules: Origin | None = None) -> None:
        self.steps: list[Step] = []
        self.answered_by: str | None = None
        """The rule that gave the answer, or made an end of the flow."""
        self.hits: dict[Any, Any] | None = None
        """What has been decided about rules that act in several phases; for those who evaluate them."""
        self.rules: Any = rules
        """The rules this flow began under, and ends under."""
        self.host = ""
        """The host that rules were last asked about."""

    def add(self, rule: str, phase: str, outcome: str, detail: str = "") -> None:
        """One more step; of very many, some in the middle are forgotten."""
        if len(self.steps) >= MOST_STEPS:
            del self.steps[MOST_STEPS // 2 : -MOST_STEPS // 4]
        self.steps.append(Step(rule, phase, outcome, detail))

    def all_steps(self) -> list[Step]:
        """Every rule there was, those too that were ruled out at once by their host."""
        return [*self.steps, *self._others()]

    def _others(self) -> list[Step]:
        return list(self.rules.others(self)) if self.rules is not None else []

    def deeds(self) -> list[Step]:
        """The steps that say what was done: rules that matched, what they noted, and what failed."""
        return [step for step in self.steps if step.outcome in (MATCHED, FAILED)]

    def matched(self) -> list[str]:
        """The names of the rules that matched, each once, in order."""
        return list(dict.fromkeys(step.rule for step in self.steps if step.outcome == MATCHED))

    def __iter__(self) -> Iterator[Step]:
        return iter(self.all_steps())

    def __bool__(self) -> bool:
        """A trace is there, even if nothing is in it; counting would look at every rule."""
        return True

    def __len__(self) -> int:
        return len(self.all_steps())

    def get_state(self) -> dict[str, Any]:
        """The trace as plain data; of the rules that were ruled out by host, only how many they are."""
        return {
            "steps": [list(step) for step in self.steps],
            "answered_by": self.answered_by,
            "other_hosts": sum(step.outcome == MISSED for step in self._others()),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Trace:
        """A trace from what `get_state` gave."""
        trace = cls()
        trace.steps = [Step(*step) for step in state["steps"]]
        trace.answered_by = state["answered_by"]
        return trace
