"""The action `dns_map`: where a name leads, for the proxy's own connections and for those who ask for it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import Annotated

from proxyfw import ctx
from proxyfw.connection import ServerConnectionHookData, shown_address
from proxyfw.dns import DNSFlow, OpCode, RecordClass, RecordType, ResourceRecord, ResponseCode
from proxyfw.exceptions import ConnectError
from proxyfw.rules import Action, Hit, Rule, host_key

from .destination import NameServers, NoSuchName, Place, is_ip

_ANSWERED = (RecordType.A, RecordType.AAAA, RecordType.HTTPS)
"""Types of records that say where a name leads."""


@dataclass
class DnsMap(Action):
    """Have the name lead to another address; URL, Host and SNI keep the name."""

    address: Annotated[
        list[str],
        "IP address or name, with a port if another is to be used; several are tried in this order.",
    ] = field(default_factory=list)
    servers: Annotated[list[str], "Instead: IP addresses of name servers to ask, with a port if not 53."] = (
        field(default_factory=list)
    )

    def __post_init__(self) -> None:
        if bool(self.address) == bool(self.servers):
            raise ValueError("give one of address and servers")
        self._places = [Place.read(text) for text in self.address]
        self._name_servers = NameServers(self.servers)

    async def server_connect(self, data: ServerConnectionHookData, hit: Hit) -> None:
        """Say which addresses are to be dialled, unless a rule before this one has."""
        if data.addresses is not None or data.server.address is None:
            return
        host, port = data.server.address
        if not maps(hit.rule, host):
            return
        try:
            data.addresses = [(ip, other or port) for ip, other in await self.destinations(host)]
        except ConnectError as problem:
            data.server.error = f"dns_map: {problem}"
        else:
            hit.note(f"{host} is {', '.join(shown_address(address) for address in data.addresses)}")

    async def dns_request(self, flow: DNSFlow, hit: Hit) -> None:
        """Answer a query for addresses of the name."""
        query = flow.request
        question = query.question
        if question is None or question.class_ != RecordClass.IN or query.op_code != OpCode.QUERY:
            return
        kind = question.type
        if kind not in _ANSWERED or (kind == RecordType.HTTPS and self.servers):
            return
        if hit.dry and not all(is_ip(place.host) for place in self._places or [Place("")]):
            hit.note("would be resolved")
            return
        try:
            found = [ipaddress.ip_address(ip) for ip, _ in await self.destinations(host_key(question.name))]
        except ConnectError as problem:
            hit.note(str(problem))
            unknown = isinstance(problem, NoSuchName)
            flow.response = query.fail(ResponseCode.NXDOMAIN if unknown else ResponseCode.SERVFAIL)
            return
        name = question.name
        four = [ResourceRecord.A(name, ip) for ip in found if isinstance(ip, ipaddress.IPv4Address)]
        six = [ResourceRecord.AAAA(name, ip) for ip in found if isinstance(ip, ipaddress.IPv6Address)]
        flow.response = query.succeed({RecordType.A: four, RecordType.AAAA: six}.get(RecordType(kind), []))

    async def destinations(self, host: str) -> list[tuple[str, int | None]]:
        """The addresses that *host* leads to, and their ports if they are others. Raises ConnectError."""
        if self.servers:
            return [(ip, None) for ip in await self._name_servers.addresses(host)]
        found: list[tuple[str, int | None]] = []
        for name, port in self._places:
            found += [(ip, port) for ip in ([name] if is_ip(name) else await ctx.proxy.resolve(name))]
        return found


def maps(rule: Rule, host: str) -> bool:
    """Whether *rule*, which matches *host*, is meant for it: addresses have to be named."""
    if not is_ip(host):
        return True
    return any(pattern.literal == host_key(host) for pattern in rule.match.host or ())
