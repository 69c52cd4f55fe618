"""A proxy that records, started and stopped as a user does."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from running import Starter

pytestmark = pytest.mark.end_to_end


def test_what_passed_before_sigterm_is_recorded(tmp_path: Path) -> None:
    place = str(tmp_path / "traffic.db")
    with Starter(tmp_path) as start:
        program = start("-s", start.script(), "--store", place)
        port = program.port()
        for number in range(20):
            assert b"from the script" in program.ask(port, f"page/{number}")
        program.stop()
    command = [sys.executable, "-m", "proxyfw", "flows", "list", "--json", "--store", place, "~u page"]
    flows = json.loads(subprocess.check_output(command, cwd=tmp_path, timeout=30))
    assert sorted(int(flow["url"].rpartition("/")[2]) for flow in flows) == list(range(20))


def test_workers_record_to_one_database(tmp_path: Path) -> None:
    place = str(tmp_path / "traffic.db")
    with Starter(tmp_path) as start:
        program = start("-s", start.script(), "--store", place, "--workers", "2")
        port = program.port()
        for number in range(20):
            assert b"from the script" in program.ask(port, f"page/{number}")
        program.stop()
    command = [sys.executable, "-m", "proxyfw", "sessions", "list", "--json", "--store", place]
    (session,) = json.loads(subprocess.check_output(command, cwd=tmp_path, timeout=30))
    assert session["flows"] == 20
