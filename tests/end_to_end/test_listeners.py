"""Where the proxy listens, whom it lets in, and that nothing of it is left when it stops."""

from __future__ import annotations

import asyncio
import gc
import socket

import pytest
from ends import Field, Recorder

from proxyfw.connection import Client
from proxyfw.exceptions import ConnectError
from proxyfw.proxy import Proxy

pytestmark = pytest.mark.end_to_end


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


async def test_several_listeners_and_their_real_ports(field: Field) -> None:
    """5.2.54."""
    proxy = await field.proxy(mode=["regular@0", "regular@127.0.0.1:0"])
    origin = await field.plain_origin()
    assert len(proxy.addresses) == 2
    assert len({port for _, port in proxy.addresses} - {0}) == 2
    for host, port in proxy.addresses:
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(f"GET http://example.test:{origin.port}/ HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
        writer.close()
        await writer.wait_closed()


async def test_an_occupied_port(field: Field) -> None:
    """5.2.54: it says which, why, and what to do; nothing of the second proxy is left."""
    first = await field.proxy()
    host, port = first.address
    before = asyncio.all_tasks()
    with pytest.raises(ConnectError) as caught:
        await field.proxy(listen_port=port)
    assert str(caught.value) == (
        f"cannot listen on {host}:{port}: Address already in use"
        " (another port: --listen-port, 0 for any free one)"
    )
    assert asyncio.all_tasks() == before


async def test_an_occupied_port_of_several_closes_the_others(field: Field) -> None:
    occupied = (await field.proxy()).address[1]
    free = await field.unused_port()
    with pytest.raises(ConnectError):
        await field.proxy(mode=[f"regular@{free}", f"regular@127.0.0.1:{occupied}"])
    proxy = await field.proxy(listen_port=free)
    assert proxy.address[1] == free


async def test_an_address_that_is_not_ours(field: Field) -> None:
    with pytest.raises(ConnectError, match=r"cannot listen on 192\.0\.2\.1:0: "):
        await field.proxy(listen_host="192.0.2.1")


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
async def test_ipv6(field: Field) -> None:
    proxy = await field.proxy(listen_host="::1")
    assert proxy.address[0] == "::1"
    assert proxy.url == f"http://[::1]:{proxy.address[1]}"
    origin = await field.origin()
    talk = await field.secure(proxy, origin.port)
    assert b"200 OK" in await talk.get()


async def test_all_addresses_have_one_port(field: Field) -> None:
    """An empty host means all of the machine's; port 0 is then the same for every family."""
    proxy = await field.proxy(listen_host="")
    assert len({port for _, port in proxy.addresses}) == 1
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.address[1])
    writer.close()
    await writer.wait_closed()
    assert await reader.read() == b""


async def test_a_refused_client_is_closed_before_anything_is_read(field: Field) -> None:
    """5.2.55."""

    class Refuse:
        def client_connected(self, client: Client) -> None:
            client.error = "not you"

    recorder = Recorder()
    proxy = await field.proxy(Refuse(), recorder)
    talk = await field.dial(proxy)
    with pytest.raises((ConnectionResetError, BrokenPipeError, EOFError)):
        await talk.get("http://example.test/")
    client = await recorder.saw("client_disconnected")
    assert client.error == "not you"
    assert recorder.names == ["client_connected", "client_disconnected"]


async def test_facts_about_the_client(field: Field) -> None:
    recorder = Recorder()
    proxy = await field.proxy(recorder)
    talk = await field.dial(proxy)
    mine = talk.plain.writer.get_extra_info("sockname")
    client = await recorder.saw("client_connected")
    assert client.peername == mine
    assert client.sockname == proxy.address
    assert client.proxy_mode == "regular"


async def test_fifty_starts_and_stops_leave_nothing(field: Field) -> None:
    """No task, no socket, no warning; with a TLS connection open each time."""
    origin = await field.origin()
    before = asyncio.all_tasks()
    for _ in range(50):
        proxy = Proxy(
            listen_port=0, confdir=str(field.directory / "confdir"), ssl_insecure=True, network=field.network
        )
        async with proxy:
            talk = await field.secure(proxy, origin.port)
            await talk.get()
        talk.close()
        await talk.plain.writer.wait_closed()
    left = {task for task in asyncio.all_tasks() - before if "_accept" not in repr(task)}
    assert left == set()
    gc.collect()


async def test_stopping_with_everything_under_way(field: Field) -> None:
    """Tunnels, handshakes and requests that are half done end with the proxy."""
    recorder = Recorder()
    proxy = await field.proxy(recorder, shutdown_timeout=0.05)
    silent = await field.plain_origin(lambda talk: _hold(talk))
    talks = [await field.dial(proxy) for _ in range(4)]
    await talks[0].send(b"GET http://exam")
    await talks[1].connect("example.test", 443)
    await talks[1].send(b"\x16\x03\x01")
    await talks[2].connect("example.test", silent.port, b"\x00\x01")
    await talks[3].send(b"GET http://example.test:%d/ HTTP/1.1\r\nHost: x\r\n\r\n" % silent.port)
    await recorder.saw("server_connected", 2)
    await proxy.stop()
    for talk in talks:
        try:
            await talk.rest()
        except ConnectionError:
            pass
    assert len(recorder.of("client_disconnected")) == 4
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(*proxy_address(talks[0]))


def proxy_address(talk: object) -> tuple[str, int]:
    address: tuple[str, int] = talk.plain.writer.get_extra_info("peername")  # type: ignore[attr-defined]
    return address


async def _hold(talk: object) -> None:
    await talk.rest()  # type: ignore[attr-defined]
