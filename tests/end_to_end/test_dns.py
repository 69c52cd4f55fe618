"""DNS on real sockets: dig and dnspython as clients, a name server made of dnspython behind the proxy."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import dns.asyncquery
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest
from ends import PATIENCE, Field

from proxyfw.dns import DNSFlow, RecordType, ResourceRecord
from proxyfw.net.hosts_file import HostsFile
from proxyfw.proxy import Proxy

pytestmark = pytest.mark.end_to_end

needs_dig = pytest.mark.skipif(not shutil.which("dig"), reason="dig is not installed (bind9-dnsutils)")

ZONE = {
    ("app.test.", "A"): ["192.0.2.1", "192.0.2.2"],
    ("app.test.", "AAAA"): ["2001:db8::1"],
    ("app.test.", "MX"): ["10 mail.app.test."],
    ("www.app.test.", "A"): ["192.0.2.3"],
    ("long.test.", "TXT"): [f'"{number:02}{"x" * 248}"' for number in range(20)],
}


class NameServer(asyncio.DatagramProtocol):
    """Answers from ZONE, with truncation over UDP where that is due."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.port = 0

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[NameServer]:
        server = await asyncio.start_server(self.accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", self.port))
        try:
            yield self
        finally:
            transport.close()
            server.close()

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        response = self.answer(query, "udp")
        size = query.payload if query.edns >= 0 else 512
        wire = response.to_wire()
        if len(wire) > size:
            response.answer = []
            response.flags |= dns.flags.TC
            wire = response.to_wire()
        self.transport.sendto(wire, addr)

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = int.from_bytes(await reader.readexactly(2), "big")
        response = self.answer(dns.message.from_wire(await reader.readexactly(size)), "tcp")
        wire = response.to_wire()
        writer.write(len(wire).to_bytes(2, "big") + wire)
        await writer.drain()
        writer.close()

    def answer(self, query: dns.message.Message, transport: str) -> dns.message.Message:
        (question,) = query.question
        name, kind = question.name.to_text().lower(), dns.rdatatype.to_text(question.rdtype)
        self.asked.append((transport, f"{name} {kind}"))
        response = dns.message.make_response(query, recursion_available=True)
        if records := ZONE.get((name, kind)):
            response.answer.append(dns.rrset.from_text_list(question.name, 60, "IN", kind, records))
        elif not any(known == name for known, _ in ZONE):
            response.set_rcode(dns.rcode.NXDOMAIN)
        return response


class Override:
    """The dns map of five lines that the documentation shows."""

    def dns_request(self, flow: DNSFlow) -> None:
        question = flow.request.question
        if question and question.name == "mock.test":
            record = (
                ResourceRecord.AAAA(question.name, IPv6Address("2001:db8::f"))
                if question.type == RecordType.AAAA
                else ResourceRecord.A(question.name, IPv4Address("198.51.100.9"))
            )
            flow.response = flow.request.succeed([record])


@pytest.fixture
async def server() -> AsyncIterator[NameServer]:
    async with NameServer().serving() as serving:
        yield serving


async def dns_proxy(field: Field, port: int, *addons: object) -> Proxy:
    field.network.hosts_file = HostsFile(Path(field.file(b"192.0.2.88 printer.test\n")))
    return await field.proxy(*addons, mode=["dns"], dns_name_servers=[f"127.0.0.1:{port}"])


async def dig(proxy: Proxy, *arguments: str) -> str:
    host, port = proxy.address
    process = await asyncio.create_subprocess_exec(
        "dig", f"@{host}", "-p", str(port), "+tries=1", "+time=10", *arguments, stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(PATIENCE):
        out, _ = await process.communicate()
    return out.decode()


@needs_dig
@pytest.mark.parametrize("transport", ["+notcp", "+tcp"])
async def test_dig(field: Field, server: NameServer, transport: str) -> None:
    """5.5.95: override of A and AAAA, forwarding, NXDOMAIN and the hosts file, over UDP and TCP."""
    proxy = await dns_proxy(field, server.port, Override())
    short = ("+short", transport)
    assert await dig(proxy, *short, "mock.test", "A") == "198.51.100.9\n"
    assert await dig(proxy, *short, "mock.test", "AAAA") == "2001:db8::f\n"
    assert server.asked == []
    assert await dig(proxy, *short, "printer.test") == "192.0.2.88\n"
    assert sorted((await dig(proxy, *short, "app.test")).split()) == ["192.0.2.1", "192.0.2.2"]
    assert await dig(proxy, *short, "app.test", "MX") == "10 mail.app.test.\n"
    assert "status: NXDOMAIN" in await dig(proxy, transport, "nobody.test")
    expected = transport.removeprefix("+").replace("notcp", "udp")
    assert {used for used, _ in server.asked} == {expected}


@needs_dig
async def test_dig_learns_that_no_server_answers(field: Field) -> None:
    """5.5.95: SERVFAIL."""
    proxy = await dns_proxy(field, await field.unused_port())
    assert "status: SERVFAIL" in await dig(proxy, "app.test")
    assert "status: SERVFAIL" in await dig(proxy, "+tcp", "app.test")


@needs_dig
async def test_dig_asks_again_over_tcp_when_an_answer_does_not_fit(field: Field, server: NameServer) -> None:
    proxy = await dns_proxy(field, server.port)
    answer = await dig(proxy, "+noedns", "long.test", "TXT")
    assert "Truncated, retrying in TCP mode" in answer
    assert answer.count("x" * 248) == 20
    assert [used for used, _ in server.asked] == ["udp", "tcp", "tcp"]


@needs_dig
async def test_dig_through_a_proxy_that_stands_for_one_server(field: Field, server: NameServer) -> None:
    proxy = await field.proxy(mode=[f"reverse:dns://ns.test:{server.port}"])
    assert await dig(proxy, "+short", "www.app.test") == "192.0.2.3\n"


async def test_dnspython_over_udp_and_tcp(field: Field, server: NameServer) -> None:
    """5.5.95: the answer is the name server's, to the byte."""
    proxy = await dns_proxy(field, server.port)
    host, port = proxy.address
    query = dns.message.make_query("App.Test", "A", want_dnssec=True)
    over_udp = await dns.asyncquery.udp(query, host, port=port, timeout=PATIENCE)
    over_tcp = await dns.asyncquery.tcp(query, host, port=port, timeout=PATIENCE)
    assert over_udp == over_tcp == server.answer(query, "")


async def test_many_at_a_time(field: Field, server: NameServer) -> None:
    proxy = await dns_proxy(field, server.port)
    host, port = proxy.address
    queries = [dns.message.make_query("app.test", "A") for _ in range(200)]
    answers = await asyncio.gather(
        *(dns.asyncquery.udp(query, host, port=port, timeout=PATIENCE) for query in queries)
    )
    assert [answer.id for answer in answers] == [query.id for query in queries]
    assert all(len(answer.answer[0]) == 2 for answer in answers)


async def test_both_kinds_of_socket_share_the_port_and_ipv6_is_served(
    field: Field, server: NameServer
) -> None:
    field.network.hosts_file = HostsFile(Path("/nonexistent"))
    servers = [f"127.0.0.1:{server.port}"]
    proxy = await field.proxy(mode=["dns"], listen_host="", dns_name_servers=servers)
    assert len({port for _, port in proxy.addresses}) == 1
    query = dns.message.make_query("app.test", "AAAA")
    for host in {"0.0.0.0": "127.0.0.1", "::": "::1"}.items():
        if host[0] in [address for address, _ in proxy.addresses]:
            answer = await dns.asyncquery.udp(query, host[1], port=proxy.address[1], timeout=PATIENCE)
            assert answer.answer[0][0].to_text() == "2001:db8::1"
