"""The addon storage in a proxy: what passes is recorded, found, annotated; sessions are switched."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from proxyfw import hookspecs
from proxyfw.exceptions import CommandError, OptionsError
from proxyfw.flow import Flow
from proxyfw.http import Request, Response
from proxyfw.testing import addon_test_context, http_flow, tcp_flow, websocket_flow, world
from proxyfw_addons.storage import Storage
from proxyfw_addons.storage.library import Library


@pytest.fixture
def place(tmp_path: Path) -> str:
    return str(tmp_path / "traffic.db")


async def end(proxy: Any, *flows: Flow) -> None:
    for flow in flows:
        await proxy.addons.call(hookspecs.flow_end, flow)


def kept(place: str, session: str | None = None) -> list[str]:
    library = Library.at(place)
    try:
        return [flow.id for flow in library.flows(library.session(session))]
    finally:
        library.close()


async def test_what_passes_is_recorded(place: str) -> None:
    async with world(addons=["storage"], store=place) as w:
        origin = w.origin("example.com", 80)
        client = w.client()
        client.write(b"GET http://example.com/a?b HTTP/1.1\r\nHost: example.com\r\nX-A: 1\r\nx-a: 2\r\n\r\n")
        server = await origin.accept()
        await server.head()
        server.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Type: text/plain\r\n\r\nhello")
        await client.message()
    library = Library.at(place)
    (flow,) = library.flows()
    (row,) = library.rows()
    assert flow.request.pretty_url == "http://example.com/a?b"  # type: ignore[attr-defined]
    assert flow.request.headers.fields[1:3] == [(b"X-A", b"1"), (b"x-a", b"2")]  # type: ignore[attr-defined]
    assert flow.response.content == b"hello"  # type: ignore[attr-defined]
    assert (row["method"], row["host"], row["status"], row["response_size"], row["open"]) == (
        "GET", "example.com", 200, 5, 0,
    )  # fmt: skip
    library.close()


async def test_sessions_are_switched_at_once_and_counted_right(place: str) -> None:
    """Features 73, 75: what came before stays where it was; a session goes with all that is its."""
    async with world(addons=["storage"], store=place, store_session="first") as w:
        call: Any = w.proxy.commands.call
        await end(w.proxy, http_flow(id="a"), http_flow(id="b"))
        await call("sessions.new", "second")
        await end(w.proxy, http_flow(id="c"), websocket_flow((True, "hello"), id="d"))
        call("flow.annotate", [http_flow(id="c")], "mine", "red", "x", "y")
        counted = {each["name"]: each["flows"] for each in await call("sessions.list")}
        assert counted == {"first": 2, "second": 2}
        assert (kept(place, "first"), kept(place, "second")) == (["a", "b"], ["c", "d"])
        stats = await call("sessions.stats")
        assert (stats["name"], stats["flows"], stats["types"]) == ("second", 2, {"http": 2})
        await call("sessions.use", "first")
        await end(w.proxy, http_flow(id="e"))
        await call("sessions.rename", "first", "third")
        assert await call("sessions.delete", "second") == 2
        assert kept(place) == ["a", "b", "e"]
        with pytest.raises(CommandError, match="there are: third"):
            await call("sessions.use", "second")
        with pytest.raises(CommandError, match="already"):
            await call("sessions.new", "third")
        with pytest.raises(CommandError, match="no name"):
            await call("sessions.new", "\n")
    with sqlite3.connect(place) as database:
        for table, number in (
            ("messages", 0),
            ("annotations", 0),
            ("flows", 3),
            ("flow_details", 3),
            ("bodies", 1),
        ):
            assert database.execute(f"select count(*) from {table}").fetchone() == (number,), table
        assert database.execute("select flows from sessions").fetchall() == [(3,)]
        (size,) = database.execute("select sum(size) from flows").fetchone()
        assert database.execute("select size from sessions").fetchone() == (size,)
    database.close()


async def test_with_recording_off_nothing_is_stored(place: str) -> None:
    """Features 74."""
    async with world(addons=["storage"], store=place) as w:
        await w.proxy.commands.call("sessions.record", False)
        await end(w.proxy, http_flow(id="a"))
        assert not (await w.proxy.commands.call("sessions.list"))[0]["recording"]
        await w.proxy.commands.call("sessions.record", True)
        await end(w.proxy, http_flow(id="b"))
    assert kept(place) == ["b"]


async def test_a_flow_is_annotated_before_and_after_its_end(place: str) -> None:
    async with world(addons=["storage"], store=place) as w:
        live, over = http_flow(id="a", live=True), http_flow(id="b")
        await end(w.proxy, over)
        w.proxy.commands.call("flow.annotate", [live, over], "look here", "red", "api", "slow")
        live.live = False
        await end(w.proxy, live)
        await w.proxy.commands.call("sessions.list")
        selected = w.proxy.commands.flows.select("~comment look & ~marker red & ~meta api")
        assert [flow.id for flow in selected] == ["b", "a"]
        w.proxy.commands.execute("flow.annotate b other")
        with pytest.raises(CommandError, match="pink"):
            w.proxy.commands.execute("flow.annotate a note pink")
    library = Library.at(place)
    row = library.row("a")
    assert row is not None
    noted = library.annotation(row)
    assert noted is not None
    assert (noted["note"], noted["colour"], noted["tags"]) == ("look here", "red", '["api", "slow"]')
    flow = library.flow("b")
    assert flow is not None
    assert (flow.comment, flow.marked, flow.metadata) == ("other", "", {"tags": []})
    library.close()


async def test_messages_are_recorded_while_the_connection_lasts(place: str) -> None:
    async with world(addons=["storage"], store=place) as w:
        flow = tcp_flow(id="t", live=True)
        await w.proxy.addons.call(hookspecs.tcp_start, flow)
        for content in (b"one", b"two", b"three"):
            flow.messages = tcp_flow((True, content)).messages
            flow.forgotten += 1
            await w.proxy.addons.call(hookspecs.tcp_message, flow)
        flow.forgotten = 2
        await w.proxy.commands.call("sessions.list")
        library = Library.at(place)
        (row,) = library.rows()
        assert (row["open"], [bytes(m["content"]) for m in library.messages(row)]) == (
            1,
            [b"one", b"two", b"three"],
        )
        flow.live = False
        await w.proxy.commands.call("sessions.new", "later")
        await end(w.proxy, flow)
        before, after = await w.proxy.commands.call("sessions.list")
        assert (before["size"], after["size"]) == (library.rows()[0]["size"], 0)
        (again,) = library.flows()
        assert [message.content for message in again.messages] == [b"one", b"two", b"three"]  # type: ignore[attr-defined]
        assert again.forgotten == 0  # type: ignore[attr-defined]
        assert library.rows()[0]["open"] == 0
        library.close()


async def test_a_session_is_deleted_with_what_is_open_in_it(
    place: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with world(addons=["storage"], store=place) as w:
        flow = tcp_flow((True, b"one"), id="t", live=True)
        await w.proxy.addons.call(hookspecs.tcp_start, flow)
        await w.proxy.commands.call("sessions.delete", "default")
        await w.proxy.addons.call(hookspecs.tcp_message, flow)
        flow.live = False
        await end(w.proxy, flow)
    assert kept(place) == []
    assert "cannot be recorded" not in caplog.text


async def test_the_record_is_cut_never_the_traffic(place: str) -> None:
    """Features 72."""
    async with world(addons=["storage"], store=place, store_body_limit=4) as w:
        flow = http_flow(Request.make("POST", "http://a/", b"123456"), Response.make(200, b"abc"), id="a")
        await end(w.proxy, flow, websocket_flow((True, "123456"), id="b"))
        assert flow.request.content == b"123456"
    library = Library.at(place)
    first, second = library.flows()
    assert (first.request.raw_content, first.request.truncated) == (b"1234", True)  # type: ignore[attr-defined]
    assert (first.response.raw_content, first.response.truncated) == (b"abc", False)  # type: ignore[attr-defined]
    assert second.websocket.messages[0].content == b"1234"  # type: ignore[attr-defined]
    rows = library.rows(newest=False)
    assert [(row["truncated"], row["request_size"]) for row in rows] == [(1, 6), (1, 6)]
    library.close()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"store": "/no/such/x.db"}, "no directory"),
        ({"store": "/"}, "directory; name a file"),
        ({"store": " "}, "name a file"),
        ({"store": __file__}, "no SQLite database"),
        ({"store": "x.db", "store_session": "\n"}, "store_session"),
        ({"store_max_flows": 0}, "store_max_flows"),
    ],
)
def test_mistakes_in_options_are_told(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(OptionsError, match=reason), addon_test_context(Storage(), **options):
        pass  # never reached


async def test_without_a_store_there_are_no_hooks() -> None:
    async with world(addons=["storage"]) as w:
        assert not any(hasattr(w.proxy.addons.get("storage"), hook) for hook in ("flow_end", "tcp_message"))
        with pytest.raises(CommandError, match="--store"):
            await w.proxy.commands.call("sessions.list")


async def test_the_store_may_change_while_the_proxy_runs(place: str, tmp_path: Path) -> None:
    other = str(tmp_path / "other.db")
    async with world(addons=["storage"], store=place) as w:
        await end(w.proxy, http_flow(id="a"))
        w.proxy.options.store = other
        await end(w.proxy, http_flow(id="b"))
        w.proxy.options.store = None
        await end(w.proxy, http_flow(id="c"))
    assert (kept(place), kept(other)) == (["a"], ["b"])


async def test_two_proxies_record_in_one_process(tmp_path: Path) -> None:
    places = [str(tmp_path / "a.db"), str(tmp_path / "b.db")]
    async with (
        world(addons=["storage"], store=places[0]) as one,
        world(addons=["storage"], store=places[1]) as two,
    ):
        await end(one.proxy, http_flow(id="a"))
        await end(two.proxy, http_flow(id="b"))
    assert [kept(place) for place in places] == [["a"], ["b"]]


def test_it_costs_no_import() -> None:
    program = (
        "import proxyfw.proxy, sys; proxyfw.proxy.Proxy(); print({'peewee', 'sqlite3'} & set(sys.modules))"
    )
    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "set()"
