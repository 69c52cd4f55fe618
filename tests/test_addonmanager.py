"""Addons: order, awaiting, isolation (5.6.96, 98, 100), load errors (5.6.97), life cycle, replacing."""

from __future__ import annotations

import asyncio
import functools
import logging
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any

import pluggy
import pytest

from proxyfw import addonmanager, ctx, hookspecs
from proxyfw.addon import loading
from proxyfw.addon.calls import DONE, Calls
from proxyfw.addonmanager import AddonManager, Loader
from proxyfw.command import CommandManager, command
from proxyfw.connection import Client, Server
from proxyfw.exceptions import AddonError, OptionsError
from proxyfw.http import HTTPFlow
from proxyfw.options import Options

hookimpl = pluggy.HookimplMarker("proxyfw")


class Master:
    """The part of a proxy that addons see."""

    def __init__(self) -> None:
        self.options = Options()
        self.commands = CommandManager()
        self.addons = AddonManager(self)

    def shutdown(self) -> None:
        raise AssertionError("not asked for")

    def renew_connections(self, *hosts: str) -> None:
        raise AssertionError("there are no rules")


@pytest.fixture
def master() -> Master:
    return Master()


@pytest.fixture
def addons(master: Master) -> AddonManager:
    return master.addons


@pytest.fixture
def flow() -> HTTPFlow:
    client = Client(peername=("127.0.0.1", 1), sockname=("127.0.0.1", 2), timestamp_start=1.0)
    return HTTPFlow(client, Server(address=("example.com", 80)))


class Note:
    """Writes down that it was called."""

    def __init__(self, name: str, notes: list[str]) -> None:
        self.name = name
        self.notes = notes

    def request(self, flow: HTTPFlow) -> None:
        self.notes.append(self.name)


class AsyncNote(Note):
    async def request(self, flow: HTTPFlow) -> None:  # type: ignore[override]
        await asyncio.sleep(0)
        self.notes.append(self.name)


class First(Note):
    @hookimpl(tryfirst=True)
    def request(self, flow: HTTPFlow) -> None:
        super().request(flow)


class Last(Note):
    @hookimpl(trylast=True)
    def request(self, flow: HTTPFlow) -> None:
        super().request(flow)


class Fails:
    def __init__(self, problem: BaseException) -> None:
        self.problem = problem

    def request(self, flow: HTTPFlow) -> None:
        raise self.problem


def script(tmp_path: Path, text: str, name: str = "script.py") -> ModuleType:
    """A module made from *text* as a script is."""
    path = tmp_path / name
    path.write_text(textwrap.dedent(text))
    module = ModuleType(f"module_of_{path.stem}")
    module.__file__ = str(path)
    exec(compile(path.read_text(), str(path), "exec", dont_inherit=True), module.__dict__)
    return module


# calling


async def test_5_6_98_addons_run_in_load_order_and_each_is_awaited_before_the_next(
    addons: AddonManager, flow: HTTPFlow
) -> None:
    notes: list[str] = []
    for addon in (AsyncNote("a", notes), Note("b", notes), AsyncNote("c", notes), Note("d", notes)):
        addons.add(addon)
    await addons.call(hookspecs.request, flow)
    assert notes == ["a", "b", "c", "d"]
    assert addons.names() == ["a", "b", "c", "d"]


async def test_5_6_98_tryfirst_and_trylast_keep_load_order_among_themselves(
    addons: AddonManager, flow: HTTPFlow
) -> None:
    notes: list[str] = []
    for addon in (Last("x", notes), Note("a", notes), First("p", notes), Last("y", notes), First("q", notes)):
        addons.add(addon)
    await addons.call(hookspecs.request, flow)
    assert notes == ["p", "q", "a", "x", "y"]
    assert addons.order(hookspecs.request) == notes
    assert addons.names() == ["x", "a", "p", "y", "q"]


async def test_5_6_98_a_place_can_be_asked_for_and_changed(addons: AddonManager) -> None:
    notes: list[str] = []
    addons.add(Note("b", notes))
    addons.add(Note("a", notes), first=True)
    addons.add(Note("d", notes))
    addons.add(Note("c", notes), before="d")
    addons.add(Note("bb", notes), after="b")
    assert addons.names() == addons.order(hookspecs.request) == ["a", "b", "bb", "c", "d"]
    addons.move("d", first=True)
    addons.move("a", after="c")
    addons.move("bb", before="b")
    addons.move("b")
    assert addons.names() == addons.order(hookspecs.request) == ["d", "bb", "c", "a", "b"]


def test_a_place_beside_a_stranger_is_refused_before_anything_is_loaded(addons: AddonManager) -> None:
    class Loads:
        def load(self, loader: Loader) -> None:
            raise AssertionError("loaded")

    with pytest.raises(AddonError, match="there is no addon 'nobody'; loaded are none"):
        addons.add(Loads(), after="nobody")
    addons.add(Note("a", []))
    with pytest.raises(AddonError, match="relative to itself"):
        addons.move("a", before="a")
    with pytest.raises(AddonError, match="there is no addon 'nobody'; loaded are a"):
        addons.move("a", before="nobody")
    assert addons.names() == ["a"]


def test_plain_functions_have_run_when_call_returns(addons: AddonManager, flow: HTTPFlow) -> None:
    notes: list[str] = []
    addons.add(Note("a", notes))
    pending = addons.call(hookspecs.request, flow)
    assert notes == ["a"]
    assert pending is DONE


async def test_nothing_to_wait_for_can_be_awaited_repeatedly(addons: AddonManager, flow: HTTPFlow) -> None:
    assert addons.call(hookspecs.response, flow) is DONE
    for _ in range(3):
        await addons.call(hookspecs.response, flow)
        await asyncio.wait_for(addons.call(hookspecs.response, flow), 1)


async def test_arguments_may_be_given_by_name(addons: AddonManager, flow: HTTPFlow) -> None:
    notes: list[str] = []
    addons.add(Note("a", notes))
    await addons.call(hookspecs.request, flow=flow)
    assert notes == ["a"]


def test_wants(addons: AddonManager) -> None:
    assert not addons.wants(hookspecs.request)
    addons.add(Note("a", []))
    assert addons.wants(hookspecs.request)
    assert not addons.wants(hookspecs.response)
    assert addons.calls.wants(hookspecs.request)


async def test_update_takes_a_list_of_flows(addons: AddonManager, flow: HTTPFlow) -> None:
    class Updated:
        def __init__(self) -> None:
            self.seen: list[object] = []

        def update(self, flows: Sequence[object]) -> None:
            self.seen.extend(flows)

    addon = Updated()
    addons.add(addon)
    await addons.call(hookspecs.update, [flow])
    assert addon.seen == [flow]


async def test_results_other_than_awaitables_mean_nothing(addons: AddonManager, flow: HTTPFlow) -> None:
    class Answers:
        def request(self, flow: HTTPFlow) -> str:
            return "ignored"

    notes: list[str] = []
    addons.add(Answers())
    addons.add(Note("a", notes))
    await addons.call(hookspecs.request, flow)
    assert notes == ["a"]


async def test_a_future_returned_by_a_plain_function_is_awaited(addons: AddonManager, flow: HTTPFlow) -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    class Waits:
        def request(self, flow: HTTPFlow) -> asyncio.Future[None]:
            return future

    notes: list[str] = []
    addons.add(Waits())
    addons.add(Note("a", notes))
    pending = asyncio.ensure_future(addons.call(hookspecs.request, flow))
    await asyncio.sleep(0)
    assert notes == []
    future.set_result(None)
    await pending
    assert notes == ["a"]


# isolation


async def test_5_6_96_an_exception_is_logged_noted_and_does_not_stop_the_next(
    addons: AddonManager, flow: HTTPFlow, caplog: pytest.LogCaptureFixture
) -> None:
    notes: list[str] = []
    addons.add(Fails(ValueError("boom")))
    addons.add(Note("b", notes))
    await addons.call(hookspecs.request, flow)
    assert notes == ["b"]
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("proxyfw", logging.ERROR)
    line = Fails.request.__code__.co_firstlineno + 1
    assert record.getMessage() == (
        f"addon fails failed in request(): ValueError: boom ({__file__}, line {line})"
    )
    assert flow.addon_errors == ["fails: request: ValueError: boom"]


async def test_5_6_96_an_async_exception_likewise(
    addons: AddonManager, flow: HTTPFlow, caplog: pytest.LogCaptureFixture
) -> None:
    class FailsLater:
        async def request(self, flow: HTTPFlow) -> None:
            await asyncio.sleep(0)
            raise ValueError

    notes: list[str] = []
    for addon in (FailsLater(), AsyncNote("b", notes), FailsLater(), Note("c", notes)):
        addons.add(addon, f"addon {len(addons)}")
    await addons.call(hookspecs.request, flow)
    assert notes == ["b", "c"]
    assert flow.addon_errors == ["addon 0: request: ValueError", "addon 2: request: ValueError"]
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]


async def test_5_6_96_addons_of_one_list_are_isolated_from_each_other(
    addons: AddonManager, flow: HTTPFlow, tmp_path: Path
) -> None:
    module = script(
        tmp_path,
        """
        notes = []
        class Bad:
            def request(self, flow): raise KeyError("x")
        class Good:
            def request(self, flow): notes.append("good")
        addons = [Bad(), Good()]
        """,
    )
    addons.add(module, "script.py")
    await addons.call(hookspecs.request, flow)
    assert module.notes == ["good"]
    assert flow.addon_errors == ["script.py:Bad: request: KeyError: 'x'"]


async def test_the_traceback_shows_the_users_frames_only(
    addons: AddonManager, flow: HTTPFlow, caplog: pytest.LogCaptureFixture
) -> None:
    class Fetches:
        def request(self, flow: HTTPFlow) -> None:
            self.helper(flow)

        def helper(self, flow: HTTPFlow) -> None:
            flow.kill()

    addons.add(Fetches())
    await addons.call(hookspecs.request, flow)
    assert "in request" in caplog.text
    assert "in helper" in caplog.text
    assert "addon/calls.py" not in caplog.text
    assert "proxyfw/flow.py" not in caplog.text
    line = Fetches.helper.__code__.co_firstlineno + 1
    assert f"({__file__}, line {line})" in caplog.text


async def test_a_failure_without_a_flow_is_only_logged(
    addons: AddonManager, caplog: pytest.LogCaptureFixture
) -> None:
    class Fails:
        def running(self) -> None:
            raise ValueError("no")

    addons.add(Fails())
    await addons.call(hookspecs.running)
    assert "addon fails failed in running(): ValueError: no" in caplog.text


@pytest.mark.parametrize("problem", [KeyboardInterrupt(), asyncio.CancelledError()])
async def test_cancellation_and_interruption_pass_through(
    addons: AddonManager, flow: HTTPFlow, problem: BaseException
) -> None:
    addons.add(Fails(problem))
    with pytest.raises(type(problem)):
        await addons.call(hookspecs.request, flow)
    assert flow.addon_errors == []


# blocking


async def test_5_6_100_an_async_hook_delays_only_its_own_flow(addons: AddonManager, flow: HTTPFlow) -> None:
    gate = asyncio.Event()

    class Waits:
        async def request(self, flow: HTTPFlow) -> None:
            await gate.wait()

    notes: list[str] = []
    addons.add(Waits())
    addons.add(AsyncNote("after", notes))
    waiting = asyncio.ensure_future(addons.call(hookspecs.request, flow))
    await asyncio.sleep(0)
    await addons.call(hookspecs.response, flow)
    assert not waiting.done()
    gate.set()
    await waiting
    assert notes == ["after"]


class Clock:
    """A monotonic clock that stands still unless it is moved."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr("proxyfw.addon.calls.monotonic", lambda: self.now)


async def test_5_6_100_a_blocking_plain_hook_is_warned_about_once(
    addons: AddonManager, flow: HTTPFlow, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)

    class Blocks:
        def request(self, flow: HTTPFlow) -> None:
            clock.now += 0.75

    addons.add(Note("quick", []))
    addons.add(Blocks())
    addons.add(AsyncNote("quick too", []))
    for _ in range(3):
        await addons.call(hookspecs.request, flow)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    line = Blocks.request.__code__.co_firstlineno
    assert record.getMessage() == (
        f"addon blocks: request() blocked the proxy for 750 ms ({__file__}, line {line}): "
        "make it async, or use a thread"
    )


async def test_5_6_100_the_limit_is_an_option_and_zero_turns_it_off(
    addons: AddonManager,
    master: Master,
    flow: HTTPFlow,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock(monkeypatch)

    class Blocks:
        def request(self, flow: HTTPFlow) -> None:
            clock.now += 0.2

    addons.add(Blocks())
    await addons.call(hookspecs.request, flow)
    master.options.slow_hook_warning = 0
    clock.now += 1000
    await addons.call(hookspecs.request, flow)
    assert caplog.records == []
    master.options.slow_hook_warning = 100
    await addons.calls.call(hookspecs.request, flow)
    assert "blocked the proxy for 200 ms" in caplog.text


# shapes


@pytest.mark.parametrize("argument", ["flow", "f", "_", "*anything", "f, extra=1"])
async def test_a_module_is_an_addon_whatever_it_calls_its_arguments(
    addons: AddonManager, flow: HTTPFlow, tmp_path: Path, argument: str
) -> None:
    module = script(
        tmp_path,
        f"""
        calls = []
        def request({argument}): calls.append("request")
        async def response({argument}): calls.append("response")
        def running(): calls.append("running")
        """,
    )
    addons.add(module, "script.py")
    for hook in (hookspecs.request, hookspecs.response):
        await addons.call(hook, flow)
    await addons.call(hookspecs.running)
    assert module.calls == ["request", "response", "running"]


async def test_what_a_module_imports_is_not_its_hook(
    addons: AddonManager, flow: HTTPFlow, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    module = script(
        tmp_path,
        """
        from xml.etree.ElementTree import Element as request
        from asyncio import run as response
        from os import error
        from proxyfw import http as update
        from textwrap import dedent as done
        def load(loader): pass
        """,
    )
    addons.add(module, "script.py")
    for hook in (hookspecs.request, hookspecs.response, hookspecs.error):
        assert not addons.wants(hook)
    assert not addons.wants(hookspecs.update)
    assert not addons.wants(hookspecs.done)
    assert addons.order(hookspecs.load) == ["script.py"]


async def test_decorated_and_made_functions_are_hooks(
    addons: AddonManager, flow: HTTPFlow, tmp_path: Path
) -> None:
    def decorated(function: Callable[[HTTPFlow], None]) -> Callable[..., None]:
        def wrapper(*args: Any) -> None:
            function(*args)

        return wrapper

    module = script(
        tmp_path,
        """
        import functools
        notes = []
        def request(flow): notes.append("request")
        def _note(text, flow): notes.append(text)
        response = functools.partial(_note, "response")
        class Handler:
            def handle(self, flow): notes.append("error")
            def __call__(self, flow): notes.append("requestheaders")
        error = Handler().handle
        requestheaders = Handler()
        """,
    )
    vars(module)["request"] = decorated(module.request)
    addons.add(module, "script.py")
    for hook in (hookspecs.request, hookspecs.response, hookspecs.error, hookspecs.requestheaders):
        await addons.call(hook, flow)
    assert module.notes == ["request", "response", "error", "requestheaders"]


async def test_an_instance_may_have_static_and_class_methods_and_functions_of_its_own(
    addons: AddonManager, flow: HTTPFlow
) -> None:
    notes: list[str] = []

    class Mixed:
        def __init__(self) -> None:
            self.error = functools.partial(lambda text, flow: notes.append(text), "error")

        @staticmethod
        @hookimpl(trylast=True)
        def request(flow: HTTPFlow) -> None:
            notes.append("request")

        @classmethod
        async def response(cls, flow: HTTPFlow) -> None:
            notes.append(cls.__name__)

        @hookimpl(specname="requestheaders")
        def at_first(self, flow: HTTPFlow) -> None:
            notes.append("headers")

    addons.add(Mixed())
    for hook in (hookspecs.request, hookspecs.response, hookspecs.error, hookspecs.requestheaders):
        await addons.call(hook, flow)
    assert notes == ["request", "Mixed", "error", "headers"]


def test_properties_are_never_read_and_other_attributes_are_no_hooks(addons: AddonManager) -> None:
    class Odd(dict[str, str]):
        request = None
        error = ValueError

        @property
        def response(self) -> None:
            raise AssertionError("read")

        def load(self, loader: Loader) -> None: ...

    addons.add(Odd())
    assert [name for name, hook in hookspecs.HOOKS.items() if addons.wants(hook)] == ["load"]


def test_lists_nest_and_every_member_has_a_name_of_its_own(addons: AddonManager, tmp_path: Path) -> None:
    module = script(
        tmp_path,
        """
        class A:
            def request(self, flow): pass
        class B:
            def __init__(self, *addons): self.addons = addons
        class C(B):
            def request(self, flow): pass
        def request(flow): pass
        addons = [A(), A(), B(A()), C(A(), B())]
        """,
    )
    addons.add(module, "s.py")
    assert addons.names() == ["s.py", "s.py:A", "s.py:A#2", "s.py:A#3", "s.py:C", "s.py:A#4", "s.py:B"]
    assert addons.order(hookspecs.request) == ["s.py", "s.py:A", "s.py:A#2", "s.py:A#3", "s.py:C", "s.py:A#4"]
    assert addons.get("s.py") is module
    assert addons.get("s.py:A#2") is module.addons[1]
    assert addons.get("c") is module.addons[3]
    assert addons.chain == [module]


def test_a_list_may_hold_modules_and_a_module_may_import_something_called_addons(
    addons: AddonManager, tmp_path: Path
) -> None:
    inner = script(tmp_path, "import asyncio as addons\ndef request(flow): pass", "inner.py")
    outer = ModuleType("outer")
    outer.__dict__["addons"] = [inner]
    addons.add(outer, "outer.py")
    assert addons.names() == ["outer.py:module_of_inner"]


# load errors


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("def request(): pass", 1, "request() has the wrong signature: the hook request passes one"),
        ("def request(flow, x): pass", 1, "request(flow, x) has the wrong signature"),
        ("\ndef request(*, flow): pass", 2, "request(*, flow) has the wrong signature"),
        ("def running(x): pass", 1, "running(x) has the wrong signature: the hook running passes no"),
        ("class A:\n  def request(flow): pass\naddons = [A()]", 2, "request() has the wrong signature"),
        ("def reqeust(flow): pass", 1, """there is no hook 'reqeust': did you mean "request"?"""),
        ("async def respones(f): pass", 1, 'did you mean "response"?'),
        ("def responce(flow): pass", 1, 'did you mean "response"?'),
        ("def request_headers(flow): pass", 1, 'did you mean "requestheaders"?'),
        ("def clientConnected(c): pass", 1, 'did you mean "client_connected"?'),
        ("def websocket_mesage(flow): pass", 1, 'did you mean "websocket_message"?'),
        ("def configrue(updated): pass", 1, 'did you mean "configure"?'),
        ("class A:\n  def reponse(self, flow): pass\naddons = [A()]", 2, 'did you mean "response"?'),
        ("class A: pass\naddons = [A]", None, "A is a class: write A()"),
        ("addons = 3", None, "addons must be a list of addons"),
        ("async def load(loader): pass", 1, "load() of addon script.py must be a plain function"),
        ("async def configure(updated): pass", 1, "configure() of addon script.py must be a plain function"),
        ("def load(loader):\n  loader.nonsense()", 2, "load() of addon script.py failed: AttributeError"),
        ("def load(loader): raise SystemExit(3)", 1, "load() of addon script.py failed: SystemExit: 3"),
        ("def configure(u):\n  1 / 0", 2, "configure() of addon script.py failed: ZeroDivisionError"),
    ],
)  # fmt: skip
def test_5_6_97_what_cannot_work_is_refused_with_file_and_line(
    addons: AddonManager, tmp_path: Path, text: str, line: int | None, message: str
) -> None:
    module = script(tmp_path, text)
    with pytest.raises(AddonError) as caught:
        addons.add(module, "script.py")
    assert message in str(caught.value)
    if line is not None:
        assert str(caught.value).startswith(f"{tmp_path / 'script.py'}:{line}: ")
        assert f"\n    {text.splitlines()[line - 1].strip()}" in str(caught.value)
    assert "script.py" not in addons
    assert not any(addons.wants(hook) for hook in hookspecs.HOOKS.values())


@pytest.mark.parametrize(
    "text",
    [
        "def requests(urls): pass",
        "def responses(codes): pass",
        "def tcp_send(data): pass",
        "def respond(flow): pass",
        "def loads(text): pass",
        "def uploads(loader): pass",
        "def errors(items): pass",
        "def updated(x): pass",
        "def get_request(flow): pass",
        "def _reqeust(flow): pass",
        "def reqeust(flow, more): pass",
        "def is_response(flow): pass",
        "class reqeust: pass",
        "reqeust = 1",
        "def donee(): pass",
        "def start(flow): pass",
    ],
)
def test_5_6_97_ordinary_helpers_raise_no_alarm(
    addons: AddonManager, tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    addons.add(script(tmp_path, text + "\ndef error(flow): pass"), "script.py")
    assert caplog.records == []


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("def requests(flow): pass", "request"),
        ("def responses(flow): pass", "response"),
        ("def clientconnect(layer): pass", "client_connected"),
        ("def websocket_handshake(flow): pass", "websocket_start"),
        ("def websocket_send(flow): pass", "websocket_end"),
        ("def request(flow): pass\ndef requset(flow): pass", "request"),
    ],
)
def test_5_6_97_a_name_that_is_perhaps_meant_as_a_hook_is_warned_about(
    addons: AddonManager, tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str, meant: str
) -> None:
    addons.add(script(tmp_path, text + "\ndef error(flow): pass"), "script.py")
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert f"is not a hook and will not be called; did you mean {meant}()?" in record.getMessage()
    assert f"({tmp_path / 'script.py'}, line {len(text.splitlines())})" in record.getMessage()


def test_an_addon_that_does_nothing_is_warned_about(
    addons: AddonManager, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    addons.add(script(tmp_path, "def helper(x): pass"), "script.py")
    assert caplog.messages == ["addon script.py has no hook, option or command: it does nothing"]


def test_commands_alone_are_something(addons: AddonManager, caplog: pytest.LogCaptureFixture) -> None:
    class Commands:
        @command("say.hello")
        def hello(self) -> str:
            return "hello"

    addons.add(Commands())
    assert caplog.records == []


def test_a_class_is_refused_with_a_hint(addons: AddonManager) -> None:
    with pytest.raises(AddonError, match=r"test_addonmanager\.py:\d+: Note is a class: write Note\(\)"):
        addons.add(Note)


def test_marked_functions_must_name_a_hook_and_be_no_wrappers(addons: AddonManager) -> None:
    class Unknown:
        @hookimpl
        def no_such_moment(self, flow: HTTPFlow) -> None: ...

    class Optional:
        @hookimpl(optionalhook=True)
        def no_such_moment(self, flow: HTTPFlow) -> None: ...

    class Wrapper:
        @hookimpl(wrapper=True)
        def request(self, flow: HTTPFlow) -> Iterator[None]:
            yield

    with pytest.raises(AddonError, match=r"no_such_moment\(\) is marked as a hook, but there is no hook"):
        addons.add(Unknown())
    with pytest.raises(AddonError, match=r"request\(\) is a hook wrapper"):
        addons.add(Wrapper())
    addons.add(Optional())


def test_two_addons_of_one_name_are_refused(addons: AddonManager) -> None:
    addons.add(Note("a", []))
    with pytest.raises(AddonError, match="an addon named 'a' is loaded already"):
        addons.add(Note("a", []))
    addons.add(Note("a", []), "b")
    assert addons.names() == ["a", "b"]


# life cycle


class Living:
    """Writes down its life."""

    def __init__(self, notes: list[Any], name: str = "living") -> None:
        self.notes = notes
        self.name = name

    def load(self, loader: Loader) -> None:
        assert loader.master is ctx.master
        loader.add_option("greeting", str, "hello", "what to say")
        self.notes.append("load")

    def configure(self, updated: set[str]) -> None:
        if "greeting" in updated:
            self.notes.append(("configure", ctx.options.greeting))

    async def running(self) -> None:
        await asyncio.sleep(0)
        self.notes.append("running")

    async def done(self) -> None:
        await asyncio.sleep(0)
        self.notes.append("done")


async def test_the_life_of_an_addon(addons: AddonManager, master: Master) -> None:
    notes: list[Any] = []
    master.options.set("greeting=hi", defer=True)
    addons.add(Living(notes))
    assert notes == ["load", ("configure", "hi")]
    await addons.start()
    assert notes[2:] == ["running"]
    master.options.update(greeting="good morning")
    assert notes[3:] == [("configure", "good morning")]
    await addons.stop()
    assert notes[4:] == ["done"]


async def test_an_addon_added_while_the_proxy_runs_is_told_so(addons: AddonManager) -> None:
    notes: list[Any] = []
    await addons.start()
    addons.add(Living(notes))
    await addons.settle()
    assert notes == ["load", ("configure", "hello"), "running"]
    addons.remove("living")
    await addons.settle()
    assert notes[3:] == ["done"]
    await addons.stop()
    assert notes[4:] == []


def test_without_a_loop_an_async_done_is_finished_at_once(addons: AddonManager) -> None:
    notes: list[Any] = []
    addons.add(Living(notes))
    addons.remove("living")
    assert notes[-1] == "done"


def test_configure_gets_all_names_at_first(addons: AddonManager, master: Master) -> None:
    seen: list[set[str]] = []

    class Sees:
        def configure(self, updated: set[str]) -> None:
            seen.append(updated)

    master.options.add_option("other", int, 1, "")
    addons.add(Sees())
    master.options.other = 2
    assert seen == [{"slow_hook_warning", "other"}, {"other"}]


class Declares:
    """Declares everything, then fails where it is told to."""

    def __init__(self, fail: str, problem: Exception) -> None:
        self.fail = fail
        self.problem = problem

    def load(self, loader: Loader) -> None:
        loader.add_option("mine", int, 1, "")
        loader.add_command("mine.do", self.do)
        if self.fail == "load":
            raise self.problem

    def configure(self, updated: set[str]) -> None:
        if self.fail == "configure":
            raise self.problem

    def do(self) -> None: ...

    def request(self, flow: HTTPFlow) -> None: ...


@pytest.mark.parametrize("fail", ["load", "configure"])
@pytest.mark.parametrize("problem", [OptionsError("bad value"), AddonError("bad addon"), ValueError("bad")])
def test_a_failure_at_load_leaves_nothing(
    addons: AddonManager, master: Master, fail: str, problem: Exception
) -> None:
    master.options.set("mine=2", defer=True)
    expected = type(problem) if not isinstance(problem, ValueError) else AddonError
    with pytest.raises(expected, match="bad"):
        addons.add(Declares(fail, problem))
    assert "mine" not in master.options
    assert master.options.deferred == ["mine"]
    assert master.commands.commands == {}
    assert addons.names() == []
    assert not addons.wants(hookspecs.request)
    addons.add(Declares("", problem))
    assert master.options.mine == 2


def test_5_6_101_an_addon_that_refuses_a_change_undoes_it(addons: AddonManager, master: Master) -> None:
    class Picky:
        def load(self, loader: Loader) -> None:
            loader.add_option("limit", int, 1, "")

        def configure(self, updated: set[str]) -> None:
            if ctx.options.limit > 5:
                raise OptionsError("limit is too large")

    notes: list[Any] = []
    addons.add(Living(notes))
    addons.add(Picky())
    del notes[:]
    with pytest.raises(OptionsError, match="limit is too large"):
        master.options.update(greeting="hi", limit=9)
    assert (master.options.greeting, master.options.limit) == ("hello", 1)
    assert notes == [("configure", "hi"), ("configure", "hello")]


def test_another_failure_in_configure_is_the_addons_own(
    addons: AddonManager, master: Master, caplog: pytest.LogCaptureFixture
) -> None:
    class Buggy:
        def configure(self, updated: set[str]) -> Any:
            if "slow_hook_warning" in updated and ctx.options.slow_hook_warning == 1:
                raise ValueError("bug")
            return asyncio.sleep(0) if ctx.options.slow_hook_warning == 2 else None

    notes: list[Any] = []
    addons.add(Buggy())
    addons.add(Living(notes))
    master.options.update(slow_hook_warning=1, greeting="x")
    assert notes[-1] == ("configure", "x")
    assert "addon buggy failed in configure(): ValueError: bug" in caplog.text
    master.options.slow_hook_warning = 2
    assert "configure() of addon buggy must be a plain function, not async" in caplog.text


def test_options_of_two_addons_collide_by_name(addons: AddonManager) -> None:
    class Other:
        def load(self, loader: Loader) -> None:
            loader.add_option("greeting", int, 1, "")

    addons.add(Living([]))
    with pytest.raises(AddonError, match="'greeting' is declared by living and, differently, by other"):
        addons.add(Other())


async def test_two_proxies_do_not_hear_of_each_other() -> None:
    one, two = Master(), Master()
    notes_one: list[Any] = []
    notes_two: list[Any] = []
    one.addons.add(Living(notes_one))
    two.addons.add(Living(notes_two))
    one.options.greeting = "one"
    assert notes_one[-1] == ("configure", "one")
    assert notes_two[-1] == ("configure", "hello")


# removing and replacing


async def test_removing(addons: AddonManager, master: Master, flow: HTTPFlow) -> None:
    notes: list[str] = []
    kept, gone = Note("kept", notes), Note("gone", notes)
    addons.add(gone)
    addons.add(kept)
    assert gone in addons
    assert "gone" in addons
    addons.remove(gone)
    assert gone not in addons
    await addons.call(hookspecs.request, flow)
    assert notes == ["kept"]
    with pytest.raises(AddonError, match="there is no addon 'gone'; loaded are kept"):
        addons.remove("gone")


def test_what_a_removed_addon_declared(addons: AddonManager, master: Master) -> None:
    addons.add(Declares("", ValueError()))
    addons.remove("declares")
    assert master.options.mine == 1
    assert master.commands.commands == {}
    addons.add(Declares("", ValueError()))


def test_a_member_can_be_removed_on_its_own(addons: AddonManager) -> None:
    class Parent:
        def __init__(self) -> None:
            self.addons = [Note("x", []), Living([])]

    addons.add(Parent(), "parent")
    assert addons.names() == ["parent:Note", "parent:Living"]
    addons.remove("parent:Note")
    assert addons.names() == ["parent:Living"]
    assert "parent" in addons
    addons.remove("parent:Living")
    assert addons.names() == []
    assert "parent" not in addons


async def test_clear_removes_all_the_last_first(addons: AddonManager) -> None:
    order: list[str] = []

    class Leaves:
        def __init__(self, name: str) -> None:
            self.name = name

        def done(self) -> None:
            order.append(self.name)

    addons.add(Leaves("a"))
    addons.add(Leaves("b"))
    addons.clear()
    assert order == ["b", "a"]
    assert len(addons) == 0
    assert not addons.wants(hookspecs.done)


async def test_replacing_keeps_the_place_even_with_another_number_of_members(
    addons: AddonManager, flow: HTTPFlow, tmp_path: Path
) -> None:
    notes: list[str] = []

    def version(*names: str) -> ModuleType:
        module = ModuleType("version")
        module.__dict__["addons"] = [Note(name, notes) for name in names]
        return module

    addons.add(Note("before", notes))
    addons.add(version("v1"), "script.py")
    addons.add(Note("after", notes))
    for names in (["v2", "v2b"], ["v3"], ["v4", "v4b", "v4c"]):
        addons.replace("script.py", version(*names))
        del notes[:]
        await addons.call(hookspecs.request, flow)
        assert notes == ["before", *names, "after"]
    assert addons.names() == [
        "before", "script.py:Note", "script.py:Note#2", "script.py:Note#3", "after",
    ]  # fmt: skip


async def test_replacing_ends_the_old_before_the_new_runs(addons: AddonManager) -> None:
    notes: list[Any] = []
    addons.add(Living(notes, "old"))
    await addons.start()
    del notes[:]

    class New(Living):
        async def running(self) -> None:
            self.notes.append("new runs")

    addons.replace("old", New(notes))
    await addons.settle()
    assert notes == ["load", ("configure", "hello"), "done", "new runs"]
    await addons.stop()


def test_replacing_by_something_broken_keeps_the_old(addons: AddonManager, master: Master) -> None:
    old = Declares("", ValueError())
    addons.add(old, "x")
    with pytest.raises(OptionsError):
        addons.replace("x", Declares("configure", OptionsError("no")))
    assert addons.get("x") is old
    assert addons.order(hookspecs.request) == ["x"]
    assert list(master.commands.commands) == ["mine.do"]
    with pytest.raises(AddonError, match="there is no addon 'y'"):
        addons.replace("y", old)


async def test_5_6_99_who_holds_the_calls_finishes_on_the_version_it_began_with(
    addons: AddonManager, flow: HTTPFlow
) -> None:
    notes: list[str] = []
    addons.add(Note("old", notes), "x")
    calls = addons.calls
    assert isinstance(calls, Calls)
    addons.replace("x", Note("new", notes))
    await calls.call(hookspecs.request, flow)
    await addons.calls.call(hookspecs.request, flow)
    addons.remove("x")
    assert calls.wants(hookspecs.request)
    assert not addons.calls.wants(hookspecs.request)
    assert notes == ["old", "new"]


# scripts of the field


def test_finding_addons_by_name(addons: AddonManager) -> None:
    class View:
        def request(self, flow: HTTPFlow) -> None: ...

    view = View()
    addons.add(view, "flow view")
    assert addons.get("view") is view
    assert addons.get("flow view") is view
    assert addons.lookup == {"view": view, "flow view": view}
    assert addons.get("nobody") is None
    assert 3 not in addons


async def test_trigger_works_from_plain_code(addons: AddonManager, flow: HTTPFlow) -> None:
    notes: list[str] = []
    addons.add(Note("a", notes))
    addons.add(AsyncNote("b", notes))
    addons.trigger("request", flow)
    assert notes == ["a"]
    await addons.settle()
    assert notes == ["a", "b"]
    addons.trigger(hookspecs.request, flow)
    await addons.settle()
    assert notes == ["a", "b", "a", "b"]


# installed addons


def offers(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    found = [EntryPoint(name, value, loading.ENTRY_POINTS) for name, value in values.items()]
    monkeypatch.setattr(loading, "offered", lambda group: found)


class Made(Note):
    """What the entry points of the tests make."""

    def __init__(self) -> None:
        super().__init__("made", [])


MADE = Made()


def make() -> Made:
    return Made()


def fail() -> None:
    raise ValueError("cannot be made")


def test_installed_addons_are_found_by_name_and_made_if_needed(
    addons: AddonManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    offers(
        monkeypatch,
        z_class=f"{__name__}:Made",
        factory=f"{__name__}:make",
        instance=f"{__name__}:MADE",
        module="proxyfw.flow",
    )
    assert list(addonmanager.installed()) == ["factory", "instance", "module", "z_class"]
    for name in addonmanager.installed():
        addons.add_installed(name, first=True)
    assert addons.names() == ["z_class", "module", "instance", "factory"]
    assert addons.get("instance") is MADE
    assert isinstance(addons.get("z_class"), Made)


def test_installed_addons_that_are_missing_or_broken(
    addons: AddonManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    offers(monkeypatch, dumper="no_such_module:Dumper", broken=f"{__name__}:fail")
    with pytest.raises(AddonError, match=r"offers an addon 'dumpr'; did you mean 'dumper'\?"):
        addons.add_installed("dumpr")
    with pytest.raises(AddonError, match="offers an addon 'zzz'; installed are broken, dumper"):
        addons.add_installed("zzz")
    with pytest.raises(AddonError, match=r"'dumper' \(no_such_module:Dumper\) cannot be loaded: ModuleNot"):
        addons.add_installed("dumper")
    with pytest.raises(AddonError, match="cannot be loaded: ValueError: cannot be made"):
        addons.add_installed("broken")


# cost


async def test_a_call_costs_little(addons: AddonManager, flow: HTTPFlow) -> None:
    """The real limits are 0.25 and 0.6 µs; this one only catches a change of kind on a busy machine."""
    addons.add(Note("a", []), "a")
    addons.replace("a", _Silent())
    for hook, limit in ((hookspecs.response, 2.5e-6), (hookspecs.request, 6e-6)):
        best = 1.0
        for _ in range(5):
            begun = time.perf_counter()
            for _ in range(2000):
                await addons.calls.call(hook, flow)
            best = min(best, (time.perf_counter() - begun) / 2000)
        assert best < limit


class _Silent:
    def request(self, flow: HTTPFlow) -> None: ...


class Idle:
    def load(self, loader: Loader) -> None:
        loader.add_option("busy", bool, False, "Whether there is anything to do.")

    def configure(self, updated: set[str]) -> None:
        ctx.master.addons.set_hooks(self, request=self._note if ctx.options.busy else None)

    def _note(self, flow: HTTPFlow) -> None:
        flow.comment = "noted"


async def test_hooks_come_and_go_with_what_an_addon_has_to_do(
    addons: AddonManager, master: Master, flow: HTTPFlow
) -> None:
    addons.add(Idle())
    assert not addons.wants(hookspecs.request)
    for busy in (True, False, True):
        master.options.update(busy=busy)
        assert addons.order(hookspecs.request) == (["idle"] if busy else [])
    await addons.call(hookspecs.request, flow)
    assert flow.comment == "noted"


def test_hooks_that_an_addon_has_from_the_beginning_are_called(addons: AddonManager, master: Master) -> None:
    master.options.update_defer(busy=True)
    addons.add(Idle())
    assert addons.order(hookspecs.request) == ["idle"]
