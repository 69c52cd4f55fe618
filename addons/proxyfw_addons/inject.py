"""Commands that send messages on live WebSocket, TCP and UDP flows, as if one of the sides had sent them."""

from __future__ import annotations

from collections.abc import Callable

from proxyfw.command import command
from proxyfw.exceptions import CommandError, ProxyfwError
from proxyfw.flow import Flow
from proxyfw.http import HTTPFlow
from proxyfw.tcp import TCPFlow
from proxyfw.udp import UDPFlow


class Inject:
    """The commands ``inject.…``; without hooks, so that they cost nothing."""

    @command("inject.websocket")
    def websocket(self, flow: Flow, to_client: bool, message: bytes, is_text: bool = True) -> None:
        """Send a message on an open WebSocket, to the client (true) or to the server (false)."""
        data = flow.websocket if isinstance(flow, HTTPFlow) else None
        if data is None:
            raise CommandError(f"flow {flow.id} is no WebSocket")
        _send(flow, lambda: data.inject(to_client, message, is_text))

    @command("inject.tcp")
    def tcp(self, flow: Flow, to_client: bool, message: bytes) -> None:
        """Send bytes on an open TCP flow, to the client (true) or to the server (false)."""
        if not isinstance(flow, TCPFlow):
            raise CommandError(f"flow {flow.id} is no TCP flow, but of type {flow.type}")
        _send(flow, lambda: flow.inject(to_client, message))

    @command("inject.udp")
    def udp(self, flow: Flow, to_client: bool, message: bytes) -> None:
        """Send a datagram on an open UDP flow, to the client (true) or to the server (false)."""
        if not isinstance(flow, UDPFlow):
            raise CommandError(f"flow {flow.id} is no UDP flow, but of type {flow.type}")
        _send(flow, lambda: flow.inject(to_client, message))


def _send(flow: Flow, inject: Callable[[], None]) -> None:
    if not flow.live:
        raise CommandError(f"nothing can be injected into flow {flow.id}: it is over")
    try:
        inject()
    except UnicodeError:
        raise CommandError("a text message must be UTF-8; give is_text=false for others") from None
    except ProxyfwError as problem:
        raise CommandError(str(problem)) from None
