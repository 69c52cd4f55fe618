"""``python tests/bench``: proxyfw beside mitmdump, squid and a bare byte relay, on this machine.

The figure to compare is processor time per request of a proxy's whole process tree, and its ratio to
mitmdump's (``x``) in the same round. Prints tables in Markdown; progress goes to standard error.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

import machine
import origin
import report
from bench import Bench
from subjects import BASE, SUBJECTS, Subject, absent
from workloads import WORKLOADS


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python tests/bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    subjects = [subject.name for subject in SUBJECTS]
    parser.add_argument(
        "workloads", nargs="*", metavar="WORKLOAD", help=f"of {', '.join(WORKLOADS)}; default: all"
    )
    parser.add_argument(
        "--subjects", metavar="A,B", default=",".join(subjects), help=f"of {', '.join(subjects)}"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5, help="of one measurement")
    parser.add_argument("--warm-up", type=int, default=1, metavar="SECONDS")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all figures of all rounds")
    parser.add_argument(
        "--mitmdump", metavar="PATH", default=machine.program(BASE), help="if it is not on PATH"
    )
    parser.add_argument(
        "--install-mitmdump", type=Path, metavar="FOLDER", help="make a venv there, with mitmproxy"
    )
    wanted = parser.parse_args()
    wanted.workloads = wanted.workloads or list(WORKLOADS)
    wanted.subjects = [subject for subject in SUBJECTS if subject.name in wanted.subjects.split(",")]
    if unknown := ", ".join(name for name in wanted.workloads if name not in WORKLOADS):
        parser.error(f"there is no workload {unknown}: choose from {', '.join(WORKLOADS)}")
    return wanted


def installed_mitmdump(folder: Path) -> str:
    """The path of mitmdump in a venv in *folder*, made if it is not there."""
    path = folder.resolve() / "bin" / BASE
    if not path.exists():
        venv.create(folder, with_pip=True)
        install: list[str | Path] = [
            folder / "bin" / "python",
            "-m",
            "pip",
            "install",
            "--quiet",
            "mitmproxy",
        ]
        subprocess.run(install, check=True)
    return str(path)


def measure(bench: Bench, names: list[str], subjects: list[Subject], rounds: int) -> report.Results:
    """All rounds; within one the proxies take turns, and each round begins with another."""
    results: report.Results = {}
    for name in names:
        workload = WORKLOADS[name]
        if lacking := machine.missing(workload.needs):
            say(f"{name} is left out: {lacking}")
            continue
        able = [subject for subject in subjects if name in subject.workloads]
        results[name] = {subject.name: report.Result() for subject in able}
        for turn in range(rounds):
            for subject in able[turn % len(able) :] + able[: turn % len(able)]:
                result = results[name][subject.name]
                try:
                    result.rounds.append(workload.measure(bench, subject))
                except (OSError, RuntimeError, ValueError, EOFError, subprocess.SubprocessError) as problem:
                    result.rounds.append(None)
                    result.failure = " ".join(f"{type(problem).__name__}: {problem}".split())
                say(f"{name} {turn + 1}/{rounds} {subject.name}: {result.rounds[-1] or result.failure}")
    return results


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    wanted = arguments()
    if lacking := machine.missing(("nginx", "openssl")):
        sys.exit(f"the origin cannot be started: {lacking}")
    mitmdump = installed_mitmdump(wanted.install_mitmdump) if wanted.install_mitmdump else wanted.mitmdump
    own_network = machine.enter_own_network()
    machine.leave_processor_to_proxies()
    if not own_network:
        say("no network of our own here: W4 and squid are left out, for hey and squid insist on usual ports")
        wanted.workloads = [name for name in wanted.workloads if name != "W4"]
        wanted.subjects = [subject for subject in wanted.subjects if subject.name != "squid"]
    subjects = [subject for subject in wanted.subjects if not absent(subject, mitmdump)]
    for subject in wanted.subjects:
        if subject not in subjects:
            say(f"{subject.name} is not installed: left out")
    with tempfile.TemporaryDirectory(prefix="proxyfw-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # squid does not stay root
        with origin.running(folder / "origin", own_network) as running:
            bench = Bench(running, folder, mitmdump, wanted.seconds, wanted.warm_up)
            results = measure(bench, wanted.workloads, subjects, wanted.rounds)
    print(report.markdown(results))
    if wanted.json:
        text = json.dumps(report.data(results, wanted.seconds), indent=1, ensure_ascii=False)
        wanted.json.write_text(text + "\n", encoding="utf-8")


main()
