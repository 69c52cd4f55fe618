"""Work that is broken off with a reason, while it waits, between its parts, and when the proxy stops too."""

from __future__ import annotations

import asyncio

import pytest

from proxyfw.core.scope import Scope


def scope() -> Scope:
    task = asyncio.current_task()
    assert task
    return Scope(task)


async def forever() -> None:
    await asyncio.Event().wait()


async def test_what_waits_is_broken_off_with_the_first_reason() -> None:
    work = scope()
    loop = asyncio.get_running_loop()
    loop.call_soon(work.interrupt, KeyError("first"))
    loop.call_soon(work.interrupt, KeyError("second"))
    with pytest.raises(KeyError, match="first"), work:
        await forever()
    with pytest.raises(KeyError, match="first"):
        work.check()


async def test_what_stands_outside_runs_to_its_end() -> None:
    work = scope()
    with work:
        pass
    work.interrupt(KeyError("reason"))
    await asyncio.sleep(0)
    with pytest.raises(KeyError, match="reason"), work:
        raise AssertionError("not reached")


async def test_from_within_it_acts_at_the_next_check() -> None:
    work = scope()

    async def story() -> None:
        with work:
            work.interrupt(KeyError("reason"))
            await asyncio.sleep(0)
            work.check()
            raise AssertionError("not reached")

    with pytest.raises(KeyError, match="reason"):
        await story()


async def test_work_that_was_done_anyway_fails_too() -> None:
    work = scope()
    with pytest.raises(KeyError, match="reason"), work:
        work.interrupt(KeyError("reason"))


async def test_another_failure_goes_first() -> None:
    work = scope()

    def story() -> None:
        with work:
            work.interrupt(KeyError("reason"))
            raise ValueError("other")

    with pytest.raises(ValueError, match="other"):
        story()


async def test_a_task_can_be_broken_off_again_and_again() -> None:
    """It counts its cancellations, so each has to be taken back."""
    task = asyncio.current_task()
    assert task
    for _ in range(3):
        work = scope()
        asyncio.get_running_loop().call_soon(work.interrupt, KeyError("reason"))
        with pytest.raises(KeyError), work:
            await forever()
        assert task.cancelling() == 0


@pytest.mark.parametrize("interrupted", [False, True])
async def test_when_the_proxy_stops_that_goes_first(interrupted: bool) -> None:
    async def story() -> None:
        work = scope()
        if interrupted:
            asyncio.get_running_loop().call_soon(work.interrupt, KeyError("reason"))
        with work:
            await forever()

    task = asyncio.create_task(story())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
