"""Options that concern listening, changed while the proxy runs: only the difference starts and stops."""

from __future__ import annotations

import logging

import pytest

from proxyfw.exceptions import ConnectError, OptionsError
from proxyfw.testing import World, world

GET = b"GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


def ports(w: World) -> list[int]:
    return [port for _, port in w.proxy.addresses]


async def test_only_the_difference_is_started_and_stopped() -> None:
    async with world(mode=["regular@1001", "regular@1002"]) as w:
        origin, client = w.origin(), w.client(1001)
        client.write(GET)
        server = await origin.accept()
        await server.head()
        w.proxy.options.update(mode=["regular@1001", "socks5@1003"])
        await w.proxy.settled()
        assert ports(w) == [1001, 1003]
        assert not w.network.reach(("127.0.0.1", 1002))
        server.write(OK)
        assert await client.message() == OK  # on a connection that was there before


async def test_a_port_that_changes_its_mode_stays_open() -> None:
    async with world(mode=["regular@1001"]) as w:
        w.proxy.options.mode = ["socks5@1001"]
        await w.proxy.settled()
        client = w.client(1001)
        client.write(b"\x05\x01\x00")
        assert await client.exactly(2) == b"\x05\x00"


async def test_connections_outlive_their_listener() -> None:
    async with world() as w:
        origin, client = w.origin(), w.client()
        client.write(GET)
        server = await origin.accept()
        w.proxy.options.server = False
        await w.proxy.settled()
        assert w.proxy.addresses == []
        await server.head()
        server.write(OK)
        assert await client.message() == OK
        w.proxy.options.server = True
        await w.proxy.settled()
        assert ports(w) == [8080]


async def test_a_busy_port_rolls_the_change_back(caplog: pytest.LogCaptureFixture) -> None:
    """5.2.54."""
    async with world(listen_port=1001) as w:
        w.network.serve(("127.0.0.1", 1003), lambda wire: None)
        with caplog.at_level(logging.ERROR):
            w.proxy.options.update(mode=["regular@1002", "regular@1003"], listen_port=1004)
            with pytest.raises(OptionsError, match=r"cannot listen on .*:1003: Address already in use"):
                await w.proxy.settled()
        assert "again what they were" in caplog.text
        assert list(w.proxy.options.mode) == ["regular"]
        assert w.proxy.options.listen_port == 1001
        assert ports(w) == [1001]
        assert not w.network.reach(("127.0.0.1", 1002))
        await w.proxy.settled()  # said once


async def test_listeners_that_were_in_the_way_come_back() -> None:
    """The new host needs the port of the old one; then another of the new ports is taken."""
    async with world(mode=["regular@127.0.0.1:1001"]) as w:
        w.network.serve(("127.0.0.9", 1002), lambda wire: None)
        w.proxy.options.mode = ["regular@127.0.0.9:1001", "regular@127.0.0.9:1002"]
        with pytest.raises(OptionsError, match=r"127\.0\.0\.9:1002"):
            await w.proxy.settled()
        assert w.proxy.addresses == [("127.0.0.1", 1001)]
        assert w.network.reach(("127.0.0.1", 1001))
        w.proxy.options.mode = ["socks5@127.0.0.1:1001"]
        await w.proxy.settled()
        client = w.client()
        client.write(b"\x05\x01\x00")
        assert await client.exactly(2) == b"\x05\x00"


async def test_the_last_of_several_changes_counts() -> None:
    async with world(listen_port=1001) as w:
        w.network.serve(("127.0.0.1", 1002), lambda wire: None)
        for port in (1002, 1003, 1002, 1004):
            w.proxy.options.listen_port = port
        await w.proxy.settled()
        assert ports(w) == [1004]


async def test_a_change_that_cannot_be_right_is_refused_at_once() -> None:
    async with world() as w:
        with pytest.raises(OptionsError, match="both listen on port 8080"):
            w.proxy.options.mode = ["regular", "transparent"]
        with pytest.raises(OptionsError, match="70000 is not a port"):
            w.proxy.options.listen_port = 70000
        await w.proxy.settled()
        assert ports(w) == [8080]


async def test_several_listeners_from_the_start_and_ports_chosen_by_the_system() -> None:
    """5.2.54."""
    async with world(mode=["regular@0", "regular@0", "socks5"]) as w:
        first, second, socks = ports(w)
        assert len({first, second, socks}) == 3
        assert socks == 1080
        w.proxy.options.mode = ["regular@0", "regular@0"]
        await w.proxy.settled()
        assert ports(w) == [first, second]


async def test_stopping_in_the_middle_of_a_change_leaves_nothing_open() -> None:
    async with world(listen_port=1001) as w:
        w.proxy.options.listen_port = 1002
    assert not w.network.reach(("127.0.0.1", 1001))
    assert not w.network.reach(("127.0.0.1", 1002))


async def test_a_port_that_is_taken_at_the_start_is_an_error() -> None:
    async with world(listen_port=1001) as w:
        w.network.serve(("127.0.0.1", 1002), lambda wire: None)
        await w.proxy.stop()
        w.proxy.options.mode = ["regular@1001", "regular@1002"]
        with pytest.raises(ConnectError, match="1002: Address already in use"):
            await w.proxy.start()
        assert not w.network.reach(("127.0.0.1", 1001))
