"""Lets connections pass unopened: to hosts of a list, by rules, and of clients that refuse our certificate.

Applications that pin certificates refuse every other one; after a few refusals their connections to that host
are tunnelled as they are, until that is forgotten again. Nothing is learnt about other clients of the host.
"""

from __future__ import annotations

import ipaddress
import logging
import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from proxyfw import ctx, flow
from proxyfw.addonmanager import Loader
from proxyfw.command import command
from proxyfw.connection import Client, Server
from proxyfw.exceptions import CommandError, OptionsError
from proxyfw.options import Duration
from proxyfw.rules import Action, Hit, Pattern, host_key
from proxyfw.tls import ClientHello, ClientHelloData, TlsData

log = logging.getLogger("proxyfw")

_MEMORY = 4096
_REJECTIONS = ("certificate", "unknown_ca", "closed the connection")
"""What the error of a handshake speaks of when a client may not have liked what it was shown."""
_LISTS = ("ssl_passthrough", "ssl_intercept_only", "ssl_passthrough_never")
_HTTPS = 443

Pair = tuple[str, str]


@dataclass
class Passthrough(Action):
    """Let the TLS connection pass unopened."""

    record: Annotated[bool, "A TCP flow says at its end how many bytes went through."] = True

    def tls_clienthello(self, data: ClientHelloData, hit: Hit) -> None:
        """Let it pass, if it is meant for a server and not for the proxy itself."""
        if data.server is not None:
            data.ignore_connection, data.record_tunnel = True, self.record


class SslPassthrough:
    """The lists, and what is learnt: `refusals` for pairs of client and host, and until when they pass."""

    def __init__(self) -> None:
        self.refusals: OrderedDict[Pair, int] = OrderedDict()
        self.passed: OrderedDict[Pair, float] = OrderedDict()
        self._lists: dict[str, list[Pattern]] = {name: [] for name in _LISTS}
        self._after = 0

    def load(self, loader: Loader) -> None:
        """Declare the options, and offer the action."""
        loader.add_option(
            "ssl_passthrough", Sequence[str], [], "Hosts whose TLS passes unopened, as *.example.com.",
            flag="--ssl-passthrough",
        )  # fmt: skip
        loader.add_option(
            "ssl_intercept_only", Sequence[str], [], "Hosts whose TLS is opened; all others pass.",
            flag="--ssl-intercept-only",
        )  # fmt: skip
        loader.add_option(
            "ssl_passthrough_never", Sequence[str], [], "Hosts that neither pass by the list nor are learnt."
        )
        loader.add_option(
            "ssl_passthrough_after", int, 0,
            "Refusals of our certificate after which a client passes through to the host; 0 is never.",
            flag="--ssl-passthrough-after",
        )  # fmt: skip
        loader.add_option(
            "ssl_passthrough_expiry", Duration, Duration("1h"), "After that it is intercepted again."
        )
        loader.add_action("ssl_passthrough", Passthrough)

    def configure(self, updated: set[str]) -> None:
        """Take up the options, and be called only if there is something to do. Raises OptionsError."""
        options = ctx.options
        if not updated & {*_LISTS, "ssl_passthrough_after"}:
            return
        if options.ssl_passthrough and options.ssl_intercept_only:
            raise OptionsError(
                "ssl_passthrough and ssl_intercept_only exclude each other: "
                "name the hosts that pass, or those that are opened"
            )
        if options.ssl_passthrough_after < 0:
            raise OptionsError("ssl_passthrough_after: write a number of refusals; 0 is never")
        self._lists = {name: list(_patterns(name, getattr(options, name))) for name in _LISTS}
        self._after = options.ssl_passthrough_after
        if not self._after:
            self.refusals.clear()
            self.passed.clear()
        lists = self._lists["ssl_passthrough"] or self._lists["ssl_intercept_only"]
        ctx.master.addons.set_hooks(
            self,
            tls_clienthello=self._decide if lists or self._after else None,
            tls_established_client=self._trusts if self._after else None,
            tls_failed_client=self._refuses if self._after else None,
        )

    # what passes

    def _decide(self, data: ClientHelloData) -> None:
        """Let the connection pass if its host is meant, or its client has refused us often enough."""
        if data.server is not None and self._why(_names(data), _address(data.client)):
            data.ignore_connection = data.record_tunnel = True

    def _why(self, names: Sequence[str], client: str) -> str | None:
        """Why connections to a host with *names* pass; None if they do not."""
        if self._found("ssl_passthrough_never", names):
            return None
        if pattern := self._found("ssl_passthrough", names):
            return f"ssl_passthrough has {pattern}"
        if self._lists["ssl_intercept_only"] and not self._found("ssl_intercept_only", names):
            return "ssl_intercept_only does not have it"
        pair = client, next(iter(names), "")
        return f"{client} has refused our certificate" if pair in self.passed and self._lasts(pair) else None

    def _found(self, option: str, names: Iterable[str]) -> Pattern | None:
        return next((pattern for pattern in self._lists[option] for name in names if pattern(name)), None)

    def _lasts(self, pair: Pair) -> bool:
        """Whether what was learnt about *pair* still holds; it is forgotten if it does not."""
        if self.passed[pair] > flow.clock():
            return True
        del self.passed[pair]
        log.info("%s: connections to %s are intercepted again", *pair)
        return False

    # what is learnt

    def _trusts(self, data: TlsData) -> None:
        self.refusals.pop(_pair(data), None)

    def _refuses(self, data: TlsData) -> None:
        names = _names(data)
        if data.server is None or self._found("ssl_passthrough_never", names):
            return
        if not any(word in (data.conn.error or "") for word in _REJECTIONS):
            return
        pair = _pair(data)
        count = self.refusals[pair] = self.refusals.pop(pair, 0) + 1
        if count >= self._after:
            del self.refusals[pair]
            expiry = ctx.options.ssl_passthrough_expiry
            self.passed[pair] = flow.clock() + expiry
            log.warning(
                "%s has refused our certificate for %s: it passes through from now on, for %s", *pair, expiry
            )
        for memory in (self.refusals, self.passed):
            if len(memory) > _MEMORY:
                memory.popitem(last=False)

    # commands

    @command("ssl_passthrough.list")
    def list_passed(self) -> Sequence[Any]:
        """The patterns of the lists, and for clients and hosts what was learnt, with the seconds left."""
        for pair in list(self.passed):
            self._lasts(pair)
        listed = [{"by": name, "host": str(each)} for name in _LISTS for each in self._lists[name]]
        now = flow.clock()
        learned = [
            {"by": "learned", "host": host, "client": client, "seconds": round(until - now, 3)}
            for (client, host), until in self.passed.items()
        ]
        refused = [
            {"by": "refusals", "host": host, "client": client, "count": count}
            for (client, host), count in self.refusals.items()
        ]
        return [*listed, *learned, *refused]

    @command("ssl_passthrough.forget")
    def forget(self, host: str = "") -> int:
        """Intercept again what was learnt, of one host or of all: how many clients that concerns."""
        pairs = {pair for pair in (*self.passed, *self.refusals) if not host or pair[1] == host_key(host)}
        if host and not pairs:
            raise CommandError(f"nothing has been learnt about {host}: ssl_passthrough.list says what has")
        for pair in pairs:
            self.passed.pop(pair, None)
            self.refusals.pop(pair, None)
        return len(pairs)

    @command("ssl_passthrough.check")
    def check(self, host: str, client: str = "127.0.0.1") -> str:
        """Whether TLS of a client to a host passes unopened, and why."""
        name = host_key(host)
        why = self._why([name], client) or _by_rule(name, client) or _by_core(name)
        return f"{host} passes: {why}" if why else f"{host} is intercepted"


def _patterns(option: str, texts: Sequence[str]) -> Iterator[Pattern]:
    for text in texts:
        try:
            pattern = Pattern(text.strip("[]") if ":" in text else text)
        except ValueError as problem:
            raise OptionsError(f"{option}: {problem}") from None
        if not pattern.is_regex and (not text or "/" in text or (":" in text and not _is_ip(pattern.text))):
            raise OptionsError(
                f"{option}: {text!r} is not a host: write example.com, *.example.com or an /expression/,"
                " without scheme, port and path"
            )
        yield pattern


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _by_rule(host: str, client: str) -> str | None:
    """The rule that lets *host* pass, if one does."""
    data = ClientHelloData(
        ClientHello(sni=host),
        Client(peername=(client, 0), sockname=("", 0), timestamp_start=flow.clock()),
        Server(address=(host, _HTTPS)),
    )
    for active in ctx.master.addons.rules.current.active:
        passing = any(isinstance(action, Passthrough) for action in active.rule.actions)
        if passing and active.decide(data)[0] is not None:
            return f"rule {active.rule}"
    return None


def _by_core(host: str) -> str | None:
    """The option of the proxy itself that lets *host* pass, if one does."""
    name, options = f"{host}:{_HTTPS}", ctx.options
    for text in options.ignore_hosts:
        if re.search(text, name, re.IGNORECASE):
            return f"ignore_hosts has {text}"
    if options.allow_hosts and not any(re.search(text, name, re.IGNORECASE) for text in options.allow_hosts):
        return "allow_hosts does not have it"
    return None


def _names(data: ClientHelloData | TlsData) -> list[str]:
    """The host that the client wants: as its hello names it, and as its CONNECT has."""
    named = (data.client.sni, data.server.address[0] if data.server and data.server.address else None)
    return list(dict.fromkeys(host_key(name) for name in named if name))


def _pair(data: ClientHelloData | TlsData) -> Pair:
    """The client's address, and the host that it wants."""
    return _address(data.client), next(iter(_names(data)), "")


def _address(client: Client) -> str:
    return (client.peername or ("",))[0]
