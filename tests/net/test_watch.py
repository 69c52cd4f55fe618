"""One timer for all deadlines, driven here by a clock of its own."""

from __future__ import annotations

import asyncio
from math import inf

import pytest

from proxyfw.net.watch import Watch


class Thing:
    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.calls = 0

    def expired(self) -> None:
        self.calls += 1


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock with one hand, to be set."""
    return [1000.0]


async def watching(now: list[float], monkeypatch: pytest.MonkeyPatch, *things: Thing) -> Watch:
    watch = Watch()
    monkeypatch.setattr(watch.loop, "time", lambda: now[0])
    for thing in things:
        watch.add(thing)
    return watch


async def test_who_is_late_expires_and_nobody_else(now: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    late, early, never = Thing(1001), Thing(1010), Thing(inf)
    watch = await watching(now, monkeypatch, late, early, never)
    watch._tick()
    assert (late.calls, early.calls, never.calls) == (0, 0, 0)
    now[0] = 1002
    watch._tick()
    assert (late.calls, early.calls, never.calls) == (1, 0, 0)
    late.deadline = inf  # something has happened
    now[0] = 1011
    watch._tick()
    assert (late.calls, early.calls, never.calls) == (1, 1, 0)
    watch.close()


async def test_who_is_discarded_does_not_expire(now: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = Thing(999), Thing(999)
    watch = await watching(now, monkeypatch, one, two)
    watch.discard(one)
    watch.discard(one)
    watch._tick()
    assert (one.calls, two.calls) == (0, 1)
    watch.close()


def ticks(watch: Watch) -> bool:
    return watch._timer is not None


async def test_there_is_a_timer_only_while_there_is_something_to_watch() -> None:
    watch, thing = Watch(), Thing(inf)
    assert not ticks(watch)
    watch.add(thing)
    assert ticks(watch)
    watch.discard(thing)
    watch._tick()
    assert not ticks(watch)
    watch.add(thing)
    watch.close()
    watch.close()
    assert not ticks(watch)


@pytest.mark.parametrize(("shortest", "interval"), [(60, 15), (4, 1), (0.001, 0.01), (3600, 15)])
async def test_a_tick_is_a_quarter_of_the_shortest_time_out_within_reason(
    shortest: float, interval: float
) -> None:
    assert Watch(shortest).interval == interval


async def test_the_loop_drives_it() -> None:
    expired = asyncio.Event()

    class Waits:
        deadline = 0.0

        def expired(self) -> None:
            expired.set()

    watch = Watch(shortest=0.001)
    watch.add(Waits())
    await expired.wait()
    watch.close()
