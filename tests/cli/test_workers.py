"""``--workers``: several processes on one port that start, stop and report as one program."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from running import PATIENCE, Program, Starter

from proxyfw.cli import workers
from proxyfw.exceptions import OptionsError
from proxyfw.net.ports import sharing_option

pytestmark = pytest.mark.skipif(sharing_option() is None, reason="ports cannot be shared here")

WHO = """
import os
from proxyfw import ctx

def request(flow):
    who = f"{os.environ['PROXYFW_WORKER']} {os.getpid()}"
    flow.response = http.Response.make(200, who.encode())

def done():
    print("over")
"""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Starter]:
    with Starter(tmp_path) as starter:
        yield starter


def pair(start: Starter, text: str = WHO, *args: str) -> tuple[Program, int]:
    """A program of two workers with a script, and its port."""
    program = start("--workers", "2", "--flow-detail", "0", "-s", start.script(text), *args)
    return program, int(program.until(program.stderr, r"2 workers listening on \S+:(\d+)\n.*\n.*\n")[1])


def ask_until(program: Program, port: int, enough: Callable[[set[str]], bool]) -> set[str]:
    """Ask, on a new connection each time, until there are *enough* different answers."""
    answers: set[str] = set()
    give_up = time.monotonic() + PATIENCE
    while not enough(answers):
        assert time.monotonic() < give_up, answers
        answers.add(program.ask(port, "").decode().rpartition("\r\n\r\n")[2])
    return answers


def both(answers: set[str]) -> bool:
    return len(answers) == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_both_serve_one_port_and_end_in_order(start: Starter, number: int) -> None:
    program, port = pair(start)
    who = ask_until(program, port, both)
    assert {answer.split()[0] for answer in who} == {"1", "2"}
    assert program.stop(number) == 0
    assert program.everything() == ("over\nover\n", "")


def test_they_have_one_authority(start: Starter) -> None:
    program, port = pair(start)
    context = ssl.create_default_context(cafile=start.home / "ca" / "proxyfw-ca-cert.pem")
    seen: set[bytes] = set()
    while len(seen) < 2:
        client = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=PATIENCE)
        client.set_tunnel("origin.invalid")
        client.request("GET", "/")
        seen.add(client.getresponse().read())
        client.close()
    assert program.stop() == 0


def test_a_dead_worker_is_replaced(start: Starter) -> None:
    program, port = pair(start)
    victim = min(ask_until(program, port, both))
    os.kill(int(victim.split()[1]), signal.SIGKILL)
    program.until(program.stderr, "worker 1, process [0-9]+, was ended by SIGKILL; another takes its place\n")
    answers = ask_until(program, port, both)
    assert victim not in answers
    assert {answer.split()[0] for answer in answers} == {"1", "2"}
    assert program.stop() == 0
    assert program.everything() == ("over\nover\n", "")


def test_workers_that_die_at_once_end_the_program(start: Starter) -> None:
    text = "import os\ndef running():\n    os._exit(7)\n"
    program = start("--workers", "2", "-s", start.script(text))
    assert program.process.wait(PATIENCE) == 1
    _, stderr = program.everything()
    death = r"worker \d, process \d+, ended with code 7: 4 in a row have died at once; the proxy stops"
    assert re.search(rf"error    {death}\n$", stderr)


def test_what_ends_the_first_worker_is_not_tried_for_ever(start: Starter) -> None:
    """Before it has got as far as to listen."""
    text = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n"
    error = start.fails("--workers", "2", "-s", start.script(text))
    assert error.count("worker 1") == error.count("\n") == 4
    assert "4 in a row" in error


def test_a_worker_that_an_addon_shuts_down_takes_the_others_along(start: Starter) -> None:
    text = WHO.replace("def request(flow):", "def request(flow):\n    ctx.proxy.shutdown()")
    program, port = pair(start, text)
    program.ask(port, "")
    assert program.process.wait(PATIENCE) == 0
    assert program.everything() == ("over\nover\n", "")


def test_workers_do_not_outlive_the_supervisor(start: Starter) -> None:
    """The end of the output says that nobody has it open any more."""
    program, _ = pair(start)
    program.process.kill()
    assert program.everything() == ("over\nover\n", "")


def test_a_second_ctrl_c_ends_all_at_once(start: Starter) -> None:
    program, _ = pair(start, "def done():\n    print('ending')\n    while True:\n        pass\n")
    program.process.send_signal(signal.SIGINT)
    program.until(program.stdout, "ending\nending\n")
    assert program.stop(signal.SIGINT) == 130


def test_scripts_are_reloaded_in_each_and_reported_once(start: Starter) -> None:
    program, port = pair(start)
    start.script(WHO.replace("os.getpid()", "'new'"))
    ask_until(program, port, lambda answers: {"1 new", "2 new"} <= answers)
    start.script("def request(flow:\n    pass\n")
    program.until(program.stderr, r"reloaded script\.py\n(?s:.*)was not reloaded: .*\n")
    assert program.stop() == 0
    assert program.everything()[1] == ""


def test_verbose_says_who_speaks(start: Starter) -> None:
    text = WHO + "import logging\ndef running():\n    logging.debug('here')\n"
    program = start("-v", "--workers", "2", "-s", start.script(text))
    program.until(program.stderr, r"(?s)\[(\d)\] \S+ debug    here\n.*\[(?!\1)\d\] \S+ debug    here\n")
    assert program.stop() == 0


@pytest.mark.parametrize("sharing", [False, True])
def test_a_port_of_another_program_is_not_shared(start: Starter, sharing: bool) -> None:
    with socket.create_server(("127.0.0.1", 0), reuse_port=sharing) as taken:
        error = start.fails("--workers", "2", "-p", str(taken.getsockname()[1]))
    assert error.startswith("proxyfw: cannot listen on 127.0.0.1:")
    assert "in use" in error
    assert error.count("\n") == 1


def test_a_broken_script_is_reported_once(start: Starter) -> None:
    error = start.fails("--workers", "2", "-s", start.script("def request(flow:\n    pass\n"))
    assert error.count("SyntaxError") == 1


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (("--workers", "0"), "proxyfw: workers: 0 is too few; there is at least 1\n"),
        (
            ("--set", "workers=2", "--set", "idle_timeout=0"),
            "proxyfw: idle_timeout: 0 is not a number of seconds above zero\n",
        ),
    ],
)
def test_a_wrong_option_is_reported_once(start: Starter, args: tuple[str, ...], error: str) -> None:
    assert start.fails(*args, code=2) == error


def test_a_system_that_cannot_share_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxyfw.cli.workers.sharing_option", lambda: None)
    with pytest.raises(OptionsError, match=f"workers: {sys.platform} cannot share a port"):
        workers.supervise(2, 0)
