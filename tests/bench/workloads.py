"""The workloads, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench import Bench, Figures
from costs import w1, w2, w3, w4, w4r, w6, w10, w11
from footprints import w5, w7, w8, w9
from subjects import Subject


@dataclass(frozen=True)
class Workload:
    what: str
    measure: Callable[[Bench, Subject], Figures]
    needs: tuple[str, ...] = ()


WORKLOADS = {
    "W1": Workload("plain, kept connections, GET 1 KiB, 32 at a time (wrk)", w1, ("wrk",)),
    "W2": Workload("intercepted, kept connections, GET 1 KiB, 32 at a time", w2),
    "W3": Workload("intercepted, a new connection for each GET 1 KiB, 16 at a time", w3),
    "W4": Workload("HTTP/2 in CONNECT, GET 1 KiB, 32 streams (hey)", w4, ("hey",)),
    "W4r": Workload(
        "HTTP/2 to a reverse proxy, GET 1 KiB, 4 connections x 8 streams (h2load)", w4r, ("h2load",)
    ),
    "W5": Workload("1 GiB intercepted, down and up (curl)", w5, ("curl",)),
    "W6": Workload("WebSocket intercepted, 8 connections, one message at a time on each", w6),
    "W7": Workload("memory", w7),
    "W8": Workload("start to first answer", w8),
    "W9": Workload("latency on one connection, median", w9),
    "W10": Workload("W1 with addons that do nothing in request and response", w10, ("wrk",)),
    "W11": Workload("W1 with rules, each for one host", w11, ("wrk",)),
}
