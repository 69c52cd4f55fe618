"""What every workload is given: an origin, a folder, proxies that are seen to work, a meter."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from client import connect, get, trusting, tunnel
from origin import Origin
from subjects import Proxy, Subject
from talks import wait

Figures = dict[str, float]
"""By the heading of a column."""


@dataclass(frozen=True)
class Bench:
    """What all workloads of one run share."""

    origin: Origin
    folder: Path
    mitmdump: str | None
    seconds: int
    warm: int

    @contextmanager
    def run(self, subject: Subject, more: str = "", tls: bool = True, plain: bool = False) -> Iterator[Proxy]:
        """*subject*, seen to give the right bytes and, over TLS, to be the one whose CA has signed."""
        home = self.folder / subject.name.replace(" ", "-")
        with Proxy(subject, self.origin, home, self.mitmdump, more) as proxy:
            if plain:
                with connect(proxy.port) as connection:
                    for name in ("1k", "1m", "1k"):
                        wait(get(connection, f"{self.origin.urls[0]}/{name}"))
            if tls:
                with wait(tunnel(proxy.port, self.origin.https, trusting(proxy.ca))) as connection:
                    for name in ("1k", "1m", "1k"):
                        wait(get(connection, f"/{name}"))
            yield proxy


class Meter:
    """Processor time and wall time of a proxy since `begin`."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self.begin()

    def begin(self) -> None:
        self._cpu, self._time = self._proxy.cpu(), time.perf_counter()

    def per(self, answers: int, what: str = "request") -> Figures:
        cpu, seconds = self._proxy.cpu() - self._cpu, time.perf_counter() - self._time
        return {f"CPU µs/{what}": cpu / answers * 1e6, f"{what}s/s": answers / seconds}
