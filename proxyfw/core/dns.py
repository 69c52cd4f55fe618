"""The story of a DNS query: addons, the hosts file or a name server answer it, and addons see the answer.

Importing this module imports dnspython, so only a mode that speaks DNS does.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections.abc import Sequence
from dataclasses import dataclass

import dns.exception
import dns.name
import dns.reversename

from proxyfw import hookspecs
from proxyfw.connection import Client, Server
from proxyfw.dns import DNSFlow, DNSMessage, OpCode, RecordClass, RecordType, ResourceRecord, ResponseCode
from proxyfw.exceptions import ConnectError, ConnectionProblem, LocalProtocolError, PeerGone, ProtocolError
from proxyfw.flow import Error
from proxyfw.net.hosts_file import HostsFile
from proxyfw.net.wire import Address
from proxyfw.protocol.dns import MAX_SIZE, pack, payload_limit, truncated, unpack

from .hold import Holder, hold
from .house import House
from .name_server import ask, ask_over_tcp
from .scope import Scope

log = logging.getLogger("proxyfw")


@dataclass(slots=True)
class _Original:
    """A message as it came, which is how it goes on if nobody changed it."""

    raw: bytes
    packed: bytes

    @classmethod
    def of(cls, message: DNSMessage, raw: bytes) -> _Original:
        return cls(raw, pack(message))


class Query(Holder[DNSFlow]):
    """One query and what comes of it; with `Holder` a `proxyfw.flow.Control`.

    *servers* are asked in order; *hosts* answers before them, unless it is None.
    """

    __slots__ = (
        "_answer",
        "_calls",
        "_house",
        "_limit",
        "_over_tcp",
        "_query",
        "_scope",
        "_servers",
        "hosts",
    )

    def __init__(
        self, house: House, client: Client, request: DNSMessage, raw: bytes, servers: Sequence[Address]
    ) -> None:
        super().__init__(DNSFlow(client, Server(address=None), live=True))
        self.flow.request = request
        self.hosts: HostsFile | None = None
        self._house = house
        self._calls = house.addons.calls
        self._servers = servers
        self._over_tcp = client.transport_protocol == "tcp"
        self._limit = MAX_SIZE if self._over_tcp else payload_limit(request)
        self._query = _Original.of(request, raw)
        self._answer: _Original | None = None

    async def run(self) -> bytes | None:
        """The answer as it is to be sent; None if there is to be none."""
        flow = self.flow
        task = asyncio.current_task()
        assert task
        self._scope = Scope(task)
        flow.control = self
        self._house.live.add(flow)
        try:
            return await self._story()
        except ConnectionProblem as e:
            return await self._fail(str(e))
        except asyncio.CancelledError:
            await self._fail("the proxy is stopping")
            raise
        except Exception as e:
            log.exception("internal error in answering the query for %s", flow.request.question)
            return await self._fail(f"internal error: {type(e).__name__}: {e}")
        finally:
            flow.live, flow.control = False, None
            self._house.live.discard(flow)
            await self._calls.call(hookspecs.flow_end, flow)

    async def _story(self) -> bytes:
        flow, calls = self.flow, self._calls
        await calls.call(hookspecs.dns_request, flow)
        if flow.intercepted:
            await hold(flow, calls, hookspecs.dns_request)
        with self._scope:
            if flow.response is None and self.hosts:
                flow.response = from_hosts_file(self.hosts, flow.request)
            if flow.response is None:
                flow.response = await self._forward()
        await calls.call(hookspecs.dns_response, flow)
        if flow.intercepted:
            await hold(flow, calls, hookspecs.dns_response)
        self._scope.check()
        if flow.response is None:
            raise ConnectError("an addon took the answer away")
        return self._sendable(flow.response)

    async def _forward(self) -> DNSMessage:
        """The answer of the first server that has one."""
        packed = pack(self.flow.request)
        query = self._query.raw if packed == self._query.packed else packed
        problem: ConnectionProblem = ConnectError("no name server is known: set dns_name_servers")
        for address in self._servers:
            try:
                return await self._ask(address, query)
            except ConnectionProblem as e:
                problem = e
        raise problem

    async def _ask(self, address: Address, query: bytes) -> DNSMessage:
        flow, house = self.flow, self._house
        flow.server_conn = server = Server(address=address)
        if self._over_tcp:
            raw = await ask_over_tcp(house, server, flow.client_conn, query)
        else:
            server.transport_protocol = "udp"
            raw = await ask(house, server, flow.client_conn, query, flow.request.questions)
        message = unpack(raw)
        if message.truncation and not self._over_tcp:
            again = Server(address=address)
            try:
                raw = await ask_over_tcp(house, again, flow.client_conn, query)
                message = unpack(raw)
                flow.server_conn = again
            except ConnectionProblem as e:
                log.debug("%s: the truncated answer has to do: %s", again, e)
        self._answer = _Original.of(message, raw)
        return message

    def _sendable(self, response: DNSMessage) -> bytes:
        """*response* as bytes that fit, under the id that the client knows."""
        data = pack(response)
        if self._answer and data == self._answer.packed:
            data = self._answer.raw
        if len(data) > self._limit:
            data = pack(truncated(response))
        return self._query.raw[:2] + data[2:]

    async def _fail(self, reason: str) -> bytes | None:
        """Record why, tell the addons, and have the client told SERVFAIL."""
        flow = self.flow
        flow.error = flow.error or Error(reason)
        flow.response = None
        log.info("no answer to %s: %s", flow.request.question, flow.error)
        await self._calls.call(hookspecs.dns_error, flow)
        if self._over:
            return None
        flow.response = flow.response or flow.request.fail(ResponseCode.SERVFAIL)
        try:
            return self._sendable(flow.response)
        except LocalProtocolError:  # what cannot be said is our request, or what an addon answers
            return failure(self._query.raw, ResponseCode.SERVFAIL)

    def break_off(self, reset: bool) -> None:
        """Give up; the client gets no answer."""
        self._scope.interrupt(PeerGone(Error.KILLED_MESSAGE))
        self.let_go()


async def answer(
    house: House, client: Client, data: bytes, servers: Sequence[Address], hosts: HostsFile | None
) -> bytes | None:
    """The answer to the query in *data*; None if there is to be none."""
    try:
        request = unpack(data)
    except ProtocolError as e:
        log.info("%s: %s", client, e)
        return failure(data, ResponseCode.FORMERR)
    if not request.query:
        return None  # two that answer answers would never stop
    query = Query(house, client, request, data, servers)
    query.hosts = hosts
    return await query.run()


def failure(query: bytes, code: int) -> bytes | None:
    """An answer without any content; None if *query* has not even a header, or is no query."""
    if len(query) < 12 or query[2] & 0x80:
        return None
    return query[:2] + bytes((0x80 | query[2] & 0x79, code)) + bytes(8)


def from_hosts_file(hosts: HostsFile, query: DNSMessage) -> DNSMessage | None:
    """What *hosts* knows about *query*; None if the name is not in it."""
    question = query.question
    if question is None or question.class_ != RecordClass.IN or query.op_code != OpCode.QUERY:
        return None
    name = question.name
    if question.type == RecordType.PTR:
        found = hosts.name(_address_in(name))
        return query.succeed([ResourceRecord.PTR(name, found)]) if found else None
    if question.type not in (RecordType.A, RecordType.AAAA):
        return None
    addresses = [ipaddress.ip_address(text) for text in hosts.addresses(name)]
    if not addresses:
        return None
    four = [ResourceRecord.A(name, a) for a in addresses if isinstance(a, ipaddress.IPv4Address)]
    six = [ResourceRecord.AAAA(name, a) for a in addresses if isinstance(a, ipaddress.IPv6Address)]
    return query.succeed(four if question.type == RecordType.A else six)


def _address_in(name: str) -> str:
    """The address that the reverse *name* is about; empty if it is about none."""
    try:
        return dns.reversename.to_address(dns.name.from_text(name))
    except (dns.exception.DNSException, ValueError):
        return ""
