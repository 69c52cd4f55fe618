"""The public programs that load proxies. Each function says how many answers were good."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from machine import program
from origin import Origin
from subjects import Proxy

_WRK = """
wrk.path = "{url}"
wrk.headers["Host"] = "localhost"
function done(summary, latency, requests)
  local e = summary.errors
  local failed = e.status + e.connect + e.read + e.write + e.timeout
  io.write(string.format("counted %d %d\\n", summary.requests - e.status, failed))
end
"""


def run(*command: object, timeout: float) -> str:
    """What *command* prints. Raises RuntimeError with its complaint if it fails."""
    words = [program(str(command[0])) or str(command[0]), *map(str, command[1:])]
    done = subprocess.run(words, capture_output=True, text=True, timeout=timeout)
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {(done.stderr or done.stdout).strip()[:200]}")
    return done.stdout


def _good(answers: int, failed: int, load: str) -> int:
    if not answers or failed > answers / 1000:
        raise RuntimeError(f"{load}: {answers} good answers, {failed} failed")
    return answers


def wrk(proxy: Proxy, origin: Origin, seconds: int, folder: Path) -> int:
    script = folder / "wrk.lua"
    script.write_text(_WRK.format(url=origin.urls[0] + "/1k"))
    where = f"http://127.0.0.1:{proxy.port}/"
    out = run("wrk", "-t1", "-c32", f"-d{seconds}s", "-s", script, where, timeout=seconds + 30)
    counted = re.search(r"^counted (\d+) (\d+)", out, re.MULTILINE)
    return _good(int(counted[1]), int(counted[2]), "wrk") if counted else _good(0, 0, "wrk")


def hey(proxy: Proxy, origin: Origin, seconds: int, folder: Path) -> int:
    options = f"-z {seconds}s -c 32 -h2 -t 30 -x http://127.0.0.1:{proxy.port}".split()
    out = run("hey", *options, origin.urls[1] + "/1k", timeout=seconds + 60)
    answers = {
        status: int(n) for status, n in re.findall(r"^  \[(\d{3})\]\t(\d+) responses", out, re.MULTILINE)
    }
    errors = re.findall(r"^  \[(\d+)\]\t", out.partition("Error distribution:")[2], re.MULTILINE)
    good = answers.pop("200", 0)
    if good and "Size/request:\t1024 bytes" not in out:
        raise RuntimeError("hey: bodies of a wrong size")
    return _good(good, sum(answers.values()) + sum(map(int, errors)), "hey")


def h2load(proxy: Proxy, origin: Origin, seconds: int, folder: Path) -> int:
    options = f"-c4 -m8 -D {seconds} --connect-to 127.0.0.1:{proxy.port}".split()
    out = run("h2load", *options, origin.urls[1] + "/1k", timeout=seconds + 60)
    counted = re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored", out)
    return (
        _good(int(counted[1]), int(counted[2]) + int(counted[3]), "h2load")
        if counted
        else _good(0, 0, "h2load")
    )
