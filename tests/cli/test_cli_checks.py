"""Checks 1 to 6 of features, through the command line; the seventh is that of ``proxyfw addons new``."""

from __future__ import annotations

import os
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import CliRunner
from running import PATIENCE, Program, Starter

from proxyfw import Proxy, hookspecs, io
from proxyfw.cli.main import program
from proxyfw.http import HTTPFlow

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nx-Odd: kept\r\n\r\n"


class Origin:
    """A server that answers with *body*, or to ``/endless`` with a part of what it promises."""

    def __init__(self, body: bytes) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.answer = HEAD % len(body) + body
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):  # it is closed
            while True:
                client, _ = self._socket.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            while asked := client.recv(65536):
                client.sendall(HEAD % 10_000_000 + b"begun" if b" /endless " in asked else self.answer)

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits for clients
        self._socket.close()


@pytest.fixture
def origin() -> Iterator[Origin]:
    server = Origin(bytes(range(256)))
    yield server
    server.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Starter]:
    with Starter(tmp_path) as starter:
        yield starter


def request(port: int, url: str) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), PATIENCE)
    client.sendall(f"GET {url} HTTP/1.1\r\nHost: {url.split('/')[2]}\r\n\r\n".encode())
    return client


def answer(port: int, origin: Origin) -> bytes:
    """What a client gets of */*, as many bytes as the origin sent at least."""
    with request(port, f"http://127.0.0.1:{origin.port}/") as client:
        got = b""
        while not got.endswith(origin.answer[-16:]):
            piece = client.recv(65536)
            assert piece, got
            got += piece
        return got


def test_a_get_gives_the_bytes_of_the_origin(start: Starter, origin: Origin) -> None:
    """features 1: port 0, and the real one is printed."""
    running = start()
    assert answer(running.port(), origin) == origin.answer


def test_a_second_start_names_the_port(start: Starter) -> None:
    """features 2."""
    port = start().port()
    assert f"127.0.0.1:{port}" in start.fails("-p", str(port))


def test_it_ends_during_a_download_and_flows_are_in_the_file(start: Starter, origin: Origin) -> None:
    """features 3: within five seconds, exit code 0."""
    running = start("-w", "flows.mitm")
    port = running.port()
    answer(port, origin)
    with request(port, f"http://127.0.0.1:{origin.port}/endless") as client:
        got = b""
        while b"begun" not in got:
            got += client.recv(65536)
        begun = time.monotonic()
        assert running.stop(signal.SIGTERM) == 0
        assert time.monotonic() - begun < 5
    with (start.home / "flows.mitm").open("rb") as file:
        saved = [flow for flow in io.FlowReader(file).stream() if isinstance(flow, HTTPFlow)]
    assert "/" in [flow.request.path for flow in saved]


def edit(script: str, value: str) -> None:
    """Write the script of the next test with *value*, at a time of its own."""
    Path(script).write_text(
        "def requestheaders(flow):\n    raise ValueError('of mine')\n\n"
        f"def response(flow):\n    flow.response.headers['x-mine'] = '{value}'\n"
    )
    os.utime(script, ns=(0, hash(value) % 10**9))


def test_a_script_is_edited_while_it_runs_and_may_raise(start: Starter, origin: Origin) -> None:
    """features 4 and 5: the answer comes all the same, and the error names file and line."""
    script = start.script()
    edit(script, "one")
    running: Program = start("-s", script)
    port = running.port()
    assert b"x-mine: one\r\n" in answer(port, origin)
    running.until(running.stderr, r"ValueError: of mine \([^)]*script\.py, line 2\)")
    edit(script, "two")
    running.until(running.stderr, r"reloaded script\.py")
    assert b"x-mine: two\r\n" in answer(port, origin)


def test_what_is_left_out_leaves_no_trace() -> None:
    """features 6: neither options nor commands nor hooks."""

    def listed(what: str, name: str, *args: str) -> bool:
        result = CliRunner().invoke(program, [what, *args], prog_name="proxyfw")
        return re.search(rf"^  {re.escape(name)}\b", result.output, re.MULTILINE) is not None

    for what, name in (("options", "intercept_timeout"), ("commands", "intercept.pending")):
        assert listed(what, name)
        assert not listed(what, name, "--addon", "no:intercept")
    with_it, without = (Proxy(confdir="none", default_addons=names) for names in (["intercept"], []))
    assert with_it.addons.calls.wants(hookspecs.flow_paused)
    assert not without.addons.calls.wants(hookspecs.flow_paused)
