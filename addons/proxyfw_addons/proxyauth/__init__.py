"""Asks clients who they are before they may use the proxy: one user, any with a name, or an htpasswd file.

Proxies ask with 407 and reverse and transparent ones with 401, for there clients do not know that there is a
proxy; SOCKS clients log in. The credentials are removed from what goes on to the server.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Awaitable, Callable, Set
from inspect import isawaitable
from weakref import WeakSet

from proxyfw import ctx, hookimpl
from proxyfw.addonmanager import Loader
from proxyfw.connection import Client
from proxyfw.exceptions import OptionsError
from proxyfw.hookspecs import Socks5AuthData
from proxyfw.http import HTTPFlow, Response

from .htpasswd import Htpasswd

Verdict = bool | Awaitable[bool]
Door = Callable[[str, str], Verdict]
"""Whether a user with this name and password is let in."""

_HELP = (
    "Who may use the proxy: user:password, any (all who give a name), or @FILE in htpasswd form,"
    " which is read again when it changes. The whole tunnel is open after one CONNECT."
)
_UNAWARE = ("reverse", "transparent")
"""Modes whose clients do not know of the proxy, so that it has to ask as a server does."""


class ProxyAuth:
    """The addon; one for each proxy, since it knows who has logged in."""

    def __init__(self) -> None:
        self._door: Door | None = None
        self._inside: WeakSet[Client] = WeakSet()
        """Clients whose connection is let in as a whole."""

    def load(self, loader: Loader) -> None:
        """Declare the option."""
        loader.add_option("proxyauth", str | None, None, _HELP)

    def configure(self, updated: Set[str]) -> None:
        """Refuse what cannot be meant, and read the file."""
        options = ctx.options
        if options.proxyauth and options.upstream_auth and any(m.startswith("reverse") for m in options.mode):
            raise OptionsError(
                "proxyauth: in reverse mode clients log in with the header that upstream_auth sets;"
                " only one of both can be used"
            )
        if "proxyauth" in updated:
            self._door = door(options.proxyauth)
            self._inside.clear()

    async def socks5_auth(self, data: Socks5AuthData) -> None:
        """Let the client in, or not; clients without a name only if nobody has to have one."""
        if self._door is None:
            data.valid = True
        elif data.username and await _judged(self._door(data.username, data.password)):
            data.valid = True
            self._inside.add(data.client_conn)

    @hookimpl(tryfirst=True)
    async def http_connect(self, flow: HTTPFlow) -> None:
        """Let all that comes in this tunnel in, or refuse it."""
        if self._door and flow.client_conn not in self._inside and await self._admits(flow):
            self._inside.add(flow.client_conn)

    @hookimpl(tryfirst=True)
    async def requestheaders(self, flow: HTTPFlow) -> None:
        """Let one request in, or answer it with what is missing."""
        if self._door and flow.is_replay is None and flow.client_conn not in self._inside:
            await self._admits(flow)

    async def _admits(self, flow: HTTPFlow) -> bool:
        unaware = flow.client_conn.proxy_mode.partition(":")[0] in _UNAWARE
        name = "Authorization" if unaware else "Proxy-Authorization"
        login = credentials(flow.request.headers.get(name, ""))
        if name in flow.request.headers:
            del flow.request.headers[name]
        if login and self._door and await _judged(self._door(*login)):
            flow.metadata["proxyauth"] = login[0]
            return True
        flow.response = challenge(unaware)
        return False


def door(spec: str | None) -> Door | None:
    """What *spec*, the value of the option, lets in; None: everybody. Raises OptionsError."""
    if not spec:
        return None
    if spec == "any":
        return lambda user, password: bool(user)
    if spec.startswith("@"):
        return Htpasswd(spec[1:]).admits
    if ":" not in spec:
        raise OptionsError("proxyauth: write user:password, any, or @FILE")
    wanted = spec.encode()
    return lambda user, password: hmac.compare_digest(f"{user}:{password}".encode("utf-8", "replace"), wanted)


def credentials(header: str) -> tuple[str, str] | None:
    """User and password in the value of an Authorization header; None if it holds none. RFC 7617."""
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(token.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    user, colon, password = text.partition(":")
    return (user, password) if colon else None


def challenge(unaware: bool) -> Response:
    """The answer to a client that has not said who it is, or not truly. RFC 9110 sections 11.6.1, 11.7.1."""
    status, name = (401, "WWW-Authenticate") if unaware else (407, "Proxy-Authenticate")
    text = f"{status} {'Unauthorized' if unaware else 'Proxy Authentication Required'}\n"
    return Response.make(
        status, text, {name: 'Basic realm="proxyfw", charset="UTF-8"', "Content-Type": "text/plain"}
    )


async def _judged(verdict: Verdict) -> bool:
    return await verdict if isawaitable(verdict) else bool(verdict)
