"""The flows that are under way, as commands see them."""

from __future__ import annotations

from collections.abc import Callable, Collection

from proxyfw.flow import Flow


class LiveFlows:
    """A `proxyfw.command.FlowSource` over what *now* returns."""

    def __init__(self, now: Callable[[], Collection[Flow]]) -> None:
        self._now = now

    def flows(self) -> list[Flow]:
        """All of them, the oldest first."""
        return sorted(self._live(), key=lambda flow: flow.timestamp_created)

    def flow(self, id: str) -> Flow | None:
        """The one with this id."""
        return next((flow for flow in self._live() if flow.id == id), None)

    def _live(self) -> list[Flow]:
        return [flow for flow in list(self._now()) if flow.live]  # a copy first: commands run in threads, too
