"""The Autobahn test suite through the proxy, both ways, where its ``wstest`` is installed (Python 2.7 only).

virtualenv -p python2.7 autobahn && autobahn/bin/pip install autobahntestsuite
PATH=$PATH:autobahn/bin pytest tests/end_to_end/test_autobahn.py
"""

from __future__ import annotations

import asyncio
import json
import shutil
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from ends import Field
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import WebSocketException

from proxyfw.http import HTTPFlow

WSTEST = shutil.which("wstest")
CASES = {"cases": ["*"], "exclude-cases": ["9.*", "12.*", "13.*"], "exclude-agent-cases": {}}
"""All but those about speed and endurance."""
GOOD = {"OK", "INFORMATIONAL", "NON-STRICT"}

pytestmark = [
    pytest.mark.end_to_end,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(WSTEST is None, reason="wstest of autobahntestsuite is not installed"),
]


class Look:
    def websocket_message(self, flow: HTTPFlow) -> None:
        assert flow.websocket
        assert isinstance(flow.websocket.messages[-1].content, bytes)


@asynccontextmanager
async def wstest(directory: Path, mode: str, spec: dict[str, Any]) -> AsyncIterator[Process]:
    (directory / "spec.json").write_text(json.dumps({"outdir": str(directory / "reports"), **spec, **CASES}))
    assert WSTEST
    arguments = ["-m", mode, "-s", "spec.json", "--webport", "0"]
    process = await asyncio.create_subprocess_exec(WSTEST, *arguments, cwd=directory, stdout=DEVNULL)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def check(directory: Path) -> None:
    results = json.loads((directory / "reports" / "index.json").read_text())["proxyfw"]
    assert len(results) > 200
    bad = {
        case: (result["behavior"], result["behaviorClose"])
        for case, result in results.items()
        if result["behavior"] not in GOOD or result["behaviorClose"] not in GOOD
    }
    assert bad == {}


async def test_the_proxy_passes_as_a_server(field: Field, tmp_path: Path) -> None:
    """5.5.88: what a client may do wrong, with an echoing server behind."""

    async def echo(server: ServerConnection) -> None:
        async for message in server:
            await server.send(message)

    async with serve(echo, "127.0.0.1", 0, max_size=None, ping_interval=None) as origin:
        port = next(iter(origin.sockets)).getsockname()[1]
        proxy = await field.proxy(Look(), mode=[f"reverse:http://127.0.0.1:{port}"])
        servers = [{"agent": "proxyfw", "url": proxy.url.replace("http", "ws")}]
        async with wstest(tmp_path, "fuzzingclient", {"servers": servers}) as process:
            assert await process.wait() == 0
    check(tmp_path)


async def test_the_proxy_passes_as_a_client(field: Field, tmp_path: Path, unused_tcp_port: int) -> None:
    """5.5.88: what a server may do wrong, with an echoing client in front."""
    proxy = await field.proxy(Look())
    url = f"ws://127.0.0.1:{unused_tcp_port}"
    async with wstest(tmp_path, "fuzzingserver", {"url": url}):
        cases = json.loads(await asked(f"{url}/getCaseCount", proxy.url))
        for case in range(1, cases + 1):
            try:
                async with connect(
                    f"{url}/runCase?case={case}&agent=proxyfw",
                    proxy=proxy.url, max_size=None, ping_interval=None,
                ) as client:  # fmt: skip
                    async for message in client:
                        await client.send(message)
            except WebSocketException:
                pass  # the server has done what it was to do wrong
        await asked(f"{url}/updateReports?agent=proxyfw", proxy.url)
    check(tmp_path)


async def asked(url: str, proxy: str) -> str:
    """What the server says first; tried until it is there."""
    for _ in range(100):
        try:
            async with connect(url, proxy=proxy) as client:
                async for message in client:
                    return str(message)
                return ""
        except (OSError, WebSocketException):
            await asyncio.sleep(0.1)
    raise AssertionError(f"nobody listens at {url}")
