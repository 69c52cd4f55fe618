"""The dumper: a line a flow, detail levels, escaping (5.6.120), terminals that are slow, blocked or gone."""

from __future__ import annotations

import io
import os
import select
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from ipaddress import IPv4Address
from typing import Any

import pytest

import proxyfw_addons.dumper as dumper
from proxyfw import flow as flows
from proxyfw.dns import DNSFlow, DNSMessage, Question, ResourceRecord, ResponseCode
from proxyfw.exceptions import OptionsError
from proxyfw.flow import Error, Flow
from proxyfw.http import Headers, HTTPFlow, Request, Response
from proxyfw.rules import Trace
from proxyfw.testing import (
    addon_test_context,
    client_connection,
    http_flow,
    server_connection,
    tcp_flow,
    websocket_flow,
)
from proxyfw.udp import UDPFlow, UDPMessage
from proxyfw_addons.contentviews import ContentViews
from proxyfw_addons.dumper import bodies, summary, terminal
from proxyfw_addons.dumper.look import Look, duration, escape
from proxyfw_addons.dumper.terminal import Screen

START = 1_700_000_000.0
URL = "http://example.com/path"


class Terminal(io.StringIO):
    """A standard output that somebody looks at."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """All flows begin at START and are over 24 ms later."""
    times = iter([START])
    monkeypatch.setattr(flows, "clock", lambda: next(times, START + 0.024))
    monkeypatch.setattr(summary, "clock", lambda: START + 0.024)


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """A function that says what is on standard output, which is no terminal."""
    text = ""

    def read() -> str:
        nonlocal text
        dumper.screen.drain(5)
        text += capsys.readouterr().out
        return text

    return read


def on_terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """The same for a standard output that is a terminal from now on."""
    stream = Terminal()
    monkeypatch.setattr(sys, "stdout", stream)

    def read() -> str:
        dumper.screen.drain(5)
        return stream.getvalue()

    return read


def timed(flow: HTTPFlow) -> HTTPFlow:
    flow.request.timestamp_start = START
    if flow.response:
        flow.response.timestamp_end = START + 0.024
    return flow


def answered(response: Response | int | None = 200, request: Request | str = URL, **facts: Any) -> HTTPFlow:
    return timed(http_flow(request, response, **facts))


async def dump(*happened: Flow, **options: Any) -> None:
    with addon_test_context(ContentViews(), dumper, **options) as context:
        for flow in happened:
            await context.cycle(flow)


def rest_of(flow: Flow, look: Look = Look()) -> str:  # noqa: B008 - a tuple
    """The line behind the client's address."""
    client, _, rest = summary.line(flow, look).partition(" ")
    assert client == "127.0.0.1:50000"
    return rest


# One line


async def test_an_exchange_is_one_line(printed: Callable[[], str]) -> None:
    await dump(answered())
    assert printed() == ("127.0.0.1:50000 GET http://example.com/path -> 200 OK, text/plain, 7b, 24ms\n")


async def test_a_failure_says_why(printed: Callable[[], str]) -> None:
    flow = answered(error="cannot connect to 192.0.2.1:80: Connection refused")
    await dump(flow)
    assert printed().endswith(" -> failed: cannot connect to 192.0.2.1:80: Connection refused, 0ms\n")


def test_a_failure_after_the_head_is_a_failure() -> None:
    flow = answered()
    flow.error = Error("the origin left", START + 2)
    assert rest_of(flow) == "GET http://example.com/path -> failed: the origin left, 2.00s"


def test_a_killed_flow() -> None:
    flow = answered(None)
    flow.error = Error(Error.KILLED_MESSAGE, START)
    assert rest_of(flow) == "GET http://example.com/path -> killed, 0ms"


def test_neither_answer_nor_failure() -> None:
    assert rest_of(answered(None)) == "GET http://example.com/path -> no answer, 24ms"


async def test_every_flow_appears_once(printed: Callable[[], str]) -> None:
    await dump(answered(), answered(error="no"), answered(404), timed(websocket_flow()), tcp_flow())
    assert len(printed().splitlines()) == 5


async def test_a_tunnel_appears_only_if_it_failed(printed: Callable[[], str]) -> None:
    connect = Request.make("GET", "https://example.com/")
    connect.method, connect.authority = "CONNECT", "example.com:443"
    opened = answered(200, connect.copy())
    refused = answered(403, connect.copy())
    failed = answered(request=connect.copy(), error="cannot resolve 'example.com'")
    await dump(opened, refused, failed)
    assert [line.partition(" ")[2] for line in printed().splitlines()] == [
        "CONNECT example.com:443 -> 403 Forbidden, text/plain, 7b, 24ms",
        "CONNECT example.com:443 -> failed: cannot resolve 'example.com', 0ms",
    ]


def test_the_url_names_the_host_that_the_client_named() -> None:
    request = Request.make("GET", "http://192.0.2.1/")
    request.headers["host"] = "example.com"
    assert rest_of(answered(200, request)).startswith("GET http://example.com/ ")


def test_a_replay_is_marked() -> None:
    assert rest_of(answered(is_replay="request")).startswith("[replay] GET ")


def test_ipv6_clients_are_in_brackets() -> None:
    flow = answered(client_conn=client_connection(peername=("2001:db8::1", 5)))
    assert summary.line(flow).startswith("[2001:db8::1]:5 GET ")


@pytest.mark.parametrize(
    ("content", "headers", "shown"),
    [
        (b"", {}, "no content"),
        (b"x" * 1536, {}, "1.5k"),
        (None, {"Content-Length": "2147483648"}, "2g"),
        (None, {"Content-Length": "0"}, "no content"),
        (None, {}, "streamed"),
        (None, {"Content-Length": "many"}, "streamed"),
    ],
)
def test_sizes(content: bytes | None, headers: dict[str, str], shown: str) -> None:
    response = Response.make(200)
    response.raw_content, response.headers = content, Headers.of(headers)
    assert summary.shown_size(response) == shown


def test_the_size_of_a_cut_record_is_that_of_what_was_sent() -> None:
    response = Response.make(200, b"beginning")
    response.truncated = True
    response.headers["content-length"] = "1048576"
    assert summary.shown_size(response) == "1m"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(-1, "0ms"), (0.0004, "0ms"), (0.9994, "999ms"), (0.9996, "1.00s"), (9.5, "9.50s"), (90.2, "90s")],
)
def test_durations(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


# Other protocols


def test_a_websocket() -> None:
    flow = timed(websocket_flow((True, "hello"), (False, b"\1\2\3")))
    assert flow.websocket
    flow.websocket.closed_by_client, flow.websocket.close_code = True, 1000
    flow.websocket.timestamp_end = START + 35
    assert rest_of(flow) == (
        "GET http://example.com/socket -> 101 Switching Protocols, "
        "WebSocket, 2 messages, 8b, closed by client with 1000, 35s"
    )


def test_raw_tcp() -> None:
    flow = tcp_flow((True, b"12"), (False, b"345"), timestamp_created=START)
    assert rest_of(flow) == "TCP example.com:80 -> 2 messages, 2b sent, 3b received, 24ms"
    flow.error = Error("connection reset", START + 1)
    assert rest_of(flow).startswith("TCP example.com:80 -> failed: connection reset, 2b sent")


def test_what_only_passed_through_is_counted() -> None:
    flow = tcp_flow(timestamp_created=START, bytes_from_client=2048, bytes_from_server=7)
    flow.timestamp_end = START + 3
    assert rest_of(flow) == "TCP example.com:80 -> passed through, 2k sent, 7b received, 3.00s"


def test_udp() -> None:
    flow = UDPFlow(client_connection(), server_connection(("192.0.2.9", 53)))
    flow.messages.append(UDPMessage(True, b"1", START))
    assert rest_of(flow).startswith("UDP 192.0.2.9:53 -> 1 message, 1b sent, 0b received")


def test_dns() -> None:
    flow = DNSFlow(client_connection(), server_connection(("192.0.2.9", 53)))
    flow.request = DNSMessage(START, 1, True, questions=[Question("example.com")])
    assert rest_of(flow).startswith("DNS A example.com -> no answer")
    flow.response = flow.request.succeed([ResourceRecord.A("example.com", IPv4Address("192.0.2.7"))])
    assert rest_of(flow).startswith("DNS A example.com -> 192.0.2.7, ")
    flow.response = flow.request.succeed([])
    assert rest_of(flow).startswith("DNS A example.com -> no records, ")
    flow.response = flow.request.fail(ResponseCode.NXDOMAIN)
    assert rest_of(flow).startswith("DNS A example.com -> NXDOMAIN, ")


def test_a_protocol_nobody_knows() -> None:
    class Gopher(Flow):
        type = "gopher"

    flow = Gopher(client_connection(), server_connection())
    assert rest_of(flow).startswith("GOPHER example.com:80 -> done, ")


# Detail levels


def posted() -> HTTPFlow:
    request = Request.make("POST", URL, "a=1\nb=2", {"Content-Type": "text/plain", "X-Twice": "1"})
    request.headers.add("X-Twice", "2")
    return answered(Response.make(201, b"\x00\xff" * 300, {"Content-Type": "image/png"}), request)


async def test_detail_0_formats_nothing(printed: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dumper, "line", None)
    await dump(posted(), flow_detail=0)
    assert printed() == ""


async def test_detail_2_shows_headers(printed: Callable[[], str]) -> None:
    await dump(posted(), flow_detail=2)
    assert printed().splitlines()[1:] == [
        "    > POST /path HTTP/1.1",
        "    > Content-Type: text/plain",
        "    > X-Twice: 1",
        "    > content-length: 7",
        "    > X-Twice: 2",
        "",
        "    < HTTP/1.1 201 Created",
        "    < Content-Type: image/png",
        "    < content-length: 600",
        "",
    ]


async def test_detail_2_shows_what_rules_did(printed: Callable[[], str]) -> None:
    flow = answered()
    flow.trace = trace = Trace()
    trace.add("other", "request", "missed", "path")
    trace.add("mock\x1b", "request", "matched")
    trace.add("slow", "websocket_message", "matched", "waited 1 s")
    trace.add("slow", "websocket_message", "matched", "waited 1 s")
    trace.add("bad", "request", "failed", "no such file")
    trace.answered_by = "mock"
    await dump(flow, flow_detail=2)
    assert [line for line in printed().splitlines() if "*" in line] == [
        "    * request: mock\\x1b matched",
        "    * websocket_message: slow matched (waited 1 s), 2 times",
        "    * request: bad failed: no such file",
        "    * answered by mock",
    ]


async def test_detail_3_shows_bodies_in_part(printed: Callable[[], str]) -> None:
    await dump(posted(), flow_detail=3)
    lines = printed().splitlines()
    assert lines[5:9] == ["    > X-Twice: 2", "    >", "    > a=1", "    > b=2"]
    dump_lines = [line for line in lines if line.startswith("    < 0000")]
    assert dump_lines[0] == f"    < 00000000  {'00 ff ' * 8} {'.' * 16}"
    assert len(dump_lines) == bodies.DUMP_LINES
    assert lines[-2] == "    < (cut here: the whole is 600b, flow_detail 4 shows it)"


async def test_detail_4_shows_whole_bodies(printed: Callable[[], str]) -> None:
    await dump(posted(), flow_detail=4)
    assert printed().splitlines()[-2].startswith("    < 00000250  00 ff ")


async def test_text_is_cut_at_so_many_lines(printed: Callable[[], str]) -> None:
    flow = answered(Response.make(200, "".join(f"line {n}\n" for n in range(9))))
    await dump(flow, flow_detail=3, content_view_lines_cutoff=4)
    assert printed().splitlines()[-3:] == [
        "    < line 3",
        "    < (cut here: the whole is 63b, flow_detail 4 shows it)",
        "",
    ]


def body(response: Response, limit: int) -> list[str]:
    with addon_test_context() as context:
        return bodies.Bodies(context.addons.contentviews, limit).lines(response)


def test_a_long_line_is_cut_too() -> None:
    lines = body(Response.make(200, "x" * 1000), 3)
    assert lines == ["x" * 240, "(cut here: the whole is 1000b, flow_detail 4 shows it)"]


def test_compressed_bodies_are_shown_decoded() -> None:
    response = Response.make(200, b"in clear", {"Content-Encoding": "gzip"})
    assert body(response, 10) == ["in clear"]


def test_a_body_that_is_not_what_it_claims_is_shown_as_it_is() -> None:
    response = Response.make(200, b"in clear")
    response.headers["content-encoding"] = "gzip"
    response.headers["content-type"] = "text/plain; charset=nonsense"
    problem, *shown = body(response, 10)
    assert problem.startswith("(body is not valid gzip: ")
    assert shown == ["in clear"]


def test_missing_bodies_are_said_to_be_missing() -> None:
    response = Response.make(200, b"beginning")
    response.truncated = True
    assert body(response, 10)[-1].startswith("(the record of this body ends here")
    response.raw_content = None
    assert body(response, 10) == ["(streamed, not kept)"]


async def test_bodies_are_laid_out(printed: Callable[[], str]) -> None:
    """mitmproxy 5.6, flow_detail 3: pretty-printed; also with a view that is asked for."""
    flow = answered(Response.make(200, b'{"a":[1]}', {"content-type": "application/json"}))
    await dump(flow, flow_detail=3)
    await dump(flow, flow_detail=3, dumper_default_contentview="raw")
    await dump(flow, flow_detail=3, dumper_default_contentview="jso")
    shown = printed().splitlines()
    assert shown[7:12] == ["    < {", '    <   "a": [', "    <     1", "    <   ]", "    < }"]
    assert '    < {"a":[1]}' in shown
    assert "    < (there is no content view 'jso'; did you mean json?)" in shown


async def test_queries_and_answers_of_dns_are_shown(printed: Callable[[], str]) -> None:
    flow = DNSFlow(client_connection(), server_connection(("127.0.0.1", 53)))
    flow.request = DNSMessage(START, 7, True, questions=[Question("example.com")])
    flow.response = flow.request.succeed([ResourceRecord.A("example.com", IPv4Address("192.0.2.1"))])
    await dump(flow, flow_detail=3)
    assert "    > example.com IN A" in printed()
    assert "    < example.com 60 IN A 192.0.2.1" in printed()


async def test_a_view_that_fails_costs_one_line(printed: Callable[[], str]) -> None:
    await dump(answered(Response.make(200, b'{"a":', {"content-type": "application/json"})), flow_detail=3)
    assert printed().splitlines()[7:9] == [
        "    < (json: Expecting value: line 1 column 6 (char 5))",
        '    < {"a":',
    ]


async def test_trailers_and_messages_are_shown(printed: Callable[[], str]) -> None:
    flow = answered()
    assert flow.response
    flow.response.trailers = {"Checksum": "abc"}
    await dump(
        flow, timed(websocket_flow((True, "ping"), (False, "pong"))), tcp_flow((True, b"raw")), flow_detail=3
    )
    lines = printed().splitlines()
    assert "    < Checksum: abc" in lines
    assert lines.index("    > ping") < lines.index("    < pong") < lines.index("    > raw")


def test_detail_is_0_to_4() -> None:
    with addon_test_context(dumper) as context, pytest.raises(OptionsError, match="flow_detail"):
        context.configure(flow_detail=5)


# Filters


async def test_only_flows_that_are_wanted_are_printed(printed: Callable[[], str]) -> None:
    await dump(answered(200), answered(404), answered(error="no"), tcp_flow(), dumper_filter="~c 4xx | ~tcp")
    assert [line.partition(" ")[2][:3] for line in printed().splitlines()] == ["GET", "TCP"]


async def test_an_empty_filter_is_none(printed: Callable[[], str]) -> None:
    await dump(answered(), dumper_filter="")
    assert len(printed().splitlines()) == 1


def test_a_filter_that_cannot_be_read_changes_nothing() -> None:
    with addon_test_context(dumper, dumper_filter="~q") as context:
        with pytest.raises(OptionsError) as refused:
            context.configure(dumper_filter="~u (")
        assert context.options.dumper_filter == "~q"
    assert str(refused.value).splitlines() == [
        "option dumper_filter: ~u needs a pattern; put it in quotes if it begins like this",
        "    ~u (",
        "       ^",
    ]


# Hostile traffic

HOSTILE = ["\x1b[2J", "\x07", "\x9b2J", "\x7f", "\x00", "\r\n", "\u202e", "\u2066", "\u200f", "\u2028"]


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_steers_the_terminal(text: str) -> None:
    assert escape(text).isprintable()
    assert escape(f"grüße {text}").startswith("grüße \\")


async def test_escapes_everywhere(printed: Callable[[], str]) -> None:
    """5.6.120: URL, reason, type, header, body, error."""
    bad = "\x1b[31m\u202e"
    request = Request.make("GET", URL, headers={"X-Bad": bad})
    request.path = f"/{bad}"
    response = Response.make(
        200, f"one\ttab\n{bad}\x1b\n{'x' * 60}", {"Content-Type": f"text/plain{bad}; charset=utf-8"}
    )
    response.reason_bytes = b"\x1b[31m"
    failed = answered(request=request.copy(), error=bad)
    await dump(answered(response, request), failed, flow_detail=3)
    assert "one\ttab" in printed()
    assert printed().replace("\n", "").replace("\t", "").isprintable()


async def test_a_body_cannot_pass_for_a_line(printed: Callable[[], str]) -> None:
    fake = "127.0.0.1:1 GET http://bank.example/ -> 200 OK"
    await dump(answered(Response.make(200, f"x\n\n{fake}\r{fake}\x0b{fake}\u2028{fake}")), flow_detail=3)
    assert not [line for line in printed().splitlines()[1:] if line and not line.startswith("    ")]


def test_bytes_that_are_no_text_are_printed_as_escapes() -> None:
    request = Request.make("GET", URL)
    request.path_bytes = b"/\xff\xfe"
    read, write = os.pipe()
    with os.fdopen(read, "rb") as reader, os.fdopen(write, "w", encoding="ascii") as writer:
        terminal.write(writer, rest_of(answered(200, request)))
        assert reader.read1().startswith(b"GET http://example.com/\\xff\\xfe ->")


# Colours and width


async def test_colours_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    printed = on_terminal(monkeypatch)
    await dump(answered(), answered(404), answered(error="no"))
    ok, missing, failed = printed().splitlines()
    assert "\x1b[32m200 OK\x1b[0m" in ok
    assert "\x1b[33m404 Not Found\x1b[0m" in missing
    assert "\x1b[31mfailed: no\x1b[0m" in failed


async def test_urls_are_cut_to_the_width_of_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")
    printed = on_terminal(monkeypatch)
    await dump(answered(request=URL + "x" * 500), answered())
    long, short = printed().splitlines()
    assert len(long) == 100
    assert long.endswith("x… -> 200 OK, text/plain, 7b, 24ms")
    assert f" {URL} " in short


async def test_urls_are_whole_in_a_file_and_with_details(
    printed: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    long = URL + "x" * 500
    await dump(answered(request=long))
    assert f" {long} " in printed()
    seen = on_terminal(monkeypatch)
    await dump(answered(request=long), flow_detail=2)
    assert f" {long} " in seen()


# Terminals that are not as they should be


@contextmanager
def piped() -> Iterator[tuple[io.BufferedReader, io.TextIOWrapper]]:
    """Standard output as a pipe: its reading end, and what `sys.stdout` is."""
    read, write = os.pipe()
    with (
        os.fdopen(read, "rb") as reader,
        os.fdopen(write, "w", encoding="utf-8") as writer,
        redirect_stdout(writer),
    ):
        yield reader, writer


def test_a_blocked_terminal_holds_nobody_up() -> None:
    with piped() as (reader, _):
        screen = Screen(limit=400_000)
        line = "x" * 9_999 + "\n"
        for _ in range(100):
            screen.put(line)
        screen.drain(0.01)
        received = b""
        while b"not shown" not in received:
            assert select.select([reader], [], [], 5)[0]
            received += reader.read1()
        kept, lost = received.count(b"x\n"), int(received.rpartition(b"(")[2].split()[0])
        assert kept + lost == 100
        assert 40 <= kept <= 60
        screen.drain(5)


def test_a_reader_that_is_gone_is_no_fault() -> None:
    with piped() as (reader, _):
        reader.close()
        screen = Screen()
        for _ in range(3):
            screen.put("line\n")
            screen.drain(5)


def test_a_non_blocking_terminal_is_waited_for() -> None:
    with piped() as (reader, writer):
        os.set_blocking(writer.fileno(), False)
        screen = Screen()
        screen.put("x" * 200_000 + "\n")
        received = b""
        while not received.endswith(b"\n"):
            assert select.select([reader], [], [], 5)[0]
            received += reader.read1()
        assert len(received) == 200_001
        screen.drain(5)


def test_no_terminal_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    screen = Screen()
    assert screen.look() == Look(False, None)
    screen.put("line\n")
    screen.drain(5)
    closed = io.StringIO()
    closed.close()
    terminal.write(closed, "line\n")


def test_the_thread_ends_and_begins_again(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    screen = Screen()
    for _ in range(3):
        screen.put("line\n")
        screen.drain(5)
        assert screen._thread is None
    assert stream.getvalue() == "line\n" * 3
