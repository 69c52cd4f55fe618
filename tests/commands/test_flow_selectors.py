"""Flows by selector, from all who keep some."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from proxyfw import command
from proxyfw.command import CommandManager
from proxyfw.exceptions import CommandError
from proxyfw.flow import Flow
from proxyfw.http import HTTPFlow
from proxyfw.options import Options
from proxyfw.testing import http_flow, tcp_flow


class Shelf:
    """A `FlowSource`."""

    def __init__(self, *flows: Flow) -> None:
        self.kept = flows

    def flows(self) -> Sequence[Flow]:
        return self.kept

    def flow(self, id: str) -> Flow | None:
        return next((flow for flow in self.kept if flow.id == id), None)


class Show:
    """Commands that tell what they were given."""

    @command.command("ids")
    def ids(self, flows: Sequence[Flow]) -> str:
        return " ".join(flow.id for flow in flows)

    @command.command("http")
    def http(self, flows: Sequence[HTTPFlow]) -> str:
        return " ".join(flow.id for flow in flows)

    @command.command("one")
    def one(self, flow: HTTPFlow) -> str:
        return flow.id


OPTIONS = Options()
OPTIONS.add_option("view_filter", str | None, None, "")


class Owner:
    """Has the option that says what is shown."""

    options = OPTIONS


@pytest.fixture
def commands() -> CommandManager:
    marked, live = http_flow("http://a/1", marked="x", id="1"), http_flow("http://b/2", id="2", live=True)
    held, raw = http_flow("http://c/3", 404, id="3", intercepted=True), tcp_flow(id="4")
    commands = CommandManager(Owner())  # type: ignore[arg-type]  # it needs no more of one
    commands.collect(Show())
    commands.add_flow_source(Shelf(live, held))
    commands.add_flow_source(Shelf(marked, live, raw), "shelf")
    return commands


@pytest.mark.parametrize(
    ("selector", "ids"),
    [
        ("@all", "2 3 1 4"),
        ("@live", "2"),
        ("@intercepted", "3"),
        ("@marked", "1"),
        ("@unmarked", "2 3 4"),
        ("@shown", "2 3 1 4"),
        ("@hidden", ""),
        ("@1,4", "1 4"),
        ("4", "4"),
        ("'~c 404'", "3"),
        ("'~u a/1 | ~tcp'", "1 4"),
        ("nowhere", ""),
    ],
)
def test_selectors(commands: CommandManager, selector: str, ids: str) -> None:
    assert commands.execute(f"ids {selector}") == ids


def test_what_is_shown_is_what_the_filter_of_the_view_means(commands: CommandManager) -> None:
    OPTIONS.view_filter = "~http"
    try:
        assert commands.execute("ids @shown") == "2 3 1"
        assert commands.execute("ids @hidden") == "4"
    finally:
        OPTIONS.reset()


def test_flows_of_another_kind_are_left_out_or_refused(commands: CommandManager) -> None:
    assert commands.execute("http @all") == "2 3 1"
    assert commands.execute("one @2") == "2"
    with pytest.raises(CommandError, match="is a flow of type tcp; a HTTPFlow is needed"):
        commands.execute("one @4")
    with pytest.raises(CommandError, match="@all means 4 flows; exactly one is needed"):
        commands.execute("one @all")
    with pytest.raises(CommandError, match="a filter with spaces needs quotes"):
        commands.execute("ids ~c 404")
    with pytest.raises(CommandError, match="no flow has the id '9'"):
        commands.execute("ids @1,9")


def test_a_source_goes_with_its_addon(commands: CommandManager) -> None:
    commands.remove("shelf")
    assert commands.execute("ids @all") == "2 3"


def test_a_source_is_forgotten_with_a_failed_transaction(commands: CommandManager) -> None:
    def fail() -> None:
        with commands.transaction():
            commands.add_flow_source(Shelf(http_flow()))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert len(commands.flows.sources) == 2
