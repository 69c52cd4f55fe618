"""DNS on a network in memory: who answers a query, what addons may do, and what the client is told."""

from __future__ import annotations

import asyncio
import re
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from proxyfw.connection import Client, ServerConnectionHookData
from proxyfw.core.modes import Mode
from proxyfw.core.settings import Settings
from proxyfw.dns import DNSFlow, DNSMessage, Question, RecordType, ResourceRecord, ResponseCode
from proxyfw.exceptions import OptionsError
from proxyfw.flow import Flow
from proxyfw.net.hosts_file import HostsFile
from proxyfw.net.wire import Address
from proxyfw.protocol.dns import frame, pack, unpack
from proxyfw.testing import DatagramEnd, End, World, addon_test_context, world

MODE = ["dns@53"]
SERVER = ("192.0.2.53", 53)
OPTIONS: dict[str, Any] = {"mode": MODE, "dns_name_servers": ["192.0.2.53"]}
IP = IPv4Address("198.51.100.7")


class Recorder:
    def __init__(self) -> None:
        self.hooks: list[str] = []

    def client_connected(self, client: Client) -> None:
        self.hooks.append(f"client {client.transport_protocol}")

    def server_connected(self, data: ServerConnectionHookData) -> None:
        self.hooks.append(f"server {data.server.transport_protocol}")

    def dns_request(self, flow: DNSFlow) -> None:
        self.hooks.append(f"request {flow.request.question}")

    def dns_response(self, flow: DNSFlow) -> None:
        assert flow.response
        self.hooks.append(f"response {', '.join(str(answer) for answer in flow.response.answers)}")

    def dns_error(self, flow: DNSFlow) -> None:
        self.hooks.append(f"error {flow.error}")

    def flow_end(self, flow: Flow) -> None:
        self.hooks.append("flow_end")


def query(name: str = "app.test", kind: int = RecordType.A, id: int = 7) -> DNSMessage:
    return DNSMessage(0.0, id, True, questions=[Question(name, kind)])


def name_server(w: World, address: Address = SERVER) -> DatagramEnd:
    """Have the name server exist, without a name of its own."""
    end = DatagramEnd()

    def answering(socket: Any) -> DatagramEnd:
        end.socket = socket
        return end

    w.network.datagrams.listen(*address, answering)
    return end


async def asked(server: DatagramEnd) -> tuple[DNSMessage, Address]:
    data, source = await server.receive()
    return unpack(data), source


async def told(client: DatagramEnd) -> DNSMessage:
    return unpack((await client.receive())[0])


async def told_over_tcp(client: End) -> DNSMessage:
    size = int.from_bytes(await client.exactly(2), "big")
    return unpack(await client.exactly(size))


async def test_a_query_is_forwarded_and_its_answer_returned_byte_for_byte() -> None:
    """5.5.95: what nobody changed is what was said, compression and all."""
    recorder = Recorder()
    async with world(addons=[recorder], **OPTIONS) as w:
        server, client = name_server(w), w.datagram_client()
        sent = pack(query("App.Test", id=0xABCD))
        client.send(sent)
        data, source = await server.receive()
        assert data[2:] == sent[2:]
        answer = (
            data[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + data[12:] + b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + IP.packed
        )
        server.send(answer, source)
        assert (await client.receive())[0] == sent[:2] + answer[2:]
        (flow,) = await w.ended()
    assert recorder.hooks == [
        "client udp", "request App.Test", "server udp", f"response {IP}", "flow_end",
    ]  # fmt: skip
    assert isinstance(flow, DNSFlow)
    assert (flow.server_conn.address, flow.client_conn.proxy_mode, flow.live) == (SERVER, "dns", False)


@pytest.mark.parametrize("kind", [RecordType.A, RecordType.AAAA])
async def test_an_addon_answers(kind: RecordType) -> None:
    """5.5.95: A and AAAA override, no name server is asked."""

    class Mock:
        def dns_request(self, flow: DNSFlow) -> None:
            record = ResourceRecord("app.test", kind, 1, 5, bytes(4 if kind == RecordType.A else 16))
            flow.response = flow.request.succeed([record])

    recorder = Recorder()
    async with world(addons=[Mock(), recorder], **OPTIONS) as w:
        client = w.datagram_client()
        client.send(pack(query(kind=kind)))
        response = await told(client)
        await w.ended()
    assert (response.id, response.response_code, response.answers[0].type) == (7, 0, kind)
    assert recorder.hooks[2].startswith("response ")


async def test_addons_change_query_and_answer() -> None:
    class Editor:
        def dns_request(self, flow: DNSFlow) -> None:
            flow.request.questions[0].name = "other.test"
            flow.request.id = 99

        def dns_response(self, flow: DNSFlow) -> None:
            assert flow.response
            flow.response.answers.append(ResourceRecord.A("other.test", IP))

    async with world(addons=[Editor()], **OPTIONS) as w:
        server, client = name_server(w), w.datagram_client()
        client.send(pack(query(id=7)))
        got, source = await asked(server)
        assert got.question == Question("other.test")
        server.send(pack(got.succeed([])), source)
        response = await told(client)
    assert (response.id, [str(answer) for answer in response.answers]) == (7, [str(IP)])


async def test_nxdomain_is_an_answer() -> None:
    """5.5.95."""
    recorder = Recorder()
    async with world(addons=[recorder], **OPTIONS) as w:
        server, client = name_server(w), w.datagram_client()
        client.send(pack(query()))
        got, source = await asked(server)
        server.send(pack(got.fail(ResponseCode.NXDOMAIN)), source)
        assert (await told(client)).response_code == ResponseCode.NXDOMAIN
        await w.ended()
    assert recorder.hooks[-2:] == ["response ", "flow_end"]


async def test_servfail_when_no_server_can_be_reached() -> None:
    """5.5.95."""
    recorder = Recorder()
    async with world(addons=[recorder], **OPTIONS) as w:
        client = w.datagram_client()
        client.send(pack(query()))
        response = await told(client)
        (flow,) = await w.ended()
    assert (response.id, response.response_code, response.questions) == (
        7,
        ResponseCode.SERVFAIL,
        [Question("app.test")],
    )
    assert recorder.hooks[-2:] == [f"error {flow.error}", "flow_end"]
    assert str(flow.error) == "the name server cannot be reached: Connection refused"


async def test_servfail_when_no_server_is_known() -> None:
    async with world(mode=MODE) as w:
        client = w.datagram_client()
        client.send(pack(query()))
        assert (await told(client)).response_code == ResponseCode.SERVFAIL
        (flow,) = await w.ended()
    assert "set dns_name_servers" in str(flow.error)


async def test_the_servers_of_the_system_are_asked_if_none_are_configured() -> None:
    async with world(mode=MODE) as w:
        w.network.known_name_servers.append(SERVER)
        server = name_server(w)
        w.datagram_client().send(pack(query()))
        await server.receive()


async def test_the_next_server_is_asked_when_one_is_not_there() -> None:
    async with world(mode=MODE, dns_name_servers=["192.0.2.99", "192.0.2.53:5353"]) as w:
        server, client = name_server(w, ("192.0.2.53", 5353)), w.datagram_client()
        client.send(pack(query()))
        got, source = await asked(server)
        server.send(pack(got.succeed([])), source)
        assert (await told(client)).response_code == 0


async def test_a_silent_server_is_asked_twice_and_then_given_up() -> None:
    async with world(**OPTIONS, dns_timeout=0.02) as w:
        server, client = name_server(w), w.datagram_client()
        client.send(pack(query()))
        assert (await told(client)).response_code == ResponseCode.SERVFAIL
        assert server.waiting == 2
        (flow,) = await w.ended()
    assert "within 0.02 s" in str(flow.error)


async def test_answers_to_something_else_are_not_believed() -> None:
    """Whoever does not know the id and the question cannot answer: they are the proxy's own, and random."""
    async with world(**OPTIONS) as w:
        server, client = name_server(w), w.datagram_client()
        client.send(pack(query()))
        got, source = await asked(server)
        forged = got.succeed([ResourceRecord.A("app.test", IPv4Address("203.0.113.66"))])
        server.send(b"nonsense", source)
        server.send(pack(got), source)
        forged.id ^= 1
        server.send(pack(forged), source)
        forged.id ^= 1
        forged.questions = [Question("evil.test")]
        server.send(pack(forged), source)
        server.send(pack(got.succeed([ResourceRecord.A("app.test", IP)])), source)
        assert [str(answer) for answer in (await told(client)).answers] == [str(IP)]


async def test_a_truncated_answer_is_asked_for_again_over_tcp() -> None:
    records = [ResourceRecord.A("app.test", IPv4Address(number)) for number in range(20)]
    recorder = Recorder()
    async with world(addons=[recorder], **OPTIONS) as w:
        server, client = name_server(w), w.datagram_client()
        w.network.hosts["ns.test"] = [SERVER[0]]
        over_tcp = w.origin("ns.test", 53)
        client.send(pack(query()))
        got, source = await asked(server)
        short = got.succeed([])
        short.truncation = True
        server.send(pack(short), source)
        connection = await over_tcp.accept()
        again = await told_over_tcp(connection)
        connection.write(frame(pack(again.succeed(records))))
        response = await told(client)
        assert (response.truncation, len(response.answers)) == (False, 20)
        await w.ended()
    assert recorder.hooks[2:4] == ["server udp", "server tcp"]


async def test_a_truncated_answer_has_to_do_where_there_is_no_tcp() -> None:
    async with world(**OPTIONS) as w:
        server, client = name_server(w), w.datagram_client()
        client.send(pack(query()))
        got, source = await asked(server)
        short = got.succeed([])
        short.truncation = True
        server.send(pack(short), source)
        assert (await told(client)).truncation


@pytest.mark.parametrize(("size", "fits"), [(512, False), (4096, True)])
async def test_an_answer_too_long_for_the_client_says_that_it_is_truncated(size: int, fits: bool) -> None:
    class Long:
        def dns_request(self, flow: DNSFlow) -> None:
            flow.response = flow.request.succeed([ResourceRecord.TXT("app.test", "x" * 2000)])

    async with world(addons=[Long()], **OPTIONS) as w:
        client = w.datagram_client()
        question = query()
        question.additionals = [ResourceRecord(".", RecordType.OPT, size, 0, b"")]
        client.send(pack(question))
        response = await told(client)
    assert (response.truncation, bool(response.answers)) == (not fits, fits)


async def test_queries_over_tcp_are_answered_beside_each_other() -> None:
    """5.5.95: TCP, with pipelining. RFC 7766."""
    recorder = Recorder()
    async with world(addons=[recorder], **OPTIONS) as w:
        w.network.hosts["ns.test"] = [SERVER[0]]
        server = w.origin("ns.test", 53)
        client = w.client(53)
        first, second = frame(pack(query("one.test", id=1))), frame(pack(query("two.test", id=2)))
        client.write(first + second[:1])
        client.write(second[1:])
        one, two = await server.accept(), await server.accept()
        asked_first, asked_second = await told_over_tcp(one), await told_over_tcp(two)
        two.write(frame(pack(asked_second.succeed([]))))
        assert (await told_over_tcp(client)).id == asked_second.id
        one.write(frame(pack(asked_first.succeed([]))))
        assert (await told_over_tcp(client)).id == asked_first.id
        assert {asked_first.id, asked_second.id} == {1, 2}
        client.close()
        await w.ended(2)
    assert recorder.hooks.count("client tcp") == 1


async def test_an_idle_connection_does_not_keep_the_proxy_from_stopping() -> None:
    async with world(**OPTIONS, shutdown_timeout=3600) as w:
        client = w.client(53)
        client.write(b"\0")
        await asyncio.sleep(0)
    assert await client.rest() == b""


def hosts_file(tmp_path: Path, text: str) -> HostsFile:
    path = tmp_path / "hosts"
    path.write_text(text)
    return HostsFile(path)


HOSTS = "198.51.100.7 app.test App2.test # not this.test\n2001:db8::7 app.test\nnonsense x.test\n"


@pytest.mark.parametrize(
    ("name", "kind", "answers"),
    [
        ("APP.test", RecordType.A, ["198.51.100.7"]),
        ("app2.test", RecordType.A, ["198.51.100.7"]),
        ("app.test", RecordType.AAAA, ["2001:db8::7"]),
        ("app2.test", RecordType.AAAA, []),
        ("7.100.51.198.in-addr.arpa", RecordType.PTR, ["app.test"]),
    ],
)
async def test_the_hosts_file_answers(tmp_path: Path, name: str, kind: int, answers: list[str]) -> None:
    async with world(**OPTIONS) as w:
        w.network.hosts_file = hosts_file(tmp_path, HOSTS)
        client = w.datagram_client()
        client.send(pack(query(name, kind)))
        response = await told(client)
        assert [str(answer) for answer in response.answers] == answers
        assert response.response_code == 0


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("this.test", RecordType.A),
        ("x.test", RecordType.A),
        ("app.test", RecordType.MX),
        ("1.1.1.1.in-addr.arpa", RecordType.PTR),
        ("app.test", RecordType.PTR),
    ],
)
async def test_what_the_hosts_file_does_not_know_is_forwarded(tmp_path: Path, name: str, kind: int) -> None:
    async with world(**OPTIONS) as w:
        w.network.hosts_file = hosts_file(tmp_path, HOSTS)
        server = name_server(w)
        w.datagram_client().send(pack(query(name, kind)))
        assert (await asked(server))[0].question == Question(name, kind)


async def test_the_hosts_file_is_read_again_when_it_changes_and_can_be_left_out(tmp_path: Path) -> None:
    async with world(**OPTIONS) as w:
        w.network.hosts_file = hosts_file(tmp_path, "192.0.2.1 app.test\n")
        server, client = name_server(w), w.datagram_client()
        client.send(pack(query()))
        assert str((await told(client)).answers[0]) == "192.0.2.1"
        (tmp_path / "hosts").write_text("192.0.2.222 app.test\n")
        client.send(pack(query()))
        assert str((await told(client)).answers[0]) == "192.0.2.222"
        w.proxy.options.dns_use_hosts_file = False
        client.send(pack(query()))
        await server.receive()


async def test_reverse_dns_stands_for_one_server_and_leaves_the_hosts_file_out(tmp_path: Path) -> None:
    async with world(mode=["reverse:dns://ns.example@53"]) as w:
        w.network.hosts_file = hosts_file(tmp_path, HOSTS)
        server = w.datagram_origin("ns.example", 53)
        client = w.datagram_client()
        client.send(pack(query()))
        got, source = await asked(server)
        server.send(pack(got.succeed([])), source)
        await told(client)
        (flow,) = await w.ended()
    assert flow.server_conn.address == ("ns.example", 53)


async def test_udp_hosts_are_raw_even_if_they_speak_dns() -> None:
    async with world(mode=["reverse:dns://ns.example@53"], udp_hosts=["^ns.example:"]) as w:
        server = w.datagram_origin("ns.example", 53)
        client = w.datagram_client()
        client.send(b"no DNS at all")
        data, source = await server.receive()
        server.send(b"really", source)
        assert (data, (await client.receive())[0]) == (b"no DNS at all", b"really")


async def test_a_killed_query_is_never_answered() -> None:
    recorder = Recorder()
    async with world(addons=[recorder], **OPTIONS) as w:
        server, client = name_server(w), w.datagram_client()
        gate = w.gate("dns_request")
        client.send(pack(query()))
        flow = await gate.reached()
        gate.release()
        await server.receive()
        flow.kill()
        await w.ended()
        assert client.waiting == 0
    assert recorder.hooks[-2:] == ["error Connection killed.", "flow_end"]


async def test_an_intercepted_query_waits() -> None:
    class Breakpoint:
        def dns_request(self, flow: DNSFlow) -> None:
            flow.intercept()

    async with world(addons=[Breakpoint()], **OPTIONS) as w:
        server, client = name_server(w), w.datagram_client()
        gate = w.gate("dns_request")
        client.send(pack(query()))
        flow = await gate.reached()
        gate.release()
        await asyncio.sleep(0)
        assert server.waiting == 0
        flow.resume()
        await server.receive()


async def test_what_cannot_be_said_is_servfail() -> None:
    class Wrong:
        def dns_response(self, flow: DNSFlow) -> None:
            assert flow.response
            flow.response.answers.append(ResourceRecord.A("a..b", IP))

    async with world(addons=[Wrong()], **OPTIONS) as w:
        server, client = name_server(w), w.datagram_client()
        client.send(pack(query()))
        got, source = await asked(server)
        server.send(pack(got.succeed([])), source)
        assert (await told(client)).response_code == ResponseCode.SERVFAIL
        (flow,) = await w.ended()
    assert "cannot be sent" in str(flow.error)


async def test_an_error_can_be_answered_by_an_addon() -> None:
    class Sorry:
        def dns_error(self, flow: DNSFlow) -> None:
            flow.response = flow.request.succeed([ResourceRecord.A("app.test", IP)])

    async with world(addons=[Sorry()], **OPTIONS) as w:
        client = w.datagram_client()
        client.send(pack(query()))
        assert str((await told(client)).answers[0]) == str(IP)


async def test_a_malformed_query_is_told_so_and_what_is_no_query_is_not_answered() -> None:
    recorder = Recorder()
    async with world(addons=[recorder], **OPTIONS) as w:
        client = w.datagram_client()
        client.send(b"short")
        client.send(pack(query().succeed([])))
        client.send(pack(query(id=3))[:-1])
        response = await told(client)
        assert (response.id, response.response_code, client.waiting) == (3, ResponseCode.FORMERR, 0)
    assert "flow_end" not in recorder.hooks


async def test_an_addon_refuses_a_client() -> None:
    class Refuse:
        def client_connected(self, client: Client) -> None:
            client.error = "not you"

    async with world(addons=[Refuse()], **OPTIONS) as w:
        gate = w.gate("client_disconnected")
        w.datagram_client().send(pack(query()))
        await gate.reached()
        gate.release()
        assert await w.client(53).rest() == b""
        assert w.flows == []


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1", ("192.0.2.1", 53)),
        ("192.0.2.1:5353", ("192.0.2.1", 5353)),
        ("2001:db8::1", ("2001:db8::1", 53)),
        ("[2001:db8::1]", ("2001:db8::1", 53)),
        ("[2001:db8::1]:5353", ("2001:db8::1", 5353)),
    ],
)
def test_how_name_servers_are_written(text: str, address: Address) -> None:
    with addon_test_context(dns_name_servers=[text]) as context:
        assert Settings.of(context.options).name_servers == (address,)


@pytest.mark.parametrize(
    "text", ["ns.example", "192.0.2.1:0", "192.0.2.1:99999", "192.0.2.1:dns", "", "[::1"]
)
def test_what_is_no_name_server_is_refused(text: str) -> None:
    with (
        addon_test_context(dns_name_servers=[text]) as context,
        pytest.raises(OptionsError, match=f"dns_name_servers: {re.escape(repr(text))} is not of the form"),
    ):
        Settings.of(context.options)


@pytest.mark.parametrize(
    ("spec", "port", "transports"),
    [
        ("dns", 53, ("tcp", "udp")),
        ("dns@5353", 5353, ("tcp", "udp")),
        ("reverse:dns://192.0.2.1", 53, ("tcp", "udp")),
        ("reverse:udp://game.example:9000", 8080, ("udp",)),
        ("reverse:tcp://db.example:5432", 8080, ("tcp",)),
        ("regular", 8080, ("tcp",)),
    ],
)
def test_where_and_how_modes_listen(spec: str, port: int, transports: tuple[str, ...]) -> None:
    mode = Mode.parse(spec)
    assert mode.address("", None) == ("", port)
    assert mode.transports == transports


@pytest.mark.parametrize("spec", ["dns:192.0.2.1", "reverse:udp://game.example", "upstream:dns://192.0.2.1"])
def test_modes_that_make_no_sense_are_refused(spec: str) -> None:
    with pytest.raises(OptionsError, match="mode: "):
        Mode.parse(spec)


async def test_the_proxy_does_not_ask_itself() -> None:
    async with world(mode=MODE, dns_name_servers=["127.0.0.1"]) as w:
        client = w.datagram_client()
        client.send(pack(query()))
        assert (await told(client)).response_code == ResponseCode.SERVFAIL
        (flow,) = await w.ended()
    assert "this proxy itself" in str(flow.error)
