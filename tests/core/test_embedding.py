"""The proxy as a part of another program: started and stopped at will, several at a time, no leaks."""

from __future__ import annotations

import asyncio
import gc
import os
import warnings
from pathlib import Path

import pytest

from proxyfw import Proxy, ctx
from proxyfw.http import HTTPFlow, Response
from proxyfw.options import Options
from proxyfw.testing import world

GET = b"GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


def open_files() -> set[str]:
    return {os.readlink(entry.path) for entry in os.scandir("/proc/self/fd") if os.path.lexists(entry.path)}


class Answers:
    """Answers every request with the port of the proxy that `proxyfw.ctx` is."""

    def __init__(self) -> None:
        self.ports: list[int] = []

    async def request(self, flow: HTTPFlow) -> None:
        await asyncio.sleep(0)
        self.ports.append(ctx.proxy.address[1])
        flow.response = Response.make(200, str(ctx.options.listen_port))


async def ask(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(GET)
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
    body = await reader.readexactly(length)
    writer.close()
    await writer.wait_closed()
    return body


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts open files as Linux shows them")
async def test_a_hundred_starts_and_stops_leave_nothing(tmp_path: Path) -> None:
    """5.6.118: no task, no socket, no warning."""
    files, tasks = open_files(), asyncio.all_tasks()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(100):
            async with Proxy(confdir=str(tmp_path), listen_port=0, addons=[Answers()]) as proxy:
                assert await ask(proxy.address[1]) == b"0"
        await asyncio.sleep(0)
        gc.collect()
    assert [str(warning.message) for warning in caught] == []
    assert asyncio.all_tasks() == tasks
    assert len([name for name in open_files() - files if name.startswith("socket:")]) == 0


async def test_two_proxies_in_one_process_do_not_know_of_each_other(tmp_path: Path) -> None:
    """5.6.118: addons, options and ctx are each one's own."""
    one, two = Answers(), Answers()
    async with (
        Proxy(confdir=str(tmp_path), listen_port=0, addons=[one], body_size_limit="1m") as first,
        Proxy(confdir=str(tmp_path), listen_port=0, addons=[two]) as second,
    ):
        await asyncio.gather(*(ask(proxy.address[1]) for proxy in (first, second) * 3))
        assert first.address != second.address
        assert one.ports == [first.address[1]] * 3
        assert two.ports == [second.address[1]] * 3
        assert (first.options.body_size_limit, second.options.body_size_limit) == (2**20, None)


async def test_a_proxy_can_be_started_again(tmp_path: Path) -> None:
    """5.6.118."""
    proxy = Proxy(Options(confdir=str(tmp_path), listen_port=0), addons=[Answers()])
    for _ in range(3):
        async with proxy:
            assert await ask(proxy.address[1]) == b"0"
        assert proxy.addresses == []
        with pytest.raises(RuntimeError, match="does not listen"):
            _ = proxy.address


async def test_stopping_does_not_wait_for_kept_connections() -> None:
    """5.6.116 and 5.6.118: idle clients and origins are closed at once."""
    async with world(shutdown_timeout=1000) as w:
        origin = w.origin()
        client = w.client()
        client.write(GET)
        server = await origin.accept()
        server.write(OK)
        assert await client.message() == OK
        fresh = w.client()
        await asyncio.sleep(0)
    for end in (client, server, fresh):
        assert await end.rest() == (b"" if end is not server else GET.replace(b"http://example.com", b""))


async def test_stopping_lets_an_exchange_finish() -> None:
    """5.6.116: within shutdown_timeout."""
    async with world(shutdown_timeout=1000) as w:
        origin = w.origin()
        client = w.client()
        client.write(GET)
        server = await origin.accept()
        await server.head()
        stopping = asyncio.create_task(w.proxy.stop())
        await asyncio.sleep(0)
        assert w.network.reach(("127.0.0.1", 8080)) is None
        server.write(OK)
        assert (await client.rest()).endswith(b"hi")
        await stopping


@pytest.mark.parametrize("hook", ["error", "flow_end", "client_disconnected", "server_disconnected"])
async def test_stopping_does_not_wait_for_hooks_that_never_return(hook: str) -> None:
    """5.6.116."""
    async with world() as w:
        w.gate(hook)
        origin = w.origin()
        client = w.client()
        client.write(GET)
        server = await origin.accept()
        await server.head()
    assert await client.rest() == b""
