"""What the machine has: programs, a network of our own, processors, and what /proc says of processes."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
from pathlib import Path

PACKAGES = {
    "curl": "curl", "h2load": "nghttp2-client", "hey": "hey", "nginx": "nginx", "openssl": "openssl",
    "security_file_certgen": "squid-openssl", "squid": "squid-openssl", "wrk": "wrk",
}  # fmt: skip
"""Where Debian has the programs that are used."""

_OWN = "PROXYFW_BENCH_NETWORK"
_TICK = os.sysconf("SC_CLK_TCK")
_CPUS = sorted(os.sched_getaffinity(0))
_SIOCSIFFLAGS, _UP_AND_RUNNING = 0x8914, 0x41


def program(name: str) -> str | None:
    """The path of a program; Debian keeps some where only root looks."""
    places = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin", "/usr/lib/squid"])
    return shutil.which(name, path=places)


def missing(names: tuple[str, ...]) -> str:
    """What to install before *names* can be run; empty if all is there."""
    absent = [name for name in names if not program(name)]
    packages = " ".join(sorted({PACKAGES[name] for name in absent}))
    return f"{', '.join(absent)} not found (Debian: apt-get install {packages})" if absent else ""


def enter_own_network() -> bool:
    """Run this program again in a network that has only loopback, if that is permitted; True inside of it.

    Every port is free there, and no byte can leave the machine.
    """
    if os.environ.get(_OWN):
        with socket.socket() as any_socket:
            loopback = struct.pack("16sh22x", b"lo", _UP_AND_RUNNING)
            fcntl.ioctl(any_socket, _SIOCSIFFLAGS, loopback)
        return True
    for flags in ("-n", "-rn"):  # the second for those who are not root
        unshare = ["unshare", flags]
        if program("unshare") and not subprocess.run([*unshare, "true"], capture_output=True).returncode:
            os.environ[_OWN] = "1"
            os.execvp("unshare", [*unshare, sys.executable, *sys.argv])
    return False


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


def leave_processor_to_proxies() -> None:
    """The load, the origin and this program share the last processor, if there are several."""
    os.sched_setaffinity(0, {_CPUS[-1]})


def give_processor(pid: int) -> None:
    """Let a proxy, and what it will start, have the first processor."""
    os.sched_setaffinity(pid, {_CPUS[0]})


def tree(pid: int) -> dict[int, int]:
    """A process and all below it, with the ticks each has used, those of its ended children included."""
    below: dict[int, list[int]] = {}
    ticks: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended meanwhile
        process = int(entry.name)
        below.setdefault(int(fields[1]), []).append(process)
        ticks[process] = sum(map(int, fields[11:15]))  # utime, stime, cutime, cstime
    found, ahead = {}, [pid]
    while ahead:
        process = ahead.pop()
        if process in ticks:
            found[process] = ticks[process]
        ahead += below.get(process, ())
    return found


def cpu_seconds(pid: int) -> float:
    """The processor time that the tree of *pid* has used."""
    return sum(tree(pid).values()) / _TICK


def memory(pid: int, field: str = "VmRSS") -> float:
    """MiB of the tree of *pid*; ``VmHWM`` is the peak."""
    total = 0
    for process in tree(pid):
        try:
            text = Path(f"/proc/{process}/status").read_text()
        except OSError:
            continue
        found = re.search(field + r":\s+(\d+)", text)
        total += int(found[1]) if found else 0
    return total / 1024
