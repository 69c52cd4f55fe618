"""Tests of addons that use mitmproxy's own test tools."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from proxyfw import ctx
from proxyfw.addonmanager import Loader
from proxyfw.alias import eventsequence, hooks
from proxyfw.alias.master import Master
from proxyfw.alias.options import Options
from proxyfw.alias.test import taddons, tflow, tutils
from proxyfw.command import command
from proxyfw.exceptions import AddonError, OptionsError
from proxyfw.flow import Flow
from proxyfw.http import HTTPFlow


class Counts:
    def __init__(self) -> None:
        self.seen: list[str] = []
        self.configured: list[set[str]] = []

    def load(self, loader: Loader) -> None:
        loader.add_option("limit", int, 3, "A limit.")

    def configure(self, updated: set[str]) -> None:
        self.configured.append(set(updated))
        if ctx.options.limit > 10:
            raise OptionsError("too much")

    def request(self, flow: HTTPFlow) -> None:
        self.seen.append(f"request {flow.request.host}")

    async def response(self, flow: HTTPFlow) -> None:
        self.seen.append("response")

    def websocket_message(self, flow: HTTPFlow) -> None:
        assert flow.websocket
        self.seen.append(flow.websocket.messages[-1].content.decode())

    def tcp_message(self, flow: Any) -> None:
        self.seen.append(f"tcp {len(flow.messages)}")

    @command("counts.add")
    def add(self, one: int, other: int) -> int:
        """Add."""
        return one + other


async def test_a_context_configures_and_cycles() -> None:
    counts = Counts()
    with taddons.context(counts) as tctx:
        tctx.configure(counts, limit=5)
        assert tctx.options.limit == ctx.options.limit == 5
        tctx.configure(counts, limit=5)
        assert counts.configured[-1] == {"limit"}
        with pytest.raises(OptionsError, match="too much"):
            tctx.configure(counts, limit=11)
        await tctx.cycle(counts, tflow.tflow(resp=True))
        await tctx.cycle(counts, tflow.twebsocketflow())
        await tctx.cycle(counts, tflow.ttcpflow())
        assert tctx.command(counts.add, "2", "3") == 5
        assert tctx.master.commands.execute("counts.add 1 2") == 3
    assert counts.seen[:2] == ["request address", "response"]
    assert "it's me" in counts.seen
    assert counts.seen[-2:] == ["tcp 1", "tcp 2"]


async def test_a_context_loads_what_it_configures() -> None:
    counts = Counts()
    with taddons.context() as tctx:
        tctx.configure(counts, limit=1)
        assert counts in tctx.master.addons


def test_a_context_loads_a_script(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text(
        "from mitmproxy import ctx\nclass A:\n    def request(self, flow): ...\naddons = [A()]\n"
    )
    (tmp_path / "two.py").write_text("def request(flow): ...\n")
    (tmp_path / "bad.py").write_text("import mitmproxy.nothing\n")
    with taddons.context() as tctx:
        assert type(tctx.script(str(tmp_path / "one.py"))).__name__ == "A"
        assert tctx.script(tmp_path / "two.py").request
        with pytest.raises(AddonError, match=r"bad\.py:1"):
            tctx.script(tmp_path / "bad.py")


@pytest.mark.parametrize(
    ("flow", "names"),
    [
        (tflow.tflow(resp=True), "requestheaders request responseheaders response"),
        (tflow.tflow(err=True), "requestheaders request error"),
        (
            tflow.twebsocketflow(),
            "requestheaders request responseheaders response websocket_start websocket_message "
            "websocket_message websocket_message websocket_end",
        ),
        (tflow.ttcpflow(), "tcp_start tcp_message tcp_message tcp_end"),
        (tflow.tudpflow(err=True), "udp_start udp_message udp_message udp_error"),
        (tflow.tdnsflow(resp=True), "dns_request dns_response"),
        (tflow.tdnsflow(err=True), "dns_request dns_error"),
    ],
    ids=lambda value: value.type if isinstance(value, Flow) else None,
)
def test_the_hooks_of_a_flow_come_in_order(flow: Flow, names: str) -> None:
    events = list(eventsequence.iterate(flow))
    assert " ".join(event.name for event in events) == names
    assert all(event.args() == [flow] for event in events)
    assert isinstance(events[0], hooks.all_hooks[events[0].name])


def test_what_is_no_flow_has_no_hooks() -> None:
    with pytest.raises(TypeError, match="Unknown flow type"):
        list(eventsequence.iterate(object()))  # type: ignore[arg-type]


def test_a_hook_is_triggered_as_an_event() -> None:
    updated: list[Any] = []

    class Updates:
        def update(self, flows: Any) -> None:
            updated.append(flows)

    with taddons.context(Updates()) as tctx:
        flow = tflow.tflow()
        tctx.master.addons.trigger(hooks.all_hooks["update"]([flow]))
    assert updated == [[flow]]


async def test_a_master_lets_addons_see_a_saved_flow(tmp_path: Path) -> None:
    counts = Counts()
    master = Master(Options(confdir=str(tmp_path)))
    master.addons.add(counts)
    await master.load_flow(tflow.tflow(resp=True))
    assert counts.seen == ["request address", "response"]


def test_what_is_made_can_be_told_otherwise() -> None:
    assert tutils.treq(method=b"PUT").method == "PUT"
    assert tutils.tresp(status_code=404).status_code == 404
    assert tutils.tdnsreq(id=3).id == 3
    assert tflow.tflow(resp=tutils.tresp(status_code=500)).response.status_code == 500  # type: ignore[union-attr]
    assert tflow.twebsocketflow(messages=False, close_code=1006).websocket.close_code == 1006  # type: ignore[union-attr]
    assert tflow.ttcpflow(messages=False).messages == []
    assert tflow.tflow().killable
