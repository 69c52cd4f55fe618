"""HAR files that are read: by us, and in the shapes of browsers and tools; what is wrong is reported."""

from __future__ import annotations

import gzip
import io as files
import json
import logging
import zlib
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from proxyfw import io
from proxyfw.cli.main import program
from proxyfw.exceptions import FlowReadException
from proxyfw.flow import Error, Flow
from proxyfw.http import Headers, HTTPFlow, Request, Response
from proxyfw.testing import Recorder, http_flow, websocket_flow, world
from proxyfw_addons.har.shape import problems
from proxyfw_addons.har.writing import HarWriter

BEGIN = 1_700_000_000.0

CHROME: dict[str, Any] = {
    "_connectionId": "1201",
    "_initiator": {"type": "other"},
    "_priority": "VeryHigh",
    "_resourceType": "document",
    "cache": {},
    "connection": "443",
    "pageref": "page_1",
    "request": {
        "method": "GET",
        "url": "https://example.com/a?b=c",
        "httpVersion": "h2",
        "headers": [
            {"name": ":authority", "value": "example.com"},
            {"name": ":method", "value": "GET"},
            {"name": ":path", "value": "/a?b=c"},
            {"name": ":scheme", "value": "https"},
            {"name": "accept", "value": "text/html"},
        ],
        "queryString": [{"name": "b", "value": "c"}],
        "cookies": [],
        "headersSize": -1,
        "bodySize": 0,
    },
    "response": {
        "status": 200,
        "statusText": "",
        "httpVersion": "h2",
        "headers": [
            {"name": "content-encoding", "value": "br"},
            {"name": "content-type", "value": "text/html; charset=UTF-8"},
        ],
        "cookies": [],
        "content": {"size": 5, "mimeType": "text/html", "text": "hällo"},
        "redirectURL": "",
        "headersSize": -1,
        "bodySize": -1,
        "_transferSize": 700,
        "_error": None,
        "_fetchedViaServiceWorker": False,
    },
    "serverIPAddress": "[2001:db8::1]",
    "startedDateTime": "2023-11-14T22:13:20.000Z",
    "time": 180.5,
    "timings": {
        "blocked": 1.5, "dns": 9, "ssl": 20, "connect": 50, "send": 0.5, "wait": 100, "receive": 20,
        "_blocked_queueing": 0.5,
    },
}  # fmt: skip

FIREFOX: dict[str, Any] = {
    "startedDateTime": "2023-11-14T23:13:20.000+01:00",
    "request": {
        "bodySize": 7,
        "method": "POST",
        "url": "http://example.com/form",
        "httpVersion": "HTTP/1.1",
        "headers": [
            {"name": "Host", "value": "example.com"},
            {"name": "Content-Type", "value": "application/x-www-form-urlencoded"},
        ],
        "cookies": [],
        "queryString": [],
        "headersSize": 100,
        "postData": {
            "mimeType": "application/x-www-form-urlencoded",
            "params": [{"name": "a", "value": "1"}, {"name": "b", "value": "2"}],
            "text": "a=1&b=2",
        },
    },
    "response": {
        "status": 302,
        "statusText": "Found",
        "httpVersion": "HTTP/1.1",
        "headers": [{"name": "Location", "value": "/done"}],
        "cookies": [],
        "content": {"mimeType": "image/gif", "size": 3, "encoding": "base64", "text": "R0lG"},
        "redirectURL": "/done",
        "headersSize": 90,
        "bodySize": 93,
    },
    "cache": {},
    "timings": {"blocked": -1, "dns": 0, "connect": 0, "ssl": 0, "send": 0, "wait": 12, "receive": 0},
    "time": 12,
    "_securityState": "insecure",
    "serverIPAddress": "192.0.2.7",
    "connection": "80",
}

CHARLES: dict[str, Any] = {
    "startedDateTime": "2023-11-14T22:13:20.000+00:00",
    "time": 30,
    "request": {
        "method": "POST",
        "url": "https://example.com/upload",
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": [{"name": "Host", "value": "example.com"}],
        "queryString": [],
        "postData": {"mimeType": "application/octet-stream", "encoding": "base64", "text": "AP8="},
        "headersSize": 40,
        "bodySize": 2,
    },
    "response": {
        "_charlesStatus": "COMPLETE",
        "status": 204,
        "statusText": "No Content",
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": [],
        "content": {"size": 0, "mimeType": None},
        "redirectURL": None,
        "headersSize": 0,
        "bodySize": 0,
    },
    "serverIPAddress": "192.0.2.8",
    "cache": {},
    "timings": {"dns": None, "connect": 10, "ssl": 5, "send": 1, "wait": 18, "receive": 1},
}

PLAYWRIGHT: dict[str, Any] = {
    "startedDateTime": "2023-11-14T22:13:20.000Z",
    "time": 5.4,
    "request": {
        "method": "GET",
        "url": "http://localhost:3000/image.png",
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": [{"name": "Accept", "value": "*/*"}],
        "queryString": [],
        "headersSize": -1,
        "bodySize": -1,
    },
    "response": {
        "status": 200,
        "statusText": "OK",
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": [{"name": "Content-Type", "value": "image/png"}],
        "content": {"size": 1200, "mimeType": "image/png", "_file": "a1b2c3.png"},
        "headersSize": -1,
        "bodySize": -1,
        "redirectURL": "",
        "_transferSize": -1,
    },
    "cache": {},
    "timings": {"send": -1, "wait": -1, "receive": 5.4},
    "_frameref": "frame@1",
    "_monotonicTime": 12345.6,
}


def har(*entries: object) -> bytes:
    document = {"log": {"version": "1.2", "creator": {"name": "x", "version": "1"}, "entries": entries}}
    return json.dumps(document).encode()


def read(data: bytes) -> list[HTTPFlow]:
    flows = list(io.FlowReader(files.BytesIO(data)).stream())
    return [flow for flow in flows if isinstance(flow, HTTPFlow)]


def one(entry: object) -> tuple[HTTPFlow, Response]:
    (flow,) = read(har(entry))
    assert flow.response
    return flow, flow.response


def write(*flows: Flow) -> bytes:
    file = files.BytesIO()
    writer = HarWriter(file)
    for flow in flows:
        writer.add(flow)
    writer.close()
    return file.getvalue()


def test_chrome() -> None:
    """Features 82; mitmproxy 5.6.113."""
    flow, response = one(CHROME)
    assert flow.request.url == "https://example.com/a?b=c"
    assert flow.request.is_http2
    assert (flow.request.authority, list(flow.request.headers)) == ("example.com", ["accept"])
    assert response.text == "hällo"
    assert response.headers["content-encoding"] == "br"
    assert response.raw_content != response.content
    server = flow.server_conn
    assert server.peername == ("2001:db8::1", 443)
    times = [server.timestamp_start, server.timestamp_tcp_setup, server.timestamp_tls_setup]
    assert [round((moment or 0) - BEGIN, 6) for moment in times] == [0.002, 0.041, 0.061]
    assert round(response.timestamp_start - BEGIN, 6) == 0.161


def test_firefox() -> None:
    """Features 82; mitmproxy 5.6.113."""
    flow, response = one(FIREFOX)
    assert flow.timestamp_start == BEGIN
    assert dict(flow.request.urlencoded_form) == {"a": "1", "b": "2"}
    assert (response.status_code, response.reason, response.content) == (302, "Found", b"GIF")


def test_charles() -> None:
    """mitmproxy 5.6.113."""
    flow, response = one(CHARLES)
    assert flow.request.content == b"\0\xff"
    assert (response.status_code, response.content) == (204, b"")


def test_playwright_leaves_bodies_out() -> None:
    """Features 82."""
    flow, response = one(PLAYWRIGHT)
    assert (flow.request.port, response.raw_content) == (3000, None)


def test_messages_of_websockets_are_read() -> None:
    messages = [
        {"type": "send", "time": BEGIN, "opcode": 1, "data": "hi"},
        {"type": "receive", "time": BEGIN + 1, "opcode": 2, "data": "/w=="},
    ]
    socket = {**CHROME, "request": {**CHROME["request"], "url": "wss://example.com/s"}}
    flow, _ = one({**socket, "_webSocketMessages": messages})
    assert flow.request.url == "https://example.com/s"
    assert flow.websocket
    assert [(m.from_client, m.content) for m in flow.websocket.messages] == [(True, b"hi"), (False, b"\xff")]


def odd_flows() -> list[Flow]:
    """All kinds of what can be in a HAR."""
    binary = Request.make("POST", "http://a/up?x=%20y", bytes(range(256)), {"Content-Type": "image/png"})
    packed = Response.make(200, b"", {"Content-Encoding": "gzip", "Content-Type": "text/plain"})
    packed.raw_content = gzip.compress(b"text" * 50, 1)
    cut = packed.copy()
    cut.raw_content, cut.truncated = (packed.raw_content or b"")[:-9], True
    streamed = http_flow()
    assert streamed.response
    streamed.response.raw_content = None
    modern = Request.make("GET", "https://b:8443/")
    modern.http_version, modern.authority = "HTTP/2.0", "b:8443"
    odd = Response.make(200, b"\xff", Headers([(b"X", b"caf\xe9"), (b"Set-Cookie", b"a=b")]))
    tunnel = Request.make("CONNECT", "https://c/")
    tunnel.authority, tunnel.path = "c:443", ""
    both = http_flow(comment="a note")
    both.error = Error("broken off", both.response.timestamp_end if both.response else None)
    flows: list[Flow] = [
        http_flow(binary, packed), http_flow(response=cut), streamed, http_flow(modern, odd), both,
        http_flow(error="refused"), http_flow(response=None), http_flow(tunnel),
        websocket_flow((True, "hi"), (False, b"\xff")),
    ]  # fmt: skip
    return flows


def test_what_is_read_and_written_again_is_the_same() -> None:
    """Features 82; mitmproxy 5.6.113."""
    first = write(*odd_flows())
    again = write(*read(first))
    assert json.loads(again) == json.loads(first)


def test_bodies_come_back_byte_for_byte() -> None:
    flows = odd_flows()
    for before, after in zip(flows, read(write(*flows)), strict=True):
        assert isinstance(before, HTTPFlow)
        assert before.request.raw_content == after.request.raw_content
        assert before.request.headers.fields == after.request.headers.fields
        assert (before.response is None) == (after.response is None)
        if before.response and after.response:
            assert before.response.raw_content == after.response.raw_content
            assert before.response.truncated == after.response.truncated
            assert before.response.headers.fields == after.response.headers.fields


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=30), st.binary(max_size=30), st.sampled_from(["", "gzip", "br", "what"]), st.text())
def test_any_body_is_stable(sent: bytes, answered: bytes, coding: str, comment: str) -> None:
    request = Request.make("POST", "http://a/", sent, {"Content-Type": "text/plain"})
    response = Response.make(200, b"", {"Content-Encoding": coding} if coding else {})
    response.raw_content, response.headers["content-length"] = answered, str(len(answered))
    first = write(http_flow(request, response, comment=comment))
    assert json.loads(write(*read(first))) == json.loads(first)


BAD: list[tuple[object, str]] = [
    ({}, "startedDateTime is missing"),
    ([], "the entry must be an object, not []"),
    ({**CHROME, "startedDateTime": "yesterday"}, "startedDateTime is no date of ISO 8601: 'yesterday'"),
    ({**CHROME, "request": {**CHROME["request"], "url": "nonsense"}}, "URL 'nonsense' has no scheme"),
    ({**CHROME, "timings": {"wait": "long"}}, "timings.wait must be a number of milliseconds, not 'long'"),
    ({**CHROME, "response": {"status": "200"}}, "response.status must be a number from 100 to 999"),
    ({**CHROME, "request": {**CHROME["request"], "headers": [3]}}, "request.headers[0] must be an object"),
    ({**FIREFOX, "response": {"status": 200, "content": {"text": "%", "encoding": "base64"}}}, "not base64"),
]


@pytest.mark.parametrize(("entry", "reason"), BAD)
def test_a_bad_entry_is_reported_and_the_others_are_read(
    entry: object, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Features 82: bad entries reported."""
    with caplog.at_level(logging.ERROR):
        assert len(read(har(CHROME, entry, FIREFOX))) == 2
    (line,) = caplog.messages
    assert "entry 1 cannot be read: " in line
    assert reason in line


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)


@settings(max_examples=80, deadline=None)
@given(st.sampled_from([CHROME, FIREFOX, CHARLES]), st.data())
def test_whatever_is_in_an_entry_it_is_read_or_reported(entry: dict[str, Any], data: st.DataObject) -> None:
    changed = json.loads(json.dumps(entry))
    place = changed
    while True:
        key = data.draw(st.sampled_from(sorted(place)))
        if not isinstance(place[key], dict) or not place[key] or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = data.draw(json_values)
    write(*read(har(changed, FIREFOX)))
    list(problems({"log": {"entries": [changed]}}))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"{", r"flows:1:2: this is not JSON"),
        (b"{}", "no HAR: there is no list log.entries"),
        (b'{"log": 3}', "no HAR"),
        (zlib.compress(har())[:-5], "cannot be decompressed"),
        (b'{"a": "\xff"}', "not JSON"),
        (b'{"a": ' + b"[" * 100_000, "not JSON"),
    ],
)
def test_what_is_no_har_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(FlowReadException, match=reason):
        read(data)


def test_a_mark_at_the_beginning_and_fields_as_pairs_are_no_obstacle() -> None:
    headers = {**FIREFOX["request"], "headers": [["Host", "example.com"]]}
    (flow,) = read(b"\xef\xbb\xbf" + har({**FIREFOX, "request": headers}))
    assert flow.request.headers["host"] == "example.com"


async def test_readfile_shows_har_files(tmp_path: Path) -> None:
    path = tmp_path / "x.har"
    path.write_bytes(har(FIREFOX))
    seen = Recorder()
    async with world(addons=[seen], default_addons=("readfile",), rfile=str(path), server=False) as w:
        await w.proxy._stopping.wait()
    assert seen.hooks == ["requestheaders", "request", "responseheaders", "response", "flow_end"]


def validate(path: Path, *words: str) -> tuple[int, str]:
    result = CliRunner().invoke(program, ["har", "validate", str(path), *words], prog_name="proxyfw")
    return result.exit_code, result.output


def test_a_valid_file_is_called_so(tmp_path: Path) -> None:
    path = tmp_path / "x.har"
    path.write_bytes(write(*odd_flows()))
    code, output = validate(path)
    assert (code, "valid HAR 1.2, 9 entries, written by proxyfw" in output) == (0, True)
    code, output = validate(path, "--json")
    assert json.loads(output)["problems"] == []


def test_what_is_wrong_is_said_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "x.har"
    path.write_bytes(har(CHROME, {**FIREFOX, "time": "long"}, {**CHROME, "response": {"status": 99}}))
    code, output = validate(path)
    assert code == 1
    assert "log.entries[1].time must be a number, 0 or more, not 'long'" in output
    assert "log.entries[2].response.statusText is missing" in output
    path.write_bytes(b"no")
    code, output = validate(path)
    assert code == 1
    assert "this is not JSON" in output
    assert "Traceback" not in output
