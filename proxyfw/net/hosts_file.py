"""The hosts file: names that this machine knows by itself, read again when the file changes. hosts(5)."""

from __future__ import annotations

import ipaddress
import logging
import os
import sys
from pathlib import Path

log = logging.getLogger("proxyfw")

SYSTEM = (
    Path(os.environ.get("SYSTEMROOT", r"C:\Windows"), r"System32\drivers\etc\hosts")
    if sys.platform == "win32"
    else Path("/etc/hosts")
)


class HostsFile:
    """The names and addresses in the file at *path*; none if there is no such file."""

    def __init__(self, path: Path = SYSTEM) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._addresses: dict[str, list[str]] = {}
        self._names: dict[str, str] = {}

    def addresses(self, name: str) -> list[str]:
        """The IPv4 and IPv6 addresses of *name*, in the order of the file."""
        self._refresh()
        return self._addresses.get(name.lower().rstrip("."), [])

    def name(self, address: str) -> str | None:
        """The first name of *address*."""
        self._refresh()
        return self._names.get(address)

    def _refresh(self) -> None:
        try:
            stat = self._path.stat()
        except OSError:
            stamp = None
        else:
            stamp = stat.st_mtime_ns, stat.st_size
        if stamp != self._stamp:
            self._stamp = stamp
            self._addresses, self._names = {}, {}
            if stamp is not None:
                self._read()

    def _read(self) -> None:
        try:
            lines = self._path.read_text("utf-8", "replace").splitlines()
        except OSError as e:
            log.warning("%s cannot be read: %s", self._path, e)
            return
        for line in lines:
            address, *names = line.partition("#")[0].split() or [""]
            try:
                address = str(ipaddress.ip_address(address.partition("%")[0]))
            except ValueError:
                continue
            for name in names:
                known = self._addresses.setdefault(name.lower().rstrip("."), [])
                if address not in known:
                    known.append(address)
                self._names.setdefault(address, name)
