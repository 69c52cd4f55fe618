"""The benchmark starts, and measures: figures, never whether they are good ones."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from shutil import which

import pytest
from tree import ROOT

BENCH = ROOT / "tests" / "bench"
PLACES = os.pathsep.join([os.environ["PATH"], "/usr/sbin"])
LACKING = [name for name in ("wrk", "nginx", "openssl") if not which(name, path=PLACES)]
SHORTEST = ["--rounds", "1", "--seconds", "1", "--warm-up", "0"]
"""wrk counts in whole seconds."""


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, BENCH, *arguments], capture_output=True, text=True, timeout=50)


@pytest.mark.skipif(bool(LACKING), reason=f"not installed: {LACKING}")
def test_a_report_with_figures_comes_out(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    done = run("W1", "--subjects", "proxyfw", *SHORTEST, "--json", file)
    assert done.returncode == 0, done.stderr
    result = json.loads(file.read_text(encoding="utf-8"))["workloads"]["W1"]["proxyfw"]
    assert result["failure"] == ""
    assert result["medians"]["CPU µs/request"] > 0
    heading, _, row = [line for line in done.stdout.splitlines() if line.startswith("|")]
    assert heading == "| | CPU µs/request | requests/s |"
    assert row.startswith("| proxyfw | ")


def test_a_workload_that_is_not_there_is_named() -> None:
    done = run("W99")
    assert done.returncode == 2
    assert "there is no workload W99: choose from W1, W2" in done.stderr
