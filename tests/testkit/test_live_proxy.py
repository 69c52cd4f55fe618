"""The proxy that runs beside a test: its life, its log of flows, its client, what other programs are told."""

from __future__ import annotations

import asyncio
import gc
import os
import ssl
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from proxyfw.exceptions import OptionsError
from proxyfw.http import HTTPFlow, Response
from proxyfw.proxy import Proxy
from proxyfw.testing import AsyncProxyClient, FlowLog, LiveProxy, ProxyClient

URL = "https://api.example/"


async def test_starting_and_stopping_leaves_nothing(tmp_path: Path) -> None:
    """Features 93: ports, tasks, threads, file handles, a hundred times."""

    async def once() -> int:
        async with Proxy(listen_port=0, confdir=str(tmp_path)) as proxy:
            return proxy.address[1]

    def held() -> tuple[int, int, int]:
        gc.collect()
        return len(os.listdir("/proc/self/fd")), threading.active_count(), len(asyncio.all_tasks())

    await once()
    before = held()
    ports = [await once() for _ in range(100)]
    assert held() == before
    for port in ports[-3:]:
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)


def test_it_says_where_it_is(proxy: LiveProxy) -> None:
    assert proxy.url == f"http://{proxy.host}:{proxy.port}"
    assert proxy.host == "127.0.0.1"
    assert proxy.ca_cert_path.read_bytes().startswith(b"-----BEGIN CERTIFICATE-----")


def test_other_clients_in_python(proxy: LiveProxy) -> None:
    proxy.route().reply(text="hello")
    with httpx.Client(proxy=proxy.url, verify=proxy.ssl_context()) as client:
        assert client.get(URL).text == "hello"


def test_other_programs(proxy: LiveProxy) -> None:
    proxy.route().reply(text="hello")
    code = f"import urllib.request; print(urllib.request.urlopen({URL!r}).read())"
    done = subprocess.run(
        [sys.executable, "-c", code], env=proxy.environment, capture_output=True, text=True, timeout=20
    )
    assert done.stdout == "b'hello'\n", done.stderr
    assert proxy.environment["SSL_CERT_FILE"] == proxy.environment["CURL_CA_BUNDLE"]


def test_addons_come_before_routes(proxy: LiveProxy, proxy_client: ProxyClient) -> None:
    class Signing:
        def request(self, flow: HTTPFlow) -> None:
            flow.request.headers["x-signature"] = "42"
            if flow.request.path == "/own":
                flow.response = Response.make(200, b"the addon's")

    proxy.add_addon(Signing())
    signed = proxy.route(headers={"x-signature": "42"}).reply(text="signed")
    assert proxy_client.get(URL).text == "signed"
    assert proxy_client.get(f"{URL}own").text == "the addon's"
    assert signed.count == 1


def test_options_are_changed_and_refused(proxy: LiveProxy) -> None:
    proxy.configure(body_size_limit="1k")
    with pytest.raises(OptionsError, match="body_size_limit"):
        proxy.configure(body_size_limit="lots")
    with pytest.raises(OptionsError, match="mode"):
        proxy.configure(mode=["sideways"])


# The log


def test_flows_are_there_when_the_client_has_its_answer(
    proxy: LiveProxy, flow_log: FlowLog, proxy_client: ProxyClient
) -> None:
    proxy.route("GET").reply(404)
    proxy.route("POST").reply(201)
    proxy_client.get(URL)
    proxy_client.post(URL, content="x")
    flows = [flow for flow in flow_log if isinstance(flow, HTTPFlow) and flow.response]
    assert [flow.response and flow.response.status_code for flow in flows] == [404, 201]
    assert flow_log.wait_for("~c 201") is flow_log[1]
    assert flow_log.matching("~m GET") == flow_log[:1]
    assert repr(flow_log) == (
        "<FlowLog: 2 flows seen\n  GET https://api.example/ -> 404 Not Found\n"
        "  POST https://api.example/ -> 201 Created>"
    )


def test_waiting_for_flows(proxy: LiveProxy, flow_log: FlowLog, proxy_client: ProxyClient) -> None:
    gate = threading.Event()
    proxy.route(handler=lambda flow: 200 if gate.wait(5) else 500)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(proxy_client.get, URL)
        assert flow_log.wait_for(lambda flow: isinstance(flow, HTTPFlow)) is flow_log[0]
        with pytest.raises(TimeoutError, match=r"no flow in 0\.01 s for which ~c 200 holds; 1 flow seen\n"):
            flow_log.wait_for("~c 200", 0.01)
        gate.set()
        flow_log.wait_for("~c 200")
        assert asked.result().status_code == 200


async def test_waiting_for_flows_in_async_tests(
    proxy: LiveProxy, flow_log: FlowLog, async_proxy_client: AsyncProxyClient
) -> None:
    proxy.route().reply()
    waiting = asyncio.create_task(flow_log.wait_for_async("~c 200", count=2))
    await async_proxy_client.get(URL)
    await async_proxy_client.get(f"{URL}2")
    assert await waiting is flow_log[1]
    with pytest.raises(TimeoutError, match=r"fewer than 3 flows in 0.01 s"):
        await flow_log.wait_for_async("~c 200", 0.01, count=3)


def test_a_client_that_does_not_trust_the_authority_is_noted(proxy: LiveProxy, flow_log: FlowLog) -> None:
    stranger = ProxyClient(proxy.proxy.address, ssl.create_default_context())
    with pytest.raises(ssl.SSLCertVerificationError):
        stranger.get(URL)
    with pytest.raises(TimeoutError, match=r"0 flows seen\n  TLS with a client for api.example failed: "):
        flow_log.wait_for(lambda flow: bool(flow_log.notes), 0.2)


@pytest.mark.parametrize("url", ["ftp://x/", "api.example", "https://"])
def test_urls_that_the_client_cannot_ask_for(proxy_client: ProxyClient, url: str) -> None:
    with pytest.raises(ValueError, match="is not a URL of http or https with a host"):
        proxy_client.get(url)


_TWENTY = """
import os, sys
from proxyfw.testing import LiveProxy
from proxyfw.testkit.background import Background

def child(number):
    gate.read(1)  # all begin at the same time
    with Background() as background:
        live = LiveProxy(background, {"confdir": f"{sys.argv[1]}/{number}"})
        live.route("GET", "https://api.example/*").reply(text=str(number))
        answers = [live.client().get(f"https://api.example/{n}").text for n in range(3)]
        live.stop()
    return 0 if answers == [str(number)] * 3 and len(live.flows) == 3 else 1

receiving, sending = os.pipe()
gate = os.fdopen(receiving, "rb", 0)
for number in range(20):
    if not os.fork():
        os._exit(child(number))
os.write(sending, b"." * 20)
print([os.wait()[1] for _ in range(20)])
"""


def test_twenty_processes_at_a_time(tmp_path: Path) -> None:
    """Features 94."""
    done = subprocess.run(
        [sys.executable, "-c", _TWENTY, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.stdout == f"{[0] * 20}\n", done.stderr
