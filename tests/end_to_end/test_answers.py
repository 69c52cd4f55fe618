"""What curl and httpx see of rules that answer, over HTTP and HTTPS; the hosts they ask for do not exist."""

from __future__ import annotations

import asyncio
import shutil
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from proxyfw.proxy import Proxy

RULES: list[dict[str, Any]] = [
    {
        "match": {"path": "/mock"},
        "action": {"type": "mock", "json": {"a": 1}, "headers": {"X-A": ["1", "2"]}},
    },
    {"match": {"path": "/late"}, "action": {"type": "mock", "body": "late", "delay": "10ms"}},
    {"match": {"path": "/blocked"}, "action": "block"},
    {"match": {"path": "/old/*"}, "action": {"type": "redirect", "to": "/$1"}},
    *(
        {"match": {"path": f"/{how}"}, "action": {"type": "block", "how": how}}
        for how in ("close", "reset", "drop")
    ),
]

pytestmark = pytest.mark.end_to_end


@pytest.fixture
async def proxy(tmp_path: Path) -> AsyncIterator[Proxy]:
    addons = ("block", "block_hosts", "cors", "mock", "redirect", "rules")
    options = {"block_hosts": ["*.ads.test"], "rules": RULES, "cors": ["*"]}
    async with Proxy(
        options, default_addons=addons, listen_port=0, confdir=str(tmp_path), shutdown_timeout=0.05
    ) as running:
        yield running


async def curl(proxy: Proxy, *arguments: str) -> tuple[int, str]:
    """Its exit code, and what it prints."""
    command = [
        "curl", "-sS", "-i", "-m", "20", "--noproxy", "", "-x", proxy.url,
        "--cacert", str(proxy.ca_cert_path), *arguments,
    ]  # fmt: skip
    program = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    out, _ = await program.communicate()
    return program.returncode or 0, out.decode().lower()


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_curl(proxy: Proxy, scheme: str) -> None:
    """features 20 and 21."""
    site = f"{scheme}://api.test"
    code, seen = await curl(proxy, f"{site}/mock")
    assert code == 0
    assert "x-a: 1\r\nx-a: 2\r\n" in seen
    assert seen.endswith('\r\n\r\n{"a": 1}')
    code, seen = await curl(proxy, "-I", f"{site}/mock")
    assert code == 0
    assert "content-length: 8\r\n" in seen
    code, seen = await curl(proxy, "-L", f"{site}/old/late")
    assert code == 0
    assert seen.endswith("\r\n\r\nlate")
    codes = {how: await curl(proxy, "--http1.1", f"{site}/{how}") for how in ("close", "reset")}
    assert codes["close"][0] == 52
    assert codes["reset"][0] in (35, 56)
    assert (await curl(proxy, "-m", "0.3", f"{site}/drop"))[0] == 28
    code, seen = await curl(proxy, f"{scheme}://x.ads.test/")
    assert code == 0
    assert "x-proxyfw-matched-blocked-host: *.ads.test\r\n" in seen
    preflight = ("-X", "OPTIONS", "-H", "Origin: https://a.test", "-H", "Access-Control-Request-Method: PUT")
    code, seen = await curl(proxy, *preflight, f"{site}/anything")
    assert code == 0
    assert "access-control-allow-origin: https://a.test\r\n" in seen


@pytest.mark.parametrize("http2", [False, True])
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_httpx(proxy: Proxy, scheme: str, http2: bool) -> None:
    """features 20 and 21."""
    site = f"{scheme}://api.test"
    trust = ssl.create_default_context(cafile=str(proxy.ca_cert_path))
    async with httpx.AsyncClient(proxy=proxy.url, verify=trust, trust_env=False, http2=http2) as client:
        answer = await client.get(f"{site}/mock", headers={"Origin": "https://a.test"})
        assert answer.json() == {"a": 1}
        assert answer.http_version == ("HTTP/2" if http2 and scheme == "https" else "HTTP/1.1")
        assert answer.headers["access-control-allow-origin"] == "https://a.test"
        assert (await client.head(f"{site}/mock")).headers["content-length"] == "8"
        blocked = await client.post(f"{site}/blocked", content=b"x" * 100_000)
        assert blocked.status_code == 403
        assert (await client.get(f"{site}/old/late", follow_redirects=True)).text == "late"
        for how in ("close", "reset"):
            with pytest.raises(httpx.TransportError):
                await client.get(f"{site}/{how}")
        assert (await client.get(f"{site}/late")).text == "late"
        with pytest.raises(httpx.ReadTimeout):
            await client.get(f"{site}/drop", timeout=httpx.Timeout(5, read=0.2))
