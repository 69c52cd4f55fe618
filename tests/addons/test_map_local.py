"""Requests that are answered from files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from proxyfw import ctx
from proxyfw.exceptions import OptionsError
from proxyfw.http import HTTPFlow, Request, Response
from proxyfw.proxy import Proxy
from proxyfw.rules import dry_run
from proxyfw.testing import http_flow, world
from proxyfw_addons.map_local import LocalMapping

SITE = "http://example.com/static"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "site"
    (root / "css").mkdir(parents=True)
    (root / "docs").mkdir()
    (root / "index.html").write_text("home")
    (root / "docs" / "index.html").write_text("docs")
    (root / "css" / "app.css").write_text("body {}")
    (root / "data.json").write_text('{"a": 1}')
    (root / "a b.txt").write_text("spaces")
    (root / "q_x_1").write_text("odd")
    (root / "numbers").write_text("0123456789")
    (tmp_path / "secret").write_text("secret")
    return root


Ask = Any
"""Asks for a URL, with method and headers, and gives the answer."""


def asking(proxy: Proxy) -> Ask:
    async def ask(url: str, method: str = "GET", **headers: str) -> Response:
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        request = http_flow(Request.make(method, url, headers=fields), response=None)
        with ctx.use(proxy):
            trace, flow = await dry_run(proxy.addons.rules.current, request)
        assert isinstance(flow, HTTPFlow)
        assert flow.response, [str(step) for step in trace]
        return flow.response

    return ask


def local(*specs: str, **options: Any) -> Ask:
    return asking(Proxy(default_addons=(), addons=[LocalMapping()], map_local=specs, **options))


def ruled(match: dict[str, Any], **action: Any) -> Ask:
    rules = [{"name": "files", "match": match, "action": {"type": "map_local", **action}}]
    proxy = Proxy(default_addons=("rules",), addons=[LocalMapping()], rules=rules)
    proxy.addons.rules.check()
    return asking(proxy)


@pytest.fixture
def ask(root: Path) -> Ask:
    return local(f"|{SITE}|{root}")


@pytest.mark.parametrize(
    ("path", "text", "kind"),
    [
        ("/css/app.css", "body {}", "text/css"),
        ("/data.json?v=2", '{"a": 1}', "application/json"),
        ("", "home", "text/html"),
        ("/", "home", "text/html"),
        ("/docs", "docs", "text/html"),
        ("/docs/?lang=de", "docs", "text/html"),
        ("/a%20b.txt", "spaces", "text/plain"),
        ("/q%3Ax%3A1", "odd", "application/octet-stream"),
    ],
)
async def test_a_directory_is_served_by_the_rest_of_the_url(
    ask: Ask, path: str, text: str, kind: str
) -> None:
    """mitmproxy 5.6.105: directory, index, query, MIME; then names with `_` for odd characters."""
    response = await ask(SITE + path)
    assert (response.status_code, response.text, response.headers["content-type"]) == (200, text, kind)


async def test_a_file_is_served_whatever_is_asked(root: Path) -> None:
    """features 23: and read again each time."""
    ask = local(f"|example.com|{root / 'data.json'}")
    for path in ("/", "/other/thing.html?x", "/../../etc/passwd"):
        response = await ask(f"http://example.com{path}")
        assert (response.text, response.headers["content-type"]) == ('{"a": 1}', "application/json")
    (root / "data.json").write_text("[]")
    assert (await ask("http://example.com/")).text == "[]"
    (root / "data.json").unlink()
    gone = await ask("http://example.com/")
    assert (gone.status_code, gone.text) == (404, "map_local, rule map_local[0]: there is no data.json\n")


ESCAPES = [
    "/../secret", "/%2e%2e/secret", "/css/../../secret", "/%2E%2E%2Fsecret", "/..%2fsecret",
    "/css/..%5c..%5csecret", "/link", "/way/secret", "/loop", "/data.json%00.html", "/docs/..",
]  # fmt: skip


@pytest.mark.parametrize("path", ESCAPES)
async def test_what_leads_out_of_the_directory_is_not_there(root: Path, ask: Ask, path: str) -> None:
    """features 22, mitmproxy 5.6.105: `..`, encoded, by links, with NUL."""
    (root / "link").symlink_to(root.parent / "secret")
    (root / "way").symlink_to(root.parent)
    (root / "loop").symlink_to(root / "loop")
    response = await ask(SITE + path)
    assert response.status_code == 404
    assert response.text == "map_local, rule map_local[0]: the path leads out of the directory\n"


@pytest.mark.parametrize(
    "path", ["//etc/passwd", "/%2fetc/passwd", "/%252e%252e/secret", "/pipe", "/" + "x" * 300]
)
async def test_absolute_paths_stay_inside_and_pipes_are_no_files(root: Path, ask: Ask, path: str) -> None:
    """features 22."""
    os.mkfifo(root / "pipe")
    response = await ask(SITE + path)
    assert response.status_code == 404
    assert "there is no " in (response.text or "")


async def test_links_inside_the_directory_are_followed(root: Path, ask: Ask) -> None:
    (root / "alias.css").symlink_to("css/app.css")
    assert (await ask(f"{SITE}/alias.css")).text == "body {}"


async def test_what_is_missing_is_named_without_the_directory(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "proxyfw")
    response = await local(f"|{SITE}|{root}")(f"{SITE}/no%20pe.js")
    assert response.status_code == 404
    names = "no pe.js, no pe.js/index.html, no_pe.js, no_pe.js/index.html"
    assert response.text == f"map_local, rule map_local[0]: there is no {names}\n"
    assert str(root) not in str(response.headers)
    assert str(root / "no pe.js") in caplog.text


async def test_the_first_spec_that_has_a_file_answers(root: Path, tmp_path: Path) -> None:
    """Of several that match, as mitmproxy does it."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "more.txt").write_text("more")
    (other / "data.json").write_text("never")
    ask = local(
        f"|{SITE}|{root}", f"|~m POST|{SITE}|{root / 'numbers'}", f"|example|{other}", f"|/static|{other}"
    )
    assert (await ask(f"{SITE}/more.txt")).text == "more"
    assert (await ask(f"{SITE}/data.json")).text == '{"a": 1}'
    assert (await ask(f"{SITE}/more.txt", "POST")).text == "0123456789"
    assert (await ask(f"{SITE}/none")).text.count("none") == 4  # each once, in whatever directory


async def test_the_first_group_is_the_name(root: Path) -> None:
    """mitmproxy 5.6.105: group capture; the query belongs to it."""
    ask = local(f"@example.com/x/(.*)/(v\\d)@{root}", f"@example.com/y/(.*)@{root}")
    assert (await ask("http://example.com/x/css/app.css/v2/ignored")).text == "body {}"
    (root / "z?k=1").write_text("with query")
    assert (await ask("http://example.com/y/z?k=1")).text == "with query"
    assert (await ask("http://example.com/y/data.json?k=1")).text == '{"a": 1}'


@pytest.mark.parametrize(
    ("match", "more", "url"),
    [
        ({"url": f"{SITE}/*"}, {}, f"{SITE}/css/app.css?x"),
        ({"url": "http://*/static/*"}, {}, f"{SITE}/css/app.css"),
        ({"path": "/static/*", "host": "*.com"}, {}, f"{SITE}/css/app.css"),
        ({"path": "/^\\/static\\//"}, {}, f"{SITE}/css/app.css?x"),
        ({"host": "example.com"}, {}, "http://example.com/css/app.css?x"),
        ({"url": "http://*/static/*"}, {"name": "css/$2.css"}, f"{SITE}/app"),
        ({"url": "http://example.com/css/app.css"}, {}, "http://example.com/css/app.css"),
    ],
)
async def test_rules_say_what_is_asked_for(
    root: Path, match: dict[str, Any], more: dict[str, str], url: str
) -> None:
    assert (await ruled(match, path=str(root), **more)(url)).text == "body {}"


async def test_status_and_headers(root: Path) -> None:
    ask = ruled({}, path=str(root / "data.json"), status=503, headers={"content-type": "a/b", "X-A": "1"})
    response = await ask("http://example.com/", range="bytes=0-1")
    assert (response.status_code, response.reason, response.text) == (503, "Service Unavailable", '{"a": 1}')
    assert response.headers.get_all("content-type") == ["a/b"]
    assert response.headers["x-a"] == "1"


async def test_head_says_how_long_it_would_be(ask: Ask) -> None:
    """mitmproxy 5.6.105."""
    response = await ask(f"{SITE}/numbers", "HEAD")
    assert (response.status_code, response.content, response.headers["content-length"]) == (200, b"", "10")


@pytest.mark.parametrize(
    ("asked", "status", "said", "text"),
    [
        ("bytes=2-4", 206, "bytes 2-4/10", "234"),
        ("bytes=7-", 206, "bytes 7-9/10", "789"),
        ("bytes=-3", 206, "bytes 7-9/10", "789"),
        ("bytes=-30", 206, "bytes 0-9/10", "0123456789"),
        ("bytes=5-99", 206, "bytes 5-9/10", "56789"),
        ("bytes=10-", 416, "bytes */10", ""),
        ("bytes=-0", 416, "bytes */10", ""),
        ("bytes=4-2", 200, None, "0123456789"),
        ("bytes=0-1,3-4", 200, None, "0123456789"),
        ("lines=0-1", 200, None, "0123456789"),
        ("bytes=-", 200, None, "0123456789"),
        (f"bytes={'9' * 5000}-", 200, None, "0123456789"),
    ],
)
async def test_ranges(ask: Ask, asked: str, status: int, said: str | None, text: str) -> None:
    """mitmproxy 5.6.105."""
    response = await ask(f"{SITE}/numbers", range=asked)
    assert (response.status_code, response.headers.get("content-range"), response.text) == (
        status,
        said,
        text,
    )
    assert response.headers["content-length"] == str(len(text))


async def test_an_unchanged_file_is_not_sent_again_and_a_changed_one_not_in_part(
    root: Path, ask: Ask
) -> None:
    etag = (await ask(f"{SITE}/numbers")).headers["etag"]
    assert (await ask(f"{SITE}/numbers", if_none_match=etag)).status_code == 304
    (root / "numbers").write_text("changed!")
    assert (await ask(f"{SITE}/numbers", if_none_match=etag)).text == "changed!"
    assert (await ask(f"{SITE}/numbers", if_range=etag, range="bytes=0-1")).status_code == 200


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            "|a|/nowhere/at/all",
            "map_local: '|a|/nowhere/at/all': there is no file or directory '/nowhere/at/all'",
        ),
        ("|a|", "map_local: '|a|': there is no file or directory ''"),
        ("|(|/", "map_local: '|(|/': match.url: /(/ is not a regular expression: "),
        ("|a", "map_local: '|a' is not a spec: write |[filter|]url-regex|path"),
        ("|~q ~|a|/", "map_local: the filter in '|~q ~|a|/' cannot be read: "),
    ],
)
def test_specs_that_cannot_be_are_refused(spec: str, message: str) -> None:
    with pytest.raises(OptionsError) as caught:
        local(spec)
    assert message in str(caught.value)


def test_a_status_that_cannot_be_is_refused() -> None:
    with pytest.raises(OptionsError, match="100 is no status to end with"):
        ruled({}, path="x", status=100)


async def test_nothing_is_dialled_and_escapes_are_never_sent_on(root: Path) -> None:
    """features 22, mitmproxy 5.6.105: on the wire."""
    async with world(addons=[LocalMapping()], map_local=[f"|{SITE}|{root}"]) as w:
        client = w.client()
        for path, answer in (("/numbers", b"\r\n\r\n0123456789"), ("/../secret", b"directory\n")):
            client.write(f"GET {SITE}{path} HTTP/1.1\r\nHost: example.com\r\n\r\n".encode())
            assert (await client.message()).endswith(answer)
        client.write(f"HEAD {SITE}/numbers HTTP/1.1\r\nHost: example.com\r\n\r\n".encode())
        assert b"\r\ncontent-length: 10\r\n" in (await client.head()).lower()
        assert w.network.dialled == []


async def test_big_files_are_sent_in_pieces_and_not_kept(root: Path) -> None:
    big = os.urandom(300_000)
    (root / "big.bin").write_bytes(big)
    async with world(addons=[LocalMapping()], map_local=[f"|{SITE}|{root}"], stream_large_bodies="100k") as w:
        client = w.client()
        client.write(f"GET {SITE}/big.bin HTTP/1.1\r\nHost: example.com\r\n\r\n".encode())
        head = await client.head()
        assert b"\r\ncontent-length: 300000\r\n" in head.lower()
        assert await client.exactly(300_000) == big
        client.write(
            f"GET {SITE}/big.bin HTTP/1.1\r\nHost: example.com\r\nRange: bytes=100-249999\r\n\r\n".encode()
        )
        assert (await client.message()).partition(b"\r\n\r\n")[2] == big[100:250_000]
        flows = await w.ended(2)
        assert [
            flow.response.raw_content for flow in flows if isinstance(flow, HTTPFlow) and flow.response
        ] == [
            None,
            None,
        ]


async def test_a_file_that_becomes_shorter_while_it_is_sent_breaks_the_answer_off(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "big.bin").write_bytes(bytes(200_000))

    class Shorten:
        def response(self, flow: HTTPFlow) -> None:
            (root / "big.bin").write_bytes(bytes(150_000))

    async with world(
        addons=[LocalMapping(), Shorten()], map_local=[f"|{SITE}|{root}"], stream_large_bodies="100k"
    ) as w:
        client = w.client()
        client.write(f"GET {SITE}/big.bin HTTP/1.1\r\nHost: example.com\r\n\r\n".encode())
        await client.head()
        assert len(await client.rest()) < 200_000
        (flow,) = await w.ended()
        assert "it has become shorter" in str(flow.error)
