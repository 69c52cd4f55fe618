"""Flows: ids, marks, kill, intercept and resume, backup and revert, copies and plain state."""

from __future__ import annotations

import asyncio
import gc
import weakref
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxyfw import flow as flows
from proxyfw.connection import Client, Server
from proxyfw.exceptions import ProxyfwError
from proxyfw.flow import Error, Flow
from proxyfw.http import HTTPFlow, Request, Response
from proxyfw.tcp import TCPFlow, TCPMessage
from proxyfw.udp import UDPFlow


class Recorder:
    """A control that notes what it is told, and wakes who waits."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.waited = asyncio.Event()
        self.going = asyncio.Event()

    @property
    def over(self) -> bool:
        return self.going.is_set()

    def kill(self, reset: bool = True) -> None:
        self.calls.append("kill")
        self.going.set()

    def resume(self) -> None:
        self.calls.append("resume")
        self.going.set()

    async def wait_for_resume(self) -> None:
        self.calls.append("wait")
        self.waited.set()
        await self.going.wait()

    async def wait_until_over(self, seconds: float) -> bool:
        if seconds < inf:
            return False
        await self.wait_for_resume()
        return True


def connections() -> tuple[Client, Server]:
    client = Client(peername=("192.0.2.1", 50000), sockname=("127.0.0.1", 8080), timestamp_start=1.0)
    return client, Server(address=("example.com", 80))


def a_flow(live: bool = False) -> HTTPFlow:
    flow = HTTPFlow(*connections(), live=live)
    flow.request = Request.make("GET", "http://example.com/")
    return flow


def test_ids_and_clock_can_be_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flows, "clock", lambda: 42.0)
    monkeypatch.setattr(flows, "new_id", lambda: "one")
    flow = a_flow()
    assert flow.id == "one"
    assert flow.timestamp_created == flow.request.timestamp_start == flow.timestamp_start == 42.0
    assert Error("x").timestamp == 42.0


def test_ids_are_made_once_and_differ() -> None:
    one, other = a_flow(), a_flow()
    assert one.id == one.id
    assert one.id != other.id
    one.id = "mine"
    assert one.id == "mine"


def test_metadata_and_addon_errors_are_there_when_asked_for() -> None:
    flow = a_flow()
    flow.metadata["seen"] = True
    flow.addon_errors.append("x")
    assert flow.metadata == {"seen": True}
    assert flow.addon_errors == ["x"]
    flow.metadata = {"other": 1}
    assert flow.metadata == {"other": 1}


def test_killing_tells_the_control_once() -> None:
    flow = a_flow(live=True)
    flow.control = control = Recorder()
    assert flow.killable
    flow.kill()
    flow.kill()
    assert control.calls == ["kill"]
    assert flow.error is not None
    assert flow.error.msg == Error.KILLED_MESSAGE
    assert not flow.live
    assert not flow.killable


def test_a_flow_that_is_over_cannot_be_killed() -> None:
    flow = a_flow()
    assert not flow.killable
    with pytest.raises(ProxyfwError, match=f"flow {flow.id} cannot be killed: it is over"):
        flow.kill()
    assert flow.error is None


def test_a_live_flow_without_control_can_be_killed() -> None:
    flow = a_flow(live=True)
    flow.kill()
    assert flow.error is not None


async def test_an_intercepted_flow_waits_until_it_is_resumed() -> None:
    flow = a_flow(live=True)
    flow.control = control = Recorder()
    await flow.wait_for_resume()
    flow.intercept()
    waiting = asyncio.ensure_future(flow.wait_for_resume())
    await control.waited.wait()
    assert not waiting.done()
    flow.resume()
    flow.resume()
    await waiting
    assert control.calls == ["wait", "resume"]


async def test_killing_ends_an_interception() -> None:
    flow = a_flow(live=True)
    flow.control = Recorder()
    flow.intercept()
    waiting = asyncio.ensure_future(flow.wait_for_resume())
    flow.kill()
    await waiting
    assert not flow.intercepted


async def test_a_recorded_flow_does_not_wait() -> None:
    flow = a_flow()
    flow.intercept()
    await flow.wait_for_resume()
    flow.resume()
    assert not flow.intercepted


def test_revert_restores_the_backup() -> None:
    flow = a_flow()
    flow.metadata["keep"] = kept = object()
    assert not flow.modified()
    flow.backup()
    assert not flow.modified()
    flow.request.path = "/changed"
    flow.request.headers["a"] = "b"
    flow.response = Response.make(404)
    flow.error = Error("x")
    flow.comment, flow.marked = "c", ":x:"
    flow.metadata.clear()
    assert flow.modified()
    flow.backup()
    request = flow.request
    flow.revert()
    assert flow.request is request
    assert not flow.modified()
    assert flow.request.path == "/"
    assert "a" not in flow.request.headers
    state = flow.get_state()
    assert [state["response"], state["error"]] == [None, None]
    assert flow.comment == flow.marked == ""
    assert flow.metadata["keep"] is kept


def test_revert_keeps_the_response_object() -> None:
    flow = a_flow()
    flow.response = response = Response.make(200)
    flow.backup()
    response.status_code = 404
    flow.revert()
    assert flow.response is response
    assert flow.response.status_code == 200


def test_a_backup_can_be_replaced() -> None:
    flow = a_flow()
    flow.backup()
    flow.comment = "c"
    flow.backup(force=True)
    assert not flow.modified()
    flow.revert()
    assert flow.comment == "c"


def test_revert_without_backup_changes_nothing() -> None:
    flow = a_flow()
    flow.comment = "c"
    flow.revert()
    assert flow.comment == "c"


def test_revert_brings_back_the_connections() -> None:
    flow = a_flow()
    before = flow.server_conn
    flow.backup()
    flow.server_conn = Server(address=("elsewhere", 1))
    flow.revert()
    assert flow.server_conn is before


def test_a_copy_is_a_flow_of_its_own() -> None:
    flow = a_flow(live=True)
    flow.control = Recorder()
    flow.intercept()
    flow.metadata["a"] = 1
    flow.error = Error("x", 1.0)
    twin = flow.copy()
    assert twin.id != flow.id
    assert not twin.live
    assert not twin.intercepted
    assert twin.control is None
    assert twin.error == flow.error
    twin.request.path = "/x"
    twin.request.headers["a"] = "b"
    twin.metadata["a"] = 2
    twin.server_conn.address = None
    assert flow.request.path == "/"
    assert "a" not in flow.request.headers
    assert flow.metadata == {"a": 1}
    assert flow.server_conn.address == ("example.com", 80)


def test_state_round_trip_with_backup() -> None:
    flow = a_flow()
    flow.response = Response.make(200, b"x")
    flow.error, flow.marked, flow.comment, flow.is_replay = Error("x"), ":m:", "c", "request"
    flow.metadata["a"] = {"b": [1]}
    flow.backup()
    flow.request.path = "/changed"
    state = flow.get_state()
    again = Flow.from_state(state)
    assert isinstance(again, HTTPFlow)
    assert again.get_state() == state
    assert again.id == flow.id
    assert again.modified()
    again.revert()
    assert again.request.path == "/"


def test_state_leaves_out_what_is_not_plain() -> None:
    flow = a_flow()
    flow.metadata.update(good=(1, b"2"), bad=object())
    assert flow.get_state()["metadata"] == {"good": [1, b"2"]}


def test_state_and_flow_share_nothing() -> None:
    flow = a_flow()
    state = flow.get_state()
    state["metadata"]["x"] = 1
    state["request"]["headers"].append([b"a", b"b"])
    assert flow.metadata == {}
    assert "a" not in flow.request.headers


def test_set_state_in_place() -> None:
    flow, other = a_flow(live=True), a_flow()
    other.request.path = "/other"
    flow.set_state(other.get_state())
    assert flow.request.path == "/other"
    assert flow.id == other.id
    assert flow.live


def test_states_of_other_types_and_newer_versions_are_refused() -> None:
    state = a_flow().get_state()
    with pytest.raises(ValueError, match="no flow of type 'carrier pigeon'"):
        Flow.from_state({**state, "type": "carrier pigeon"})
    with pytest.raises(ValueError, match="no flow of type 'http' can be read as TCPFlow"):
        TCPFlow.from_state(state)
    with pytest.raises(ValueError, match="state of a http flow cannot be taken over by a tcp flow"):
        TCPFlow(*connections()).set_state(state)
    with pytest.raises(ValueError, match="newer proxyfw"):
        Flow.from_state({**state, "version": 99})


def test_errors_compare_by_value() -> None:
    error = Error("broken", 1.0)
    assert error == error.copy() == Error.from_state(error.get_state())
    assert hash(error) == hash(error.copy())
    assert error != Error("broken", 2.0)
    assert error != "broken"
    assert str(error) == "broken"
    assert repr(error) == "Error('broken', 1.0)"


@pytest.mark.parametrize("kind", [TCPFlow, UDPFlow])
def test_chunk_flows_collect_messages(kind: type[TCPFlow]) -> None:
    flow = kind(*connections(), live=True)
    message = kind._chunk(True, b"hello", 1.0)
    flow.messages.append(message)
    assert flow.type == kind.__name__[:3].lower()
    assert flow.timestamp_start == flow.timestamp_created
    assert repr(message) == f"<{kind.__name__[:3]}Message -> 5 bytes>"
    assert repr(flow) == f"<{kind.__name__} <Server example.com:80, closed> 1 messages>"
    twin = flow.copy()
    twin.messages[0].content = b"x"
    assert flow.messages[0].content == b"hello"
    assert Flow.from_state(flow.get_state()).get_state() == flow.get_state()


def test_chunks_are_bytes_and_carry_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flows, "clock", lambda: 7.0)
    assert TCPMessage(False, b"").timestamp == 7.0
    with pytest.raises(TypeError, match="must be bytes, not str"):
        TCPMessage(True, "text")  # type: ignore[arg-type]


def test_old_messages_are_forgotten_and_counted() -> None:
    flow = TCPFlow(*connections(), live=True)
    for number in range(100):
        flow.keep(TCPMessage(True, b"%02d" % number + bytes(998), 1.0), 20_000)
        assert sum(len(m.content) for m in flow.messages) <= 20_000
        assert flow.messages[-1].content.startswith(b"%02d" % number)
    assert flow.forgotten + len(flow.messages) == 100
    assert flow.forgotten > 50
    twin = flow.copy()
    assert twin.forgotten == flow.forgotten
    twin.keep(TCPMessage(False, bytes(50_000), 1.0), 20_000)
    assert len(twin.messages) == 1


def test_nothing_can_be_injected_into_a_flow_that_is_over() -> None:
    with pytest.raises(ProxyfwError, match="not under way"):
        TCPFlow(*connections()).inject(True, b"x")


def test_flows_can_be_weakly_referenced_and_die_without_the_collector() -> None:
    gc.disable()
    try:
        flow = a_flow()
        flow.backup()
        there = weakref.ref(flow)
        del flow
        assert there() is None
    finally:
        gc.enable()


plain = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(), st.binary()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3)),
    max_leaves=5,
)


@given(st.dictionaries(st.text(), plain, max_size=3), st.text(), st.text(), st.booleans())
def test_any_plain_note_survives(
    metadata: dict[str, object], comment: str, marked: str, intercepted: bool
) -> None:
    flow = a_flow()
    flow.metadata, flow.comment, flow.marked, flow.intercepted = metadata, comment, marked, intercepted
    state = flow.get_state()
    assert Flow.from_state(state).get_state() == state
    assert state["metadata"] == metadata


async def test_waiting_until_nobody_waits_for_the_flow() -> None:
    flow = a_flow(live=True)
    flow.control = control = Recorder()
    waiting = asyncio.ensure_future(flow.wait_until_gone())
    await control.waited.wait()
    assert not waiting.done()
    assert not await flow.wait_until_gone(1)
    flow.kill(reset=False)
    assert await waiting
    flow.control = None
    assert await flow.wait_until_gone()
