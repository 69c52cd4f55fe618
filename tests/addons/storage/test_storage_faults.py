"""What a killed process, a full disk and a slow one cost: no more than is promised."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from proxyfw import hookspecs
from proxyfw.http import Response
from proxyfw.testing import http_flow, world
from proxyfw_addons.storage.batch import Batches
from proxyfw_addons.storage.database import opened
from proxyfw_addons.storage.library import Library
from proxyfw_addons.storage.record import recorded
from proxyfw_addons.storage.retention import STEP, Limits
from proxyfw_addons.storage.writer import Writer

KILLED = """
import sys
from functools import partial
from proxyfw.testing import http_flow
from proxyfw_addons.storage.record import recorded
from proxyfw_addons.storage.retention import Limits
from proxyfw_addons.storage.writer import Writer
writer = Writer(sys.argv[1], Limits(), interval=0.002)
writer.start()
number = int(sys.argv[2])
while True:
    for _ in range(20):
        writer.put(partial(recorded, http_flow(f"http://example.com/{number}", id=str(number))))
        number += 1
    written = writer.do(lambda made: made.flows.select().count()).result()
    print(number, flush=True)
"""


def test_a_killed_process_loses_nothing_that_was_written(tmp_path: Path) -> None:
    """Features 79: what was said to be written is there, and the file is whole."""
    place = str(tmp_path / "x.db")
    told = 0
    for round in range(4):
        command = [sys.executable, "-c", KILLED, place, str(told)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout
            for _ in range(5 + 7 * round):
                told = int(process.stdout.readline())
            process.send_signal(signal.SIGKILL)
            rest = process.stdout.read().split(b"\n")[:-1]
            told = int(rest[-1]) if rest else told
        library = Library.at(place)
        ids = {flow.id for flow in library.flows()}
        assert {str(number) for number in range(told)} <= ids
        (session,) = library.tables.sessions.select()
        assert session.flows == len(library.rows())
        assert library.tables.database.execute_sql("pragma integrity_check").fetchone() == ("ok",)
        library.close()
        told = max(map(int, ids)) + 1


class Disk:
    """Writes that fail with *problem* while there is one, and wait at *gate*."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.problem: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()
        self.tries = 0
        write = Batches.write

        def guarded(batches: Batches, *args: Any, **more: Any) -> int:
            self.tries += 1
            assert self.gate.wait(20)
            if self.problem is not None:
                raise self.problem
            return write(batches, *args, **more)

        monkeypatch.setattr(Batches, "write", guarded)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


async def reached(holds: Callable[[], bool]) -> None:
    """Return when what another thread does has made *holds* true."""
    while not holds():  # noqa: ASYNC110 - threads set no events here
        await asyncio.sleep(0.001)


async def test_a_full_disk_is_told_once_and_traffic_goes_on(
    tmp_path: Path, disk: Disk, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proxyfw_addons.storage.writer.PAUSE", 0.01)
    place = str(tmp_path / "x.db")
    async with world(addons=["storage"], store=place) as w:
        recorder = w.proxy.addons.get("storage").recorder  # type: ignore[union-attr]
        recorder.writer.most = 3
        disk.problem = sqlite3.OperationalError("database or disk is full")
        for number in range(10):
            await w.proxy.addons.call(hookspecs.flow_end, http_flow(id=str(number)))
        await reached(lambda: disk.tries > 3)
        assert w.proxy.commands.call("store.status")["problem"] == "database or disk is full"
        told = [record for record in caplog.records if record.levelno == logging.ERROR]
        assert len(told) == 1
        assert "traffic goes on" in told[0].getMessage()
        disk.problem = None
        await reached(lambda: recorder.writer.failing is None and not recorder.writer.waiting)
        await w.proxy.addons.call(hookspecs.flow_end, http_flow(id="after"))
    assert "recording goes on" in caplog.text
    library = Library.at(place)
    ids = [flow.id for flow in library.flows()]
    assert ids[0] == "0"
    assert ids[-1] == "after"
    library.close()


def test_a_file_that_may_not_grow(tmp_path: Path) -> None:
    """A disk that is really full, as the database sees it: the file stays whole, and goes on later."""
    program = """
import resource, signal, sys, time
from functools import partial
from proxyfw.http import Response
from proxyfw.testing import http_flow
from proxyfw_addons.storage import writer as writing
from proxyfw_addons.storage.record import recorded
from proxyfw_addons.storage.retention import Limits
import random
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
writing.PAUSE = 0.01
writer = writing.Writer(sys.argv[1], Limits(), interval=0.001)
writer.start()
resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, resource.RLIM_INFINITY))
number = 0
while not writer.failing:
    answer = Response.make(200, random.randbytes(20_000))
    writer.put(partial(recorded, http_flow(id=str(number), response=answer)))
    number += 1
    time.sleep(0.001)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
writer.stop()
print(number, writer.lost.flows)
"""
    place = str(tmp_path / "x.db")
    done = subprocess.run(
        [sys.executable, "-c", program, place], capture_output=True, text=True, timeout=30, check=True
    )
    number, lost = map(int, done.stdout.split())
    assert lost == 0
    assert done.stderr.count("nothing can be recorded") == 1
    library = Library.at(place)
    assert sorted(int(flow.id) for flow in library.flows()) == list(range(number))
    library.close()


async def test_a_slow_disk_slows_traffic_down(tmp_path: Path, disk: Disk) -> None:
    place = str(tmp_path / "x.db")
    async with world(addons=["storage"], store=place) as w:
        recorder = w.proxy.addons.get("storage").recorder  # type: ignore[union-attr]
        recorder.writer.most = 4
        disk.gate.clear()
        ends = asyncio.gather(
            *(w.proxy.addons.call(hookspecs.flow_end, http_flow(id=str(number))) for number in range(20))
        )
        await reached(lambda: disk.tries > 0)
        assert not ends.done()
        disk.gate.set()
        await ends
    library = Library.at(place)
    assert len(library.rows()) == 20
    library.close()


async def test_a_slow_disk_costs_bodies_if_that_is_wanted(
    tmp_path: Path, disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    place = str(tmp_path / "x.db")
    async with world(addons=["storage"], store=place, store_when_slow="drop_bodies") as w:
        recorder = w.proxy.addons.get("storage").recorder  # type: ignore[union-attr]
        recorder.writer.most = 4
        disk.gate.clear()
        for number in range(20):
            await w.proxy.addons.call(hookspecs.flow_end, http_flow(id=str(number)))
        status = w.proxy.commands.call("store.status")
        assert status["lost_bodies"] > 0
        assert status["lost_flows"] > 0
        disk.gate.set()
    assert "slower than the traffic" in caplog.text
    assert "not recorded:" in caplog.text
    library = Library.at(place)
    rows = library.rows()
    assert len(rows) == 20 - status["lost_flows"]
    assert sum(row["truncated"] for row in rows) == status["lost_bodies"]
    library.close()


def test_what_is_too_much_goes_the_oldest_first(tmp_path: Path) -> None:
    """Features 78."""
    now = http_flow().request.timestamp_start
    for limits, left in (
        (Limits(flows=5, interval=0), 5), (Limits(age=3.5, interval=0, clock=lambda: now + 1), None),
        (Limits(size=20_000, interval=0), None),
    ):  # fmt: skip
        place = str(tmp_path / f"{id(limits)}.db")
        writer = Writer(place, limits, interval=0.001)
        writer.start()
        for number in range(STEP + 20):
            flow = http_flow(id=str(number), response=Response.make(200, os.urandom(100)))
            flow.request.timestamp_start = now - (STEP + 20 - number)
            writer.put(partial(recorded, flow))
        for _ in range(6):
            writer.do(lambda made: None).result(20)
        writer.stop()
        library = Library.at(place)
        ids = [int(flow.id) for flow in library.flows()]
        assert ids == list(range(STEP + 20 - len(ids), STEP + 20))
        assert 0 < len(ids) < 30
        assert left is None or len(ids) == left
        (session,) = library.tables.sessions.select()
        assert (session.flows, session.size) == (len(ids), sum(row["size"] for row in library.rows()))
        assert library.tables.bodies.select().count() == len(ids)
        library.close()


def test_a_flow_that_cannot_be_recorded_costs_only_itself(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    writer = Writer(str(tmp_path / "x.db"), Limits(), interval=0.001)
    writer.start()
    writer.put(lambda: 1 / 0)  # type: ignore[arg-type]
    bad = recorded(http_flow(id="bad"))
    writer.put(lambda: bad._replace(flow=(None, *bad.flow[1:])))
    writer.put(partial(recorded, http_flow(id="good")))
    writer.stop()
    assert (writer.written, writer.lost.flows) == (1, 2)
    assert "cannot be recorded" in caplog.text
    made = opened(str(tmp_path / "x.db"))
    assert [row.uid for row in made.flows.select()] == ["good"]
    made.database.close()
