"""The ways in: how each mode finds out where a client wants to go. Everything ends in `Session.serve`,
`Session.inside` or `Session.pass_through`.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from proxyfw.exceptions import ConnectionProblem, ProtocolError
from proxyfw.net.wire import Lobby
from proxyfw.protocol.detect import Speech
from proxyfw.protocol.tls import starts_like_tls

from . import heads
from .heads import Route
from .intercept import consider, read_hello
from .modes import Mode, Target
from .reverse import ReverseRoute
from .socks import Welcome

if TYPE_CHECKING:
    from .session import Session

log = logging.getLogger("proxyfw")


async def enter(session: Session, mode: Mode) -> None:
    """Serve the client of *session* as *mode* has it."""
    lobby, house = session.lobby(), session.house
    session.idle = True
    if mode.name == "socks5":
        await _socks(session, lobby)
    elif mode.name == "transparent":
        host, port = house.network.original_destination(session.wire)
        await session.inside(lobby, Route("http", host, port))
    elif mode.name != "reverse":
        await _http(session, lobby, None)
    elif mode.target and mode.target.scheme in heads.DEFAULT_PORTS:
        await _http(session, lobby, ReverseRoute.to(mode.target, house.settings))
    elif mode.target:
        await _reverse_raw(session, lobby, mode.target)


async def _http(session: Session, lobby: Lobby, route: Route | None) -> None:
    """Serve a client that speaks HTTP to us, or HTTP inside TLS; all requests go to *route* if given."""
    try:
        async with asyncio.timeout(session.house.settings.idle_timeout):
            while (tls := starts_like_tls(lobby.data)) is None:
                if not await lobby.more():
                    return
    except TimeoutError:
        return
    session.idle = False
    if tls:
        server = session.house.server(session.client, (route.host, route.port)) if route else None
        hello = await read_hello(session.house, lobby)
        data = await consider(session.house, hello, session.client, server, [str(route)] if route else [])
        if server and data.ignore_connection:  # else there is nowhere to pass it on to
            return await session.pass_through(lobby, server, True, data.record_tunnel)
        route = route.secured(hello.sni) if route else None
        if server and route and route.scheme == "https" and data.establish_server_tls_first:
            server = await session.establish(server, route.sni)
        if not await session.intercept(lobby, server, _reached(session)):
            return
    await session.serve(session.wire, route)


async def _socks(session: Session, lobby: Lobby) -> None:
    """Serve a client that says in SOCKS 5 where it wants to go."""
    welcome = Welcome(session.house, session.client, lobby)
    try:
        host, port = await welcome.destination()
    except ProtocolError as e:
        log.warning("%s: %s", session.client, e)
        return
    if session.house.settings.eager:
        try:
            await session.pool.dial_ahead(session.house.server(session.client, (host, port)), session.client)
        except ConnectionProblem as e:
            log.info("%s: %s", session.client, e)
            welcome.deny(e)
            return
    await session.inside(welcome.grant(), Route("http", host, port))


async def _reverse_raw(session: Session, lobby: Lobby, target: Target) -> None:
    """Carry bytes to *target*; where we speak TLS to it, the client may speak TLS to us or not."""
    server = session.house.server(session.client, (target.host, target.port))
    try:
        if target.scheme == "tls":
            server.tls, server.sni = True, target.host
            if await session.sniff(lobby, server) is Speech.TLS:
                hello = await read_hello(session.house, lobby)
                names = [f"{target.host}:{target.port}"]
                data = await consider(session.house, hello, session.client, server, names)
                if data.ignore_connection:
                    server.tls = False
                    return await session.pass_through(lobby, server, data.record_tunnel, data.record_tunnel)
                if await session.intercept(lobby, server, _reached(session)):
                    lobby = session.lobby()
                else:
                    return None
        return await session.pass_through(lobby, server)
    finally:
        session.pool.abandon(session.client, server)


def _reached(session: Session) -> str:
    """The address of ours that the client has connected to."""
    sockname = session.client.sockname
    return sockname[0] if sockname else ""
