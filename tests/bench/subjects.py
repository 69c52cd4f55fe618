"""The proxies that are compared: one table, and how one of them is started and ended."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import squid
from machine import cpu_seconds, free_port, give_processor, memory, program
from origin import Origin

_HERE = Path(__file__).parent
_ALL = frozenset(["W1", "W2", "W3", "W4", "W4r", "W5", "W6", "W7", "W8", "W9", "W10"])
_HTTP1 = _ALL - {"W4", "W4r", "W10"}
_BOTH = "-p {port} --set confdir={home} --set ssl_verify_upstream_trusted_ca={origin_ca}"
BASE = "mitmdump"
"""What ratios are to."""


@dataclass(frozen=True)
class Subject:
    """How to run one proxy. In commands, words in braces are places: see `Proxy`."""

    name: str
    command: str
    ca: str
    """The certificate that must have signed what clients see."""
    workloads: frozenset[str]
    reverse: str = "--mode reverse:https://localhost:{https}"
    large: str = ""
    """What is added for W5."""
    addon: str = "-s {script}"
    set_up: Callable[[Path, int, Path], None] | None = None
    needs: tuple[str, ...] = ()


SUBJECTS = (
    Subject("proxyfw", f"{{python}} -m proxyfw -q {_BOTH}", "{home}/proxyfw-ca-cert.pem", _ALL | {"W11"}),
    Subject(
        "proxyfw printing", f"{{python}} -m proxyfw {_BOTH}", "{home}/proxyfw-ca-cert.pem",
        frozenset({"W1", "W2", "W3", "W4"}),
    ),
    Subject(
        BASE, f"{{mitmdump}} -q --listen-host 127.0.0.1 {_BOTH}", "{home}/mitmproxy-ca-cert.pem", _ALL,
        large="--set stream_large_bodies=1m",  # else it keeps the whole body
    ),
    Subject(
        "squid", "{squid} -N -f {home}/squid.conf", "{home}/ca.pem",
        _HTTP1 - {"W5"},  # 5.7 breaks uploads of 1 GiB off
        set_up=squid.set_up, needs=squid.NEEDS,
    ),
    Subject(
        "byte relay", "{python} {here}/relay.py {port} {http}", "{origin_ca}", _ALL - {"W4r", "W10"},
    ),
)  # fmt: skip


def absent(subject: Subject, mitmdump: str | None) -> bool:
    """Whether *subject* is not installed."""
    return (subject.name == BASE and not mitmdump) or not all(map(program, subject.needs))


def _environment() -> dict[str, str]:
    """Ours, but that Python may keep what it has compiled, as an installed program has."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


class Proxy:
    """*subject* as a process with a port and a folder of its own, while the ``with`` block runs."""

    def __init__(
        self, subject: Subject, origin: Origin, home: Path, mitmdump: str | None, more: str = ""
    ) -> None:
        self.port = free_port()
        home.mkdir(parents=True, exist_ok=True)
        if subject.set_up:
            subject.set_up(home, self.port, origin.ca)
        places = {
            "here": _HERE, "home": home, "http": origin.http, "https": origin.https, "mitmdump": mitmdump,
            "origin_ca": origin.ca, "port": self.port, "python": sys.executable, "squid": program("squid"),
        }  # fmt: skip
        self.ca = Path(subject.ca.format(**places))
        self.started = time.perf_counter()
        self._log = home / "log"
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(
                shlex.split(f"{subject.command} {more}".format(**places)), env=_environment(),
                cwd=home, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        give_processor(self._process.pid)

    def __enter__(self) -> Proxy:
        try:
            while not self._listens():
                if self._process.poll() is not None or time.perf_counter() - self.started > 30:
                    raise RuntimeError(f"did not start: {self._log.read_text(errors='replace')[-200:]}")
                time.sleep(0.002)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for ending in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self._process.pid, ending)  # the session that we began
                self._process.wait(3)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                pass

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port)).close()
        except OSError:
            return False
        return True

    def cpu(self) -> float:
        return cpu_seconds(self._process.pid)

    def memory(self, field: str = "VmRSS") -> float:
        return memory(self._process.pid, field)
