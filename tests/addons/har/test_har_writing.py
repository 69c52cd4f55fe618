"""HAR files that are written: valid whatever happened, with true times, and whole after each entry."""

from __future__ import annotations

import base64
import errno
import gzip
import io as files
import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from har_schema import HAR
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from proxyfw import io, types
from proxyfw.exceptions import OptionsError
from proxyfw.flow import Flow
from proxyfw.http import Headers, HTTPFlow, Request, Response
from proxyfw.proxy import Proxy
from proxyfw.testing import http_flow, tcp_flow, websocket_flow, world
from proxyfw_addons.har import Har
from proxyfw_addons.har.writing import HarWriter

BEGIN = 1_700_000_000.0
GET = b"GET http://example.com/a HTTP/1.1\r\nHost: example.com\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


@cache
def validator() -> Draft202012Validator:
    return Draft202012Validator(HAR)


def written(*flows: Flow) -> list[Any]:
    """The entries of a HAR of *flows*, after it has been found valid."""
    file = files.BytesIO()
    writer = HarWriter(file)
    for flow in flows:
        writer.add(flow)
    writer.close()
    return entries(file.getvalue())


def entries(data: bytes) -> list[Any]:
    document = json.loads(data)
    validator().validate(document)
    found: list[Any] = document["log"]["entries"]
    return found


def entry(flow: Flow) -> Any:
    (found,) = written(flow)
    return found


def timed(**facts: Any) -> HTTPFlow:
    """A flow of which each phase takes another time."""
    flow = http_flow(**facts)
    flow.request.timestamp_start, flow.request.timestamp_end = BEGIN, BEGIN + 0.001
    server = flow.server_conn
    server.timestamp_start, server.timestamp_tcp_setup = BEGIN + 0.003, BEGIN + 0.013
    server.timestamp_tls_setup = BEGIN + 0.033
    if flow.response:
        flow.response.timestamp_start, flow.response.timestamp_end = BEGIN + 0.073, BEGIN + 0.153
    return flow


def test_times_are_split_into_their_phases() -> None:
    """Features 81; trap 14: not all of it is waiting."""
    found = entry(timed())
    assert found["startedDateTime"] == "2023-11-14T22:13:20.000000Z"
    assert found["timings"] == {
        "blocked": 2, "dns": -1, "connect": 30, "ssl": 20, "send": 1, "wait": 40, "receive": 80,
    }  # fmt: skip
    assert found["time"] == 153


def test_a_connection_that_is_used_again_was_not_made_for_the_request() -> None:
    """mitmproxy 5.6.113: reused connection."""
    first, second = timed(), timed()
    second.server_conn = first.server_conn
    assert second.response
    for message in (second.request, second.response):
        message.timestamp_start += 1
        message.timestamp_end = (message.timestamp_end or 0) + 1
    one, two = written(first, second)
    assert one["connection"] == two["connection"]
    assert two["timings"] | {"blocked": -1, "connect": -1, "ssl": -1} == two["timings"]
    assert (two["timings"]["wait"], two["time"]) == (72, 153)


def test_the_first_request_tells_of_a_connection_that_was_made_before_it() -> None:
    flow = timed()
    flow.server_conn.timestamp_start = BEGIN - 0.2
    flow.server_conn.timestamp_tcp_setup = BEGIN - 0.15
    flow.server_conn.timestamp_tls_setup = BEGIN - 0.1
    found = entry(flow)
    assert found["startedDateTime"] == "2023-11-14T22:13:19.800000Z"
    assert found["timings"] | {"blocked": 100, "connect": 100, "ssl": 50} == found["timings"]
    assert found["time"] == 353


def test_text_is_text_and_the_rest_is_base64_both_ways() -> None:
    """Features 81: base64 for binary in both directions; mitmproxy 5.6.113: binary, invalid UTF-8."""
    data = bytes(range(256))
    request = Request.make("POST", "http://a/", data, {"Content-Type": "application/octet-stream"})
    found = entry(http_flow(request, Response.make(200, b"\xff\xfe", {"Content-Type": "text/plain"})))
    post, content = found["request"]["postData"], found["response"]["content"]
    assert (post["_encoding"], base64.b64decode(post["text"])) == ("base64", data)
    assert (content["encoding"], base64.b64decode(content["text"])) == ("base64", b"\xff\xfe")
    latin = Response.make(200, b"caf\xe9", {"Content-Type": "text/plain; charset=iso-8859-1"})
    assert entry(http_flow(response=latin))["response"]["content"]["text"] == "café"


def test_compressed_bodies_are_readable_and_what_was_sent_is_kept() -> None:
    packed = gzip.compress(b"text " * 100)
    found = entry(http_flow(response=Response.make(200, b"", {"Content-Encoding": "gzip"})))
    assert found["response"]["content"]["size"] == 0
    response = Response.make(200, b"", {"Content-Encoding": "gzip"})
    response.raw_content = packed
    found = entry(http_flow(response=response))["response"]
    assert found["content"]["text"] == "text " * 100
    assert (found["bodySize"], found["content"]["size"]) == (len(packed), 500)
    assert found["content"]["compression"] == 500 - len(packed)
    assert base64.b64decode(found["content"]["_raw"]) == packed


def test_bodies_that_were_not_recorded_or_cut_say_so() -> None:
    """mitmproxy 5.6.113: streamed body."""
    flow = http_flow()
    assert flow.response
    flow.request.raw_content = flow.response.raw_content = None
    found = entry(flow)
    assert (found["request"]["bodySize"], found["response"]["content"]["size"]) == (-1, -1)
    assert found["request"]["_truncated"]
    assert found["response"]["content"]["comment"] == "the body was not recorded"
    flow.response.raw_content, flow.response.truncated = b"some", True
    assert entry(flow)["response"]["content"]["comment"] == "the record of the body was cut"


def test_failed_flows_have_no_status_but_the_reason() -> None:
    """mitmproxy 5.6.113: failed flow."""
    flow = timed(error="no route to host")
    assert flow.error
    flow.error.timestamp = BEGIN + 0.043
    found = entry(flow)
    assert (found["response"]["status"], found["response"]["_error"]) == (0, "no route to host")
    assert (found["timings"]["wait"], found["timings"]["receive"]) == (10, 0)


def test_cookies_are_taken_apart() -> None:
    """Features 81: Set-Cookie as cookies; trap 14."""
    cookies = [
        (b"Set-Cookie", b"a=1; Path=/x; Domain=example.com; HttpOnly; Secure; SameSite=Lax; Max-Age=60"),
        (b"Set-Cookie", b"b=2; Expires=Wed, 21 Oct 2026 07:28:00 GMT"),
        (b"Set-Cookie", b"c; Expires=never; Max-Age=99999999999"),
    ]
    request = Request.make("GET", "http://a/?q=1&q=2", b"", {"Cookie": "x=1; y=2"})
    response = Response.make(302, b"", Headers([*cookies, (b"Location", b"/next")]))
    response.timestamp_start = BEGIN
    found = entry(http_flow(request, response))
    assert found["request"]["cookies"] == [{"name": "x", "value": "1"}, {"name": "y", "value": "2"}]
    assert found["request"]["queryString"] == [{"name": "q", "value": "1"}, {"name": "q", "value": "2"}]
    assert found["response"]["redirectURL"] == "/next"
    one, two, _ = found["response"]["cookies"]
    assert one == {
        "name": "a", "value": "1", "path": "/x", "domain": "example.com", "httpOnly": True, "secure": True,
        "expires": "2023-11-14T22:14:20.000000Z", "_sameSite": "Lax",
    }  # fmt: skip
    assert two["expires"] == "2026-10-21T07:28:00.000000Z"


def test_messages_of_websockets_are_as_browsers_have_them() -> None:
    """Features 81; mitmproxy 5.6.113: WebSocket."""
    found = entry(websocket_flow((True, "hällo"), (False, b"\xff")))
    assert found["_resourceType"] == "websocket"
    assert found["_webSocketMessages"] == [
        {"type": "send", "time": BEGIN, "opcode": 1, "data": "hällo"},
        {"type": "receive", "time": BEGIN, "opcode": 2, "data": "/w=="},
    ]
    assert found["request"]["url"].startswith("ws://")


def test_sizes_of_heads_are_those_on_the_wire() -> None:
    found = entry(http_flow(Request.make("GET", "http://a/b", b"", {"Host": "a"}), Response.make(204)))
    assert found["request"]["headersSize"] == len(b"GET /b HTTP/1.1\r\nHost: a\r\n\r\n")
    assert found["response"]["headersSize"] == len(b"HTTP/1.1 204 No Content\r\n\r\n")


def test_other_protocols_are_left_out() -> None:
    assert written(tcp_flow((True, b"x"))) == []


def test_the_file_is_whole_after_each_entry() -> None:
    """Whatever becomes of the proxy."""
    file = files.BytesIO()
    writer = HarWriter(file)
    assert entries(file.getvalue()) == []
    for count in (1, 2, 3):
        writer.add(http_flow())
        assert len(entries(file.getvalue())) == count


def test_after_a_full_disk_the_file_is_whole_again() -> None:
    class Full(files.BytesIO):
        full = False

        def write(self, data: Any) -> int:
            if self.full:
                super().write(bytes(data)[: len(data) // 2])
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(data)

    file = Full()
    writer = HarWriter(file)
    writer.add(http_flow("http://a/"))
    file.full = True
    with pytest.raises(OSError, match="No space"):
        writer.add(http_flow("http://b/" + "b" * 5000))
    file.full = False
    writer.close()
    assert [found["request"]["url"] for found in entries(file.getvalue())] == ["http://a/"]


class Untold(files.BytesIO):
    """A pipe."""

    def seekable(self) -> bool:
        return False

    def tell(self) -> int:
        raise OSError(errno.ESPIPE, "Illegal seek")


def test_a_pipe_is_written_to_as_well() -> None:
    file = Untold()
    writer = HarWriter(file)
    writer.add(http_flow())
    writer.add(http_flow())
    writer.close()
    assert len(entries(file.getvalue())) == 2


fields = st.lists(st.tuples(st.binary(max_size=12), st.binary(max_size=20)), max_size=4)
moments = st.one_of(st.none(), st.floats())


@st.composite
def flows(draw: st.DrawFn) -> HTTPFlow:
    """Flows that no proxy would carry."""
    some = st.binary(max_size=20)
    named = [
        (name, draw(some))
        for name in (b"Content-Type", b"Content-Encoding", b"Set-Cookie", b"Cookie", b"Location", b"Host")
    ]
    request = Request(
        draw(st.text(max_size=8)), draw(st.integers()), draw(some), draw(some), draw(some), draw(some),
        draw(some), Headers(draw(fields) + named), draw(st.none() | some), None, draw(st.floats()),
        draw(moments),
    )  # fmt: skip
    response = Response(
        draw(some), draw(st.integers(0, 999)), draw(some), Headers(draw(fields) + named),
        draw(st.none() | some), None, draw(st.floats()), draw(moments),
    )  # fmt: skip
    flow = websocket_flow((True, draw(some)), (False, draw(st.text(max_size=8).filter(str.isprintable))))
    flow.request, flow.response = request, response
    flow.server_conn.timestamp_start = draw(moments)
    flow.server_conn.timestamp_tls_setup = draw(moments)
    flow.comment = draw(st.text(st.characters(), max_size=5))
    return flow


@settings(max_examples=60, deadline=None)
@given(flows())
def test_no_flow_is_too_odd_to_be_written(flow: HTTPFlow) -> None:
    """What crashed exporters of the field again and again."""
    document = written(flow)
    assert len(document) == 1


@contextmanager
def dumping(path: Path | str) -> Iterator[Proxy]:
    proxy = Proxy(hardump=str(path))
    try:
        yield proxy
    finally:
        proxy.addons.clear()


def test_hardump_writes_as_flows_end(tmp_path: Path) -> None:
    path = tmp_path / "traffic.har"
    with dumping(path) as proxy:
        proxy.addons.trigger("flow_end", http_flow())
        assert len(entries(path.read_bytes())) == 1
    assert len(entries(path.read_bytes())) == 1


def test_zhar_is_compressed(tmp_path: Path) -> None:
    path = tmp_path / "traffic.zhar"
    with dumping(path) as proxy:
        proxy.addons.trigger("flow_end", http_flow())
        proxy.options.hardump = ""
        assert len(entries(zlib.decompress(path.read_bytes()))) == 1
    with path.open("rb") as file:
        assert len(list(io.FlowReader(file).stream())) == 1


def test_standard_output_is_written_to_at_the_end(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    with dumping("-") as proxy:
        proxy.addons.trigger("flow_end", http_flow())
        assert not capfdbinary.readouterr().out
        proxy.options.hardump = ""
    assert len(entries(capfdbinary.readouterr().out)) == 1


def test_a_place_that_cannot_be_written_to_is_refused() -> None:
    with pytest.raises(OptionsError, match=r"hardump: cannot write /nowhere/x\.har: No such file"):
        Proxy(hardump="/nowhere/x.har")


def test_without_the_option_there_is_no_hook_and_nothing_is_loaded() -> None:
    proxy = Proxy()
    assert "har" in proxy.addons.dormant.sleeping
    assert proxy.addons.get("har")
    assert "har" not in proxy.addons.order("flow_end")  # type: ignore[arg-type]


def test_secrets_are_not_in_the_file(tmp_path: Path) -> None:
    """Features 84."""
    path = tmp_path / "traffic.har"
    proxy = Proxy(hardump=str(path), redact=True)
    request = Request.make("GET", "http://a/", b"", {"Authorization": "Bearer very-secret"})
    proxy.context.run(proxy.addons.trigger, "flow_end", http_flow(request))
    proxy.addons.clear()
    assert b"very-secret" not in path.read_bytes()
    assert len(entries(path.read_bytes())) == 1


async def test_save_writes_har_files_of_real_traffic(tmp_path: Path) -> None:
    path = tmp_path / "traffic.har"
    async with world(default_addons=("save",), save_stream_file=str(path)) as w:
        origin, client = w.origin(), w.client()
        client.write(GET)
        server = await origin.accept()
        await server.head()
        server.write(OK)
        await client.message()
        await w.ended()
        (found,) = entries(path.read_bytes())
    assert found["request"]["url"] == "http://example.com/a"
    assert found["response"]["content"]["text"] == "hi"
    assert found["timings"]["connect"] >= 0


def test_the_command_writes_the_flows_it_is_given(tmp_path: Path) -> None:
    path = tmp_path / "some.har"
    proxy = Proxy()
    addon = proxy.addons.get("har")
    assert isinstance(addon, Har)
    proxy.context.run(addon.save, [http_flow()], types.Path(path))
    assert len(entries(path.read_bytes())) == 1
