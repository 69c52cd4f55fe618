"""Faults and slow networks as real clients on real sockets see them."""

from __future__ import annotations

import asyncio
import http.client
import ssl

import pytest
from ends import PATIENCE, Conversation, Field

from proxyfw.proxy import Proxy
from proxyfw_addons.faults import Faults
from proxyfw_addons.throttle import Throttling

pytestmark = pytest.mark.end_to_end

BODY = bytes(range(200))


async def asked(talk: Conversation) -> None:
    """An origin that answers with `BODY`."""
    await talk.head()
    await talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n" + BODY)


async def endless(talk: Conversation) -> None:
    """An origin that never stops to answer."""
    await talk.head()
    await talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
    while True:
        await talk.send(bytes(100_000))


def seen(proxy: Proxy, port: int, patience: float = PATIENCE, tls: ssl.SSLContext | None = None) -> str:
    """What a client of Python's makes of an answer."""
    connection = http.client.HTTPConnection(*proxy.address, timeout=patience)
    where = f"http://127.0.0.1:{port}/"
    if tls:
        connection = http.client.HTTPSConnection(*proxy.address, timeout=patience, context=tls)
        connection.set_tunnel("example.test", port)
        where = "/"
    try:
        connection.request("GET", where)
        with connection.getresponse() as response:
            body = response.read()
        return "whole" if body == BODY else f"{len(body)} bytes"
    except http.client.IncompleteRead as problem:
        return f"{len(problem.partial)} bytes of more"
    except (OSError, http.client.HTTPException) as problem:
        return type(problem).__name__
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        ("reset", "ConnectionResetError"),
        ("reset after=50", "ConnectionResetError"),
        ("empty", "RemoteDisconnected"),
        ("close after=50", "50 bytes of more"),
        ("truncate after=50", "50 bytes"),
        ("garbage", "BadStatusLine"),
        ("garbage_body", "200 bytes"),
        ("dribble time=50ms", "whole"),
        ("slow_close time=50ms", "whole"),
    ],
)
async def test_a_client_can_tell_faults_apart(field: Field, fault: str, outcome: str) -> None:
    proxy = await field.proxy(Faults(), fault=[fault], rules_seed="1")
    origin = await field.plain_origin(asked)
    assert await asyncio.to_thread(seen, proxy, origin.port) == outcome


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        ("reset", "RemoteDisconnected"),  # what Python's TLS makes of any end
        ("empty", "RemoteDisconnected"),
        ("close after=50", "50 bytes of more"),
        ("garbage", "BadStatusLine"),
    ],
)
async def test_it_can_do_so_through_tls(field: Field, fault: str, outcome: str) -> None:
    proxy = await field.proxy(Faults(), fault=[fault], rules_seed="1")
    origin = await field.origin(asked)
    assert await asyncio.to_thread(seen, proxy, origin.port, PATIENCE, field.trust(proxy)) == outcome


async def test_a_client_waits_in_vain(field: Field) -> None:
    proxy = await field.proxy(Faults(), fault=["hang"])
    assert await asyncio.to_thread(seen, proxy, 9, 0.1) == "TimeoutError"


async def test_offline_is_a_reset(field: Field) -> None:
    """features 39."""
    proxy = await field.proxy(Throttling(), throttle="Offline")
    assert await asyncio.to_thread(seen, proxy, 9) == "ConnectionResetError"


@pytest.mark.parametrize("tunnel", [False, True])
async def test_a_client_that_leaves_a_slow_network_frees_its_origin(field: Field, tunnel: bool) -> None:
    """features 42."""
    proxy = await field.proxy(Throttling(), throttle="down=80kbit", ignore_hosts=["example.test"])
    ended = asyncio.Event()

    async def origin_of_it(talk: Conversation) -> None:
        try:
            await endless(talk)
        finally:
            ended.set()

    origin = await field.plain_origin(origin_of_it)
    talk = await (field.tunnel(proxy, origin.port) if tunnel else field.dial(proxy))
    where = b"/" if tunnel else b"http://127.0.0.1:%d/" % origin.port
    await talk.send(b"GET %b HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" % where)
    await talk.exactly(1000)
    talk.close()
    async with asyncio.timeout(PATIENCE):
        await ended.wait()
