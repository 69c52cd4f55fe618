"""Which flows a command is about: those under way, and those that somebody keeps, by selector.

A selector is one of `SELECTORS`, ``@`` and ids (``@1b9d…,7c2a…``), an id, or a filter expression.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from proxyfw.exceptions import CommandError
from proxyfw.flow import Flow


class FlowSource(Protocol):
    """Who keeps flows, and offers them to commands."""

    def flows(self) -> Iterable[Flow]:
        """All of them, the oldest first."""

    def flow(self, id: str) -> Flow | None:
        """The one with this id, if it is kept here."""


class Flows:
    """All flows that commands can be about. *shown*: the filter of what is shown, None for everything."""

    def __init__(self, shown: Callable[[], str | None] = lambda: None) -> None:
        self.sources: list[tuple[str, FlowSource]] = []
        """Who is asked, in order, each with the name of the addon that it belongs to."""
        self._shown = shown

    def all(self) -> Iterator[Flow]:
        """Every flow once."""
        seen = set()
        for _, source in self.sources:
            for flow in source.flows():
                if flow.id not in seen:
                    seen.add(flow.id)
                    yield flow

    def get(self, id: str) -> Flow | None:
        """The flow with this id, if anybody has it."""
        found = (source.flow(id) for _, source in self.sources)
        return next((flow for flow in found if flow is not None), None)

    def select(self, selector: str) -> list[Flow]:
        """The flows that *selector* means, maybe none. Raises `CommandError`, FilterError."""
        selector = selector.strip()
        if selector in SELECTORS:
            test = SELECTORS[selector](self._shown())
            return [flow for flow in self.all() if test(flow)]
        if selector == "@focus":
            raise CommandError("@focus: no display is there in which a flow has the focus; name its id")
        if selector.startswith("@"):
            return [self._named(id) for id in selector[1:].split(",")]
        if not selector:
            raise CommandError("which flows? Write @all, a flow's id, or a filter")
        if flow := self.get(selector):
            return [flow]
        matches = _filter(selector)
        return [flow for flow in self.all() if matches(flow)]

    def _named(self, id: str) -> Flow:
        flow = self.get(id.strip())
        if flow is None:
            names = ", ".join(SELECTORS)
            raise CommandError(f"no flow has the id {id!r}; besides ids there are {names}, and filters")
        return flow


Test = Callable[[Flow], bool]


def _filter(text: str) -> Test:
    from proxyfw import flowfilter  # its operators are many, and most proxies are never asked

    return flowfilter.parse(text)


def _shown(filter: str | None) -> Test:
    return _filter(filter) if filter else lambda flow: True


def _hidden(filter: str | None) -> Test:
    shown = _shown(filter)
    return lambda flow: not shown(flow)


def _always(test: Test) -> Callable[[str | None], Test]:
    return lambda filter: test


SELECTORS: dict[str, Callable[[str | None], Test]] = {
    "@all": _always(lambda flow: True),
    "@live": _always(lambda flow: flow.live),
    "@intercepted": _always(lambda flow: flow.intercepted),
    "@marked": _always(lambda flow: bool(flow.marked)),
    "@unmarked": _always(lambda flow: not flow.marked),
    "@shown": _shown,
    "@hidden": _hidden,
}
"""What has a name of its own: given the filter of what is shown, a function of a flow."""
