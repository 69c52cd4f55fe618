"""Names that lead elsewhere: for connections, and for those who ask for them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from proxyfw import ctx
from proxyfw.dns import DNSMessage, Question, RecordType, ResourceRecord, ResponseCode
from proxyfw.exceptions import CommandError, OptionsError
from proxyfw.http import HTTPFlow
from proxyfw.net.hosts_file import HostsFile
from proxyfw.protocol.dns import pack, unpack
from proxyfw.proxy import Proxy
from proxyfw.testing import DatagramEnd, End, Origin, World, world
from proxyfw_addons.dns_map import DnsMapping
from proxyfw_addons.rules import RuleFiles

GET = b"GET http://app.test/ HTTP/1.1\r\nHost: app.test\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def mapped(*entries: str, **options: Any) -> Any:
    return world(addons=[RuleFiles(), DnsMapping()], dns_map=entries, **options)


def at(w: World, ip: str, port: int = 80) -> Origin:
    """A server at an address that no name leads to."""
    w.network.hosts[f"{ip}.name"] = [ip]
    return w.origin(f"{ip}.name", port)


async def answered(client: End, origin: Origin | End, request: bytes = GET) -> End:
    client.write(request)
    server = origin if isinstance(origin, End) else await origin.accept()
    await server.head()
    server.write(OK)
    assert await client.message() == OK
    return server


async def test_the_name_stays_and_the_address_is_another() -> None:
    """features 44: Host and recorded URL keep the name."""
    async with mapped("app.test=10.0.0.5:8000") as w:
        w.network.unknown.add("app.test")
        origin, client = at(w, "10.0.0.5", 8000), w.client()
        client.write(GET)
        server = await origin.accept()
        assert await server.head() == b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n"
        server.write(OK)
        assert await client.message() == OK
        (flow,) = await w.ended()
        assert isinstance(flow, HTTPFlow)
        assert flow.request.pretty_url == "http://app.test/"
        assert (flow.server_conn.address, flow.server_conn.peername) == (("app.test", 80), ("10.0.0.5", 8000))
        assert [str(step) for step in flow.trace or ()] == [
            "server_connect: dns_map app.test matched",
            "note: dns_map app.test matched (app.test is 10.0.0.5:8000)",
        ]


@pytest.mark.parametrize(
    ("host", "ip"),
    [
        ("app.test", "10.0.0.1"),
        ("APP.test", "10.0.0.1"),
        ("a.app.test", "10.0.0.2"),
        ("a.b.app.test", "10.0.0.2"),
        ("xapp.test", "10.0.0.3"),
        ("192.0.2.9", "192.0.2.9"),
        ("192.0.2.8", "10.0.0.8"),
    ],
)
async def test_what_names_one_host_comes_before_wildcards(host: str, ip: str) -> None:
    """features 9, trap 9: `*.x` is not `x`, and no suffix. Addresses are mapped where they are named."""
    entries = ("*.app.test=10.0.0.2", "*=10.0.0.3", "app.test=10.0.0.1", "192.0.2.8=10.0.0.8")
    async with mapped(*entries) as w:
        origin, client = at(w, ip), w.client()
        await answered(client, origin, GET.replace(b"app.test", host.encode()))
        assert w.network.dialled == [(ip, 80)]


async def test_an_entry_can_be_switched_off_and_on_at_once() -> None:
    """features 44: though connections are kept. `dns.resolve` tells the truth."""
    async with mapped("app.test=10.0.0.5", "*.other.test=10.0.0.6") as w:
        w.network.hosts["app.test"] = ["192.0.2.7"]
        here, there, client = w.origin("app.test"), at(w, "10.0.0.5"), w.client()
        call = w.proxy.commands.execute
        await answered(client, there)
        assert await call("dns.resolve app.test") == ["10.0.0.5 (rule dns_map app.test)"]
        call("dns.disable app.test")
        assert call("dns.list") == ["off app.test=10.0.0.5", "on  *.other.test=10.0.0.6"]
        assert await call("dns.resolve app.test") == ["192.0.2.7 (system)"]
        kept = await answered(client, here)
        call("dns.disable app.test")
        call("dns.enable app.test")
        assert await kept.rest() == b""
        await answered(client, there)
        with pytest.raises(CommandError, match=r"no entry for 'x'; it has app\.test, \*\.other\.test"):
            call("dns.enable x")


async def test_rules_of_a_file_hold_at_once_too(tmp_path: Path) -> None:
    """features 44."""
    file = tmp_path / "rules.yaml"
    file.write_text("- {name: m, match: {host: app.test}, action: {type: dns_map, address: 10.0.0.5}}")
    async with mapped(rules_file=[str(file)]) as w:
        here, there, client = w.origin("app.test"), at(w, "10.0.0.5"), w.client()
        server = await answered(client, there)
        w.proxy.options.update(rules_file=[])
        assert await server.rest() == b""
        await answered(client, here)


async def test_a_name_leads_to_another_name_or_to_several_addresses() -> None:
    async with mapped("app.test=other.test", "two.test=10.0.0.1,10.0.0.2:81", "none.test=nowhere.test") as w:
        w.network.unknown |= {"app.test", "nowhere.test"}
        other, second, client = w.origin("other.test"), at(w, "10.0.0.2", 81), w.client()
        await answered(client, other)
        await answered(client, second, GET.replace(b"app.test", b"two.test"))
        client.write(GET.replace(b"app.test", b"none.test"))
        answer = await client.message()
        assert answer.startswith(b"HTTP/1.1 502 ")
        assert b"dns_map: cannot resolve " in answer
        resolve = w.proxy.commands.execute
        assert await resolve("dns.resolve two.test") == [
            "10.0.0.1 (rule dns_map two.test)",
            "10.0.0.2:81 (rule dns_map two.test)",
        ]
        with pytest.raises(CommandError, match="cannot resolve 'nowhere"):
            await resolve("dns.resolve none.test")


async def test_websockets_tunnels_and_upstream_proxies_know_it_too() -> None:
    """trap 21."""
    async with mapped("app.test=10.0.0.5:8000") as w:
        origin, client = at(w, "10.0.0.5", 8000), w.client()
        client.write(GET[:-2] + b"Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        assert b"Upgrade: websocket" in await (await origin.accept()).head()
        tunnel = w.client()
        tunnel.write(b"CONNECT app.test:443 HTTP/1.1\r\nHost: app.test:443\r\n\r\n")
        await tunnel.head()
        tunnel.write(b"\0raw")
        assert await (await origin.accept()).exactly(4) == b"\0raw"
    async with mapped("app.test=10.0.0.5", mode=["upstream:http://up.test:3128"]) as w:
        upstream, tunnel = w.origin("up.test", 3128), w.client()
        tunnel.write(b"CONNECT app.test:443 HTTP/1.1\r\nHost: app.test:443\r\n\r\n")
        await tunnel.head()
        tunnel.write(b"\0raw")
        assert (await (await upstream.accept()).head()).startswith(b"CONNECT 10.0.0.5:443 ")


async def test_datagrams_go_there_too() -> None:
    async with mapped("app.test=10.0.0.5:99", mode=["reverse:udp://app.test:5000@53"]) as w:
        w.network.hosts["ip.test"] = ["10.0.0.5"]
        server, client = w.datagram_origin("ip.test", 99), w.datagram_client()
        client.send(b"hi")
        assert (await server.receive())[0] == b"hi"


async def test_what_the_hosts_file_knows_is_said(tmp_path: Path) -> None:
    """features 44: resolve tells the truth."""
    hosts = tmp_path / "hosts"
    hosts.write_text("192.0.2.7 app.test\n")
    async with mapped() as w:
        w.network.hosts_file = HostsFile(hosts)
        w.network.hosts["app.test"] = ["192.0.2.7"]
        resolve = w.proxy.commands.execute
        assert await resolve("dns.resolve app.test") == ["192.0.2.7 (hosts file)"]
        assert await resolve("dns.resolve 192.0.2.1") == ["192.0.2.1 (address)"]
        w.network.unknown.add("no.test")
        with pytest.raises(CommandError, match="cannot resolve 'no"):
            await resolve("dns.resolve no.test")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            "app.test",
            "dns_map: 'app.test' is not of the form host=address[:port], as app.test=127.0.0.1:8000",
        ),
        ("app.test=", "is not of the form"),
        (
            "app.test=a b",
            "dns_map: 'app.test=a b': action: 'a b' is no address: write 10.0.0.5, [2001:db8::7]",
        ),
        ("app.test=[x]:80", "'[x]:80' is no address"),
        ("app.test=a:99999", "'a:99999' is no address"),
        ("app.test=@name", "'name' is no name server: write its IP address"),
        ("/(/=10.0.0.1", "dns_map: '/(/=10.0.0.1': match.host: /(/ is not a regular expression"),
    ],
)
def test_entries_that_cannot_be_are_refused(entry: str, message: str) -> None:
    with pytest.raises(OptionsError) as caught:
        Proxy(default_addons=(), addons=[DnsMapping()], dns_map=[entry])
    assert message in str(caught.value)


def test_a_host_is_mapped_once_and_an_action_says_one_thing() -> None:
    proxy = Proxy(default_addons=(), addons=[DnsMapping()])
    with pytest.raises(OptionsError, match="'a' is mapped twice: list its addresses as a=A,B"):
        proxy.options.update(dns_map=["a=::1", "a=::2"])
    for action in ({}, {"address": "::1", "servers": "::1"}):
        with pytest.raises(OptionsError, match="give one of address and servers"):
            proxy.addons.rules.read([{"action": {"type": "dns_map", **action}}])


# In DNS

KNOWN = ("app.test=10.0.0.5,2001:db8::5", "other.test=name.test", "*.wild.test=10.0.0.6", "bad.test=no.test")


async def asked(client: DatagramEnd, name: str, kind: int = RecordType.A) -> DNSMessage:
    client.send(pack(DNSMessage(0.0, 7, True, questions=[Question(name, kind)])))
    return unpack((await client.receive())[0])


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("app.test", RecordType.A, ["10.0.0.5"]),
        ("App.test", RecordType.AAAA, ["2001:db8::5"]),
        ("app.test", RecordType.HTTPS, []),
        ("other.test", RecordType.A, ["192.0.2.7"]),
        ("x.wild.test", RecordType.A, ["10.0.0.6"]),
        ("x.wild.test", RecordType.AAAA, []),
    ],
)
async def test_queries_are_answered_as_connections_are_made(name: str, kind: int, said: list[str]) -> None:
    async with mapped(*KNOWN, mode=["dns@53"], dns_name_servers=["192.0.2.53"]) as w:
        w.network.hosts["name.test"] = ["192.0.2.7"]
        answer = await asked(w.datagram_client(), name, kind)
        assert (answer.response_code, [str(record) for record in answer.answers]) == (
            ResponseCode.NOERROR,
            said,
        )
        assert w.network.datagrams.dialled == [w.proxy.address]  # by the client


async def test_other_queries_go_on() -> None:
    async with mapped(*KNOWN, mode=["dns@53"], dns_name_servers=["192.0.2.53"]) as w:
        w.network.unknown.add("no.test")
        w.network.hosts["server.test"] = ["192.0.2.53"]
        server, client = w.datagram_origin("server.test"), w.datagram_client()
        for name, kind in (("else.test", RecordType.A), ("app.test", RecordType.TXT)):
            client.send(pack(DNSMessage(0.0, 7, True, questions=[Question(name, kind)])))
            data, source = await server.receive()
            server.send(pack(unpack(data).succeed([])), source)
            assert unpack((await client.receive())[0]).questions[0].name == name
        assert (await asked(client, "bad.test")).response_code == ResponseCode.SERVFAIL


# Name servers of its own


class NameServer(asyncio.DatagramProtocol):
    """A real one, that knows one name."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, source: Any) -> None:
        query = unpack(data)
        (question,) = query.questions
        self.asked.append(question.name)
        if question.name != "app.test":
            answer = query.fail(ResponseCode.NXDOMAIN)
        elif question.type == RecordType.A:
            answer = query.succeed([ResourceRecord.A(question.name, IPv4Address("10.0.0.5"))])
        else:
            answer = query.succeed([])
        self.transport.sendto(pack(answer), source)


@asynccontextmanager
async def name_server() -> AsyncIterator[tuple[NameServer, str]]:
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(NameServer, ("127.0.0.1", 0))
    host, port = transport.get_extra_info("sockname")
    try:
        yield server, f"{host}:{port}"
    finally:
        transport.close()


async def test_names_are_resolved_by_other_name_servers() -> None:
    """features 44: custom DNS servers; what they say is kept as long as they say."""
    async with name_server() as (server, place), mapped(f"*.test=@{place}", mode=["regular", "dns@53"]) as w:
        origin, client = at(w, "10.0.0.5"), w.client()
        kept = await answered(client, origin)
        kept.close()
        count = len(server.asked)
        assert await w.proxy.commands.execute("dns.resolve app.test") == ["10.0.0.5 (rule dns_map *.test)"]
        assert len(server.asked) == count
        client.write(GET.replace(b"app.test", b"no.test"))
        answer = await client.message()
        assert b"cannot resolve" in answer
        assert b"know no such name" in answer
        end = DatagramEnd()
        end.socket = w.network.datagrams.connect([("127.0.0.1", 53)], end)
        found = await asked(end, "app.test")
        assert [str(record) for record in found.answers] == ["10.0.0.5"]
        assert (await asked(end, "no.test")).response_code == ResponseCode.NXDOMAIN


def test_nothing_is_done_without_entries() -> None:
    proxy = Proxy(default_addons=(), addons=[DnsMapping()])
    with ctx.use(proxy):
        assert proxy.addons.rules.current.hooks == set()
        proxy.options.update(dns_map=["a.test=::1"])
        assert proxy.addons.rules.current.hooks == {"server_connect", "dns_request"}
        proxy.commands.execute("dns.disable a.test")
        assert proxy.addons.rules.current.hooks == set()
