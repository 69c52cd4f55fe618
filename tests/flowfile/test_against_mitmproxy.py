"""Files that mitmproxy itself reads and writes, where it is installed, in an environment of its own.

PROXYFW_TEST_MITMPROXY names the Python of that environment; without it, ``mitmdump`` is looked for on PATH.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from proxyfw import io
from proxyfw.alias.test import tflow
from proxyfw.connection import ServerSpec
from proxyfw.flow import Flow


def python_of_mitmproxy() -> str | None:
    named = os.environ.get("PROXYFW_TEST_MITMPROXY")
    if named:
        return named
    command = shutil.which("mitmdump")
    python = Path(command).resolve().parent / "python" if command else None
    return str(python) if python and python.exists() else None


PYTHON = python_of_mitmproxy()
pytestmark = pytest.mark.skipif(
    PYTHON is None, reason="mitmproxy is not installed: set PROXYFW_TEST_MITMPROXY to the Python that has it"
)

WRITES = """
import sys
from mitmproxy import io
from mitmproxy.test import tflow
flows = tflow.tflows() + [tflow.tflow(resp=True), tflow.twebsocketflow(), tflow.tudpflow()]
flows.append(tflow.tdnsflow(resp=True))
flows[0].metadata["mine"] = {"list": [1, 2.5, None, True, b"x"]}
flows[0].backup()
flows[0].comment, flows[0].marked, flows[0].is_replay = "note", ":x:", "request"
flows[0].request.trailers = type(flows[0].request.headers)([(b"a", b"b")])
with open(sys.argv[1], "wb") as file:
    writer = io.FlowWriter(file)
    for flow in flows:
        writer.add(flow)
"""
SHOWS = """
import json, sys
from mitmproxy import io
with open(sys.argv[1], "rb") as file:
    print(json.dumps([flow.get_state() for flow in io.FlowReader(file).stream()], default=repr))
"""


def run(code: str, path: Path) -> str:
    assert PYTHON
    return subprocess.run([PYTHON, "-c", code, path], capture_output=True, text=True, check=True).stdout


def states(path: Path) -> Any:
    """The flows of a file as mitmproxy understands them."""
    return json.loads(run(SHOWS, path))


def write(path: Path, flows: list[Flow]) -> None:
    with open(path, "wb") as file:
        writer = io.FlowWriter(file)
        for flow in flows:
            writer.add(flow)


def test_what_mitmproxy_wrote_it_finds_again_in_what_we_write(tmp_path: Path) -> None:
    theirs, ours = tmp_path / "theirs.mitm", tmp_path / "ours.mitm"
    run(WRITES, theirs)
    flows = io.read_flows_from_paths([theirs])
    assert {flow.type for flow in flows} == {"http", "tcp", "udp", "dns"}
    write(ours, flows)
    assert states(ours) == states(theirs)


def test_what_we_write_mitmproxy_reads_as_its_own(tmp_path: Path) -> None:
    """Ours, read and written by mitmproxy, are to us what they were."""
    ours, theirs = tmp_path / "ours.mitm", tmp_path / "theirs.mitm"
    flows = tflow.tflows()
    flows[0].server_conn.via = ServerSpec("http", ("proxy.example", 3128))
    flows[0].response.truncated = True  # type: ignore[attr-defined]
    flows[0].backup()
    flows[0].comment = "changed"
    write(ours, flows)
    copies = """
import sys
from mitmproxy import io
flows = io.read_flows_from_paths([sys.argv[1]])
with open(sys.argv[1].replace("ours", "theirs"), "wb") as file:
    writer = io.FlowWriter(file)
    for flow in flows:
        writer.add(flow)
"""
    run(copies, ours)
    again = io.read_flows_from_paths([theirs])
    assert [state(flow) for flow in again] == [state(flow) for flow in flows]


def state(flow: Flow) -> dict[str, Any]:
    found = flow.get_state()
    for side in ("client_conn", "server_conn"):
        found[side].pop("state")
    return found
