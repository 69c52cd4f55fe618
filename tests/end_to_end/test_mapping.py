"""Requests that go elsewhere than they say, with curl over HTTP, HTTPS and HTTP/2."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest
from ends import PATIENCE, Field

from proxyfw.http import HTTPFlow
from proxyfw.proxy import Proxy
from proxyfw_addons.dns_map import DnsMapping
from proxyfw_addons.map_local import LocalMapping
from proxyfw_addons.map_remote import RemoteMapping
from proxyfw_addons.upstream import UpstreamRules

pytestmark = [
    pytest.mark.end_to_end,
    pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed"),
]


class Ended:
    """Keeps what was answered."""

    def __init__(self) -> None:
        self.flows: list[HTTPFlow] = []

    def response(self, flow: HTTPFlow) -> None:
        self.flows.append(flow)


async def curl(proxy: Proxy, *arguments: str) -> bytes:
    """What curl prints; its complaint if it fails."""
    process = await asyncio.create_subprocess_exec(
        "curl", "-sS", "-q", "--noproxy", "", "--proxy", proxy.url, "--cacert", str(proxy.ca_cert_path),
        *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    async with asyncio.timeout(PATIENCE):
        out, _ = await process.communicate()
    return out


@pytest.mark.parametrize("url", ["http://example.test", "https://example.test"])
async def test_files_instead_of_answers(field: Field, tmp_path: Path, url: str) -> None:
    """features 22, 23, mitmproxy 5.6.105: `..` as curl sends it if it is told to."""
    site = tmp_path / "site"
    site.mkdir()
    big = bytes(range(256)) * 40_000
    (site / "big.bin").write_bytes(big)
    (tmp_path / "secret").write_text("secret")
    proxy = await field.proxy(LocalMapping(), map_local=[f"|//example.test|{site}"])
    assert await curl(proxy, f"{url}/big.bin?v=1") == big
    assert await curl(proxy, "-r", "1000-5002999", f"{url}/big.bin") == big[1000:5_003_000]
    assert b"content-length: 10240000" in (await curl(proxy, "-I", f"{url}/big.bin")).lower()
    for path in ("/../secret", "/%2e%2e/secret", "/x/../../secret"):
        answer = await curl(proxy, "--path-as-is", "-w", " %{http_code}", url + path)
        assert answer.endswith(b"leads out of the directory\n 404")
    assert field.network.dialled == []


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("target", ["http", "https"])
async def test_another_server_whatever_is_spoken(field: Field, scheme: str, target: str) -> None:
    """features 24: TLS is put on and taken off; HTTP/2 on the client's side where there is TLS."""
    origin = await (field.origin() if target == "https" else field.plain_origin())
    to = f"{target}://example.test:{origin.port}"
    proxy = await field.proxy(RemoteMapping(), map_remote=[f"|^{scheme}://old.test/v(.)|{to}/version/\\1"])
    answer = await curl(proxy, "-w", " %{http_version}", "-d", "body", f"{scheme}://old.test/v2/a?b=1")
    assert answer == b"POST /version/2/a?b=1 HTTP/1.1 " + (b"2" if scheme == "https" else b"1.1")
    (request,) = origin.requests
    assert b"\r\nhost: example.test:%d\r\n" % origin.port in request.lower()
    assert request.endswith(b"\r\n\r\nbody")


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_another_address_for_a_name(field: Field, scheme: str) -> None:
    """features 44: SNI, Host and recorded URL keep the name, and the certificate is checked for it."""
    origin = await (field.origin() if scheme == "https" else field.plain_origin())
    ended = Ended()
    field.network.unknown.add("example.test")
    entry = f"*.test=127.0.0.1:{origin.port}"
    proxy = await field.proxy(DnsMapping(), ended, dns_map=[entry])
    assert await curl(proxy, f"{scheme}://example.test/a") == b"GET /a HTTP/1.1"
    assert b"\r\nhost: example.test\r\n" in origin.requests[0].lower()
    (flow,) = ended.flows
    assert flow.request.pretty_url == f"{scheme}://example.test/a"
    assert flow.server_conn.sni == ("example.test" if scheme == "https" else None)
    assert flow.server_conn.peername == ("127.0.0.1", origin.port)
    proxy.commands.execute("dns.disable *.test")
    assert b"cannot resolve" in await curl(proxy, f"{scheme}://example.test/a")


@pytest.mark.parametrize("kind", ["http", "https", "socks5", "socks5h"])
async def test_another_proxy_for_a_host(field: Field, kind: str) -> None:
    """features 52, traps 10 and 21: http:// and https:// alike; other hosts are reached directly."""
    far = Ended()
    mode = "socks5" if kind.startswith("socks5") else "regular"
    second = await field.proxy(far, mode=[mode], confdir=str(field.directory / "far"))
    bundle = field.file(field.ca_file.read_bytes() + second.ca_cert_path.read_bytes())
    up = f"{kind}://user:s3cret@127.0.0.1:{second.address[1]}"
    entries = [f"*.test={up}", "direct.test=direct"]
    first = await field.proxy(UpstreamRules(), upstream_rules=entries, ssl_verify_upstream_trusted_ca=bundle)
    secure, plain = await field.origin(), await field.plain_origin()
    assert await curl(first, f"http://example.test:{plain.port}/p") == b"GET /p HTTP/1.1"
    assert await curl(first, f"https://example.test:{secure.port}/s") == b"GET /s HTTP/1.1"
    assert [flow.request.scheme for flow in far.flows] == ["http", "https"]
    assert await curl(first, f"http://direct.test:{plain.port}/d") == b"GET /d HTTP/1.1"
    assert len(far.flows) == 2
