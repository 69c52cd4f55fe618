"""``ctx`` belongs to the proxy that is calling, and says so where there is none."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from contextvars import Context
from typing import Any

import pytest

from proxyfw import ctx
from proxyfw.options import Options


class Master:
    """As much of a proxy as `ctx` looks at."""

    def __init__(self) -> None:
        self.options = Options()


@pytest.fixture
def master() -> Iterator[Master]:
    master = Master()
    yield master
    ctx.stopped(master)


def in_thread(function: Callable[[], Any]) -> Any:
    """What *function* returns or raises in a thread with an empty context, as a script may start one."""
    results: list[Any] = []

    def run() -> None:
        try:
            results.append(function())
        except Exception as problem:
            results.append(problem)

    thread = threading.Thread(target=lambda: Context().run(run))
    thread.start()
    thread.join()
    return results[0]


def test_options_master_and_proxy(master: Master) -> None:
    with ctx.use(master):
        assert ctx.options is master.options
        assert ctx.master is master
        assert ctx.proxy is master
    assert ctx.current() is None


def test_use_without_a_block_lasts_in_its_context(master: Master) -> None:
    context = Context()
    context.run(ctx.use, master)
    assert context.run(lambda: ctx.master) is master
    assert ctx.current() is None


def test_uses_nest(master: Master) -> None:
    other = Master()
    with ctx.use(master):
        with ctx.use(other):
            assert ctx.master is other
        assert ctx.master is master


@pytest.mark.parametrize("name", ["options", "master", "proxy"])
def test_outside_a_proxy_the_error_says_so(name: str) -> None:
    with pytest.raises(AttributeError, match=rf"ctx\.{name} is only there while a proxy runs this code"):
        getattr(ctx, name)
    assert not hasattr(ctx, name)


def test_other_names_are_ordinary_errors(master: Master) -> None:
    with ctx.use(master), pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        _ = ctx.nonsense


async def test_tasks_of_two_proxies_see_their_own(master: Master) -> None:
    other = Master()

    async def seen() -> Any:
        await asyncio.sleep(0)
        return ctx.master

    with ctx.use(master):
        one = asyncio.ensure_future(seen())
    with ctx.use(other):
        two = asyncio.ensure_future(seen())
    assert await one is master
    assert await two is other


def test_a_plain_thread_finds_the_only_running_proxy(master: Master) -> None:
    assert isinstance(in_thread(lambda: ctx.master), ctx.OutsideProxy)
    ctx.started(master)
    assert in_thread(lambda: ctx.options) is master.options
    assert ctx.current() is None
    other = Master()
    ctx.started(other)
    assert isinstance(in_thread(lambda: ctx.master), ctx.OutsideProxy)
    ctx.stopped(other)
    assert in_thread(lambda: ctx.master) is master


@pytest.mark.parametrize(
    ("method", "level"),
    [
        ("debug", logging.DEBUG),
        ("info", logging.INFO),
        ("alert", 25),
        ("warn", logging.WARNING),
        ("warning", logging.WARNING),
        ("error", logging.ERROR),
    ],
)
def test_log_goes_to_the_logger_of_scripts(method: str, level: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "proxyfw.script")
    getattr(ctx.log, method)("100 % of it")
    ctx.log({"any": "thing"}, method)
    assert caplog.record_tuples == [
        ("proxyfw.script", level, "100 % of it"),
        ("proxyfw.script", level, "{'any': 'thing'}"),
    ]
    assert caplog.records[0].filename == "test_ctx.py"
