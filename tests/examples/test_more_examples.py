"""The other half of the examples, as `test_examples` does it: WebSocket, events, DNS and TCP among them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from example_runs import EXAMPLES, ask, exchange, module_of, request, response, running

from proxyfw.dns import DNSMessage, Question, RecordType
from proxyfw.protocol.dns import pack, unpack
from proxyfw.protocol.websocket import Fragment, WebSocketCodec
from proxyfw.script import ScriptLoader
from proxyfw.testing import World, world

JSON = "Content-Type: application/json"


def script_log(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "proxyfw.script"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"query": "query Me { me { name } }"}, ["query Me {}"]),
        ({"query": "mutation Add($n: Int) { add(n: $n) }", "variables": {"n": 1}}, ["mutation Add {'n': 1}"]),
        ([{"query": "{ me }"}, {"query": "{ you }", "operationName": "You"}], ["query  {}", "query You {}"]),
    ],
)
async def test_graphql_log(body: object, expected: list[str], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    async with running("graphql_log") as w:
        sent = request("http://example.com/graphql", JSON, method="POST", body=json.dumps(body).encode())
        await exchange(w, sent, response(b"{}"))
    assert [m for m in caplog.messages if m.startswith(("query", "mutation"))] == expected


async def test_fail_sometimes() -> None:
    async with running("fail_sometimes", fail_every=2) as w:
        origin = w.origin()
        client = w.client()
        client.write(request("http://example.com/"))
        connection = await origin.accept()
        await connection.message()
        connection.write(response(b"hi"))
        assert (await client.message()).endswith(b"hi")
        client.write(request("http://example.com/"))
        assert (await client.message()).startswith(b"HTTP/1.1 503 ")


async def test_cors_headers() -> None:
    async with running("cors_headers") as w:
        page = "Origin: http://localhost:3000"
        _, answer = await exchange(w, request("http://example.com/", page), response(b"hi", "Vary: Accept"))
        assert b"\r\naccess-control-allow-origin: http://localhost:3000\r\n" in answer
        assert b"\r\nVary: Accept\r\n" in answer
        assert b"\r\nvary: Origin\r\n" in answer
        asked = [page, "Access-Control-Request-Method: PUT", "Access-Control-Request-Headers: x-token"]
        preflight = await ask(w, "http://other.example/", *asked, method="OPTIONS")
        assert preflight.startswith(b"HTTP/1.1 204 ")
        assert (
            b"\r\naccess-control-allow-methods: PUT\r\naccess-control-allow-headers: x-token\r\n" in preflight
        )
        assert b"access-control-allow-origin: http://localhost:3000" in preflight
        plain = response(b"hi")
        assert (await exchange(w, request("http://third.example/"), plain, "third.example"))[1] == plain


async def test_save_images(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "images"
    async with running("save_images", image_folder=str(folder)) as w:
        for host, body, kind in (
            ("a", b"PNG", "image/png"),
            ("b", b"PNG", "image/png"),
            ("c", b"x", "text/html"),
        ):
            name = f"{host}.example"
            await exchange(w, request(f"http://{name}/"), response(body, f"Content-Type: {kind}"), name)
    (image,) = folder.iterdir()
    assert image.suffix == ".png"
    assert image.read_bytes() == b"PNG"


async def test_rewrite_json() -> None:
    account = response(b'{"name": "Ada", "plan": "free"}', JSON)
    async with running("rewrite_json") as w:
        _, answer = await exchange(w, request("http://example.com/account"), account)
        assert answer.endswith(b'\r\n\r\n{"name": "Ada", "plan": "premium"}')
        assert b"\r\nContent-Length: 34\r\n" in answer
        other = await exchange(w, request("http://other.example/"), account, "other.example")
        assert other[1] == account


def texts(*said: str) -> list[Any]:
    return [Fragment(text.encode(), True) for text in said]


async def test_websocket_edit() -> None:
    async with running("websocket_edit") as w:
        origin, client = w.origin(), w.client()
        upgrade = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"]
        key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
        client.write(request("http://example.com/", *upgrade, key).replace(b"Content-Length: 0\r\n", b""))
        server = await origin.accept()
        await server.head()
        server.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
        )
        await client.head()
        browser, shop = WebSocketCodec(True), WebSocketCodec(False)
        client.write(browser.send(*texts('{"type": "track"}', '{"type": "buy"}')))
        assert list(shop.receive(await server.until(bool))) == texts('{"type": "buy"}')
        server.write(shop.send(*texts('{"price": 30}', "price")))
        got = await client.until(lambda data: data.endswith(b"price"))
        assert list(browser.receive(got)) == texts('{"price": 15.0}', "price")


async def test_edit_events() -> None:
    async with running("edit_events") as w:
        origin, client = w.origin(), w.client()
        client.write(request("http://example.com/"))
        server = await origin.accept()
        await server.head()
        server.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        server.write(b"event: ping\ndata: 1\n\ndata: Ada says hi\n\n")
        got = await client.until(lambda data: b"hi" in data)  # the stream goes on
        assert "data: ▇▇▇ says hi\n".encode() in got
        assert b"ping" not in got


def ask_name(w: World, name: str, kind: int) -> Any:
    client = w.datagram_client()
    client.send(pack(DNSMessage(0.0, 7, True, questions=[Question(name, kind)])))
    return client


async def test_answer_dns() -> None:
    async with running("answer_dns", mode=["dns@53"], dns_name_servers=["192.0.2.53"]) as w:
        for kind, expected in ((RecordType.A, ["127.0.0.1"]), (RecordType.AAAA, [])):
            data, _ = await ask_name(w, "shop.test", kind).receive()
            assert [str(answer) for answer in unpack(data).answers] == expected
        assert w.network.dialled == []
        server = w.datagram_origin("192.0.2.53", 53)
        ask_name(w, "example.com", RecordType.A)
        data, _ = await server.receive()
        assert unpack(data).question == Question("example.com", RecordType.A)


async def test_choose_upstream() -> None:
    async with running("choose_upstream") as w:
        proxy = w.origin("localhost", 3128)
        client = w.client()
        client.write(request("http://intranet.corp.example/a"))
        connection = await proxy.accept()
        head = await connection.head()
        assert head.startswith(b"GET http://intranet.corp.example/a HTTP/1.1\r\n")
        connection.write(response(b"from the upstream"))
        assert (await client.message()).endswith(b"from the upstream")
        received, _ = await exchange(w, request("http://example.com/"), response(b"hi"))
        assert received.startswith(b"GET / HTTP/1.1\r\n")


async def test_replace_in_tcp() -> None:
    async with running("replace_in_tcp", mode=["reverse:tcp://ssh.example:22@2222"]) as w:
        origin, client = w.origin("ssh.example", 22), w.client()
        server = await origin.accept()
        server.write(b"SSH-2.0-OpenSSH_9.9\r\n")
        assert await client.exactly(17) == b"SSH-2.0-unknown\r\n"
        client.write(b"SSH-2.0-mine\r\n")
        assert await server.exactly(14) == b"SSH-2.0-mine\r\n"


async def test_basic_auth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".netrc").write_text("machine example.com login ada password s3cret\n")
    (tmp_path / ".netrc").chmod(0o600)
    async with running("basic_auth") as w:
        received, _ = await exchange(w, request("http://example.com/"), response(b""))
        assert b"\r\nAuthorization: Basic YWRhOnMzY3JldA==\r\n" in received
        received, _ = await exchange(w, request("http://other.example/"), response(b""), "other.example")
        assert b"Authorization" not in received


async def test_limit_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    class Loop:
        def time(self) -> float:
            return 100.0

    async with running("limit_rate", pause=2) as w:
        frozen = type("Frozen", (), {"sleep": staticmethod(sleep), "get_running_loop": Loop})
        monkeypatch.setattr(module_of(w, "limit_rate"), "asyncio", frozen)
        for host in ("a", "b", "a", "a"):
            await ask(w, f"http://{host}.example/")
    assert waits == [2.0, 4.0]


async def test_count_retries(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    script = tmp_path / "count_retries.py"
    script.write_text((EXAMPLES / "count_retries.py").read_text())
    async with world(scripts=[str(script)]) as w:
        await ask(w, "http://a.example/")
        await ask(w, "http://b.example/")
        assert script_log(caplog) == []
        script.write_text(script.read_text() + "# edited\n")
        scripts = w.proxy.addons.get("scriptloader")
        assert isinstance(scripts, ScriptLoader)
        scripts.check()
        await ask(w, "http://a.example/")
    assert script_log(caplog) == ["GET http://a.example/: attempt 2"]


async def test_request_log(tmp_path: Path) -> None:
    file = tmp_path / "flows.jsonl"
    async with running("request_log", log_file=str(file)) as w:
        await exchange(w, request("http://example.com/?q=1"), response(b"hi"))
        await ask(w, "http://nobody.example/", method="PUT")
        await w.ended(2)
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [(line["method"], line["url"], line["status"]) for line in lines] == [
        ("GET", "http://example.com/?q=1", 200),
        ("PUT", "http://nobody.example/", 0),
    ]
    assert lines[0]["error"] == ""
    assert "Connection refused" in lines[1]["error"]


async def test_compare_backends(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    async def answer(asked: web.Request) -> web.Response:
        return web.Response(text="same" if asked.path == "/same" else "other")

    runner = web.ServerRunner(web.Server(answer))  # type: ignore[arg-type]  # aiohttp asks for its base class
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    try:
        async with running("compare_backends") as w:
            monkeypatch.setattr(module_of(w, "compare_backends"), "NEW", f"http://{host}:{port}")
            origin = w.origin("old.example")
            for path in ("/same", "/price"):
                client = w.client()
                client.write(request(f"http://old.example{path}"))
                connection = await origin.accept()
                await connection.message()
                connection.write(response(b"same", "Connection: close"))
                assert (await client.message()).endswith(b"same")
                connection.close()
    finally:
        await runner.cleanup()
    assert script_log(caplog) == ["/price differs: 200 and 200"]


async def test_strip_tracking() -> None:
    async with running("strip_tracking") as w:
        sent = request(
            "http://example.com/?id=7&utm_source=mail&fbclid=x", "Referer: http://a.example/p?q=secret"
        )
        received, _ = await exchange(w, sent, response(b""))
    assert received.startswith(b"GET /?id=7 HTTP/1.1\r\n")
    assert b"\r\nReferer: http://a.example/p\r\n" in received
