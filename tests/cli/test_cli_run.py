"""The command line as users meet it: a process that announces itself, serves, stops when it is told to."""

from __future__ import annotations

import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from running import PATIENCE, Starter


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Starter]:
    with Starter(tmp_path) as starter:
        yield starter


def test_it_says_how_to_use_it(start: Starter) -> None:
    """5.2.54: port 0 reports the real one."""
    program = start()
    announced = program.until(program.stderr, r"listening on (\S+):(\d+)\n(.*)\n(.*)\n")
    certificate = start.home / "ca" / "proxyfw-ca-cert.pem"
    assert announced[1] == "127.0.0.1"
    assert announced[3].strip() == f"CA certificate: {certificate}"
    assert shlex.split(announced[4].strip().removeprefix("try: ")) == [
        "curl", "-x", f"http://127.0.0.1:{announced[2]}", "--cacert", str(certificate), "https://example.com/",
    ]  # fmt: skip
    assert certificate.exists()


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_script_answers_and_its_prints_are_seen_at_once(start: Starter, loop: str) -> None:
    """Through a pipe too, and before the flow's own line."""
    if loop == "uvloop":
        pytest.importorskip("uvloop")
    program = start("-s", start.script(), PROXYFW_LOOP=loop)
    assert program.ask(program.port(), "path").endswith(b"\r\n\r\nfrom the script")
    program.until(program.stdout, r"seen /path\n\S+ GET http://origin\.invalid/path -> 200 OK, 15b, \d+ms\n")
    assert program.stop() == 0
    assert program.stderr.read() == b""


def test_a_filter_chooses_what_is_printed(start: Starter) -> None:
    program = start("-s", start.script(), "~u wanted & ~c 2xx")
    port = program.port()
    for path in ("ignored", "wanted"):
        program.ask(port, path)
    program.until(program.stdout, r"seen /wanted\n\S+ GET http://origin\.invalid/wanted -> 200 OK")
    assert program.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_order(start: Starter, number: int) -> None:
    """5.6.116: idle, it stops in under a second, and addons are told."""
    program = start("-s", start.script("def done():\n    print('over')\n"))
    program.port()
    begun = time.monotonic()
    assert program.stop(number) == 0
    assert time.monotonic() - begun < 1
    assert program.stdout.read() == b"over\n"
    assert program.stderr.read() == b""


def test_a_second_ctrl_c_ends_it_at_once(start: Starter) -> None:
    """Even while a script holds the loop."""
    text = "def done():\n    print('ending')\n    while True:\n        pass\n"
    program = start("-s", start.script(text))
    program.port()
    program.process.send_signal(signal.SIGINT)
    program.until(program.stdout, "ending\n")
    assert program.stop(signal.SIGINT) == 130


def test_quiet_prints_nothing(start: Starter) -> None:
    text = "def running():\n    print(ctx.proxy.address[1])\n"
    program = start("-q", "-s", start.script("from proxyfw import ctx\n" + text))
    port = int(program.until(program.stdout, r"(\d+)\n")[1])
    assert b"502" in program.ask(port, "path")
    assert program.stop() == 0
    assert program.stdout.read() == program.stderr.read() == b""


def test_without_a_server(start: Starter) -> None:
    program = start("-n")
    program.until(program.stderr, "not listening\n")
    assert program.stop() == 0


def test_a_reader_that_leaves_is_no_fault(start: Starter) -> None:
    program = start("-s", start.script())
    port = program.port()
    program.stdout.close()
    for _ in range(3):
        assert program.ask(port, "path").endswith(b"from the script")
    assert program.stop() == 0
    assert program.stderr.read() == b""


def test_closed_standard_files_are_no_fault(start: Starter) -> None:
    command = f'exec "$0" -m proxyfw --confdir {shlex.quote(str(start.home))} -h <&- >&- 2>&-'
    assert (
        subprocess.run(["sh", "-c", command, sys.executable], timeout=PATIENCE, check=False).returncode == 0
    )


def test_a_busy_port(start: Starter) -> None:
    """5.2.54: a clear error and exit code."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        error = start.fails("-p", str(port))
    assert error.startswith("proxyfw: cannot listen on 127.0.0.1:")
    assert "in use" in error
    assert error.count("\n") == 1


def test_a_script_that_cannot_be_parsed(start: Starter) -> None:
    error = start.fails("-s", start.script("def request(flow:\n    pass\n"))
    assert "script.py:2: SyntaxError" in error
    assert "    def request(flow:\n" in error


def test_a_script_that_is_not_there(start: Starter) -> None:
    error = start.fails("-s", "absent.py")
    assert "absent.py: there is no such file\n" in error
    assert error.count("\n") == 1


def test_a_bad_certificate_file(start: Starter) -> None:
    error = start.fails("--set", f"certs={start.script()}")
    assert "script.py" in error
    assert error.count("\n") == 1


def test_wrong_options_are_wrong_usage(start: Starter) -> None:
    error = start.fails("--set", "listen_prot=1", code=2)
    assert error == "proxyfw: --set: unknown option 'listen_prot'; did you mean 'listen_port'?\n"
