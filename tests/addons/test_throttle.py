"""The throttle addon: how fast, how late, what is lost, and who shares what. Time is virtual."""

from __future__ import annotations

import asyncio
import re
import statistics
from pathlib import Path
from typing import Any

import pytest
from clocks import now, seconds_of
from ruamel.yaml import YAML

from proxyfw import ctx
from proxyfw.exceptions import OptionsError
from proxyfw.proxy import Proxy
from proxyfw.rules import dry_run
from proxyfw.testing import End, Origin, Recorder, World, http_flow, in_virtual_time, world
from proxyfw_addons.rules import RuleFiles
from proxyfw_addons.throttle import Throttling

Data = dict[str, Any]
KILOBYTE = 1024


def throttled(*rules: Data, addons: tuple[object, ...] = (), **options: Any) -> Any:
    named = [{"name": f"rule {number}", **rule} for number, rule in enumerate(rules)]
    return world(addons=[Throttling(), RuleFiles(), *addons], rules=named, **options)


def action(**fields: Any) -> Data:
    return {"action": {"type": "throttle", **fields}}


class Times:
    """When things were seen, in seconds since the request began."""

    def __init__(self) -> None:
        self.began = now()
        self.asked = self.uploaded = self.head = self.first = self.last = 0.0

    def passed(self) -> float:
        return now() - self.began


async def exchange(w: World, origin: Origin, down: int = 2, up: int = 0, host: str = "example.com") -> Times:
    """One request for *down* bytes with a body of *up*, on a connection of its own."""
    client = w.client()
    times = Times()
    client.write(
        b"POST http://%b/a HTTP/1.1\r\nHost: %b\r\nContent-Length: %d\r\n\r\n"
        % (host.encode(), host.encode(), up)
    )
    client.write(bytes(up))
    server = await origin.accept()
    await server.head()
    times.asked = times.passed()
    await server.exactly(up)
    times.uploaded = times.passed()
    server.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % down)
    server.write(bytes(down))
    server.close()
    await client.head()
    times.head = times.passed()
    await client.exactly(1)
    times.first = times.passed()
    await client.exactly(down - 1)
    times.last = times.passed()
    client.close()
    return times


@in_virtual_time
async def test_a_body_arrives_at_the_rate_and_begins_at_once() -> None:
    """features 35, mitmproxy 5.6.109, and trap 6 of features 2.2: bytes are paced."""
    async with throttled(action(down="50KiB")) as w:
        origin = w.origin()
        times = await exchange(w, origin, 512 * KILOBYTE)
        assert times.first < 0.3
        assert times.last == pytest.approx(10.24, rel=0.02)
        assert times.uploaded < 0.01


@in_virtual_time
async def test_bytes_come_evenly() -> None:
    async with throttled(action(down="50KiB")) as w:
        origin = w.origin()
        client = w.client()
        client.write(b"GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\n")
        server = await origin.accept()
        await server.head()
        server.write(b"HTTP/1.1 200 OK\r\nContent-Length: 512000\r\n\r\n" + bytes(512_000))
        await client.head()
        for _ in range(9):
            assert await seconds_of(client.exactly(51_200)) == pytest.approx(1, abs=0.1)


@in_virtual_time
async def test_upload_and_download_have_limits_of_their_own() -> None:
    """features 37."""
    async with throttled(action(down="800kbit", up="80kbit")) as w:
        times = await exchange(w, w.origin(), 100_000, 50_000)
        assert times.uploaded == pytest.approx(5, rel=0.02)
        assert times.last - times.uploaded == pytest.approx(1, rel=0.05)
    async with throttled(action(up="80kbit")) as w:
        times = await exchange(w, w.origin(), 100_000, 50_000)
        assert times.uploaded == pytest.approx(5, rel=0.02)
        assert times.last - times.uploaded < 0.01
    async with throttled(action(down="80kbit")) as w:
        times = await exchange(w, w.origin(), 50_000, 100_000)
        assert times.uploaded < 0.01
        assert times.last == pytest.approx(5, rel=0.02)


@in_virtual_time
async def test_streamed_bodies_are_paced_too() -> None:
    async with throttled(action(down="400kbit", up="200kbit"), stream_large_bodies="10k") as w:
        times = await exchange(w, w.origin(), 100_000, 100_000)
        assert times.uploaded == pytest.approx(4, rel=0.02)
        assert times.last - times.uploaded == pytest.approx(2, rel=0.03)


@in_virtual_time
async def test_latency_and_jitter_are_added_once_to_a_request() -> None:
    """features 38, mitmproxy 5.6.109: half of it in each direction."""
    async with throttled(action(latency="200ms", jitter="100ms"), rules_seed="1") as w:
        origin = w.origin()
        seen = [await exchange(w, origin) for _ in range(200)]
        there = [times.asked for times in seen]
        total = [times.last for times in seen]
        assert statistics.mean(total) == pytest.approx(0.2, rel=0.1)
        assert min(total) >= 0.1
        assert max(total) <= 0.301
        assert statistics.mean(there) == pytest.approx(0.1, rel=0.1)
        assert len({round(each, 6) for each in total}) > 150


@in_virtual_time
async def test_offline_fails_at_once_with_a_connection_error() -> None:
    """features 39."""
    async with throttled(throttle="Offline") as w:
        w.origin()
        client = w.client()
        client.write(b"GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\n")
        assert await seconds_of(client.rest()) < 0.01
        assert client.reset
        tunnel = w.client()
        tunnel.write(b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n")
        assert await seconds_of(tunnel.rest()) < 0.01
        assert tunnel.reset
        assert w.network.dialled == []


async def failures(loss: str, times: int = 40) -> list[int]:
    """The numbers of the requests that fail, each in a reset."""
    failed = []
    async with throttled(action(loss=loss, latency="50ms", jitter="50ms"), rules_seed="7") as w:
        origin = w.origin()
        for number in range(times):
            client = w.client()
            client.write(b"GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\n")
            flow_count = len(w.flows)
            reply = asyncio.ensure_future(_answer(origin))
            try:
                await client.head()
            except EOFError:
                assert client.reset
                failed.append(number)
                reply.cancel()
            client.close()
            await w.ended(flow_count + 1)
    return failed


async def _answer(origin: Origin) -> None:
    server = await origin.accept()
    await server.head()
    server.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
    server.close()


@in_virtual_time
async def test_loss_breaks_connections_and_is_repeatable() -> None:
    """features 40, and trap 7 of features 2.2: no answer of ours, a reset."""
    assert await failures("100%", 3) == [0, 1, 2]
    first = await failures("10%")
    assert 0 < len(first) < 12
    assert await failures("10%") == first
    assert await failures("0%", 3) == []


@in_virtual_time
async def test_one_throttled_host_leaves_another_at_full_speed() -> None:
    """features 41; also trap 5 of features 2.2: a rule throttles."""
    rule = {"match": {"host": "slow.test"}, **action(down="80kbit")}
    async with throttled(rule) as w:
        slow, fast = w.origin("slow.test"), w.origin("fast.test")
        slowly = asyncio.ensure_future(exchange(w, slow, 100_000, host="slow.test"))
        quick = [await exchange(w, fast, 100_000, host="fast.test") for _ in range(5)]
        assert all(times.last < 0.01 for times in quick)
        assert (await slowly).last == pytest.approx(10, rel=0.02)


@in_virtual_time
async def test_a_throttled_client_that_leaves_frees_its_origin() -> None:
    """features 42."""
    recorder = Recorder()
    async with throttled(action(down="8kbit"), addons=(recorder,), stream_large_bodies="1k") as w:
        origin = w.origin()
        client = w.client()
        client.write(b"GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\n")
        server = await origin.accept()
        await server.head()
        server.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + bytes(100_000))
        await client.head()
        await client.exactly(100)
        client.close()
        assert await seconds_of(server.rest()) < 1
        await w.ended()


@pytest.mark.parametrize(("per", "seconds"), [("rule", 8), ("host", 4), ("client", 8), ("flow", 2)])
def test_who_shares_the_link(per: str, seconds: float) -> None:
    @in_virtual_time
    async def run() -> None:
        async with throttled(action(down="400kbit", per=per)) as w:
            one, other = w.origin("one.test"), w.origin("other.test")
            jobs = [exchange(w, one, 100_000, host="one.test"), exchange(w, one, 100_000, host="one.test")]
            jobs += [exchange(w, other, 100_000, host="other.test") for _ in range(2)]
            last = [times.last for times in await asyncio.gather(*jobs)]
            assert max(last) == pytest.approx(seconds, rel=0.03)
            assert min(last) == pytest.approx(seconds, rel=0.1)  # each gets as much as the other

    run()


@in_virtual_time
async def test_activating_another_network_affects_new_messages_only() -> None:
    """features 36."""
    async with throttled(throttle="down=80kbit") as w:
        origin = w.origin()
        under_way = asyncio.ensure_future(exchange(w, origin, 50_000))
        await asyncio.sleep(1)
        w.proxy.options.update(throttle="down=800kbit")
        assert (await exchange(w, origin, 50_000)).last == pytest.approx(0.5, rel=0.05)
        w.proxy.options.update(throttle=None)
        assert (await exchange(w, origin, 50_000)).last < 0.01
        assert (await under_way).last == pytest.approx(5, rel=0.02)


NO_LIMIT = "\N{EN DASH}"
NUMBERS = {
    "No Throttling": (0, 0, 0, 0, 0),
    "Slow 2G": (35_840, 32_768, 1400, 400, 1),
    "Regular 2G": (57_344, 19_456, 800, 200, 0.5),
    "Good 2G": (114_688, 35_840, 650, 150, 0.2),
    "Slow 3G": (99_328, 41_984, 400, 100, 0),
    "Regular 3G": (196_608, 96_256, 300, 100, 0),
    "Good 3G": (524_288, 196_608, 170, 40, 0),
    "Regular 4G": (1_179_648, 524_288, 50, 10, 0),
    "DSL": (262_144, 131_072, 50, 10, 0),
    "WiFi": (3_932_160, 1_966_080, 10, 5, 0),
    "Offline": (1, 1, 30_000, 0, 100),
}


def listed(proxy: Proxy) -> list[Data]:
    with ctx.use(proxy):
        found: list[Data] = proxy.commands.call("throttle.presets")
        return found


def test_the_presets_are_listed_with_their_numbers_and_exactly_one_is_active() -> None:
    """features 36."""
    proxy = Proxy(default_addons=(), addons=[Throttling()])
    for wanted in NUMBERS:
        proxy.options.update(throttle=wanted)
        presets = listed(proxy)
        numbers = {
            each["name"]: tuple(each[name] for name in ("down", "up", "latency", "jitter", "loss"))
            for each in presets
        }
        assert numbers == NUMBERS
        assert [each["id"] for each in presets] == [f"preset-{number}" for number in range(11)]
        assert [each["name"] for each in presets if each["active"]] == [wanted]
    for spec, name in (
        (None, "No Throttling"),
        ("Slow 3G loss=5%", "Slow 3G loss=5%"),
        ("up=1KiB", "up=1KiB"),
    ):
        proxy.options.update(throttle=spec)
        (active,) = [each for each in listed(proxy) if each["active"]]
        assert active["name"] == name
    assert active["up"] == 1024


def test_docs_list_the_same_numbers() -> None:
    page = (Path(__file__).parents[2] / "docs/howto/throttle.md").read_text()
    for name, (down, up, latency, jitter, loss) in NUMBERS.items():
        rates = f"{down or NO_LIMIT} | {up or NO_LIMIT}"
        assert f"| {name} | {rates} | {latency} | {jitter} | {loss:g} |" in page


@pytest.mark.parametrize("spec", ["slow-3g", "Slow 3G", "preset-4", "SLOW_3G", "Slow 3G loss=0%"])
def test_names_are_taken_as_they_are_meant(spec: str) -> None:
    proxy = Proxy(default_addons=(), addons=[Throttling()], throttle=spec)
    assert [each["name"] for each in listed(proxy) if each["active"]] == ["Slow 3G"]


@in_virtual_time
async def test_profiles_of_your_own_are_for_rules_and_the_option_and_may_change() -> None:
    profiles = {"Ship": {"down": "80kbit", "latency": "2s"}}
    async with throttled(action(profile="ship", latency="0ms"), throttle_profiles=profiles) as w:
        origin = w.origin()
        assert (await exchange(w, origin, 50_000)).last == pytest.approx(5, rel=0.02)
        w.proxy.options.update(throttle_profiles={"Ship": {"down": "800kbit"}})
        assert (await exchange(w, origin, 50_000)).last == pytest.approx(0.5, rel=0.05)
        with pytest.raises(OptionsError, match="there is no profile 'ship'"):
            w.proxy.options.update(throttle_profiles={})
        assert (await exchange(w, origin, 50_000)).last == pytest.approx(0.5, rel=0.05)
        w.proxy.options.update(rules=[], throttle="Ship")
        assert (await exchange(w, origin, 50_000)).last == pytest.approx(0.5, rel=0.05)


@in_virtual_time
async def test_the_first_rule_counts_and_the_option_is_for_the_rest() -> None:
    rules = (
        {"match": {"host": "a.test"}, **action(profile="No Throttling")},
        {"match": {"host": ["b.test"]}, **action(down="80kbit")},
        {"match": {"host": ["a.test", "b.test"]}, **action(down="80kbit")},
    )
    async with throttled(*rules, throttle="down=800kbit") as w:
        for host, seconds in (("a.test", 0), ("b.test", 5), ("c.test", 0.5)):
            times = await exchange(w, w.origin(host), 50_000, host=host)
            assert times.last == pytest.approx(seconds, rel=0.05, abs=0.01)


@in_virtual_time
async def test_the_option_may_be_for_some_hosts() -> None:
    async with throttled(throttle="down=80kbit", throttle_hosts=["*.slow.test"]) as w:
        slow, fast = w.origin("a.slow.test"), w.origin("slow.test")
        assert (await exchange(w, slow, 50_000, host="a.slow.test")).last == pytest.approx(5, rel=0.02)
        assert (await exchange(w, fast, 50_000, host="slow.test")).last < 0.01


@in_virtual_time
async def test_rules_that_ask_about_the_body_or_the_answer_throttle_from_then_on() -> None:
    by_body = {"match": {"method": "POST", "status": 200}, **action(down="80kbit", up="8kbit")}
    async with throttled(by_body) as w:
        times = await exchange(w, w.origin(), 50_000, 50_000)
        assert times.uploaded < 0.01
        assert times.last == pytest.approx(5, rel=0.02)


async def raw(w: World, origin: Origin, size: int, up: bool = False) -> tuple[float, End, End]:
    """How long *size* bytes take from *origin*, or to it, on a raw stream through a tunnel."""
    client = w.client()
    client.write(b"CONNECT example.com:9000 HTTP/1.1\r\nHost: example.com:9000\r\n\r\n")
    await client.head()
    client.write(b"\x00")
    server = await origin.accept()
    await server.exactly(1)
    source, sink = (client, server) if up else (server, client)
    source.write(bytes(size))
    return await seconds_of(sink.exactly(size)), client, server


@pytest.mark.parametrize("hidden", [False, True])
def test_raw_streams_and_tunnels_that_nobody_looks_into_are_paced(hidden: bool) -> None:
    @in_virtual_time
    async def run() -> None:
        options: Data = {"ignore_hosts": ["example.com"]} if hidden else {}
        async with throttled(action(down="80kbit", up="160kbit"), **options) as w:
            origin = w.origin("example.com", 9000)
            for up, seconds in ((False, 5), (True, 2.5)):
                took, client, server = await raw(w, origin, 50_000, up)
                assert took == pytest.approx(seconds, rel=0.03)
                client.abort()
                await server.rest()

    run()


@pytest.mark.parametrize("hidden", [False, True])
def test_streams_of_other_modes_are_paced_too(hidden: bool) -> None:
    @in_virtual_time
    async def run() -> None:
        options: Data = {"ignore_hosts": ["example.com"]} if hidden else {}
        rule = {"match": {"host": "example.com"}, **action(down="80kbit")}
        async with throttled(rule, mode=["reverse:tcp://example.com:9000"], **options) as w:
            origin, client = w.origin("example.com", 9000), w.client()
            client.write(b"\x00")
            server = await origin.accept()
            server.write(bytes(50_000))
            assert await seconds_of(client.exactly(50_000)) == pytest.approx(5, rel=0.03)
            client.abort()
            await server.rest()

    run()


@in_virtual_time
async def test_a_host_that_is_throttled_does_not_slow_down_a_tunnel_to_another() -> None:
    rule = {"match": {"host": "slow.test"}, **action(down="8kbit")}
    async with throttled(rule, ignore_hosts=["example.com"]) as w:
        slow, fast = w.origin("slow.test"), w.origin("example.com", 9000)
        client = w.client()
        client.write(b"GET http://slow.test/ HTTP/1.1\r\nHost: slow.test\r\n\r\n")
        server = await slow.accept()
        await server.head()
        server.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        await client.head()
        client.write(b"CONNECT example.com:9000 HTTP/1.1\r\nHost: example.com:9000\r\n\r\n")
        await client.head()
        client.write(b"\x00")
        server = await fast.accept()
        server.write(bytes(50_000))
        assert await seconds_of(client.exactly(50_000)) < 0.01
        client.abort()
        await server.rest()


@pytest.mark.parametrize("hidden", [False, True])
def test_a_raw_stream_that_is_lost_is_reset(hidden: bool) -> None:
    @in_virtual_time
    async def run() -> None:
        options: Data = {"ignore_hosts": ["example.com"]} if hidden else {}
        async with throttled(action(loss="100%"), **options) as w:
            origin = w.origin("example.com", 9000)
            client = w.client()
            client.write(b"CONNECT example.com:9000 HTTP/1.1\r\nHost: example.com:9000\r\n\r\n")
            await client.head()
            client.write(b"\x00")
            server = await origin.accept()
            await client.rest()
            assert client.reset
            assert await server.rest() == b""

    run()


@in_virtual_time
async def test_tunnels_may_be_left_alone() -> None:
    async with throttled(action(down="80kbit", tunnels=False), ignore_hosts=["example.com"]) as w:
        took, client, server = await raw(w, w.origin("example.com", 9000), 50_000)
        assert took < 0.01
        client.close()
        server.close()


async def websocket(w: World) -> tuple[End, End]:
    """Both ends of an open WebSocket."""
    origin, client = w.origin(), w.client()
    client.write(
        b"GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\n"
        b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    server = await origin.accept()
    await server.head()
    server.write(
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
    )
    await client.head()
    return client, server


BINARY = b"\x82\x7e\x03\xe8" + bytes(1000)
HI = b"\x81\x82\x00\x00\x00\x00hi"
PING = b"\x89\x00"


@in_virtual_time
async def test_websocket_messages_take_their_time_byte_by_byte() -> None:
    async with throttled(action(down="8kbit", latency="1s")) as w:
        client, server = await websocket(w)
        await asyncio.sleep(10)
        server.write(BINARY + PING)
        assert await seconds_of(client.exactly(504)) == pytest.approx(1, rel=0.05)
        assert await seconds_of(client.exactly(500)) == pytest.approx(0.5, rel=0.05)
        assert await seconds_of(client.exactly(2)) < 0.01
        await asyncio.sleep(10)
        client.write(HI)
        assert await seconds_of(server.until(lambda got: len(got) == 8)) == pytest.approx(0.5, rel=0.03)
        client.abort()
        await server.rest()


@in_virtual_time
async def test_a_websocket_ends_while_a_message_is_under_way() -> None:
    async with throttled(action(down="8kbit")) as w:
        client, server = await websocket(w)
        server.write(BINARY)
        await client.exactly(100)
        client.abort()
        assert await seconds_of(w.ended()) < 0.1
    async with throttled(action(down="8kbit")) as w:
        client, server = await websocket(w)
        server.write(BINARY + b"\x88\x02\x03\xe8")
        assert await seconds_of(client.exactly(1008)) == pytest.approx(1, rel=0.05)


@in_virtual_time
async def test_a_websocket_message_that_is_lost_ends_in_a_reset() -> None:
    """features 40."""
    rule = {"match": {"sender": "client"}, **action(loss="100%")}
    async with throttled(rule) as w:
        client, server = await websocket(w)
        server.write(BINARY)
        await client.exactly(1004)
        client.write(HI)
        assert await client.rest() == b""
        assert client.reset
        await server.rest()


@in_virtual_time
async def test_datagrams_take_their_time_beside_each_other() -> None:
    udp: Data = {"mode": ["reverse:udp://example.com:53"]}
    async with throttled(action(down="80kbit", up="8kbit", latency="1s"), **udp) as w:
        origin, client = w.datagram_origin(), w.datagram_client()
        began = now()
        for _ in range(3):
            client.send(bytes(500))
        first, source = await origin.receive()
        assert len(first) == 500
        assert now() - began == pytest.approx(1, rel=0.05)
        origin.send(bytes(1000), source)
        await client.receive()
        assert now() - began == pytest.approx(1 + 0.5 + 0.1, rel=0.05)
        await origin.receive()
        await origin.receive()
        assert now() - began == pytest.approx(2, rel=0.05)


@in_virtual_time
async def test_datagrams_for_which_there_is_no_room_are_dropped() -> None:
    udp: Data = {"mode": ["reverse:udp://example.com:53"]}
    async with throttled(action(latency="10s"), **udp) as w:
        origin, client = w.datagram_origin(), w.datagram_client()
        for _ in range(400):
            client.send(bytes(1000))
            await asyncio.sleep(0)
        await asyncio.sleep(10)
        assert 200 < origin.waiting < 250


@in_virtual_time
async def test_datagrams_get_lost() -> None:
    async with throttled(action(loss="50%"), mode=["reverse:udp://example.com:53"], rules_seed="1") as w:
        origin, client = w.datagram_origin(), w.datagram_client()
        for _ in range(100):
            client.send(b"ping")
        await asyncio.sleep(1)
        assert 30 < origin.waiting < 70


QUERY = bytes.fromhex("123401000001000000000000076578616d706c6503636f6d0000010001")


@in_virtual_time
async def test_dns_queries_take_their_time_or_get_no_answer() -> None:
    dns: Data = {"mode": ["dns"], "dns_name_servers": ["192.0.2.53"], "dns_use_hosts_file": False}
    async with throttled(action(latency="3s"), **dns) as w:
        w.network.hosts["name.server"] = ["192.0.2.53"]
        origin, client = w.datagram_origin("name.server"), w.datagram_client()
        client.send(QUERY)
        assert await seconds_of(origin.receive()) == pytest.approx(3, rel=0.03)
    async with throttled(throttle="Offline", **dns) as w:
        client = w.datagram_client()
        client.send(QUERY)
        answer, _ = await client.receive()
        assert answer[3] & 15 == 2  # SERVFAIL
    async with throttled(action(loss="100%"), **dns) as w:
        client = w.datagram_client()
        client.send(QUERY)
        await w.ended()
        await asyncio.sleep(1)
        assert client.waiting == 0


@in_virtual_time
async def test_answers_of_other_rules_are_throttled_too() -> None:
    class Answering:
        def requestheaders(self, flow: Any) -> None:
            from proxyfw.http import Response

            flow.response = Response.make(200, bytes(50_000))

    async with throttled(action(down="80kbit"), addons=(Answering(),)) as w:
        client = w.client()
        client.write(b"GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\n")
        assert await seconds_of(client.message()) == pytest.approx(5, rel=0.02)


@in_virtual_time
async def test_a_dry_run_says_which_network() -> None:
    proxy = Proxy(default_addons=(), addons=[Throttling()], throttle="Slow 2G")
    trace, _ = await dry_run(proxy.addons.rules.current, http_flow())
    assert str(trace.steps[1]) == (
        "note: throttle matched "
        "(Slow 2G: down 287 kbit/s, up 262 kbit/s, latency 1.4s, jitter 400ms, loss 1%)"
    )


def test_it_costs_nothing_while_there_is_nothing_to_throttle() -> None:
    proxy = Proxy(default_addons=(), addons=[Throttling()])
    assert proxy.addons.rules.current.hooks == frozenset()
    proxy.options.update(throttle="down=1mbit tunnels=false")
    assert proxy.addons.rules.current.hooks == {
        "requestheaders", "request", "responseheaders", "tcp_start", "udp_start", "dns_request"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            "Slow 9G",
            "throttle: 'Slow 9G': action: there is no profile 'Slow 9G'; there are No Throttling, Slow 2G",
        ),
        ("down=100", "100 is no rate"),
        ("per=flow", "needs a profile, or some of down"),
        ("down=0kbit", "write offline: true"),
        ("loss=110%", "'110%' is no chance"),
    ],
)
def test_what_is_wrong_with_the_option_is_said(spec: str, message: str) -> None:
    with pytest.raises(OptionsError, match=message):
        Proxy(default_addons=(), addons=[Throttling()], throttle=spec)


@pytest.mark.parametrize(
    ("profiles", "message"),
    [
        ({"x": {"down": 5}}, "throttle_profiles: x.down: 5 is no rate"),
        ({"x": {"speed": "5kbit"}}, "x.speed: there is no 'speed' here"),
        ({"slow 3g": {}}, "slow 3g: is the name of another profile"),
    ],
)
def test_what_is_wrong_with_a_profile_is_said(profiles: Data, message: str) -> None:
    with pytest.raises(OptionsError, match=message):
        Proxy(default_addons=(), addons=[Throttling()], throttle_profiles=profiles)


def test_what_the_page_shows_can_be_read() -> None:
    page = (Path(__file__).parents[2] / "docs/howto/throttle.md").read_text(encoding="utf-8")
    proxy = Proxy(default_addons=(), addons=[Throttling()])
    shown = [YAML(typ="safe").load(block) for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)]
    assert shown
    for data in shown:
        if isinstance(data, dict):
            proxy.options.update(**data)
        else:
            assert proxy.addons.rules.read(data)
    for spec in re.findall(r'--throttle "([^"]+)"', page):
        proxy.options.update(throttle=spec)
        assert len(proxy.addons.rules) == 1
