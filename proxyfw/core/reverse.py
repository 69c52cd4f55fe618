"""Reverse proxy: every request goes to one server, and says so, unless it is to keep what the client said."""

from __future__ import annotations

from dataclasses import dataclass, replace

from proxyfw.exceptions import ProtocolError
from proxyfw.http import Request

from .heads import Route, split_authority
from .modes import Target
from .settings import Settings
from .upstream import basic


@dataclass(frozen=True, slots=True)
class ReverseRoute(Route):
    """A `Route` whose scheme is the server's, whatever clients speak."""

    authority: bytes | None = None
    """What Host becomes; None: it stays, and SNI follows it."""
    authorization: bytes | None = None

    @classmethod
    def to(cls, target: Target, settings: Settings) -> ReverseRoute:
        """The route to *target* as the options want it."""
        keep, auth = settings.keep_host_header, settings.upstream_auth
        return cls(
            target.scheme,
            target.host,
            target.port,
            authority=None if keep else target.authority.encode(),
            authorization=basic(auth) if auth else None,
        )

    def secured(self, sni: str | None) -> ReverseRoute:
        return replace(self, sni=sni) if self.authority is None else self

    def prepare(self, request: Request) -> str | None:
        if self.authorization:
            request.headers["Authorization"] = self.authorization
        if self.authority is None:
            return self.sni or _host(request)
        if request.authority_bytes:
            request.authority_bytes = self.authority
        _set_host(request.headers.fields, self.authority)
        return None


def _host(request: Request) -> str | None:
    """The name in the Host header."""
    try:
        return split_authority(request.headers.get("host", "").encode(), 80)[0]
    except ProtocolError:
        return None


def _set_host(fields: list[tuple[bytes, bytes]], authority: bytes) -> None:
    for i, (name, _) in enumerate(fields):
        if name.lower() == b"host":
            fields[i] = (name, authority)
            return
    fields.insert(0, (b"Host", authority))
