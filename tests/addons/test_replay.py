"""Client replay: what is sent again, how, in which order, and what becomes of the flows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from proxyfw import ctx
from proxyfw.exceptions import CommandError, OptionsError, ProxyfwError
from proxyfw.flow import Flow
from proxyfw.http import Headers, HTTPFlow, Request, Response
from proxyfw.io import FlowWriter
from proxyfw.testing import Recorder, World, http_flow, tcp_flow, websocket_flow, world

GET = b"GET http://example.com/a HTTP/1.1\r\nHost: example.com\r\nX-Case: Kept\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
AGAIN = b"HTTP/1.1 201 Created\r\nContent-Length: 5\r\n\r\nagain"


@asynccontextmanager
async def serving(
    w: World, answer: bytes = OK, host: str = "example.com", port: int = 80
) -> AsyncIterator[asyncio.Queue[bytes]]:
    """An origin that gives each request the same *answer*; the heads of what it is asked."""
    asked: asyncio.Queue[bytes] = asyncio.Queue()
    origin = w.origin(host, port)

    async def talk() -> None:
        server = await origin.accept()
        while True:
            asked.put_nowait(await server.head())
            server.write(answer)

    task = asyncio.create_task(talk())
    yield asked
    task.cancel()
    await asyncio.wait([task])


async def test_a_replay_is_a_flow_of_its_own_that_passes_all_hooks() -> None:
    """Features 85: linked to the first, which keeps its response."""
    recorder = Recorder()
    async with world(addons=[recorder, "replay"]) as w:
        origin, client = w.origin(), w.client()
        client.write(GET)
        end = await origin.accept()
        first_request = await end.head()
        end.write(OK)
        await client.message()
        (first,) = await w.ended()
        recorder.hooks.clear()
        (again,) = w.proxy.commands.call("replay.client", [first])
        assert w.proxy.commands.call("replay.client.count") == 1
        assert await end.head() == first_request
        end.write(AGAIN)
        await w.ended(2)
    assert recorder.hooks == ["requestheaders", "request", "responseheaders", "response", "flow_end"]
    assert isinstance(first, HTTPFlow)
    assert again is not first
    assert again.id != first.id
    assert again.metadata["replay_of"] == first.id
    assert (again.is_replay, first.is_replay) == ("request", None)
    assert again.response.content == b"again"
    assert first.response
    assert first.response.content == b"hi"
    assert "replay_of" not in first.metadata
    assert again.client_conn.id != first.client_conn.id
    assert not again.live
    assert len(w.network.dialled) == 1


async def test_the_idiom_of_scripts_a_changed_copy_is_sent_and_answered() -> None:
    """mitmproxy 2: flow.copy(), change it, commands.call; the copy has the new response."""
    copies: list[HTTPFlow] = []

    class Script:
        def response(self, flow: HTTPFlow) -> None:
            if flow.is_replay == "request":
                return
            copy = flow.copy()
            copy.request.path = "/changed"
            copies.append(copy)
            ctx.master.commands.call("replay.client", [copy])

    async with world(addons=[Script(), "replay"]) as w:
        origin, client = w.origin(), w.client()
        client.write(GET)
        server = await origin.accept()
        server.write(OK)
        assert await client.message() == OK
        second = await origin.accept() if len(w.network.dialled) > 1 else server
        await second.until(lambda data: b"/changed" in data)
        second.write(AGAIN)
        first, again = await w.ended(2)
    assert again is copies[0]
    assert isinstance(first, HTTPFlow)
    assert copies[0].response
    assert copies[0].response.content == b"again"
    assert copies[0].metadata["replay_of"] == first.id
    copies[0].revert()
    assert copies[0].request.path == "/changed"
    assert copies[0].response.content == b"hi"


async def test_a_replayed_copy_is_not_overwritten_by_the_next_replay() -> None:
    async with world() as w, serving(w):
        flow = http_flow("http://example.com/", None)
        first = await w.proxy.replay(flow)
        assert first is flow
        second = await w.proxy.replay(flow)
        assert second is not flow
        assert second.metadata["replay_of"] == flow.id


async def test_made_by_hand_and_without_a_listener() -> None:
    """With -n; a Host header is added where Request.make gave none."""
    async with world(server=False, mode=[]) as w, serving(w, port=8000) as requests:
        flow = http_flow(Request.make("POST", "http://example.com:8000/x", b"body"), None)
        again = await w.proxy.replay(flow)
        assert again.response
        assert again.response.content == b"hi"
        asked = await requests.get()
        assert asked.startswith(b"POST /x HTTP/1.1\r\nHost: example.com:8000\r\n")
        assert w.proxy.addresses == []


async def test_an_answer_by_an_addon_asks_nobody() -> None:
    class Mock:
        def request(self, flow: HTTPFlow) -> None:
            flow.response = Response.make(204)

    async with world(addons=[Mock()]) as w:
        again = await w.proxy.replay(http_flow())
        assert again.response
        assert again.response.status_code == 204
        assert w.network.dialled == []


async def test_large_bodies_are_streamed_again_and_hooks_may_change_bodies() -> None:
    class Change:
        def requestheaders(self, flow: HTTPFlow) -> None:
            if flow.request.method == "PUT":
                flow.request.content = b"changed"

    async with world(addons=[Change()], stream_large_bodies="1k") as w:
        origin = w.origin()

        def send(method: str, body: bytes) -> asyncio.Task[HTTPFlow]:
            flow = http_flow(Request.make(method, "http://example.com/", body), None)
            return asyncio.create_task(w.proxy.replay(flow))

        sending = send("POST", b"x" * 5000)
        server = await origin.accept()
        await server.head()
        assert await server.exactly(5000) == b"x" * 5000
        server.write(OK)
        assert (await sending).response
        sending = send("PUT", b"short")
        await server.head()
        assert await server.exactly(7) == b"changed"
        server.write(OK)
        assert (await sending).error is None


async def test_a_failure_is_in_the_flow() -> None:
    recorder = Recorder()
    async with world(addons=[recorder]) as w:
        again = await w.proxy.replay(http_flow("http://nowhere.example/", None))
        assert again.error
        assert again.response is None
    assert recorder.hooks[-2].startswith("error: ")


async def test_it_can_be_killed_and_cancelled() -> None:
    async with world() as w:
        origin = w.origin()
        for end in ("kill", "cancel"):
            flow = http_flow("http://example.com/", None)
            sending = asyncio.create_task(w.proxy.replay(flow))
            server = await origin.accept()
            await server.head()
            assert w.proxy.live_flows == [flow]
            with pytest.raises(ProxyfwError, match="still under way"):
                await w.proxy.replay(flow)
            if end == "kill":
                flow.kill()
                await sending
            else:
                sending.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await sending
            await server.rest()
            await w.ended(1 if end == "kill" else 2)
            assert not flow.live
            assert flow.error


async def test_stopping_the_proxy_ends_it() -> None:
    async with world(addons=["replay"]) as w:
        origin = w.origin()
        flows = [http_flow("http://example.com/", None) for _ in range(3)]
        w.proxy.commands.call("replay.client", flows)
        await (await origin.accept()).head()
    assert flows[0].error
    assert not flows[0].live
    assert flows[1].response is None
    assert w.flows == flows[:1]


@pytest.mark.parametrize(
    ("flow", "reason"),
    [
        (tcp_flow(), "it is a tcp flow"),
        (http_flow(live=True), "it is still under way"),
        (http_flow(intercepted=True), "it is intercepted"),
        (websocket_flow(), "it is a WebSocket"),
        (http_flow(Request.make("GET", "http://a/", headers={"Upgrade": "websocket"})), "it is a WebSocket"),
        (http_flow(Request.make("CONNECT", "http://a/")), "it is a tunnel"),
    ],
)
async def test_what_cannot_be_replayed(flow: Flow, reason: str, caplog: pytest.LogCaptureFixture) -> None:
    """mitmproxy 1.5 no. 8."""
    async with world(addons=["replay"]) as w:
        assert w.proxy.commands.call("replay.client", [flow]) == []
        assert f"flow {flow.id} is not replayed: {reason}" in caplog.text
        with pytest.raises(ProxyfwError, match=reason):
            await w.proxy.replay(flow)


async def test_bodies_that_were_not_recorded() -> None:
    missing, part = http_flow(), http_flow()
    missing.request.raw_content = None
    part.request.truncated = True
    async with world() as w:
        with pytest.raises(ProxyfwError, match="was not recorded"):
            await w.proxy.replay(missing)
        with pytest.raises(ProxyfwError, match="recorded in part"):
            await w.proxy.replay(part)
    with pytest.raises(ProxyfwError, match="the proxy does not run"):
        await w.proxy.replay(http_flow())


def flows(*paths: str) -> list[HTTPFlow]:
    return [http_flow(f"http://example.com/{path}", None) for path in paths]


async def test_one_after_the_other_or_all_at_once() -> None:
    async with world(addons=["replay"]) as w:
        origin = w.origin()
        w.proxy.commands.call("replay.client", flows("1", "2"))
        server = await origin.accept()
        assert (await server.head()).startswith(b"GET /1 ")
        assert len(w.network.dialled) == 1
        assert w.proxy.commands.call("replay.client.count") == 2
        server.write(OK)
        assert (await server.head()).startswith(b"GET /2 ")
        server.write(OK)
        await w.ended(2)
        w.proxy.options.update(client_replay_concurrency=-1)
        w.proxy.commands.call("replay.client", flows("3", "4"))
        both = [await server.head(), await (await origin.accept()).head()]
        assert sorted(head[:7] for head in both) == [b"GET /3 ", b"GET /4 "]
        with pytest.raises(OptionsError, match="client_replay_concurrency: 0 is neither"):
            w.proxy.options.update(client_replay_concurrency=0)


async def test_what_waits_can_be_stopped() -> None:
    async with world(addons=["replay"]) as w:
        origin = w.origin()
        one, two = flows("1", "2")
        w.proxy.commands.call("replay.client", [one, two])
        server = await origin.accept()
        await server.head()
        w.proxy.commands.call("replay.client.stop")
        assert w.proxy.commands.call("replay.client.count") == 1
        assert two.is_replay is None
        server.write(OK)
        assert await w.ended() == [one]


async def test_from_a_thread_of_a_script() -> None:
    async with world(addons=["replay"]) as w, serving(w):
        flow = flows("1")[0]
        await asyncio.to_thread(w.proxy.commands.call, "replay.client", [flow])
        assert await w.ended() == [flow]
        assert flow.response


async def test_through_an_upstream_proxy() -> None:
    mode = ["upstream:http://proxy.example:3128"]
    async with world(mode=mode, server=False) as w, serving(w, host="proxy.example", port=3128) as requests:
        again = await w.proxy.replay(flows("x")[0])
        assert again.response
        assert (await requests.get()).startswith(b"GET http://example.com/x HTTP/1.1\r\n")


async def test_files_go_to_the_server_of_a_reverse_proxy(tmp_path: Path) -> None:
    path = tmp_path / "flows"
    with path.open("wb") as file:
        FlowWriter(file).add(http_flow("http://elsewhere.example/x"))
    options: dict[str, Any] = {"mode": ["reverse:http://app.example:8000"], "client_replay": [str(path)]}
    async with world(addons=["replay"], **options) as w, serving(w, OK, "app.example", 8000) as requests:
        asked = await requests.get()
        assert asked.startswith(b"GET /x HTTP/1.1\r\n")
        assert b"Host: app.example:8000\r\n" in asked
        (again,) = await w.ended()
        assert isinstance(again, HTTPFlow)
        assert again.is_replay == "request"
        with pytest.raises(CommandError, match="nosuch"):
            w.proxy.commands.execute(f"replay.client.file {tmp_path}/nosuch")
        with pytest.raises(OptionsError, match="client_replay: there is no file"):
            w.proxy.options.update(client_replay=["/nosuch"])


async def test_a_request_of_http2_is_replayed_to_an_origin_of_http1() -> None:
    async with world() as w, serving(w) as requests:
        flow = http_flow("http://example.com/h2", None)
        flow.request.http_version, flow.request.authority = "HTTP/2.0", "example.com"
        flow.request.headers = Headers([(b"accept", b"*/*")])
        again = await w.proxy.replay(flow)
        assert again.response
        assert (await requests.get()).startswith(b"GET /h2 HTTP/1.1\r\nHost: example.com\r\naccept:")


async def test_an_upgrade_that_an_addon_asks_for_ends_in_an_answer() -> None:
    class Ask:
        def request(self, flow: HTTPFlow) -> None:
            flow.request.headers["Upgrade"] = "foo"
            flow.request.headers["Connection"] = "Upgrade"

    switching = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: foo\r\nConnection: Upgrade\r\n\r\n"
    async with world(addons=[Ask()]) as w, serving(w, switching):
        again = await w.proxy.replay(flows("x")[0])
        assert again.response
        assert again.response.status_code == 101
        assert not again.live
        assert await w.ended() == [again]


async def test_an_origin_that_answers_with_101_is_left(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is said about errors, and the connection is not kept."""
    switching = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: foo\r\nConnection: Upgrade\r\n\r\n"
    async with world() as w:
        origin = w.origin()
        flow = http_flow(
            Request.make("GET", "http://example.com/", headers={"Upgrade": "foo", "Connection": "upgrade"}),
            None,
        )
        sending = asyncio.create_task(w.proxy.replay(flow))
        server = await origin.accept()
        await server.head()
        server.write(switching)
        assert (await sending).error is None
        await server.rest()
    assert caplog.text == ""
