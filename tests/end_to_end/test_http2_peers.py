"""HTTP/2 with clients and servers of other people: curl, nginx, h2load, httpx and grpcio."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import nginx as nginx_server
import pytest
from ends import Field, Recorder
from nginx import Nginx

from proxyfw.http import HTTPFlow
from proxyfw.proxy import Proxy

pytestmark = [
    pytest.mark.end_to_end,
    pytest.mark.skipif(nginx_server.PROGRAM is None, reason="nginx is not installed"),
]
needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
needs_nghttp = pytest.mark.skipif(shutil.which("nghttp") is None, reason="nghttp is not installed")
needs_h2load = pytest.mark.skipif(shutil.which("h2load") is None, reason="h2load is not installed")


@pytest.fixture
async def nginx(field: Field, tmp_path: Path) -> AsyncIterator[Nginx]:
    pem = field.file(field.authority.issue(["example.test", "localhost", "127.0.0.1"]).to_pem())
    async with nginx_server.running(tmp_path / "nginx", pem) as server:
        yield server


async def run(*command: str, stdin: bytes | None = None) -> bytes:
    """The output of *command*, which must succeed."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE if stdin is not None else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "no_proxy": ""},
    )
    out, err = await process.communicate(stdin)
    assert process.returncode == 0, (process.returncode, out[-500:], err.decode()[-2000:])
    return out


async def curl(proxy: Proxy, *arguments: str, stdin: bytes | None = None) -> bytes:
    return await run(
        "curl", "-sS", "-x", proxy.url, "--cacert", str(proxy.ca_cert_path), *arguments, stdin=stdin
    )


def last_flow(recorder: Recorder) -> HTTPFlow:
    flow = recorder.of("response")[-1]
    assert isinstance(flow, HTTPFlow)
    return flow


# curl and nginx


@needs_curl
@pytest.mark.parametrize(("version", "shown"), [("--http2", "HTTP/2.0"), ("--http1.1", "HTTP/1.1")])
async def test_curl_to_nginx(field: Field, nginx: Nginx, version: str, shown: str) -> None:
    """5.4.71 and 5.4.73: the origin is asked in the version in which the client asked."""
    recorder = Recorder()
    proxy = await field.proxy(recorder)
    url = f"https://example.test:{nginx.tls}/protocol"
    out = await curl(proxy, version, "-w", "\n%{http_version}", url)
    assert out.decode() == f"{shown} example.test:{nginx.tls}\n{shown[5] if shown[5] == '2' else '1.1'}"
    flow = last_flow(recorder)
    assert flow.response
    assert flow.request.http_version == flow.response.http_version == shown
    assert flow.client_conn.alpn == (b"h2" if shown == "HTTP/2.0" else b"http/1.1")
    assert flow.server_conn.alpn == flow.client_conn.alpn


@needs_curl
async def test_large_bodies_both_ways(field: Field, nginx: Nginx) -> None:
    proxy = await field.proxy()
    content = os.urandom(20_000_000)
    nginx.file("large", content)
    base = f"https://example.test:{nginx.tls}"
    assert hashlib.sha256(await curl(proxy, "--http2", f"{base}/large")).digest() == (
        hashlib.sha256(content).digest()
    )
    await curl(proxy, "--http2", "-T", "-", f"{base}/put/up", "-H", "Expect:", stdin=content)
    assert nginx.put("up") == content
    await curl(proxy, "--http1.1", "-T", "-", f"{base}/put/chunked", stdin=content[:3_000_000])
    assert nginx.put("chunked") == content[:3_000_000]


@needs_curl
async def test_many_files_on_one_connection(field: Field, nginx: Nginx) -> None:
    """5.4.71: in parallel, with one connection on each side."""
    recorder = Recorder()
    proxy = await field.proxy(recorder)
    for n in range(50):
        nginx.file(f"f{n}", b"%d\n" % n)
    urls = f"https://example.test:{nginx.tls}/f[0-49]"
    out = await curl(proxy, "--http2", "--parallel", "--parallel-max", "50", urls)
    assert sorted(int(line) for line in out.split()) == list(range(50))
    assert len({flow.server_conn for flow in recorder.of("response")}) == 1
    assert {flow.request.http_version for flow in recorder.of("response")} == {"HTTP/2.0"}


@needs_curl
async def test_prior_knowledge(field: Field, nginx: Nginx) -> None:
    """5.4.84: in a tunnel, and to the proxy itself."""
    proxy = await field.proxy()
    url = f"http://example.test:{nginx.clear}/protocol"
    out = await curl(proxy, "--http2-prior-knowledge", "-p", url)
    assert out.decode() == f"HTTP/2.0 example.test:{nginx.clear}"
    reverse = await field.proxy(mode=[f"reverse:https://example.test:{nginx.tls}"])
    host, port = reverse.address
    out = await run("curl", "-sS", "--http2-prior-knowledge", f"http://{host}:{port}/protocol")
    assert out.startswith(b"HTTP/2.0 ")


@needs_curl
@pytest.mark.parametrize("way", ["tunnel", "reverse", "absolute"])
async def test_curl_asks_for_an_upgrade(field: Field, nginx: Nginx, way: str) -> None:
    """mitmproxy 5.4.84: curl does by itself in the clear, and goes on with its next request in HTTP/2.

    To a proxy that passes plain requests on it would say URLs for paths then, so that stays HTTP/1.1.
    """

    class Secure:
        def requestheaders(self, flow: HTTPFlow) -> None:
            flow.request.scheme, flow.request.port = "https", nginx.tls

    recorder = Recorder()
    mode = [f"reverse:https://example.test:{nginx.tls}"] if way == "reverse" else ["regular"]
    proxy = await field.proxy(recorder, Secure(), mode=mode)
    host, port = proxy.address
    base = f"http://{host}:{port}" if way == "reverse" else "http://example.test"
    through = {"tunnel": ["-p", "-x", proxy.url], "reverse": [], "absolute": ["-x", proxy.url]}[way]
    shown = ["-w", " %{http_version}\n", f"{base}/protocol", f"{base}/protocol"]
    out = (await run("curl", "-sS", "--http2", "-d", "body", *through, *shown)).decode().splitlines()
    version = "1.1" if way == "absolute" else "2"
    assert [line.rpartition(" ")[2] for line in out] == [version, version]
    flows: list[Any] = recorder.of("response")
    assert len({flow.client_conn for flow in flows}) == 1
    first = "HTTP/1.1"
    assert [f.request.http_version for f in flows] == [first, first if way == "absolute" else "HTTP/2.0"]
    assert {f.request.raw_content for f in flows} == {b"body"}


@needs_nghttp
async def test_nghttp_asks_for_an_upgrade(field: Field, nginx: Nginx, tmp_path: Path) -> None:
    """mitmproxy 5.4.84."""
    recorder = Recorder()
    proxy = await field.proxy(recorder, mode=[f"reverse:https://example.test:{nginx.tls}"])
    host, port = proxy.address
    nginx.file("large", bytes(1_000_000))
    url = f"http://{host}:{port}/large"
    out = await run("nghttp", "-nvu", url, f"{url}?again")
    assert b"HTTP Upgrade success" in out
    assert b"error" not in out.replace(b"NO_ERROR", b"").replace(b"error_code", b"")
    flows: list[Any] = recorder.of("response")
    assert [flow.response.status_code for flow in flows] == [200, 200]
    assert {len(flow.response.raw_content) for flow in flows} == {1_000_000}


@needs_curl
async def test_an_answer_that_fails_is_an_error_page(field: Field, nginx: Nginx) -> None:
    proxy = await field.proxy()
    port = await field.unused_port()
    out = await curl(proxy, "--http2", "-w", "\n%{http_code}", f"https://example.test:{port}/")
    assert out.endswith(b"\n502")
    assert b"Connection refused" in out


async def test_one_request_at_a_time(field: Field, tmp_path: Path) -> None:
    """5.4.80: nginx allows one stream; all are answered, in order or not."""
    pem = field.file(field.authority.issue(["example.test"]).to_pem())
    async with nginx_server.running(tmp_path / "one", pem, streams=1) as server:
        recorder = Recorder()
        proxy = await field.proxy(recorder)
        async with client(field, proxy) as http:
            url = f"https://example.test:{server.tls}/protocol"
            answers = await asyncio.gather(*[http.get(url) for _ in range(50)])
        assert {answer.status_code for answer in answers} == {200}
        assert len({flow.server_conn for flow in recorder.of("response")}) == 1


async def test_connections_that_end_after_a_few_requests(field: Field, tmp_path: Path) -> None:
    """5.4.79: nginx says GOAWAY after every tenth request."""
    pem = field.file(field.authority.issue(["example.test"]).to_pem())
    async with nginx_server.running(tmp_path / "few", pem, requests=10) as server:
        recorder = Recorder()
        proxy = await field.proxy(recorder)
        async with client(field, proxy) as http:
            url = f"https://example.test:{server.tls}/protocol"
            for _ in range(4):
                answers = await asyncio.gather(*[http.get(url) for _ in range(25)])
                assert {answer.status_code for answer in answers} == {200}
        assert len({flow.server_conn for flow in recorder.of("response")}) >= 10
        assert not recorder.of("error")


# httpx


def client(field: Field, proxy: Proxy) -> httpx.AsyncClient:
    return httpx.AsyncClient(http2=True, proxy=proxy.url, verify=field.trust(proxy), timeout=20)


async def test_httpx(field: Field, nginx: Nginx) -> None:
    proxy = await field.proxy()
    async with client(field, proxy) as http:
        url = f"https://example.test:{nginx.tls}"
        answer = await http.get(f"{url}/missing")
        assert (answer.status_code, answer.http_version, answer.text) == (404, "HTTP/2", "not here")
        answer = await http.put(f"{url}/put/x", content=b"from httpx")
        assert (answer.status_code, nginx.put("x")) == (201, b"from httpx")
        answer = await http.get(f"{url}/protocol", headers={"X-Large": "y" * 100_000})
        assert answer.status_code == 431
        answer = await http.get(f"{url}/protocol")
        assert answer.text.startswith("HTTP/2.0 ")


async def test_an_addon_edits_what_goes_over_http2(field: Field, nginx: Nginx) -> None:
    class Edit:
        def request(self, flow: HTTPFlow) -> None:
            flow.request.path = "/protocol"

        def response(self, flow: HTTPFlow) -> None:
            assert flow.response
            flow.response.headers["X-Edited"] = "yes"
            flow.response.text = "edited"

    proxy = await field.proxy(Edit())
    async with client(field, proxy) as http:
        answer = await http.get(f"https://example.test:{nginx.tls}/nowhere")
    assert (answer.text, answer.headers["x-edited"], answer.headers["content-length"]) == (
        "edited",
        "yes",
        "6",
    )


# h2load


@needs_h2load
@pytest.mark.parametrize("streams", [1, 32])
async def test_h2load(field: Field, nginx: Nginx, streams: int) -> None:
    """Thousands of requests, of which none fails."""
    nginx.file("kilobyte", bytes(1024))
    proxy = await field.proxy(mode=[f"reverse:https://example.test:{nginx.tls}"])
    host, port = proxy.address
    out = await run("h2load", "-n", "2000", "-c", "4", "-m", str(streams), f"https://{host}:{port}/kilobyte")
    assert b"2000 succeeded, 0 failed, 0 errored, 0 timeout" in out, out.decode()
    assert re.search(rb"status codes: 2000 2xx", out)


@needs_h2load
async def test_h2load_uploads(field: Field, nginx: Nginx, tmp_path: Path) -> None:
    body = tmp_path / "body"
    body.write_bytes(os.urandom(100_000))
    proxy = await field.proxy(mode=[f"reverse:https://example.test:{nginx.tls}"])
    host, port = proxy.address
    url = f"https://{host}:{port}/protocol"
    out = await run("h2load", "-n", "200", "-c", "4", "-m", "10", "-d", str(body), url)
    assert b"200 succeeded, 0 failed" in out, out.decode()


async def test_flows_over_http2_can_be_saved(field: Field, nginx: Nginx) -> None:
    """Fields that came marked as never to be indexed are ordinary ones to everybody else."""
    recorder = Recorder()
    proxy = await field.proxy(recorder)
    async with client(field, proxy) as http:
        await http.get(f"https://example.test:{nginx.tls}/protocol", headers={"Authorization": "Basic x"})
    flow = last_flow(recorder)
    state: Any = flow.copy().get_state()
    assert "Basic x" in json.dumps(state, default=repr)
    assert flow.request.headers["authorization"] == "Basic x"
