"""Scripts about requests and responses, as they are written for mitmproxy, on the real loader."""

from __future__ import annotations

import gzip
import json
import logging

import pytest
from compat_talks import talk

from proxyfw.http import HTTPFlow


async def test_log_urls(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with talk("log_urls") as t:
        await t.get()
    said = [(r.levelname, r.getMessage()) for r in caplog.records if r.name == "proxyfw.script"]
    assert said == [
        ("INFO", "GET http://example.com/path 200"),
        ("WARNING", "careful"),
        ("ERROR", "broken"),
        ("ALERT", "look"),
    ]


async def test_add_header() -> None:
    async with talk("add_header") as t:
        assert b"\r\ncount: 1\r\n" in await t.get()
        assert b"\r\ncount: 2\r\n" in await t.get()


async def test_redirect_host() -> None:
    async with talk("redirect_host") as t:
        t.serve("other.example", 8081)
        await t.get()
        assert t.asked[0].startswith(b"GET /path HTTP/1.1\r\nHost: other.example:8081\r\n")


@pytest.mark.parametrize(
    ("script", "status", "field", "body"),
    [
        ("answer", b"200 OK", b"X-Made: here", b"Hello World"),
        ("answer_long_ago", b"404 Not Found", b"Content-Type: text/plain", b"nothing here"),
    ],
)
async def test_answer(script: str, status: bytes, field: bytes, body: bytes) -> None:
    async with talk(script) as t:
        answer = await t.get()
        assert answer.startswith(b"HTTP/1.1 " + status)
        assert field in answer
        assert answer.endswith(body)
        assert t.asked == []


async def test_block() -> None:
    async with talk("block") as t:
        client = t.world.client()
        client.write(b"GET http://example.com/path HTTP/1.1\r\nHost: example.com\r\n\r\n")
        assert await client.rest() == b""
        assert t.asked == []


async def test_edit_json() -> None:
    async with talk("edit_json") as t:
        body = json.dumps({"user": "ä"}).encode()
        t.answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
            len(body),
            body,
        )
        answer = await t.get()
        assert json.loads(answer.partition(b"\r\n\r\n")[2]) == {"user": "ä", "premium": True}


async def test_replace_bytes() -> None:
    async with talk("replace_bytes") as t:
        body = gzip.compress(b"the old text")
        t.answer = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s" % (
            len(body),
            body,
        )
        answer = await t.get()
        assert answer.endswith(b"\r\n\r\nthe new text")
        assert b"x-length: 12" in answer


async def test_change_status() -> None:
    async with talk("change_status") as t:
        assert (await t.get()).startswith(b"HTTP/1.1 403 No Way\r\n")


async def test_edit_query() -> None:
    async with talk("edit_query") as t:
        await t.get("http://example.com/some/path?a=1&secret=2")
        assert t.asked[0].startswith(b"GET /some/path?a=changed&b=added HTTP/1.1")
        assert b"x-path: some/path" in t.asked[0]


async def test_cookies() -> None:
    async with talk("cookies") as t:
        t.answer = b"HTTP/1.1 200 OK\r\nSet-Cookie: k=v; Path=/here\r\nContent-Length: 0\r\n\r\n"
        answer = await t.get(more=b"Cookie: a=1; session=mine\r\nUser-Agent: me\r\n")
        assert b"Cookie: a=1; session=stolen\r\n" in t.asked[0]
        assert b"User-Agent" not in t.asked[0]
        assert b"x-cookie: k=v /here\r\n" in answer


async def test_assign_url() -> None:
    async with talk("assign_url") as t:
        t.serve("other.example", 8081)
        await t.get()
        assert t.asked[0].startswith(b"PUT /elsewhere?x=1 HTTP/1.1\r\nHost: other.example:8081\r\n")


async def test_forms() -> None:
    async with talk("forms") as t:
        head = b"POST http://example.com/ HTTP/1.1\r\nHost: example.com\r\n"
        form = b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 12\r\n\r\npassword=old"
        await t.ask(head + form)
        assert t.asked[0].endswith(b"\r\n\r\npassword=changed&more=1")
        part = b'--X\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--X--\r\n'
        parts = b"Content-Type: multipart/form-data; boundary=X\r\nContent-Length: %d\r\n\r\n" % len(part)
        await t.ask(head + parts + part)
        assert b"parts: 1\r\n" in t.asked[1]
        await t.ask(head + b"Content-Length: 0\r\n\r\n")
        assert t.asked[2].endswith(b"made=here")


async def test_anti_cache_and_compression() -> None:
    async with talk("anti") as t:
        t.answer = b'HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n{"a": 1}'
        answer = await t.get(more=b"If-None-Match: x\r\nX-Many: a\r\nX-Many: b\r\n")
        assert b"If-None-Match" not in t.asked[0]
        assert b"identity" in t.asked[0]
        assert b"first: a\r\n" in t.asked[0]
        assert t.asked[0].lower().count(b"x-many: ") == 1
        assert b"json: 1\r\n" in answer
        assert gzip.decompress(answer.partition(b"\r\n\r\n")[2]) == b'{"a": 1}'


async def test_stream_response() -> None:
    async with talk("stream_response") as t:
        client = t.world.client()
        client.write(b"GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\n")
        answer = await client.until(lambda received: b"BODY" in received)
        assert answer.startswith(b"HTTP/1.1 200 OK")


async def test_errors(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with talk("errors") as t:
        assert b" 502 " in await t.get("http://nowhere.example/")
    assert "failed: " in caplog.text


async def test_notes(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with talk("notes") as t:
        await t.get()
        (flow,) = await t.world.ended()
    assert f"{flow.id} :red_circle: seen True None False" in caplog.text


async def test_addresses() -> None:
    async with talk("addresses") as t:
        answer = await t.get()
        assert b"server: example.com:80\r\n" in answer
        assert b"facts: True None None False HTTP/1.1 example.com\r\n" in answer
        assert b"client: " in answer


async def test_hold() -> None:
    async with talk("hold") as t:
        client = t.world.client()
        client.write(b"GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\n")
        gate = t.world.gate("request")
        flow = await gate.reached()
        assert flow.intercepted
        gate.release()
        await t.module.release()
        await client.message()
        assert b"held: 1\r\n" in t.asked[0]


async def test_copies() -> None:
    async with talk("copies") as t:
        answer = await t.get()
        assert b"copy: changed\r\n" in answer
        assert answer.endswith(b"\r\n\r\nbody")
        (flow,) = await t.world.ended()
        assert flow.addon_errors == []


async def test_old_hooks(caplog: pytest.LogCaptureFixture) -> None:
    async with talk("old_hooks") as t:
        assert b"old: 1\r\n" in await t.get()
    assert "did you mean client_connected()?" in caplog.text


async def test_refuse_connect() -> None:
    async with talk("refuse_connect") as t:
        answer = await t.ask(b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 403 ")
        assert b"X-Host: example.com\r\n" in answer


async def test_in_thread(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with talk("in_thread") as t:
        answer = await t.get()
        assert b"thread: False\r\n" in answer
        assert "in a thread" in caplog.text


async def test_wait(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with talk("wait") as t:
        await t.get()
        assert b"waited: yes\r\n" in t.asked[0]
    assert "handle request: example.com" in caplog.text


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("net_http", [b"helpers: text utf-8 2 k 404", b"parsed: (b'http', b'example.com', 80, b'/path')"]),
        ("human", [b"size: 3.9k", b"text: text"]),
        ("certificates", [b"certs: 0"]),
        ("modes", [b"mode: http://x:81", b"came: regular regular"]),
        ("exported", [b"curl: curl http://example.com/path", b"raw: GET /path HTTP/1.1"]),
        ("filtered", [b"matched: False", b"also: True"]),
        ("use_master", [b"late: 1", b"size: 2m"]),
        ("halt", [b"first: 1"]),
        ("commands", [b"urls: there: http://example.com/path"]),
    ],
)
async def test_effect_on_a_response(script: str, expected: list[bytes]) -> None:
    async with talk(script) as t:
        t.answer = t.answer.replace(b"text/plain", b"text/plain; charset=utf-8")
        answer = await t.get()
        (flow,) = await t.world.ended()
        assert flow.addon_errors == []
        assert isinstance(flow, HTTPFlow)
        for line in expected:
            assert line + b"\r\n" in answer
        assert b"second: 1" not in answer


async def test_web_apps_answer_for_their_hosts(caplog: pytest.LogCaptureFixture) -> None:
    async with talk("web_app") as t:
        post = b"POST http://%s/a%%20b?q=1 HTTP/1.1\r\nHost: %s\r\nContent-Length: 2\r\n\r\nhi"
        answer = await t.ask(post % (b"example.com", b"example.com"))
        assert b"X-Path: /a b\r\n" in answer
        assert answer.endswith(b"\r\n\r\nwsgi says POSThi")
        answer = await t.ask(post % (b"asgi.example", b"asgi.example"))
        assert answer.startswith(b"HTTP/1.1 201 ")
        assert answer.endswith(b"\r\n\r\nasgi hiq=1")
        answer = await t.ask(post % (b"broken.example", b"broken.example"))
        assert answer.startswith(b"HTTP/1.1 500 ")
        assert "the application for http://broken.example/a%20b?q=1 failed" in caplog.text
        assert t.asked == []


async def test_other_proxy() -> None:
    async with talk("other_proxy") as t:
        t.serve("proxy.example", 3128)
        await t.get()
        assert t.asked[0].startswith(b"GET http://example.com/path HTTP/1.1\r\n")


async def test_replay() -> None:
    async with talk("replay", default_addons=("flows", "replay")) as t:
        await t.get()
        await t.world.ended(2)
        assert [asked.split()[1] for asked in t.asked] == [b"/path", b"/again"]
