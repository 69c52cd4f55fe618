"""Every way in and every way on, with curl and real TLS."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
from typing import Any

import pytest
from ends import PATIENCE, Conversation, Field, Names, Origin, Recorder, answer

from proxyfw.connection import ServerSpec
from proxyfw.hookspecs import Socks5AuthData
from proxyfw.http import HTTPFlow
from proxyfw.net.wire import Address
from proxyfw.proxy import Proxy

pytestmark = pytest.mark.end_to_end

needs_curl = pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")


async def curl(*arguments: str) -> str:
    """What curl prints; its complaint if it fails."""
    process = await asyncio.create_subprocess_exec(
        "curl", "-sS", "-q", "--noproxy", "", *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    async with asyncio.timeout(PATIENCE):
        out, _ = await process.communicate()
    return out.decode()


def port_of(proxy: Proxy) -> int:
    return proxy.address[1]


async def direct(
    field: Field, proxy: Proxy, name: str, context: ssl.SSLContext | None = None
) -> Conversation:
    """A client that takes the proxy for a server, with TLS to *name* if it is to trust *context*."""
    talk = await field.dial(proxy)
    if context:
        await talk.start_tls(context, name)
    return talk


async def greeting(talk: Conversation) -> None:
    await talk.send(b"220 hi\r\n")
    await talk.send((await talk.exactly(4)).upper())


# SOCKS 5


@needs_curl
@pytest.mark.parametrize("way", ["--socks5", "--socks5-hostname"])
async def test_curl_through_socks5(field: Field, way: str) -> None:
    """5.2.50: HTTP and HTTPS, name and address."""
    recorder = Recorder()
    proxy = await field.proxy(recorder, mode=["socks5"])
    secure, plain = await field.origin(), await field.plain_origin()
    host = "127.0.0.1" if way == "--socks5" else "example.test"
    ca = ("--cacert", str(proxy.ca_cert_path))
    at = f"127.0.0.1:{port_of(proxy)}"
    assert await curl(way, at, f"http://{host}:{plain.port}/p") == "GET /p HTTP/1.1"
    assert await curl(way, at, *ca, f"https://{host}:{secure.port}/s") == "GET /s HTTP/1.1"
    flows = [flow for flow in recorder.of("response") if isinstance(flow, HTTPFlow)]
    assert [(flow.request.scheme, flow.request.host) for flow in flows] == [("http", host), ("https", host)]


@needs_curl
async def test_curl_logs_in_over_socks5(field: Field) -> None:
    """5.2.50."""

    class Guard:
        def socks5_auth(self, data: Socks5AuthData) -> None:
            data.valid = (data.username, data.password) == ("user", "secret")

    proxy = await field.proxy(Guard(), mode=["socks5"])
    plain = await field.plain_origin()
    url = f"http://example.test:{plain.port}/"
    at = f"127.0.0.1:{port_of(proxy)}"
    assert await curl("--proxy", f"socks5h://user:secret@{at}", url) == "GET / HTTP/1.1"
    assert "User was rejected" in await curl("--proxy", f"socks5h://user:wrong@{at}", url)
    assert "curl: (97)" in await curl("--proxy", f"socks5h://{at}", url)


# A proxy that is spoken to in TLS


@needs_curl
async def test_curl_speaks_tls_to_the_proxy(field: Field) -> None:
    """5.3.69: HTTP inside TLS, and TLS inside TLS."""
    proxy = await field.proxy()
    secure, plain = await field.origin(), await field.plain_origin()
    ca = str(proxy.ca_cert_path)
    way = ("--proxy", f"https://127.0.0.1:{port_of(proxy)}", "--proxy-cacert", ca, "--cacert", ca)
    assert await curl(*way, f"http://example.test:{plain.port}/p") == "GET /p HTTP/1.1"
    assert await curl(*way, f"https://example.test:{secure.port}/s") == "GET /s HTTP/1.1"
    assert "SSL certificate problem" in await curl(*way[:2], f"http://example.test:{plain.port}/")


async def test_the_proxys_own_certificate(field: Field) -> None:
    """5.3.62: for the SNI, or for the local address if there is none."""
    proxy = await field.proxy()
    context = field.trust(proxy)
    for name in ("proxy.test", "127.0.0.1"):
        talk = await direct(field, proxy, name, context)
        origin = await field.plain_origin()
        await talk.send(b"GET http://example.test:%d/ HTTP/1.1\r\nHost: example.test\r\n\r\n" % origin.port)
        assert (await talk.message()).endswith(b"GET / HTTP/1.1")


@pytest.mark.parametrize("http2", [True, False])
async def test_what_is_spoken_to_the_proxy_in_tls(field: Field, http2: bool) -> None:
    """5.3.64: both versions, for CONNECT comes in both."""
    proxy = await field.proxy(http2=http2)
    context = field.trust(proxy)
    context.set_alpn_protocols(["h2", "http/1.1"])
    talk = await direct(field, proxy, "proxy.test", context)
    assert talk.ssl_object.selected_alpn_protocol() == ("h2" if http2 else "http/1.1")


# Through another proxy


async def chain(field: Field, to: str, **options: Any) -> tuple[Proxy, Recorder]:
    """A proxy that goes on through another one, at *to* and with *options*; and what that one sees."""
    far = Recorder()
    options = {"confdir": str(field.directory / "far"), **options}
    second = await field.proxy(far, **options)
    bundle = field.ca_file.read_bytes() + second.ca_cert_path.read_bytes()
    first = await field.proxy(
        mode=[to.replace("PORT", str(port_of(second)))], ssl_verify_upstream_trusted_ca=field.file(bundle)
    )
    return first, far


@needs_curl
@pytest.mark.parametrize(
    ("mode", "options"),
    [
        ("upstream:http://127.0.0.1:PORT", {}),
        ("upstream:https://127.0.0.1:PORT", {}),
        ("upstream:socks5://127.0.0.1:PORT", {"mode": ["socks5"]}),
        ("upstream:socks5h://127.0.0.1:PORT", {"mode": ["socks5"]}),
    ],
)
async def test_curl_through_two_proxies(field: Field, mode: str, options: dict[str, Any]) -> None:
    """5.2.47 and 5.2.49: the second intercepts as well, so it sees what the first asks for."""
    first, far = await chain(field, mode, **options)
    secure, plain = await field.origin(), await field.plain_origin()
    way = ("--proxy", f"http://127.0.0.1:{port_of(first)}", "--cacert", str(first.ca_cert_path))
    assert await curl(*way, f"http://example.test:{plain.port}/p") == "GET /p HTTP/1.1"
    assert await curl(*way, f"https://example.test:{secure.port}/s") == "GET /s HTTP/1.1"
    urls = [flow.request.pretty_url for flow in far.of("response")]
    assert urls == [f"http://example.test:{plain.port}/p", f"https://example.test:{secure.port}/s"]
    connects = [flow.request.host for flow in far.of("http_connect")]
    assert connects == ([] if "socks" in mode else ["example.test"])


@needs_curl
async def test_a_socks5_upstream_with_credentials_remote_names_and_a_bypass(field: Field) -> None:
    """features 52: both schemes; the names are resolved there, what is bypassed is dialled from here."""

    class Guard:
        def socks5_auth(self, data: Socks5AuthData) -> None:
            data.valid = (data.username, data.password) == ("user", "secret")

    far = Recorder()
    second = await field.proxy(far, Guard(), mode=["socks5"], confdir=str(field.directory / "far"))
    bundle = field.ca_file.read_bytes() + second.ca_cert_path.read_bytes()
    secure, plain = await field.origin(), await field.plain_origin()
    field.network = asked = Resolved()
    first = await field.proxy(
        mode=[f"upstream:socks5h://user:secret@127.0.0.1:{port_of(second)}"],
        upstream_bypass=["direct.test"],
        ssl_verify_upstream_trusted_ca=field.file(bundle),
    )
    way = ("--proxy", first.url, "--cacert", str(first.ca_cert_path))
    assert await curl(*way, f"http://example.test:{plain.port}/p") == "GET /p HTTP/1.1"
    assert await curl(*way, f"https://example.test:{secure.port}/s") == "GET /s HTTP/1.1"
    assert await curl(*way, f"http://direct.test:{plain.port}/d") == "GET /d HTTP/1.1"
    flows = [flow for flow in far.of("response") if isinstance(flow, HTTPFlow)]
    assert [flow.request.host for flow in flows] == ["example.test", "example.test"]
    assert [name for name in asked.names if name.endswith(".test")] == ["direct.test"]


class Resolved(Names):
    """Keeps the names that were asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    async def resolve(self, host: str, port: int) -> list[Address]:
        self.names.append(host)
        return await super().resolve(host, port)


@needs_curl
async def test_connect_to_an_ipv6_literal(field: Field) -> None:
    """features 49: the certificate is for the address, and a port is not taken for a part of it."""
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    try:
        origin = await field.origin(context=field.server_context(None, "::1"), host="::1")
    except OSError:
        pytest.skip("::1 cannot be listened on here")
    recorder = Recorder()
    proxy = await field.proxy(recorder)
    way = ("--proxy", proxy.url, "--cacert", str(proxy.ca_cert_path))
    assert await curl(*way, f"https://[::1]:{origin.port}/six") == "GET /six HTTP/1.1"
    [connect] = recorder.of("http_connect")
    assert (connect.request.host, connect.request.port) == ("::1", origin.port)


async def test_an_upstream_proxy_with_a_bad_certificate_is_refused(field: Field) -> None:
    """TLS to the upstream proxy is verified."""
    second = await field.proxy(confdir=str(field.directory / "far"))
    first = await field.proxy(mode=[f"upstream:https://127.0.0.1:{port_of(second)}"])
    talk = await field.dial(first)
    await talk.send(b"GET http://example.test/ HTTP/1.1\r\nHost: example.test\r\n\r\n")
    response = await talk.message()
    assert response.startswith(b"HTTP/1.1 502 ")
    assert b"upstream proxy https://127.0.0.1:%d failed: TLS with" % port_of(second) in response
    assert b"certificate" in response


async def test_two_requests_in_one_tunnel_by_different_upstreams(field: Field) -> None:
    """5.2.48: over HTTPS."""

    class Choose:
        def request(self, flow: HTTPFlow) -> None:
            if flow.request.path == "/far":
                flow.server_conn.via = ServerSpec("http", ("127.0.0.1", port_of(second)))

    far = Recorder()
    second = await field.proxy(far, confdir=str(field.directory / "far"), ignore_hosts=["."])
    first = await field.proxy(Choose())
    origin = await field.origin()
    talk = await field.secure(first, origin.port)
    for path in ("/near", "/far", "/near", "/far"):
        assert (await talk.get(path)).endswith(b"GET %b HTTP/1.1" % path.encode())
    assert origin.connections == 2
    assert far.names.count("http_connect") == 1


# Reverse


def names_asked(context: ssl.SSLContext) -> list[str | None]:
    """The SNI of every client of a server with *context*, from now on."""
    asked: list[str | None] = []
    context.sni_callback = lambda _, name, __: asked.append(name)
    return asked


@pytest.mark.parametrize("client_tls", [False, True])
@pytest.mark.parametrize("target_tls", [False, True])
async def test_reverse_whatever_both_sides_speak(field: Field, client_tls: bool, target_tls: bool) -> None:
    """5.2.51 and 5.2.52: the client's TLS is detected; Host and SNI follow the target."""
    context = field.server_context()
    asked = names_asked(context)
    origin = await field.origin(context=context) if target_tls else await field.plain_origin()
    scheme = "https" if target_tls else "http"
    proxy = await field.proxy(mode=[f"reverse:{scheme}://example.test:{origin.port}"])
    talk = await direct(field, proxy, "front.test", field.trust(proxy) if client_tls else None)
    assert (await talk.get("/x", "front.test")).endswith(b"GET /x HTTP/1.1")
    assert b"\r\nHost: example.test:%d\r\n" % origin.port in origin.requests[0]
    assert asked == (["example.test"] if target_tls else [])


@pytest.mark.parametrize("client_tls", [False, True])
async def test_reverse_with_host_and_sni_kept(field: Field, client_tls: bool) -> None:
    """5.2.51: and then the server has to show a certificate for that name."""
    context = field.server_context(None, "front.test")
    asked = names_asked(context)
    origin = await field.origin(context=context)
    proxy = await field.proxy(mode=[f"reverse:https://127.0.0.1:{origin.port}"], keep_host_header=True)
    talk = await direct(field, proxy, "front.test", field.trust(proxy) if client_tls else None)
    assert (await talk.get("/x", "front.test:1")).endswith(b"GET /x HTTP/1.1")
    assert b"\r\nHost: front.test:1\r\n" in origin.requests[0]
    assert asked == ["front.test"]


async def test_reverse_to_an_ipv6_literal(field: Field) -> None:
    """5.2.51."""
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    try:
        origin = await field.origin(context=field.server_context(None, "::1"), host="::1")
    except OSError:
        pytest.skip("::1 cannot be listened on here")
    proxy = await field.proxy(mode=[f"reverse:https://[::1]:{origin.port}"])
    talk = await direct(field, proxy, "x")
    assert (await talk.get()).endswith(b"GET / HTTP/1.1")
    assert b"\r\nHost: [::1]:%d\r\n" % origin.port in origin.requests[0]


async def test_reverse_of_a_host_that_is_passed_through(field: Field) -> None:
    """5.3.66: the client sees the server's own certificate."""
    origin = await field.origin()
    proxy = await field.proxy(mode=[f"reverse:https://example.test:{origin.port}"], ignore_hosts=["example"])
    talk = await direct(field, proxy, "example.test", field.distrust())
    assert (await talk.get()).endswith(b"GET / HTTP/1.1")


@pytest.mark.parametrize("client_tls", [False, True])
async def test_reverse_tls_carries_bytes(field: Field, client_tls: bool) -> None:
    """5.2.44: the server speaks first, inside TLS."""
    origin = await field.origin(greeting)
    proxy = await field.proxy(mode=[f"reverse:tls://example.test:{origin.port}"], sniff_timeout=0.05)
    talk = await direct(field, proxy, "example.test", field.trust(proxy) if client_tls else None)
    assert await talk.exactly(8) == b"220 hi\r\n"
    await talk.send(b"quit")
    assert await talk.exactly(4) == b"QUIT"


async def test_reverse_tcp_leaves_tls_alone(field: Field) -> None:
    origin = await field.origin()
    proxy = await field.proxy(mode=[f"reverse:tcp://127.0.0.1:{origin.port}"])
    talk = await direct(field, proxy, "example.test", field.distrust())
    assert (await talk.get()).endswith(b"GET / HTTP/1.1")


# While it runs


async def test_modes_change_on_real_sockets(field: Field) -> None:
    """5.2.54: what stays is not touched, what is new listens, what is gone does not."""
    origin: Origin = await field.plain_origin(held := _Held())
    proxy = await field.proxy()
    talk = await field.dial(proxy)
    await talk.send(b"GET http://example.test:%d/ HTTP/1.1\r\nHost: x\r\n\r\n" % origin.port)
    await held.asked.wait()
    old = port_of(proxy)
    proxy.options.mode = ["socks5", "regular"]
    await proxy.settled()
    assert len(proxy.addresses) == 2
    assert old in [port for _, port in proxy.addresses]
    held.go.set()
    assert (await talk.message()).endswith(b"late")
    proxy.options.server = False
    await proxy.settled()
    with pytest.raises(OSError, match=r"refused|Connect call failed"):
        await asyncio.open_connection("127.0.0.1", old)


class _Held:
    def __init__(self) -> None:
        self.asked, self.go = asyncio.Event(), asyncio.Event()

    async def __call__(self, talk: Conversation) -> None:
        await talk.message()
        self.asked.set()
        await self.go.wait()
        await talk.send(answer(b"late"))
