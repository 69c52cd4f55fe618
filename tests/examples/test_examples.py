"""Every example, loaded as ``-s`` loads it, does what its docstring says: with real flows, in memory."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import hmac
import json
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
from example_runs import EXAMPLES, ask, exchange, hello_to, module_of, request, response, running

from proxyfw.exceptions import OptionsError
from proxyfw.testing import world


async def test_add_header() -> None:
    async with running("add_header") as w:
        _, answer = await exchange(w, request("http://example.com/"), response(b"hi"))
    assert b"\r\nx-proxyfw: hello\r\n" in answer


@pytest.mark.parametrize("host", ["ads.example", "a.b.doubleclick.net", "DOUBLECLICK.NET"])
async def test_block_ads(host: str) -> None:
    async with running("block_ads") as w:
        assert (await ask(w, f"http://{host}/banner.js")).startswith(b"HTTP/1.1 403 ")
        assert w.network.dialled == []
        _, answer = await exchange(
            w, request("http://goodads.example/"), response(b"hi"), origin="goodads.example"
        )
        assert answer.endswith(b"hi")


async def test_mock_api() -> None:
    async with running("mock_api") as w:
        url = "http://api.example/users"
        assert b'[{"id": 1, "name": "Grace"}]' in await ask(w, url)
        added = await ask(w, url, method="POST", body=json.dumps({"name": "Ada"}).encode())
        assert added.startswith(b"HTTP/1.1 201 ")
        assert b'{"id": 2, "name": "Ada"}]' in await ask(w, url)
        assert (await ask(w, "http://api.example/nothing")).startswith(b"HTTP/1.1 404 ")
        assert w.network.dialled == []


async def test_rewrite_html() -> None:
    page = "<html><BODY class=x>grüezi</BODY></html>".encode("latin-1")
    coded = response(
        gzip.compress(page), "Content-Type: text/html; charset=latin-1", "Content-Encoding: gzip"
    )
    async with running("rewrite_html") as w:
        _, answer = await exchange(w, request("http://example.com/"), coded)
        body = gzip.decompress(answer.partition(b"\r\n\r\n")[2]).decode("latin-1")
        assert body == "<html><BODY class=x><p>Seen by proxyfw</p>grüezi</BODY></html>"
        text = response(b"<body>", "Content-Type: text/plain")
        assert (await exchange(w, request("http://other.example/"), text, "other.example"))[1] == text


async def test_log_json_bodies(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    sent = request("http://example.com/a", "Content-Type: application/json", method="POST", body=b'{"in": 1}')
    async with running("log_json_bodies") as w:
        await exchange(w, sent, response(b'{"out": 2}', "Content-Type: application/problem+json"))
        other = response(b"{secret}", "Content-Type: text/plain")
        await exchange(w, request("http://other.example/"), other, "other.example")
    assert 'POST http://example.com/a <- {"in": 1}' in caplog.messages
    assert 'POST http://example.com/a -> {"out": 2}' in caplog.messages
    assert "secret" not in caplog.text


async def test_redirect_host() -> None:
    async with running("redirect_host") as w:
        server = w.origin("localhost", 8000)
        client = w.client()
        client.write(request("http://www.example.com/path"))
        connection = await server.accept()
        head = await connection.head()
        assert head.startswith(b"GET /path HTTP/1.1\r\nHost: www.example.com\r\n")
        connection.write(response(b"local"))
        assert (await client.message()).endswith(b"local")
        _, answer = await exchange(w, request("http://example.com/"), response(b"remote"))
        assert answer.endswith(b"remote")


async def test_slow_down(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    open_again = asyncio.Event()

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        await open_again.wait()

    async with running("slow_down", slow_down=7) as w:
        monkeypatch.setattr(module_of(w, "slow_down"), "asyncio", type("Slow", (), {"sleep": sleep}))
        origin, client = w.origin(), w.client()
        gate = w.gate("responseheaders")
        client.write(request("http://example.com/"))
        connection = await origin.accept()
        await connection.message()
        connection.write(response(b"hi"))
        await gate.reached()
        gate.release()
        assert client.received == b""
        open_again.set()
        assert (await client.message()).endswith(b"hi")
    assert waits == [7.0]


async def test_count_hosts(capsys: pytest.CaptureFixture[str]) -> None:
    async with running("count_hosts") as w:
        for host in ("a.example", "b.example", "a.example"):
            await ask(w, f"http://{host}/")
    assert capsys.readouterr().out == "     2  a.example\n     1  b.example\n"


async def test_options_and_commands() -> None:
    async with running("options_and_commands", max_price=20) as w:
        answer = await ask(w, "http://shop.example/buy?price=30")
        assert answer.startswith(b"HTTP/1.1 402 ")
        assert w.proxy.commands.execute("purse.refused") == 1
        _, answer = await exchange(w, request("http://example.com/?price=20"), response(b"bought"))
        assert answer.endswith(b"bought")
        with pytest.raises(OptionsError, match="max_price must not be negative"):
            w.proxy.options.max_price = -1
        assert w.proxy.options.max_price == 20


async def test_stream_uppercase() -> None:
    async with running("stream_uppercase") as w:
        origin, client = w.origin(), w.client()
        client.write(request("http://example.com/", "Accept-Encoding: gzip"))
        connection = await origin.accept()
        assert b"gzip" not in await connection.message()
        connection.write(response(b"one two", "Content-Type: text/plain")[:-4])
        await client.until(lambda data: b"ONE" in data)  # before the rest has even been sent
        connection.write(b" two")
        await client.until(lambda data: b" TWO" in data)
        binary = response(b"one", "Content-Type: image/png")
        assert (await exchange(w, request("http://other.example/"), binary, "other.example"))[1] == binary


async def test_pass_through_banks() -> None:
    async with running("pass_through_banks") as w:
        origin = w.origin("my.bank.example", 443)
        client, hello = await hello_to(w, "my.bank.example")
        connection = await origin.accept()
        assert await connection.exactly(len(hello)) == hello
        connection.write(b"from the bank")
        assert await client.exactly(13) == b"from the bank"
        other, _ = await hello_to(w, "notmybank.example")
        assert (await other.exactly(1)) == b"\x16"  # the proxy itself goes on with the handshake
        assert len(w.network.dialled) == 1


@pytest.mark.parametrize("url", ["http://example.com/pixel.gif", "http://example.com/?utm_source=mail"])
async def test_kill_trackers(url: str) -> None:
    async with running("kill_trackers") as w:
        client = w.client()
        client.write(request(url))
        assert await client.rest() == b""
        assert w.network.dialled == []
        _, answer = await exchange(w, request("http://example.com/?q=utm_"), response(b"hi"))
        assert answer.endswith(b"hi")


async def test_anonymise_cookies() -> None:
    answer = response(
        b"hi", "Set-Cookie: mine=1; Path=/", "Set-Cookie: theirs=2; SameSite=None; Secure", "Set-Cookie: b=3"
    )
    async with running("anonymise_cookies") as w:
        sent = request("http://example.com/", "Cookie: session=secret; theme=dark")
        received, answer = await exchange(w, sent, answer)
    assert b"Cookie: session=anonymous; theme=anonymous\r\n" in received
    assert b"Set-Cookie: mine=1; Path=/\r\nSet-Cookie: b=3\r\n" in answer
    assert b"theirs" not in answer


@pytest.mark.parametrize(
    ("host", "field", "expected"),
    [
        ("httpbin.org", "Accept: */*", b"\r\nAuthorization: Bearer s3cret\r\n"),
        ("httpbin.org", "Authorization: Basic eA==", b"\r\nAuthorization: Basic eA==\r\n"),
        ("example.com", "Accept: */*", None),
    ],
)
async def test_inject_token(
    host: str, field: str, expected: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_TOKEN", "s3cret")
    async with running("inject_token") as w:
        received, _ = await exchange(w, request(f"http://{host}/bearer", field), response(b""), host)
    assert received.count(b"Authorization") == (expected is not None)
    assert (expected or b"") in received


async def test_sign_requests() -> None:
    scripts = [str(EXAMPLES / "sign_requests.py"), str(EXAMPLES / "add_header.py")]
    async with world(scripts=scripts) as w:

        class Edit:
            def request(self, flow: Any) -> None:
                flow.request.text += " and goodbye"

        w.proxy.addons.add(Edit())
        sent = request("http://example.com/", method="POST", body=b"hello")
        received, _ = await exchange(w, sent, response(b""))
    signature = hmac.new(b"not a secret", b"hello and goodbye", hashlib.sha256).hexdigest()
    assert f"X-Signature: {signature}\r\n".encode() in received


async def test_staging_address() -> None:
    async with running("staging_address") as w:
        server = w.origin("localhost", 8000)
        client = w.client()
        client.write(request("http://www.example.com/"))
        assert b"\r\nHost: www.example.com\r\n" in await (await server.accept()).head()
        await exchange(w, request("http://example.com/"), response(b"hi"))
        assert w.network.dialled[0] == ("127.0.0.1", 8000)


async def test_explain_failures(caplog: pytest.LogCaptureFixture) -> None:
    async with running("explain_failures") as w:
        w.network.unknown.add("no-such-host.example")
        answer = await ask(w, "http://no-such-host.example/")
        assert answer.startswith(b"HTTP/1.1 502 ")
        client, _ = await hello_to(w, "secure.example")
        await client.exactly(1)
        client.close()
        await w.ended(2)
    logged = [record.getMessage() for record in caplog.records if record.name == "proxyfw.script"]
    assert logged[0].startswith("GET http://no-such-host.example/ failed: cannot resolve")
    assert logged[1].startswith("secure.example: the client gave up: ")


async def test_embed_in_asyncio(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    spec = spec_from_file_location("embed_in_asyncio", EXAMPLES / "embed_in_asyncio.py")
    assert spec
    assert spec.loader
    program = module_from_spec(spec)
    spec.loader.exec_module(program)
    await program.main()
    printed = capsys.readouterr().out.splitlines()
    assert printed == ["b'hello from the addon'", "the proxy saw GET http://inside.example/"]
