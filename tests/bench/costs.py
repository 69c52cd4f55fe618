"""Workloads whose figure is processor time for each request: W1 to W4r, W6 and W10."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import loads
import programs
from bench import Bench, Figures, Meter
from origin import Origin
from subjects import Proxy, Subject

_NOOP = "def request(flow):\n    pass\n\n\ndef response(flow):\n    pass\n"


def _by_program(bench: Bench, proxy: Proxy, load: Callable[[Proxy, Origin, int, Path], int]) -> Figures:
    if bench.warm:
        load(proxy, bench.origin, bench.warm, bench.folder)
    meter = Meter(proxy)
    return meter.per(load(proxy, bench.origin, bench.seconds, bench.folder))


def w1(bench: Bench, subject: Subject, more: str = "") -> Figures:
    with bench.run(subject, more, tls=False, plain=True) as proxy:
        return _by_program(bench, proxy, programs.wrk)


def w2(bench: Bench, subject: Subject) -> Figures:
    with bench.run(subject) as proxy:
        meter, talk = Meter(proxy), loads.kept(proxy, bench.origin, "/1k")
        return meter.per(loads.many(talk, 32, bench.seconds, meter.begin, bench.warm))


def w3(bench: Bench, subject: Subject) -> Figures:
    with bench.run(subject) as proxy:
        meter, talk = Meter(proxy), loads.fresh(proxy, bench.origin)
        return meter.per(loads.many(talk, 16, bench.seconds, meter.begin, bench.warm))


def w4(bench: Bench, subject: Subject) -> Figures:
    with bench.run(subject) as proxy:
        return _by_program(bench, proxy, programs.hey)


def w4r(bench: Bench, subject: Subject) -> Figures:
    with bench.run(subject, subject.reverse, tls=False) as proxy:
        return _by_program(bench, proxy, programs.h2load)


def w6(bench: Bench, subject: Subject) -> Figures:
    figures = Figures()
    for name, size in (("64 B", 64), ("64 KiB", 1 << 16)):
        with bench.run(subject) as proxy:
            meter, talk = Meter(proxy), loads.echoes(proxy, bench.origin, size)
            answers = loads.many(talk, 8, bench.seconds, meter.begin, bench.warm)
            figures[f"{name}: CPU µs/round trip"] = meter.per(answers)["CPU µs/request"]
    return figures


def w10(bench: Bench, subject: Subject) -> Figures:
    figures = Figures()
    for number in (0, 10, 50):
        scripts = [bench.folder / f"noop{i}.py" for i in range(number)]
        for script in scripts:
            script.write_text(_NOOP)
        more = " ".join(subject.addon.replace("{script}", str(script)) for script in scripts)
        figures[f"{number} addons: CPU µs/request"] = w1(bench, subject, more)["CPU µs/request"]
    return figures


def w11(bench: Bench, subject: Subject) -> Figures:
    figures = Figures()
    others = "".join(f"- {{match: {{host: h{i}.test}}, action: block}}\n" for i in range(200))
    ours = "- {match: {host: localhost, path: /nothing}, action: block}\n"
    for name, rules in (
        ("no rules", ""),
        ("200 for other hosts", others),
        ("one of 201 for ours", others + ours),
    ):
        file = bench.folder / "rules.yaml"
        file.write_text(rules)
        more = f"--rules {file}" if rules else ""
        figures[f"{name}: CPU µs/request"] = w1(bench, subject, more)["CPU µs/request"]
    return figures
