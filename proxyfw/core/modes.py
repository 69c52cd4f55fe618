"""How clients reach the proxy: the grammar ``mode[:data][@[host:]port]`` and what each mode means.

regular                                     clients know that it is a proxy
upstream:http[s]://[user:pass@]host[:port]  the same, and it goes on through another proxy
upstream:socks5[h]://[user:pass@]host[:port]
reverse:http[s]://host[:port]               it stands for one server
reverse:tcp://host:port, reverse:tls://host:port
reverse:udp://host:port                     the same for datagrams
reverse:dns://host[:port]                   it stands for one name server, over UDP and TCP
dns                                         it is a name server, over UDP and TCP
socks5                                      clients speak SOCKS 5
transparent                                 the kernel redirects connections here
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote

from proxyfw.exceptions import OptionsError
from proxyfw.net.network import is_ip
from proxyfw.net.wire import Address

_SPEC = re.compile(r"(?P<name>[a-z0-9]+)(?::(?P<data>.*?))?(?:@(?P<place>[^@]*))?", re.DOTALL)
_PLACE = re.compile(r"(?:(?:\[(?P<ip6>[^\]]+)\]|(?P<host>[^:\[\]]*)):)?(?P<port>\d{1,5})")
_URL = re.compile(
    r"(?:(?P<scheme>[a-z0-9]+)://)?(?:(?P<login>.*)@)?"
    r"(?:\[(?P<ip6>[0-9A-Fa-f:.%]+)\]|(?P<host>[^:/@\[\]\s]+))(?::(?P<port>\d{1,5}))?/?",
    re.DOTALL,
)

_LISTENING = {
    "regular": 8080, "upstream": 8080, "reverse": 8080, "transparent": 8080, "socks5": 1080, "dns": 53,
}  # fmt: skip
"""Every mode, and the port it has when nobody says another."""
_UPSTREAM: dict[str, int | None] = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
_REVERSE: dict[str, int | None] = {
    "https": 443, "http": 80, "tcp": None, "tls": None, "udp": None, "dns": 53,
}  # fmt: skip
"""Schemes of the modes that lead somewhere, the default first, and their ports; None: it has to be said."""
_TARGETS = {"upstream": (_UPSTREAM, "http"), "reverse": (_REVERSE, "https")}


@dataclass(frozen=True, slots=True)
class Target:
    """Where a mode leads: the upstream proxy, or the server behind a reverse proxy."""

    scheme: str
    host: str
    port: int
    credentials: str | None = field(default=None, repr=False)
    """``user:password`` for an upstream proxy."""

    @property
    def authority(self) -> str:
        """``host[:port]``, as it is written in a Host header: without the scheme's own port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _REVERSE.get(self.scheme) else f"{host}:{self.port}"

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        user = f"{self.credentials.partition(':')[0]}@" if self.credentials else ""
        return f"{self.scheme}://{user}{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Mode:
    """One listener: what it is and where. `host` and `port` are None where the options are to say."""

    name: str
    target: Target | None = None
    host: str | None = None
    port: int | None = None

    @classmethod
    def parse(cls, spec: str) -> Mode:
        """Raises OptionsError that names what is wrong with *spec*."""
        match = _SPEC.fullmatch(spec)
        if not match or match["data"] == "":
            raise OptionsError(f"mode: {_shown(spec)!r} is not of the form mode[:data][@[host:]port]")
        name, data, place = match["name"], match["data"], match["place"]
        if name not in _LISTENING:
            raise OptionsError(f"mode: {name!r} is not one of {', '.join(_LISTENING)}")
        if name in _TARGETS:
            if data and place is not None and not _is_place(data, place):
                data, place = f"{data}@{place}", None
            target = _target(name, data or "")
        elif data is not None:
            raise OptionsError(f"mode: {name} takes nothing after a colon, but got {data!r}")
        else:
            target = None
        return cls(name, target, *_place(spec, place))

    @property
    def transports(self) -> tuple[str, ...]:
        """What clients reach it by."""
        if self.speaks_dns:
            return ("tcp", "udp")
        return ("udp",) if self.target and self.target.scheme == "udp" else ("tcp",)

    @property
    def speaks_dns(self) -> bool:
        return self.name == "dns" or (self.target is not None and self.target.scheme == "dns")

    def address(self, host: str, port: int | None) -> Address:
        """Where it listens; *host* and *port* are the options listen_host and listen_port."""
        if self.port is not None:
            port = self.port
        elif port is None:
            port = _LISTENING["dns" if self.speaks_dns else self.name]
        return host if self.host is None else self.host, port

    def __str__(self) -> str:
        return f"{self.name}:{self.target}" if self.target else self.name


def parse_all(specs: Sequence[str], host: str = "", port: int | None = None) -> list[Mode]:
    """The modes of *specs*; *host* and *port* as in `Mode.address`. Raises OptionsError.

    That is also for two on the same address.
    """
    modes = [Mode.parse(spec) for spec in specs]
    taken: dict[tuple[str, Address], str] = {}
    for mode, spec in zip(modes, specs, strict=True):
        address = mode.address(host, port)
        places = [(transport, address) for transport in mode.transports]
        other = next((taken[place] for place in places if place in taken), None)
        if address[1] and other:
            raise OptionsError(
                f"mode: {_shown(spec)} and {other} both listen on port {address[1]};"
                f" give one of them another: {mode}@{address[1] + 1}"
            )
        taken.update(dict.fromkeys(places, _shown(spec)))
    return modes


def _is_place(data: str, place: str) -> bool:
    """Whether ``@place`` after a URL says where to listen, rather than *data* being credentials in it.

    ``http://proxy:3128@8081`` listens, ``http://user:word@proxy:3128`` does not.
    """
    if "@" in data:
        return True
    match, url = _PLACE.fullmatch(place), _URL.fullmatch(data)
    if not match or not url:
        return False
    host = match["ip6"] or match["host"]
    return not host or host == "localhost" or is_ip(host)


def _place(spec: str, place: str | None) -> tuple[str | None, int | None]:
    if place is None:
        return None, None
    match = _PLACE.fullmatch(place)
    if not match:
        raise OptionsError(
            f"mode: {place!r} in {_shown(spec)!r} is not where to listen:"
            " write @port, @host:port or @[ipv6]:port"
        )
    host = match["ip6"] or match["host"]
    return host, _port(match["port"])


def _target(name: str, data: str) -> Target:
    schemes, default = _TARGETS[name]
    match = _URL.fullmatch(data)
    if not match:
        raise OptionsError(
            f"mode: {name} needs a target like {name}:{default}://example.com:{schemes[default]}"
            + (f", not {_shown(data)!r}" if data else "")
        )
    scheme = match["scheme"] or default
    if scheme not in schemes:
        raise OptionsError(f"mode: {name}:{scheme} is not one of {', '.join(f'{name}:{s}' for s in schemes)}")
    port = _port(match["port"]) if match["port"] else schemes[scheme]
    if not port:
        raise OptionsError(f"mode: {name}:{scheme} needs a port: {name}:{data}:PORT")
    login = match["login"]
    if login is not None and name != "upstream":
        raise OptionsError(f"mode: {name} takes no user and password in its target: see upstream_auth")
    if login is not None and ":" not in login:
        raise OptionsError("mode: credentials of an upstream proxy are user:password")
    return Target(scheme, match["ip6"] or match["host"], port, login and unquote(login))


def _port(text: str) -> int:
    if int(text) > 65535:
        raise OptionsError(f"mode: {text} is not a port")
    return int(text)


def _shown(spec: str) -> str:
    """*spec* without the password that it may contain."""
    return re.sub(r"(://[^:@/]*):(?!\d+@)[^/]*@", r"\1:***@", spec)
