"""async commands: run whether they are awaited or not, and their failures are not lost."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from proxyfw import Proxy, command, ctx
from proxyfw.exceptions import CommandError
from proxyfw.http import HTTPFlow, Response
from proxyfw.testing import world


class Slow:
    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.ended: asyncio.Queue[str] = asyncio.Queue()

    @command.command("slow.answer")
    async def answer(self, how: str) -> str:
        try:
            await self.go.wait()
            if how == "wrong":
                raise CommandError("no such thing")
            if how == "broken":
                raise ZeroDivisionError
            return f"{how} {ctx.options.mode}"
        except BaseException as problem:
            how = type(problem).__name__
            raise
        finally:
            self.ended.put_nowait(how)


class Script:
    """Calls from plain code."""

    def request(self, flow: HTTPFlow) -> None:
        for how in ("right", "wrong", "broken"):
            ctx.master.commands.execute(f"slow.answer {how}")
        flow.response = Response.make(204)


async def test_plain_code_need_not_wait_and_loses_no_error(caplog: pytest.LogCaptureFixture) -> None:
    slow = Slow()
    async with world(addons=[slow, Script()]) as w:
        client = w.client()
        client.write(b"GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\n")
        assert b" 204 " in await client.head()
        slow.go.set()
        assert [await slow.ended.get() for _ in range(3)] == ["right", "CommandError", "ZeroDivisionError"]
        await asyncio.sleep(0)
    assert "command slow.answer failed: CommandError: no such thing" in caplog.text
    assert "command slow.answer failed: ZeroDivisionError" in caplog.text
    assert "test_errands.py" in caplog.text


async def test_async_code_awaits_result_and_failure(caplog: pytest.LogCaptureFixture) -> None:
    slow = Slow()
    async with world(addons=[slow]) as w:
        slow.go.set()
        assert await w.proxy.commands.call("slow.answer", "right") == "right ['regular']"
        with pytest.raises(CommandError, match="no such thing"):
            await w.proxy.commands.execute("slow.answer wrong")
        pending = w.proxy.commands.call("slow.answer", "right")
        assert await slow.ended.get()
        assert await pending == await pending
    assert "failed" not in caplog.text


async def test_a_thread_waits_for_the_result(caplog: pytest.LogCaptureFixture) -> None:
    slow = Slow()
    slow.go.set()

    def in_thread(how: str) -> Any:
        return ctx.master.commands.call("slow.answer", how).result(5)

    async with world(addons=[slow]) as w, asyncio.timeout(5):
        ctx.use(w.proxy)
        assert await asyncio.to_thread(in_thread, "right") == "right ['regular']"
        with pytest.raises(CommandError, match="no such thing"):
            await asyncio.to_thread(in_thread, "wrong")
    assert "command slow.answer failed: CommandError: no such thing" in caplog.text


async def test_who_is_cancelled_cancels_the_command() -> None:
    slow = Slow()
    async with world(addons=[slow]) as w:

        async def wait() -> Any:
            return await w.proxy.commands.call("slow.answer", "right")

        waiting = asyncio.create_task(wait())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        waiting.cancel()
        assert await slow.ended.get() == "CancelledError"
        with pytest.raises(asyncio.CancelledError):
            await waiting


async def test_stopping_the_proxy_ends_them() -> None:
    slow = Slow()
    async with world(addons=[slow]) as w:
        w.proxy.commands.call("slow.answer", "right")
        await asyncio.sleep(0)
    assert await slow.ended.get() == "CancelledError"


def test_without_a_loop_it_is_for_the_caller_to_run() -> None:
    slow = Slow()
    slow.go.set()
    proxy = Proxy(addons=[slow], default_addons=())
    answer = proxy.commands.call("slow.answer", "right")
    assert proxy.context.run(asyncio.run, answer) == "right ['regular']"
