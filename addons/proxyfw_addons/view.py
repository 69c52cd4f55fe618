"""Keeps the latest flows in memory, up to a number and a size, so that commands and scripts find them.

Loaded on request: ``--addon view``; then ``ctx.master.addons.get("view")`` is a sequence of flows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import overload

from proxyfw import ctx
from proxyfw.addonmanager import Loader
from proxyfw.command import command
from proxyfw.exceptions import CommandError, FilterError, OptionsError
from proxyfw.flow import Flow
from proxyfw.http import HTTPFlow
from proxyfw.options import Size, parse_filter

_COST = 4096
"""What a flow takes besides bodies and messages, about, in bytes."""


class View(Sequence[Flow]):
    """The flows that are kept and that ``view_filter`` means, the oldest first. A `FlowSource` of all."""

    name = "view"

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Flow, int]] = {}
        """Flows and their sizes by id, the oldest first."""
        self._size = 0
        self._most, self._limit = 1000, 1 << 26
        self._filter: Callable[[Flow], bool] | None = None

    def load(self, loader: Loader) -> None:
        """Declare the options, and offer the flows to commands."""
        loader.add_option("view_filter", str | None, None, "Show, and mean by @shown, only such flows.")
        loader.add_option("view_max_flows", int, 1000, "Flows that are kept at most.")
        loader.add_option("view_max_size", Size, Size("64m"), "What the bodies of kept flows take at most.")
        loader.add_flow_source(self)

    def configure(self, updated: set[str]) -> None:
        """Check the options, and keep no more than they allow."""
        self._filter = parse_filter("view_filter", ctx.options.view_filter)
        self._most, self._limit = ctx.options.view_max_flows, ctx.options.view_max_size
        if self._most < 1:
            raise OptionsError("view_max_flows: at least one is kept; to keep none, do without the addon")
        self._forget()

    def flow_end(self, flow: Flow) -> None:
        """Keep what is over."""
        self._keep(flow)
        self._forget()

    def _keep(self, flow: Flow) -> None:
        _, before = self._kept.get(flow.id, (None, 0))
        size = _size(flow)
        self._kept[flow.id] = (flow, size)
        self._size += size - before

    def _forget(self) -> None:
        while len(self._kept) > self._most or (self._size > self._limit and len(self._kept) > 1):
            self._drop(next(iter(self._kept)))

    def _drop(self, id: str) -> None:
        self._size -= self._kept.pop(id, (None, 0))[1]

    # for commands

    def flows(self) -> list[Flow]:
        """All that are kept, the oldest first."""
        return [flow for flow, _ in self._kept.values()]

    def flow(self, id: str) -> Flow | None:
        """The one with this id, if it is kept."""
        return self._kept.get(id, (None, 0))[0]

    get_by_id = flow

    # for scripts: a sequence

    def __len__(self) -> int:
        return len(self._shown())

    def __iter__(self) -> Iterator[Flow]:
        return iter(self._shown())

    @overload
    def __getitem__(self, index: int) -> Flow: ...
    @overload
    def __getitem__(self, index: slice) -> list[Flow]: ...
    def __getitem__(self, index: int | slice) -> Flow | list[Flow]:
        return self._shown()[index]

    def __contains__(self, flow: object) -> bool:
        return isinstance(flow, Flow) and self.flow(flow.id) is flow and flow in self._shown()

    def _shown(self) -> list[Flow]:
        return list(filter(self._filter, self.flows())) if self._filter else self.flows()

    def store_count(self) -> int:
        """How many are kept, shown or not."""
        return len(self._kept)

    def add(self, flows: Sequence[Flow]) -> None:
        """Keep *flows* too."""
        for flow in flows:
            self._keep(flow)
        self._forget()

    @command("view.flows.resolve")
    def resolve(self, flow_spec: str) -> Sequence[Flow]:
        """The flows that a selector means."""
        try:
            return ctx.master.commands.flows.select(flow_spec)  # type: ignore[no-any-return]
        except FilterError as problem:
            raise CommandError(str(problem)) from None

    @command("view.flows.remove")
    def remove(self, flows: Sequence[Flow]) -> None:
        """Keep these flows no longer."""
        for flow in flows:
            self._drop(flow.id)

    @command("view.flows.duplicate")
    def duplicate(self, flows: Sequence[Flow]) -> Sequence[Flow]:
        """Keep copies of flows too, and return them."""
        copies = [flow.copy() for flow in flows]
        self.add(copies)
        return copies

    @command("view.clear")
    def clear(self) -> None:
        """Keep none of the flows so far."""
        self._kept.clear()
        self._size = 0

    @command("view.clear_unmarked")
    def clear_unmarked(self) -> None:
        """Keep of the flows so far only those that are marked."""
        self.remove([flow for flow in self.flows() if not flow.marked])

    @command("view.properties.length")
    def length(self) -> int:
        """How many flows are shown."""
        return len(self)


def _size(flow: Flow) -> int:
    contents: list[bytes | None] = [m.content for m in getattr(flow, "messages", ())]
    if isinstance(flow, HTTPFlow):
        contents += [m.raw_content for m in (flow.request, flow.response) if m is not None]
        contents += [m.content for m in flow.websocket.messages] if flow.websocket else []
    return _COST + sum(len(content) for content in contents if content)
