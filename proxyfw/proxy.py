"""`Proxy`: options, addons and listeners as one thing to start and stop, any number of them in a process.

async with Proxy(listen_port=0, addons=[MyAddon()]) as proxy:
    print(proxy.url)
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from . import ctx
from .addonmanager import AddonManager
from .certs import CertStore
from .command import CommandManager
from .connection import shown_address
from .core import settings as core_settings
from .core.errands import Errands
from .core.house import House
from .core.listeners import Place
from .core.live import LiveFlows
from .core.modes import parse_all
from .core.server import Server
from .core.settings import Settings
from .exceptions import CertificateError, ConnectError, OptionsError, ProxyfwError, TlsError
from .flow import Flow
from .http import HTTPFlow
from .net.contexts import VERSIONS, KeyLog, LeafContexts, OriginContexts, Terms, Trust, new_context
from .net.network import Network, SocketNetwork
from .net.watch import Watch
from .net.wire import Address
from .options import Options
from .replay import prepared
from .script import ScriptLoader

log = logging.getLogger("proxyfw")

DEFAULT_ADDONS = (
    "access", "contentviews", "flows", "options", "replay", "inject", "intercept", "breakpoint", "redact",
    "ssl_passthrough", "export",
    "throttle", "delay", "faults",
    "block", "block_hosts", "cors", "mock", "redirect", "websocket_mock",
    "rules", "map_local", "map_remote", "dns_map", "upstream", "save", "readfile", "har", "storage",
    "modify", "anticache", "anticomp", "stickyauth", "stickycookie", "strip_csp",
)  # fmt: skip
"""Built-in addons that every proxy has unless it is told otherwise, by entry point name."""


class Proxy:
    """One proxy. *options* is an `Options` or a mapping of names to values; keywords are options too.

    *addons* are loaded after the default ones, in order: instances, modules, or names of installed addons.
    *default_addons* replaces `DEFAULT_ADDONS`. *network* is the machine's unless another is given
    (`proxyfw.testing` has one in memory).

    Raises OptionsError, AddonError or CertificateError, before anything listens.
    """

    def __init__(
        self,
        options: Options | Mapping[str, Any] | None = None,
        *,
        addons: Sequence[object] = (),
        default_addons: Sequence[str] = DEFAULT_ADDONS,
        network: Network | None = None,
        **values: Any,
    ) -> None:
        self.options = options if isinstance(options, Options) else Options(**{**(options or {}), **values})
        if isinstance(options, Options) and values:
            self.options.update_defer(**values)
        self.context = contextvars.copy_context()
        self.context.run(ctx.use, self)
        core_settings.declare(self.options)
        self._errands = Errands(lambda: self._loop)
        self.commands = CommandManager(self, self._errands.start)
        self._live = LiveFlows(lambda: self._server.house.live if self._server else ())
        self.commands.add_flow_source(self._live)
        self.log = ctx.log
        self._network: Network = network or SocketNetwork()
        self._server: Server | None = None
        self._stopping = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listening: dict[str, Any] = {}
        """What the options said when the listeners became what they are."""
        self._relistening: asyncio.Task[None] | None = None
        self._refusal: OptionsError | None = None
        self._options_changed(set(self.options.keys()))
        self.options.subscribe(self._options_changed)
        self.addons = AddonManager(self)
        self.addons.add_default(default_addons)
        self.addons.add_rule_engine()
        for addon in addons:
            if isinstance(addon, str):
                self.addons.add_installed(addon)
            else:
                self.addons.add(addon)
        self.addons.add(ScriptLoader(self.addons), "scriptloader")

    # Where it is

    @property
    def addresses(self) -> list[Address]:
        """Where the proxy listens: ``(host, port)`` pairs, empty while it does not run."""
        return self._server.addresses if self._server else []

    @property
    def address(self) -> Address:
        """The first of `addresses`. Raises RuntimeError while the proxy does not listen."""
        if not self.addresses:
            raise RuntimeError("the proxy does not listen: start it first, with the option server=True")
        return self.addresses[0]

    @property
    def url(self) -> str:
        """What a client is told: ``http://127.0.0.1:8080``."""
        host, port = self.address
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
        return f"http://{shown_address((host, port))}"

    @property
    def ca_cert_path(self) -> Path:
        """The authority's certificate, for clients to trust. It exists once the proxy has started."""
        return Path(self.options.confdir).expanduser() / "proxyfw-ca-cert.pem"

    # The traffic

    @property
    def live_flows(self) -> list[Flow]:
        """The flows that are under way, the oldest first."""
        return self._live.flows()

    async def replay(self, flow: Flow, *, recorded: bool = False) -> HTTPFlow:
        """Send the request of *flow* again, and return the flow of that when it is over.

        It passes all hooks, as ``flow.is_replay == "request"``, and goes to the origin by way of the pool and
        of an upstream proxy, also where the proxy does not listen. `proxyfw.replay.prepared` says which flow
        it is; how it ended is in its `response` or `error`. *recorded*: it comes from a file, so that a
        reverse proxy sends it to the server that it stands for.

        Raises ProxyfwError if *flow* cannot be replayed, or the proxy does not run.
        """
        if self._server is None:
            raise ProxyfwError("nothing can be replayed: the proxy does not run")
        again = prepared(flow)
        options = self.options
        modes = parse_all(options.mode or ["regular"], options.listen_host, options.listen_port)
        await self._server.replay(again, modes, recorded)
        return again

    def renew_connections(self, *hosts: str) -> None:
        """Make new connections to *hosts*, or to all if none is named, for requests that begin from now on.

        For addons whose ``server_connect`` would choose otherwise than it has for those that are kept in the
        pool. What is under way on those is completed, and a tunnel of raw bytes stays where it leads.
        """
        if self._server:
            self._server.pool.renew(hosts)

    async def resolve(self, host: str) -> list[str]:
        """The IP addresses of *host*, if no addon names others in ``server_connect``. Raises ConnectError."""
        found = await self._network.resolve(host, 0)
        return [address for address, _ in found]

    def known_addresses(self, host: str) -> list[str]:
        """The addresses that the hosts file of this machine has for *host*, none if it is not in it."""
        return self._network.hosts_file.addresses(host)

    @property
    def event_loop(self) -> asyncio.AbstractEventLoop:
        """The loop it runs in. Raises RuntimeError while it does not run."""
        if self._loop is None:
            raise RuntimeError("the proxy has no event loop: start it first")
        return self._loop

    # Its life

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen, and tell the addons. Raises OptionsError, CertificateError, ConnectError."""
        self.options.check_deferred()
        self.addons.rules.check()
        self._loop = asyncio.get_running_loop()
        house = self._build()
        self._server = server = Server(house)
        try:
            self._listening = _listening(self.options)
            await server.listen(_places(self.options))
            await self.addons.start()
        except BaseException:
            await server.close()
            self._server = None
            raise

    async def stop(self) -> None:
        """Stop listening, end what is under way, tell the addons. Does nothing if it does not run."""
        server, self._server = self._server, None
        if server:
            if self._relistening:
                self._relistening.cancel()
                await asyncio.wait([self._relistening])
            await server.close()
            await self._errands.stop(self.options.shutdown_timeout)
            await self.addons.stop()

    async def settled(self) -> None:
        """Wait until the proxy listens as the options say, after a change of mode, listen_* or server.

        Raises OptionsError if that is not possible (a port is taken, say). The listeners have stayed as they
        were then, and the options are again what they were.
        """
        while self._relistening and not self._relistening.done():
            await asyncio.wait([self._relistening])
        refusal, self._refusal = self._refusal, None
        if refusal:
            raise refusal

    async def run(self) -> None:
        """Start, wait for `shutdown`, stop."""
        async with self:
            await self._stopping.wait()

    def shutdown(self) -> None:
        """Make `run` return, also if it has not begun; may be called from any thread."""
        try:
            if self._loop:
                self._loop.call_soon_threadsafe(self._stopping.set)
                return
        except RuntimeError:
            pass  # the loop is closed: nothing runs
        self._stopping.set()

    # What options mean

    def _build(self) -> House:
        options = self.options
        certs = CertStore.from_confdir(options.confdir, passphrase=options.cert_passphrase)
        for spec in options.certs:
            certs.add_custom(spec, options.cert_passphrase)
        settings = Settings.of(options)
        leaf_contexts, origin_contexts = _contexts(options)
        return House(
            addons=self.addons,
            network=self._network,
            certs=certs,
            settings=settings,
            leaf_contexts=leaf_contexts,
            origin_contexts=origin_contexts,
            watch=Watch(settings.shortest_timeout),
            context=self.context,
            ignore_hosts=_patterns(options, "ignore_hosts"),
            allow_hosts=_patterns(options, "allow_hosts"),
            tcp_hosts=_patterns(options, "tcp_hosts"),
            udp_hosts=_patterns(options, "udp_hosts"),
        )

    def _options_changed(self, updated: set[str]) -> None:
        """Check the core's options and put them into effect. Raises OptionsError, which undoes the change."""
        options = self.options
        settings = Settings.of(options)
        patterns = {name: _patterns(options, name) for name in _HOST_OPTIONS}
        if not 0 <= (options.listen_port or 0) < 65536:
            raise OptionsError(f"listen_port: {options.listen_port} is not a port")
        _places(options)
        if not self._server:
            return
        house = self._server.house
        if updated & _TLS_OPTIONS:
            try:
                house.leaf_contexts, house.origin_contexts = _contexts(options)
            except CertificateError as e:
                raise OptionsError(str(e)) from e
        house.settings = settings
        for name, found in patterns.items():
            setattr(house, name, found)
        if updated & _LISTENING_OPTIONS and (self._relistening is None or self._relistening.done()):
            self._relistening = house.spawn(self._listen_anew(self._server))

    async def _listen_anew(self, server: Server) -> None:
        """Make the listeners what the options say; where that fails, the options what the listeners are."""
        while (wanted := _listening(self.options)) != self._listening:
            try:
                await server.listen(_places(self.options))
            except ConnectError as e:
                if wanted == _listening(self.options):  # nobody has changed them again meanwhile
                    log.error("%s; mode, listen_host, listen_port and server are again what they were", e)
                    self._refusal = OptionsError(str(e))
                    self.options.update(**self._listening)
            else:
                self._listening, self._refusal = wanted, None


_LISTENING_OPTIONS = {"mode", "listen_host", "listen_port", "server"}
_HOST_OPTIONS = ("ignore_hosts", "allow_hosts", "tcp_hosts", "udp_hosts")
_TLS_OPTIONS = {
    "ssl_insecure", "ssl_verify_upstream_trusted_ca", "ssl_verify_upstream_trusted_confdir", "client_certs",
    "request_client_cert", "ciphers_client", "ciphers_server", "tls_version_client_min",
    "tls_version_client_max", "tls_version_server_min", "tls_version_server_max",
}  # fmt: skip


def _listening(options: Options) -> dict[str, Any]:
    return {name: getattr(options, name) for name in _LISTENING_OPTIONS}


def _places(options: Options) -> list[Place]:
    """Where to listen. Raises OptionsError."""
    host, port = options.listen_host, options.listen_port
    if options.server and not options.mode:
        raise OptionsError("mode: none is named: set mode=regular, say, or server=false not to listen")
    modes = parse_all(options.mode, host, port)
    return [(mode, mode.address(host, port)) for mode in modes] if options.server else []


def _contexts(options: Options) -> tuple[LeafContexts, OriginContexts]:
    """TLS as the options want it. Raises OptionsError, CertificateError."""
    key_log = _key_log()
    client, server = _terms(options, "client"), _terms(options, "server")
    origins = OriginContexts(server, trust := _trust(options), key_log)
    if trust != Trust():
        origins.check()
    return LeafContexts(client, key_log, options.request_client_cert), origins


def _terms(options: Options, side: str) -> Terms:
    minimum, maximum = f"tls_version_{side}_min", f"tls_version_{side}_max"
    terms = Terms(getattr(options, minimum), getattr(options, maximum), getattr(options, f"ciphers_{side}"))
    if 0 < VERSIONS[terms.maximum] < VERSIONS[terms.minimum]:
        raise OptionsError(f"{minimum}: {terms.minimum} is above {maximum}, which is {terms.maximum}")
    if terms.ciphers:
        try:
            new_context(terms, None)
        except TlsError as e:
            raise OptionsError(f"ciphers_{side}: {e}") from e
    return terms


def _trust(options: Options) -> Trust:
    return Trust(
        options.ssl_insecure,
        options.ssl_verify_upstream_trusted_ca,
        options.ssl_verify_upstream_trusted_confdir,
        options.client_certs,
    )


def _patterns(options: Options, name: str) -> list[re.Pattern[str]]:
    found = []
    for text in getattr(options, name):
        try:
            found.append(re.compile(text, re.IGNORECASE))
        except re.error as e:
            raise OptionsError(f"{name}: {text!r} is not a regular expression: {e}") from e
    return found


def _key_log() -> KeyLog | None:
    """Appends secrets to the file that SSLKEYLOGFILE names, as other TLS programs do. Raises OptionsError."""
    path = os.environ.get("SSLKEYLOGFILE")
    if not path:
        return None

    def write(line: bytes) -> None:
        with open(path, "ab") as file:  # each time: nobody has to know which line is the last
            file.write(line)

    try:
        write(b"")
    except OSError as e:
        raise OptionsError(f"SSLKEYLOGFILE: cannot write {path}: {e.strerror}") from e
    return lambda line: write(line + b"\n")
