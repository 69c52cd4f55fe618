"""Files of flows: what is written is read again, and what is damaged says so."""

from __future__ import annotations

import io as streams
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxyfw import io
from proxyfw.alias.test import tflow
from proxyfw.connection import ServerSpec
from proxyfw.exceptions import FlowReadException
from proxyfw.flow import Flow
from proxyfw.flowfile import states, tnetstring
from proxyfw.http import HTTPFlow
from proxyfw.testing import http_flow


def state(flow: Flow) -> dict[str, Any]:
    """What of a flow is in a file: all but whether connections are still open."""
    found = flow.get_state()
    for side in ("client_conn", "server_conn"):
        found[side].pop("state")
    return found


def written(*flows: Flow) -> bytes:
    file = streams.BytesIO()
    writer = io.FlowWriter(file)
    for flow in flows:
        writer.add(flow)
    return file.getvalue()


def read(data: bytes) -> list[Flow]:
    return list(io.FlowReader(streams.BytesIO(data)).stream())


def rich() -> list[Flow]:
    """One of each kind, and one with all that is rare."""
    special = tflow.tflow(resp=True)
    assert special.response
    special.metadata["mine"] = {"list": [1, 2.5, None, True, b"\xff"], "text": "ä"}
    special.server_conn.via = ServerSpec("http", ("proxy.example", 3128))
    special.response.truncated = True
    special.request.trailers = [(b"a", b"b")]
    special.marked, special.comment, special.is_replay = ":red_circle:", "note", "request"
    special.backup()
    special.request.path = "/other"
    missing = tflow.tflow(resp=True)
    missing.request.raw_content = None
    return [special, missing, *tflow.tflows()]


def test_every_kind_of_flow_is_read_as_it_was_written() -> None:
    flows = rich()
    assert [state(flow) for flow in read(written(*flows))] == [state(flow) for flow in flows]


def test_a_backup_survives() -> None:
    (flow,) = read(written(rich()[0]))
    assert isinstance(flow, HTTPFlow)
    assert flow.modified()
    flow.revert()
    assert flow.request.path == "/path"


def test_messages_that_were_forgotten_stay_counted() -> None:
    flow = tflow.ttcpflow()
    flow.forgotten, flow.bytes_from_client = 3, 99
    socket = tflow.twebsocketflow()
    assert socket.websocket
    socket.websocket.forgotten = 4
    tcp, http = read(written(flow, socket))
    assert (tcp.forgotten, tcp.bytes_from_client, tcp.metadata) == (3, 99, {})  # type: ignore[attr-defined]
    assert http.websocket.forgotten == 4  # type: ignore[attr-defined]


def test_a_filtered_writer_writes_what_matches() -> None:
    file = streams.BytesIO()
    for flt in ("~c 404", None):
        writer = io.FilteredFlowWriter(file, flt)
        writer.add(http_flow(response=404))
        writer.add(http_flow(response=200))
    assert len(read(file.getvalue())) == 3


def test_several_files_are_read_in_order(tmp_path: Path) -> None:
    first, second = tmp_path / "a.mitm", tmp_path / "b.mitm"
    flows = rich()
    first.write_bytes(written(flows[0]))
    second.write_bytes(written(flows[1]))
    assert [flow.id for flow in io.read_flows_from_paths([first, str(second)])] == [flows[0].id, flows[1].id]
    with pytest.raises(FlowReadException, match=r"no\.mitm: No such file"):
        io.read_flows_from_paths([tmp_path / "no.mitm"])


class Pipe(streams.RawIOBase):
    """A file that can only be read from, byte by byte."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece, self._data = self._data[:1], self._data[1:]
        buffer[: len(piece)] = piece
        return len(piece)


def test_a_pipe_is_read_flow_by_flow() -> None:
    flow = http_flow()
    (found,) = io.FlowReader(Pipe(written(flow))).stream()  # type: ignore[arg-type]
    assert found.id == flow.id


def test_an_empty_file_has_no_flows() -> None:
    assert read(b"") == []


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda data: data[:-5], "at byte {size}: the file ends in the middle: 5 bytes are missing"),
        (lambda data: data[:-1] + b"?", "is no type of a value"),
        (lambda data: data + b"garbage", "at byte {twice}: there is no length of a record"),
    ],
)
def test_flows_before_the_damage_are_read(damage: Any, reason: str, tmp_path: Path) -> None:
    flow = http_flow()
    data = written(flow)
    path = tmp_path / "damaged.mitm"
    path.write_bytes(damage(data + data))
    found: list[Flow] = []
    with open(path, "rb") as file, pytest.raises(FlowReadException) as caught:
        found.extend(io.FlowReader(file).stream())
    assert flow.id in [each.id for each in found]
    assert str(path) in str(caught.value)
    assert reason.format(size=len(data), twice=2 * len(data)) in str(caught.value)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b'{"log": {}}', "this is JSON, but no HAR"),
        (b"\xef\xbb\xbf [1]", "looks like JSON"),
        (b"SQLite format 3\x00...", "this is a database"),
        (b"\x1f\x8b\x08", "this is no file of flows: it begins with"),
        (tnetstring.dumps([1]), "a flow is a mapping, not list"),
        (tnetstring.dumps({"a": 1}), "it is no flow"),
        (tnetstring.dumps({"version": [0, 18], "type": "http"}), r"by mitmproxy 0\.18; let mitmproxy"),
        (tnetstring.dumps({"version": 99, "type": "http"}), "it is of format 99; known are 4 to 21"),
        (tnetstring.dumps({"version": 2, "type": "http"}), "too old"),
        (tnetstring.dumps({"version": 21, "type": "quic"}), "'quic' are not known"),
        (tnetstring.dumps({"version": 21, "type": "http"}), "at byte 0 cannot be read: metadata is missing"),
        (tnetstring.dumps({"version": 6, "type": "websocket"}), "without its handshake"),
    ],
)
def test_what_cannot_be_read_says_why(data: bytes, says: str) -> None:
    with pytest.raises(FlowReadException, match=says):
        read(data)


def test_a_fact_of_the_wrong_type_is_refused() -> None:
    theirs = states.to_theirs(http_flow().get_state())
    theirs["request"]["host"] = 7
    with pytest.raises(FlowReadException, match="7 is not of type"):
        read(tnetstring.dumps(theirs))


def test_another_format_can_be_added(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[bytes] = []

    def read_lines(file: BinaryIO, name: str) -> Iterator[Flow]:
        given.extend([file.read(3), file.read()])
        yield http_flow()

    monkeypatch.setattr(
        io, "formats", [io.Format("lines", lambda start: start.startswith(b"URL"), read_lines)]
    )
    assert len(read(b"URL http://example.com/")) == 1
    assert given == [b"URL", b" http://example.com/"]


def test_earlier_formats_are_read() -> None:
    """Their keys had other names, or were bytes; what they did not have yet gets its default."""
    old: dict[Any, Any] = states.to_theirs(tflow.tflow(resp=True).get_state())
    old |= {"version": 9, "marked": True}
    for key in ("timestamp_created", "comment", "backup"):
        del old[key]
    client = old["client_conn"]
    client["address"], client["tls_established"] = client.pop("peername"), client.pop("tls")
    client["timestamp_ssl_setup"] = client.pop("timestamp_tls_setup")
    for key in ("proxy_mode", "transport_protocol", "sockname"):
        del client[key]
    server = old["server_conn"]
    server["ip_address"], server["source_address"] = server.pop("peername"), server.pop("sockname")
    server["via2"], server["sni"] = None, b"address"
    old["request"]["first_line_format"] = "relative"
    old["request"]["host"] = b"address"
    old = {key.encode(): value for key, value in old.items()}
    (flow,) = read(tnetstring.dumps(old))
    assert isinstance(flow, HTTPFlow)
    assert flow.marked == ":default:"
    assert flow.client_conn.peername == ("127.0.0.1", 22)
    assert flow.client_conn.timestamp_tls_setup
    assert flow.client_conn.proxy_mode == "regular"
    assert flow.server_conn.peername == ("192.168.0.1", 22)
    assert flow.server_conn.sni == "address"
    assert flow.timestamp_created == flow.request.timestamp_start
    assert flow.request.url == "http://address:22/path"


WHOLE = written(*rich())


@settings(deadline=None)
@given(st.data())
def test_damage_anywhere_raises_only_our_error(data: st.DataObject) -> None:
    raw = bytearray(WHOLE)
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.sampled_from(b"0123456789:,;#^!~]}x\xff"))
    try:
        for flow in read(bytes(raw)):
            flow.get_state()
    except FlowReadException:
        pass


SMALL = st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3) | st.binary(max_size=3)


@given(st.data())
def test_any_value_in_place_of_another_raises_only_our_error(data: st.DataObject) -> None:
    theirs = states.to_theirs(data.draw(st.sampled_from(rich())).get_state())
    place: Any = theirs
    while True:
        key = data.draw(st.sampled_from(sorted(place)))
        if isinstance(place[key], dict) and place[key] and data.draw(st.booleans()):
            place = place[key]
        else:
            place[key] = data.draw(SMALL | st.lists(SMALL, max_size=2) | st.dictionaries(st.text(), SMALL))
            break
    try:
        read(tnetstring.dumps(theirs))
    except FlowReadException:
        pass
