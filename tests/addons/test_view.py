"""The view: the latest flows, within limits."""

from __future__ import annotations

from typing import Any

import pytest

from proxyfw import hookspecs
from proxyfw.exceptions import CommandError, OptionsError
from proxyfw.flow import Flow
from proxyfw.http import Response
from proxyfw.testing import addon_test_context, http_flow, tcp_flow, websocket_flow, world
from proxyfw_addons.view import View


async def test_flows_are_kept_and_found_by_commands() -> None:
    async with world(addons=["view", "flows"]) as w:
        view: Any = w.proxy.addons.get("view")
        view.add([http_flow(response=404, id="a"), http_flow(id="b")])
        w.proxy.commands.execute("flow.mark '~c 404' !")
        assert [flow.id for flow in view if flow.marked] == ["a"]
        assert w.proxy.commands.call("view.flows.resolve", "@marked") == [view[0]]
        with pytest.raises(CommandError, match="unknown operator"):
            w.proxy.commands.call("view.flows.resolve", "~x")


async def test_the_latest_are_kept_within_limits() -> None:
    view = View()
    flows: list[Flow] = [http_flow(response=Response.make(200, bytes(100_000))) for _ in range(5)]
    with addon_test_context(view, view_max_flows=3, view_max_size="1m") as context:
        for flow in flows:
            await context.addons.call(hookspecs.flow_end, flow)
        assert list(view) == flows[2:]
        context.configure(view_max_size="250k")
        assert list(view) == flows[3:]
        big = tcp_flow((True, bytes(300_000)))
        await context.addons.call(hookspecs.flow_end, big)
        assert list(view) == [big]
        socket = websocket_flow((True, bytes(200_000)))
        await context.addons.call(hookspecs.flow_end, socket)
        assert list(view) == [socket]
        await context.addons.call(hookspecs.flow_end, socket)
        assert view.store_count() == 1
        with pytest.raises(OptionsError, match="view_max_flows"):
            context.configure(view_max_flows=0)
        with pytest.raises(OptionsError, match="view_filter"):
            context.configure(view_filter="~nosuch")


def test_it_is_a_sequence_of_what_is_shown() -> None:
    view = View()
    one, two = http_flow(response=200), http_flow(response=404)
    with addon_test_context(view) as context:
        view.add([one, two])
        assert (len(view), view[0], view[-1], view[:1]) == (2, one, two, [one])
        assert view.get_by_id(two.id) is two
        assert view.get_by_id("nosuch") is None
        context.configure(view_filter="~c 404")
        assert list(view) == [two]
        assert one not in view
        assert two in view
        assert context.commands.call("view.properties.length") == 1
        assert view.store_count() == 2
        (copy,) = context.commands.call("view.flows.duplicate", [two])
        assert copy.id != two.id
        assert list(view) == [two, copy]
        context.commands.call("view.flows.remove", [two])
        assert list(view) == [copy]
        copy.marked = "x"
        context.commands.call("view.clear_unmarked")
        assert view.store_count() == 1
        context.commands.call("view.clear")
        assert view.store_count() == 0
