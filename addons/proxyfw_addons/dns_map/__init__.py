"""Has names lead elsewhere, as a hosts file does, with wildcards, ports and name servers of their own.

Only where connections go changes: URL, Host, SNI and the name in the certificate stay.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterator, Sequence
from typing import TypeVar

from proxyfw import ctx
from proxyfw.addonmanager import Loader
from proxyfw.command import command
from proxyfw.connection import Client, Server, ServerConnectionHookData
from proxyfw.exceptions import CommandError, ConnectError, OptionsError
from proxyfw.rules import Rule, RuleBook, host_key

from .action import DnsMap, maps
from .destination import is_ip

T = TypeVar("T")
_FORM = "host=address[:port]"


class DnsMapping:
    """The addon: action and option `dns_map`, commands ``dns.…``."""

    name = "dns_map"

    def __init__(self) -> None:
        self._off: set[str] = set()
        """Hosts, as they are written, whose entries are switched off."""

    def load(self, loader: Loader) -> None:
        """Declare action and option."""
        loader.add_action("dns_map", DnsMap)
        loader.add_option(
            "dns_map",
            Sequence[str],
            [],
            f"Have names lead elsewhere: {_FORM}, or host=@name-server[:port]; wildcards as *.example.com.",
            flag="--dns-map",
        )

    def configure(self, updated: set[str]) -> None:
        """Make rules of the option. Raises OptionsError."""
        if "dns_map" in updated:
            self._provide()

    @command("dns.list")
    def list_entries(self) -> Sequence[str]:
        """The entries of the option dns_map, and which of them are on."""
        return [f"{'off' if host in self._off else 'on '} {host}={to}" for host, to in _entries()]

    @command("dns.enable")
    def enable(self, host: str) -> None:
        """Switch an entry of the option dns_map on again; *host* is what stands before its ``=``."""
        self._toggle(host, True)

    @command("dns.disable")
    def disable(self, host: str) -> None:
        """Switch an entry of the option dns_map off: its names lead where they led before, at once."""
        self._toggle(host, False)

    @command("dns.resolve")
    async def resolve(self, host: str) -> Sequence[str]:
        """Where connections to a host lead, and who says so: a rule, the hosts file, or the system."""
        name = host_key(host)
        if mapping := _mapping(name):
            rule, action = mapping
            found = [_shown(ip, port) for ip, port in await _found(action.destinations(name))]
            return [f"{place} (rule {rule.name})" for place in found]
        known = ctx.proxy.known_addresses(name)
        return [
            f"{ip} ({'address' if is_ip(name) else 'hosts file' if ip in known else 'system'})"
            for ip in await _found(ctx.proxy.resolve(name))
        ]

    def _toggle(self, host: str, on: bool) -> None:
        hosts = [entry for entry, _ in _entries()]
        if host not in hosts:
            raise CommandError(f"dns_map has no entry for {host!r}; it has {', '.join(hosts) or 'none'}")
        self._off.symmetric_difference_update({host} if (host in self._off) is on else ())
        self._provide()

    def _provide(self) -> None:
        book: RuleBook = ctx.master.addons.rules
        book.provide(self.name, sorted(self._rules(book), key=_is_wildcard))

    def _rules(self, book: RuleBook) -> Iterator[Rule]:
        seen: set[str] = set()
        for host, to in _entries():
            if host in seen:
                raise OptionsError(f"dns_map: {host!r} is mapped twice: list its addresses as {host}=A,B")
            seen.add(host)
            asks = to.startswith("@")
            where = [part.strip().removeprefix("@") for part in to.split(",")]
            rule = {
                "name": f"dns_map {host}",
                "enabled": host not in self._off,
                "match": {"host": host},
                "action": {"type": "dns_map", "servers" if asks else "address": where},
            }
            place = f"dns_map: '{host}={to}'"
            yield from book.read([rule], locate=lambda _, place=place: place)  # type: ignore[misc]


def _entries() -> Iterator[tuple[str, str]]:
    """What the option says: hosts, and where they lead. Raises OptionsError."""
    for spec in ctx.options.dns_map:
        host, _, to = (part.strip() for part in spec.partition("="))
        if not host or not to:
            raise OptionsError(f"dns_map: {spec!r} is not of the form {_FORM}, as app.test=127.0.0.1:8000")
        yield host, to


def _is_wildcard(rule: Rule) -> bool:
    """What names one host comes before what names many."""
    return any(pattern.literal is None for pattern in rule.match.host or ())


def _mapping(host: str) -> tuple[Rule, DnsMap] | None:
    """The first rule that maps *host*."""
    client = Client(peername=("127.0.0.1", 0), sockname=("127.0.0.1", 0), timestamp_start=0)
    data = ServerConnectionHookData(Server(address=(host, 443)), client)
    book: RuleBook = ctx.master.addons.rules
    for active in book.current.concerning("server_connect", host):
        for action in active.rule.actions:
            rule = active.rule
            spent = rule.times is not None and active.used >= rule.times
            if not isinstance(action, DnsMap) or spent or not maps(rule, host):
                continue
            if active.decide(data)[0] is not None:
                return rule, action
    return None


async def _found(resolving: Awaitable[list[T]]) -> list[T]:
    """What *resolving* gives. Raises CommandError."""
    try:
        return await resolving
    except ConnectError as problem:
        raise CommandError(str(problem)) from None


def _shown(ip: str, port: int | None) -> str:
    host = f"[{ip}]" if ":" in ip and port else ip
    return f"{host}:{port}" if port else host
