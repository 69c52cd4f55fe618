"""Workloads whose figure is something else: large bodies (W5), memory (W7), start-up (W8), latency (W9)."""

from __future__ import annotations

import statistics
import time

from bench import Bench, Figures
from client import connect, get, secured, trusting, tunnel
from origin import GIB
from programs import run
from subjects import Subject
from talks import wait


def w5(bench: Bench, subject: Subject) -> Figures:
    origin, figures = bench.origin, Figures()
    ways = {
        "down": (f"{origin.urls[1]}/1g", "-o", "/dev/null", "-w", "%{size_download}"),
        "up": (f"https://localhost:{origin.echo}/up", "-T", origin.large, "-H", "Expect:"),
    }
    for way, arguments in ways.items():
        with bench.run(subject, subject.large) as proxy:
            before, cpu = proxy.memory(), proxy.cpu()
            via = ("--http1.1", "-x", f"http://127.0.0.1:{proxy.port}", "--cacert", proxy.ca)
            moved = run("curl", "-sS", "--max-time", 120, *via, *arguments, timeout=130)
            if moved != str(GIB):
                raise RuntimeError(f"{moved} bytes went {way}, not 1 GiB")
            figures[f"{way} CPU s"] = proxy.cpu() - cpu
            figures[f"{way} peak MiB above"] = proxy.memory("VmHWM") - before
    return figures


def w7(bench: Bench, subject: Subject) -> Figures:
    """1,000 tunnels that have had a request each; and 20,000 flows in a row, after 400 to warm up."""
    figures, origin = Figures(), bench.origin
    with bench.run(subject) as proxy:
        trust = trusting(proxy.ca)
        wait(get(wait(tunnel(proxy.port, origin.https, trust)), "/1k"))
        before, held = proxy.memory(), []
        for _ in range(1000):
            held.append(wait(tunnel(proxy.port, origin.https, trust)))
            wait(get(held[-1], "/1k"))
        figures["KiB/idle connection"] = (proxy.memory() - before) * 1024 / len(held)
        for tls in held:
            tls.close()
    with bench.run(subject) as proxy, connect(proxy.port) as connection:
        for number in range(20_400):
            if number == 400:
                before = proxy.memory()
            wait(get(connection, f"{origin.urls[0]}/1k"))
        figures["MiB after 20,000 flows"] = proxy.memory() - before
    return figures


def w8(bench: Bench, subject: Subject) -> Figures:
    with bench.run(subject, tls=False) as proxy:
        with connect(proxy.port) as connection:
            wait(get(connection, f"{bench.origin.urls[0]}/1k"))
        return {"first answer ms": (time.perf_counter() - proxy.started) * 1e3}


def w9(bench: Bench, subject: Subject) -> Figures:
    """Every request is paired with a direct one, so that both meet the same machine."""
    origin, figures = bench.origin, Figures()
    with bench.run(subject, plain=True) as proxy:
        pairs = {
            "plain": (connect(origin.http), connect(proxy.port), f"{origin.urls[0]}/1k"),
            "intercepted": (
                wait(secured(connect(origin.https), trusting(origin.ca))),
                wait(tunnel(proxy.port, origin.https, trusting(proxy.ca))),
                "/1k",
            ),
        }
        for name, (direct, via, url) in pairs.items():
            taken: tuple[list[float], list[float]] = ([], [])
            for _ in range(bench.seconds * 50):
                for connection, asked, times in ((direct, "/1k", taken[0]), (via, url, taken[1])):
                    began = time.perf_counter()
                    wait(get(connection, asked))
                    times.append((time.perf_counter() - began) * 1e3)
                time.sleep(0.008)
            figures[f"{name}: ms added"] = statistics.median(taken[1]) - statistics.median(taken[0])
    return figures
