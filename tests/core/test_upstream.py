"""Through another proxy: HTTP and SOCKS 5, chosen by the mode or by an addon for one flow."""

from __future__ import annotations

from typing import Any

import pytest

from proxyfw.connection import ServerConnectionHookData, ServerSpec
from proxyfw.core.bypass import Bypass
from proxyfw.exceptions import OptionsError
from proxyfw.flow import Flow
from proxyfw.http import HTTPFlow
from proxyfw.testing import End, world

GET = b"GET http://example.com/a HTTP/1.1\r\nHost: example.com\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
CONNECT = b"CONNECT db.example:5432 HTTP/1.1\r\nHost: db.example:5432\r\n\r\n"
ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
WANTED = (
    b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n"
)
MODE = "upstream:http://proxy.example:3128"
BASIC = b"Proxy-Authorization: Basic dTpwdw==\r\n"
"""u:pw"""


async def tunnel(client: End) -> None:
    client.write(CONNECT)
    assert await client.head() == ESTABLISHED
    client.write(b"\x00raw")


async def test_plain_requests_go_in_absolute_form_over_one_connection() -> None:
    """5.2.47: credentials go to the proxy only, and the client's own are for us."""
    async with world(mode=["upstream:http://u:pw@proxy.example:3128"]) as w:
        proxy, client = w.origin("proxy.example", 3128), w.client()
        client.write(GET.replace(b"\r\n\r\n", b"\r\nProxy-Authorization: Basic mine\r\n\r\n"))
        upstream = await proxy.accept()
        for _ in range(2):
            assert await upstream.head() == GET[:-2] + BASIC + b"\r\n"
            upstream.write(OK)
            assert await client.message() == OK
            client.write(GET)
        assert len(w.network.dialled) == 1
        (flow, *_) = await w.ended()
        assert isinstance(flow, HTTPFlow)
        assert flow.server_conn.via == ("http", ("proxy.example", 3128))
        assert flow.server_conn.address == ("example.com", 80)
        assert flow.client_conn.proxy_mode == "upstream:http://u@proxy.example:3128"


async def test_other_ports_are_named() -> None:
    async with world(mode=[MODE]) as w:
        proxy, client = w.origin("proxy.example", 3128), w.client()
        client.write(GET.replace(b"example.com", b"example.com:8080"))
        head = await (await proxy.accept()).head()
        assert head.startswith(b"GET http://example.com:8080/a HTTP/1.1\r\n")


async def test_a_tunnel_is_asked_for_with_connect() -> None:
    """5.2.47: an addon may add credentials in http_connect_upstream."""

    class Addon:
        def http_connect_upstream(self, flow: HTTPFlow) -> None:
            assert flow.request.method == "CONNECT"
            assert (flow.request.host, flow.request.port) == ("db.example", 5432)
            flow.request.headers["Proxy-Authorization"] = "Bearer token"

    async with world(mode=[MODE], addons=[Addon()]) as w:
        proxy, client = w.origin("proxy.example", 3128), w.client()
        await tunnel(client)
        upstream = await proxy.accept()
        assert await upstream.head() == CONNECT[:-2] + b"Proxy-Authorization: Bearer token\r\n\r\n"
        upstream.write(b"HTTP/1.0 200 OK\r\nVia: x\r\n\r\nwelcome")
        assert await upstream.exactly(4) == b"\x00raw"
        assert await client.exactly(7) == b"welcome"


async def test_requests_inside_a_tunnel_and_upgrades_are_tunnelled_upstream() -> None:
    async with world(mode=[MODE]) as w:
        proxy, client = w.origin("proxy.example", 3128), w.client()
        client.write(
            b"GET http://example.com/ws HTTP/1.1\r\nHost: example.com\r\n"
            b"Upgrade: foo\r\nConnection: Upgrade\r\n\r\n"
        )
        upstream = await proxy.accept()
        assert (await upstream.head()).startswith(
            b"CONNECT example.com:80 HTTP/1.1\r\nHost: example.com:80\r\n"
        )
        upstream.write(ESTABLISHED)
        assert (await upstream.head()).startswith(b"GET /ws HTTP/1.1\r\n")


@pytest.mark.parametrize("option", [False, True])
async def test_407_from_upstream_is_a_502_that_names_it(option: bool) -> None:
    """5.2.47: not looped, and not passed on as if we asked the client."""
    more = {"upstream_auth": "u:pw"} if option else {}
    async with world(mode=[MODE], **more) as w:
        proxy, client = w.origin("proxy.example", 3128), w.client()
        client.write(GET)
        upstream = await proxy.accept()
        assert (BASIC in await upstream.head()) is option
        upstream.write(WANTED)
        answer = await client.message()
        assert answer.startswith(b"HTTP/1.1 502 ")
        assert b"http://proxy.example:3128 wants to know who we are (407" in answer
        assert len(proxy.connections) == 1


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (WANTED, "wants to know who we are (407"),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", "gives no tunnel to db.example:5432: 503 Busy"),
        (b"\x00\x00\r\n\r\n", "http://proxy.example:3128 failed"),
        (b"", "http://proxy.example:3128 failed"),
    ],
)
async def test_no_tunnel_from_upstream_is_a_502_that_says_why(said: bytes, reason: str) -> None:
    async with world(mode=[MODE], connection_strategy="eager") as w:
        proxy, client = w.origin("proxy.example", 3128), w.client()
        client.write(CONNECT)
        upstream = await proxy.accept()
        await upstream.head()
        upstream.write(said)
        upstream.close()
        answer = await client.message()
        assert answer.startswith(b"HTTP/1.1 502 ")
        assert reason in answer.decode()


async def test_an_upstream_that_is_not_there_or_is_ourselves() -> None:
    async with world(mode=["upstream:http://localhost:8080"]) as w:
        client = w.client()
        client.write(GET)
        answer = await client.message()
        assert answer.startswith(b"HTTP/1.1 502 ")
        assert b"localhost:8080 is this proxy itself" in answer
    async with world(mode=[MODE]) as w:
        client = w.client()
        client.write(GET)
        assert b"Connection refused" in await client.message()


class Choose:
    """Upstream by path; None is direct."""

    def __init__(self, hook: str, **by_path: ServerSpec | None) -> None:
        setattr(self, hook, self.choose)
        self.by_path = by_path

    def choose(self, flow: HTTPFlow) -> None:
        flow.server_conn.via = self.by_path[flow.request.path[1:]]


@pytest.mark.parametrize("hook", ["requestheaders", "request"])
async def test_two_flows_on_one_connection_use_different_upstreams(hook: str) -> None:
    """5.2.48."""
    spec = ServerSpec("http", ("one.example", 3128))
    other = ServerSpec("http", ("two.example", 3128), credentials="u:pw")
    async with world(addons=[Choose(hook, a=spec, b=other, c=None)]) as w:
        one, two, direct = w.origin("one.example", 3128), w.origin("two.example", 3128), w.origin()
        client = w.client()
        for _ in range(2):  # and kept connections are not mixed up
            for path, origin in ((b"a", one), (b"b", two), (b"c", direct)):
                client.write(GET.replace(b"/a", b"/" + path))
                server = origin.connections[0] if origin.connections else await origin.accept()
                head = await server.head()
                assert head.startswith(b"GET http://" if path != b"c" else b"GET /c ")
                assert (BASIC in head) is (path == b"b")
                server.write(OK)
                assert await client.message() == OK
        assert len(w.network.dialled) == 3


async def test_server_connect_may_choose_the_upstream_too() -> None:
    class Addon:
        def server_connect(self, data: ServerConnectionHookData) -> None:
            data.server.via = ServerSpec(("http", ("one.example", 3128)))

    async with world(addons=[Addon()]) as w:
        proxy, client = w.origin("one.example", 3128), w.client()
        client.write(GET)
        assert await (await proxy.accept()).head() == GET


async def test_an_addons_choice_outlives_a_change_of_host_and_the_modes_does_not() -> None:
    """The mode's proxy is asked anew for the new host, which may be exempt."""

    class Addon:
        via: Any = None

        def request(self, flow: HTTPFlow) -> None:
            flow.request.host = "internal.example"
            flow.server_conn.via = self.via or flow.server_conn.via

    addon = Addon()
    async with world(mode=[MODE], upstream_bypass=["internal.example"], addons=[addon]) as w:
        direct, chosen, client = w.origin("internal.example"), w.origin("two.example", 3128), w.client()
        client.write(GET)
        assert (await (await direct.accept()).head()).startswith(b"GET /a ")
        addon.via = ServerSpec("http", ("two.example", 3128))
        other = w.client()
        other.write(GET)
        assert (await (await chosen.accept()).head()).startswith(b"GET http://internal.example/a ")


async def test_hosts_that_bypass_the_upstream() -> None:
    async with world(mode=[MODE], upstream_bypass=[".example.com", "10.0.0.0/8"]) as w:
        origin, client = w.origin(), w.client()
        client.write(GET)
        assert (await (await origin.accept()).head()).startswith(b"GET /a ")
        (peer,) = w.network.dialled
        assert peer[1] == 80


@pytest.mark.parametrize(
    ("pattern", "covered", "not_covered"),
    [
        ("example.com", ("example.com", "a.EXAMPLE.com", "example.com."), ("anexample.com", "example.org")),
        (".example.com", ("example.com", "a.example.com"), ("anexample.com",)),
        ("*.example.com", ("a.example.com",), ("example.com",)),
        ("*", ("anything", "::1"), ()),
        ("10.0.0.0/8", ("10.1.2.3",), ("11.0.0.1", "10.example")),
        ("::1", ("::1",), ("::2",)),
        ("[fd00::]/8", (), ()),
        ("localhost:81", ("localhost:81",), ("localhost",)),
    ],
)
def test_bypass_patterns(pattern: str, covered: tuple[str, ...], not_covered: tuple[str, ...]) -> None:
    if pattern.startswith("["):
        with pytest.raises(OptionsError, match="upstream_bypass: '\\[fd00::]/8' is none of"):
            Bypass([pattern])
        return
    bypass = Bypass([pattern])
    for host in covered:
        name, _, port = host.partition(":") if host.count(":") == 1 else (host, "", "")
        assert bypass.covers((name, int(port or 80))), host
    for host in not_covered:
        assert not bypass.covers((host, 80)), host


async def test_wrong_options_are_refused() -> None:
    async with world() as w:
        with pytest.raises(OptionsError, match="user:password"):
            w.proxy.options.upstream_auth = "token"
        with pytest.raises(OptionsError, match="upstream_bypass"):
            w.proxy.options.upstream_bypass = ["a:b:c"]


# SOCKS 5


async def test_socks5h_leaves_names_to_the_proxy() -> None:
    """5.2.49: remote DNS; plain requests stay in origin form."""
    async with world(mode=["upstream:socks5h://proxy.example"]) as w:
        w.network.unknown.add("example.com")
        proxy, client = w.origin("proxy.example", 1080), w.client()
        client.write(GET)
        upstream = await proxy.accept()
        assert await upstream.exactly(3) == b"\x05\x01\x00"
        upstream.write(b"\x05\x00")
        assert await upstream.exactly(18) == b"\x05\x01\x00\x03\x0bexample.com\x00\x50"
        upstream.write(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
        assert (await upstream.head()).startswith(b"GET /a HTTP/1.1\r\n")
        upstream.write(OK)
        assert await client.message() == OK


async def test_socks5_resolves_here_and_logs_in() -> None:
    """5.2.49."""
    async with world(mode=["upstream:socks5://u:pw@proxy.example:1081"]) as w:
        w.network.hosts["db.example"] = ["192.0.2.77"]
        proxy, client = w.origin("proxy.example", 1081), w.client()
        await tunnel(client)
        upstream = await proxy.accept()
        assert await upstream.exactly(4) == b"\x05\x02\x00\x02"
        upstream.write(b"\x05\x02")
        assert await upstream.exactly(6) == b"\x01\x01u\x02pw"
        upstream.write(b"\x01\x00")
        assert await upstream.exactly(10) == b"\x05\x01\x00\x01\xc0\x00\x02\x4d\x15\x38"
        upstream.write(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00welcome")
        assert await client.exactly(7) == b"welcome"
        assert await upstream.exactly(4) == b"\x00raw"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"\x05\xff", "wants user name and password"),
        (b"\x05\x00\x05\x05\x00\x01\x00\x00\x00\x00\x00\x00", "connection refused"),
        (b"HTTP/1.1 400 Bad\r\n\r\n", "does not speak SOCKS 5"),
        (b"\x05", "closed the connection"),
    ],
)
async def test_a_socks_proxy_that_refuses_is_quoted(said: bytes, reason: str) -> None:
    async with world(mode=["upstream:socks5h://proxy.example"]) as w:
        proxy, client = w.origin("proxy.example", 1080), w.client()
        client.write(GET)
        upstream = await proxy.accept()
        upstream.write(said)
        if reason.startswith("closed"):
            upstream.close()
        answer = (await client.message()).decode()
        assert answer.startswith("HTTP/1.1 502 ")
        assert "socks5h://proxy.example:1080" in answer
        assert reason in answer


async def test_an_unknown_kind_of_upstream_is_named() -> None:
    async with world(addons=[Choose("request", a=ServerSpec("socks4", ("proxy.example", 1080)))]) as w:
        w.origin("proxy.example", 1080)
        client = w.client()
        client.write(GET)
        assert b"socks4" in await client.message()


def test_a_spec_is_a_pair() -> None:
    spec = ServerSpec("http", ("proxy", 1), "u:pw")
    scheme, address = spec
    assert spec == ("http", ("proxy", 1)) == (scheme, address) == (spec.scheme, spec.address)
    assert ServerSpec(("http", ("proxy", 1))) == spec
    assert "pw" not in repr(spec)
    with pytest.raises(TypeError):
        ServerSpec("http")


async def test_flows_end_once() -> None:
    """The flow of http_connect_upstream is for that hook alone."""
    ended: list[Flow] = []

    class Addon:
        def http_connect_upstream(self, flow: HTTPFlow) -> None:
            self.flow = flow

        def flow_end(self, flow: Flow) -> None:
            ended.append(flow)

    async with world(mode=[MODE], addons=[addon := Addon()]) as w:
        proxy, client = w.origin("proxy.example", 3128), w.client()
        await tunnel(client)
        upstream = await proxy.accept()
        await upstream.head()
        upstream.write(ESTABLISHED)
        await upstream.exactly(4)
        client.close()
        await upstream.rest()
        upstream.close()
        await w.ended(2)
        assert addon.flow not in ended


async def test_http2_in_clear_is_for_the_origin_and_so_it_is_tunnelled() -> None:
    class Addon:
        def request(self, flow: HTTPFlow) -> None:
            flow.request.http_version = "HTTP/2.0"
            flow.request.headers["Content-Type"] = "application/grpc"

    async with world(mode=[MODE], addons=[Addon()]) as w:
        proxy, client = w.origin("proxy.example", 3128), w.client()
        client.write(GET)
        upstream = await proxy.accept()
        assert (await upstream.head()).startswith(b"CONNECT example.com:80 HTTP/1.1\r\n")
