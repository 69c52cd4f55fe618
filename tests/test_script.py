"""Scripts: loading, precise errors, reloading of files and helpers (5.6.99), all without waiting for time."""

from __future__ import annotations

import asyncio
import os
import sys
import textwrap
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from proxyfw import ctx, hookspecs
from proxyfw.addon import source
from proxyfw.addonmanager import AddonManager
from proxyfw.command import CommandManager
from proxyfw.connection import Client, Server
from proxyfw.exceptions import AddonError, OptionsError
from proxyfw.http import HTTPFlow
from proxyfw.options import Options
from proxyfw.script import ScriptLoader


class Master:
    """The part of a proxy that scripts see."""

    def __init__(self) -> None:
        self.options = Options()
        self.commands = CommandManager()
        self.addons = AddonManager(self)

    def shutdown(self) -> None:
        raise AssertionError("not asked for")

    def renew_connections(self, *hosts: str) -> None:
        raise AssertionError("there are no rules")


class Other:
    """An addon that is no script."""

    def request(self, flow: HTTPFlow) -> None: ...


@pytest.fixture(autouse=True)
def _no_traces(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Scripts leave nothing behind but what they imported, and that goes with the test."""
    monkeypatch.setattr(source, "_helpers", {})
    modules, path = set(sys.modules), list(sys.path)
    yield
    assert sys.path == path
    for name in sys.modules.keys() - modules:
        del sys.modules[name]


@pytest.fixture
def master() -> Master:
    return Master()


@pytest.fixture
def scripts(master: Master) -> ScriptLoader:
    loader = ScriptLoader(master.addons, interval=0)
    master.addons.add(loader)
    return loader


@pytest.fixture
def flow() -> HTTPFlow:
    client = Client(peername=("127.0.0.1", 1), sockname=("127.0.0.1", 2), timestamp_start=1.0)
    return HTTPFlow(client, Server(address=("example.com", 80)))


_tick = 1_000_000_000


def write(path: Path, text: str) -> Path:
    """Write a file so that its time differs from that of every other version."""
    global _tick
    _tick += 10
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text))
    os.utime(path, (_tick, _tick))
    return path


SAYS = "def request(flow): flow.comment += '{} '\n"


async def said(master: Master, flow: HTTPFlow) -> list[str]:
    """What the scripts say about a request, in the order in which they do."""
    flow.comment = ""
    await master.addons.call(hookspecs.request, flow)
    return flow.comment.split()


# loading


async def test_a_script_is_an_addon(
    master: Master, scripts: ScriptLoader, flow: HTTPFlow, tmp_path: Path
) -> None:
    path = write(tmp_path / "my-script.py", "async def request(f): f.comment = 'seen'")
    assert scripts.add(str(path)) == "my-script.py"
    assert master.addons.names() == ["scriptloader", "my-script.py"]
    module: Any = master.addons.get("my-script.py")
    assert module.__file__ == str(path)
    assert sys.modules[module.__name__] is module
    assert await said(master, flow) == ["seen"]


async def test_helpers_beside_the_script_can_be_imported(
    master: Master, scripts: ScriptLoader, flow: HTTPFlow, tmp_path: Path
) -> None:
    write(tmp_path / "words.py", "WORD = 'from-a-helper'")
    write(tmp_path / "pack/inner.py", "WORD = 'from-a-package'")
    text = """
        import words
        from pack import inner
        def request(flow): flow.comment = words.WORD + " " + inner.WORD
        """
    scripts.add(write(tmp_path / "script.py", text))
    assert await said(master, flow) == ["from-a-helper", "from-a-package"]
    assert not list(tmp_path.rglob("*.pyc"))  # noqa: ASYNC240


def test_code_runs_inside_the_proxy(master: Master, scripts: ScriptLoader, tmp_path: Path) -> None:
    text = """
        from proxyfw import ctx
        at_import = ctx.master
        def load(loader): assert ctx.master is at_import
        """
    scripts.add(write(tmp_path / "script.py", text))
    module: Any = master.addons.get("script.py")
    assert module.at_import is master
    assert ctx.current() is None


async def test_scripts_may_declare_dataclasses_and_annotations(
    master: Master, scripts: ScriptLoader, tmp_path: Path
) -> None:
    text = """
        from __future__ import annotations
        from dataclasses import dataclass, field
        @dataclass
        class Addon:
            seen: list[str] = field(default_factory=list)
            def request(self, flow: Flow) -> None: self.seen.append(flow.id)
        addons = [Addon()]
        """
    scripts.add(write(tmp_path / "script.py", text))
    assert master.addons.names() == ["scriptloader", "script.py:Addon"]


def test_two_scripts_of_one_name(master: Master, scripts: ScriptLoader, tmp_path: Path) -> None:
    one = write(tmp_path / "one/script.py", SAYS)
    two = write(tmp_path / "two/script.py", SAYS)
    scripts.use([one, two])
    assert master.addons.names() == ["scriptloader", "script.py", str(two)]


async def test_helpers_of_one_name_in_two_folders_do_not_mix(
    master: Master, scripts: ScriptLoader, flow: HTTPFlow, tmp_path: Path
) -> None:
    for folder in ("one", "two"):
        write(tmp_path / folder / "words.py", f"WORD = '{folder} '")
        text = "import words\ndef request(flow): flow.comment += words.WORD"
        write(tmp_path / folder / f"{folder}.py", text)
    scripts.use([tmp_path / "one/one.py", tmp_path / "two/two.py"])
    assert await said(master, flow) == ["one", "two"]
    write(tmp_path / "one/one.py", "import words\ndef request(flow): flow.comment += 'new-' + words.WORD")
    scripts.check()
    assert await said(master, flow) == ["new-one", "two"]


async def test_helpers_are_shared_by_the_scripts_of_a_folder(
    master: Master, scripts: ScriptLoader, flow: HTTPFlow, tmp_path: Path
) -> None:
    write(tmp_path / "words.py", "seen = []")
    text = "import words\ndef request(flow):\n  words.seen.append(1)\n  flow.comment += f'{len(words.seen)} '"
    scripts.use([write(tmp_path / "a.py", text), write(tmp_path / "b.py", text)])
    assert await said(master, flow) == ["1", "2"]
    write(tmp_path / "words.py", "seen = [0]")
    scripts.check()
    assert await said(master, flow) == ["2", "3"]


def test_a_module_of_the_program_beside_the_script_is_left_alone(
    scripts: ScriptLoader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    application = types.ModuleType("application")
    application.__file__ = str(tmp_path / "application.py")
    monkeypatch.setitem(sys.modules, "application", application)
    text = "import application\ndef request(flow): pass"
    script = write(tmp_path / "script.py", text)
    scripts.add(script)
    write(tmp_path / "application.py", "value = 2")
    write(script, text + "\n")
    scripts.check()
    assert sys.modules["application"] is application
    assert not hasattr(application, "value")


# errors at start


@pytest.mark.parametrize(
    ("text", "line", "message", "caret"),
    [
        ("x = 1\ndef f(:\n", 2, "SyntaxError: invalid syntax", "\n    def f(:\n          ^"),
        ("if 1:\n  y = (2 3)\n", 2, "SyntaxError: invalid syntax. Per", "\n    y = (2 3)\n         ^^^"),
        ("def f():\nreturn", 2, "IndentationError: expected an indented block", "\n    return\n    ^^^^^^"),
        ("import no_such_module_here", 1, "ModuleNotFoundError: No module named", "\n    import no_such"),
        ("a = 1\n\nb = a / 0", 3, "ZeroDivisionError: division by zero", "\n    b = a / 0"),
        ("def f(): raise KeyError\nf()", 1, "KeyError", "\n    def f(): raise KeyError"),
        ("import sys\nsys.exit(3)", 2, "SystemExit: 3", "\n    sys.exit(3)"),
        ("def reqeust(flow): pass", 1, 'did you mean "request"?', "\n    def reqeust(flow): pass"),
        ("def load(loader): loader.x()", 1, "load() of addon script.py failed", "\n    def load(loader)"),
    ],
)
def test_an_error_names_file_line_and_source_line(
    master: Master, scripts: ScriptLoader, tmp_path: Path, text: str, line: int, message: str, caret: str
) -> None:
    path = write(tmp_path / "script.py", text)
    modules = set(sys.modules)
    with pytest.raises(AddonError) as caught:
        scripts.add(path)
    assert str(caught.value).startswith(f"{path}:{line}: {message}") or message in str(caught.value)
    assert f"{path}:{line}: " in str(caught.value)
    assert caret in str(caught.value)
    assert master.addons.names() == ["scriptloader"]
    assert scripts.scripts == []
    assert sys.modules.keys() == modules


def test_an_error_in_a_helper_names_the_helper(scripts: ScriptLoader, tmp_path: Path) -> None:
    helper = write(tmp_path / "words.py", "ok = 1\nWORD = = 2\n")
    path = write(tmp_path / "script.py", "import words\n")
    with pytest.raises(AddonError, match="SyntaxError") as caught:
        scripts.add(path)
    assert str(caught.value).startswith(f"{helper}:2: ")
    write(helper, "1 / 0")
    with pytest.raises(AddonError, match="ZeroDivisionError") as caught:
        scripts.add(path)
    assert str(caught.value).startswith(f"{helper}:1: ")
    assert "words" not in sys.modules


def test_files_that_are_no_scripts(scripts: ScriptLoader, tmp_path: Path) -> None:
    with pytest.raises(AddonError, match=r"missing\.py: there is no such file"):
        scripts.add(tmp_path / "missing.py")
    with pytest.raises(AddonError, match=r"must be a file: give the \.py file inside this folder"):
        scripts.add(tmp_path)
    binary = tmp_path / "binary.py"
    binary.write_bytes(b"x = 1\0")
    with pytest.raises(AddonError, match="null bytes"):
        scripts.add(binary)
    latin = tmp_path / "latin.py"
    latin.write_bytes(b"x = '\xe9'\n")
    with pytest.raises(AddonError, match=r"latin\.py.*\(unicode error\)"):
        scripts.add(latin)


def test_a_file_that_may_not_be_read(
    scripts: ScriptLoader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    path = write(tmp_path / "script.py", SAYS)
    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(AddonError, match=r"script\.py: cannot be read: Permission denied"):
        scripts.add(path)


# reloading


async def test_5_6_99_an_edit_takes_over_and_keeps_its_place(
    master: Master, scripts: ScriptLoader, flow: HTTPFlow, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "proxyfw")
    first = write(tmp_path / "first.py", SAYS.format("one"))
    scripts.add(first)
    scripts.add(write(tmp_path / "second.py", SAYS.format("two")))
    scripts.check()
    assert caplog.messages == []
    write(first, SAYS.format("new"))
    scripts.check()
    assert caplog.messages == ["reloaded first.py"]
    assert await said(master, flow) == ["new", "two"]
    assert master.addons.names() == ["scriptloader", "first.py", "second.py"]


async def test_5_6_99_a_version_of_the_same_time_and_another_size_is_seen(
    master: Master, scripts: ScriptLoader, flow: HTTPFlow, tmp_path: Path
) -> None:
    path = write(tmp_path / "script.py", SAYS.format("one"))
    scripts.add(path)
    path.write_text(SAYS.format("longer"))
    os.utime(path, (_tick, _tick))
    scripts.check()
    assert await said(master, flow) == ["longer"]


async def test_5_6_99_helpers_are_reloaded_too(
    master: Master, scripts: ScriptLoader, flow: HTTPFlow, tmp_path: Path
) -> None:
    deep = write(tmp_path / "pack/deep.py", "WORD = 'one'")
    write(tmp_path / "pack/__init__.py", "")
    write(tmp_path / "words.py", "from pack.deep import WORD")
    text = "import words\ndef request(flow): flow.comment = words.WORD"
    scripts.add(write(tmp_path / "script.py", text))
    for word in ("two", "six", "ten"):  # of one size, as quick edits often are
        write(deep, f"WORD = '{word}'")
        scripts.check()
        assert await said(master, flow) == [word]


async def test_5_6_99_state_of_helpers_survives_an_edit_of_the_script_alone(
    master: Master, scripts: ScriptLoader, flow: HTTPFlow, tmp_path: Path
) -> None:
    write(tmp_path / "store.py", "seen = []")
    text = "import store\ndef request(flow):\n  store.seen.append(1)\n  flow.comment = str(len(store.seen))"
    path = write(tmp_path / "script.py", text)
    scripts.add(path)
    assert await said(master, flow) == ["1"]
    write(path, text + "\n")
    scripts.check()
    assert await said(master, flow) == ["2"]


BROKEN = [
    ("def request(flow:\n", 1, "SyntaxError: '(' was never closed"),
    ("x = 1\nimport no_such_module_here\n", 2, "ModuleNotFoundError: No module named 'no_such_module_here'"),
    ("\n1 / 0\n", 2, "ZeroDivisionError: division by zero"),
    ("raise SystemExit\n", 1, "SystemExit"),
    ("def load(loader):\n  loader.add_option('x', bytes, 1, '')\n", None, "cannot be the type of an option"),
    ("def load(loader):\n  1 / 0\n", 2, "load() of addon script.py failed: ZeroDivisionError"),
    ("def configure(updated):\n  1 / 0\n", 2, "configure() of addon script.py failed: ZeroDivisionError"),
    ("def reqeust(flow): pass\n", 1, 'did you mean "request"?'),
    (
        "from proxyfw.exceptions import OptionsError\ndef configure(u): raise OptionsError('no value')\n",
        None,
        "no value",
    ),
]


@pytest.mark.parametrize(("text", "line", "message"), BROKEN)
async def test_5_6_99_a_broken_edit_keeps_the_old_version_and_a_fixed_one_takes_over(
    master: Master,
    scripts: ScriptLoader,
    flow: HTTPFlow,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    text: str,
    line: int | None,
    message: str,
) -> None:
    path = write(tmp_path / "script.py", SAYS.format("old"))
    scripts.add(path)
    write(path, text)
    scripts.check()
    scripts.check()
    (record,) = caplog.records
    assert record.levelname == "ERROR"
    assert message in record.getMessage()
    assert "script.py was not reloaded: the version before stays in use" in record.getMessage()
    if line is not None:
        assert f"{path}:{line}: " in record.getMessage()
        assert f"\n    {text.splitlines()[line - 1].strip()}\n" in record.getMessage()
    assert await said(master, flow) == ["old"]
    write(path, SAYS.format("new"))
    scripts.check()
    assert await said(master, flow) == ["new"]


async def test_5_6_99_a_broken_helper_keeps_everything_and_its_repair_takes_over(
    master: Master, scripts: ScriptLoader, flow: HTTPFlow, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    helper = write(tmp_path / "words.py", "WORD = 'old'")
    write(tmp_path / "more.py", "WORD = 'more'")
    text = """
        import more, words
        def request(flow):
            import words as again
            flow.comment = words.WORD + " " + again.WORD
        """
    scripts.add(write(tmp_path / "script.py", text))
    before = sys.modules["words"]
    write(helper, "WORD = = 'new'")
    scripts.check()
    assert caplog.messages[0].startswith(f"{helper}:1: SyntaxError")
    assert sys.modules["words"] is before
    assert await said(master, flow) == ["old", "old"]
    write(helper, "WORD = 'new'")
    scripts.check()
    assert await said(master, flow) == ["new", "new"]


@pytest.mark.parametrize("start", [None, "WORD = = 1", "1 / 0", "import missing_too"])
async def test_5_6_99_a_new_helper_that_is_missing_or_broken_is_waited_for(
    master: Master, scripts: ScriptLoader, flow: HTTPFlow, tmp_path: Path, start: str | None
) -> None:
    path = write(tmp_path / "script.py", SAYS.format("old"))
    scripts.add(path)
    if start is not None:
        write(tmp_path / "words.py", start)
    write(path, "import words\ndef request(flow): flow.comment = words.WORD")
    scripts.check()
    assert await said(master, flow) == ["old"]
    write(tmp_path / "words.py", "WORD = 'new'")
    scripts.check()
    assert await said(master, flow) == ["new"]


async def test_5_6_99_flows_in_progress_finish_on_the_version_they_began_with(
    master: Master, scripts: ScriptLoader, flow: HTTPFlow, tmp_path: Path
) -> None:
    helper = write(tmp_path / "words.py", "WORD = 'old'")
    text = """
        import words
        def request(flow): flow.comment += words.WORD + " "
        def response(flow): request(flow)
        """
    path = write(tmp_path / "script.py", text)
    scripts.add(path)
    calls = master.addons.calls
    await calls.call(hookspecs.request, flow)
    write(helper, "WORD = 'new'")
    write(path, text + "# edited")
    scripts.check()
    await calls.call(hookspecs.response, flow)
    assert flow.comment.split() == ["old", "old"]
    assert await said(master, flow) == ["new"]


async def test_a_deleted_script_goes_on_with_one_warning(
    master: Master, scripts: ScriptLoader, flow: HTTPFlow, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path / "words.py", "")
    path = write(tmp_path / "script.py", "import words\n" + SAYS.format("old"))
    scripts.add(path)
    path.unlink()
    for _ in range(3):
        scripts.check()
    write(tmp_path / "words.py", "x = 1")
    scripts.check()
    assert caplog.messages == [f"{path} is gone; the version that was loaded stays in use"]
    assert await said(master, flow) == ["old"]
    write(path, SAYS.format("back"))
    scripts.check()
    assert await said(master, flow) == ["back"]


async def test_an_option_may_change_its_default_with_an_edit(
    master: Master, scripts: ScriptLoader, tmp_path: Path
) -> None:
    text = "def load(loader): loader.add_option('mine', {}, {}, '')"
    path = write(tmp_path / "script.py", text.format("int", 1))
    scripts.add(path)
    write(path, text.format("int", 2))
    scripts.check()
    assert master.options.mine == 2
    write(path, text.format("str", "'x'"))
    scripts.check()
    assert master.options.mine == "x"


async def test_5_6_99_the_new_version_is_configured_runs_and_the_old_one_is_done(
    master: Master, scripts: ScriptLoader, tmp_path: Path
) -> None:
    notes: list[str] = []
    sys.modules["notes_of_a_test"] = notes  # type: ignore[assignment]
    text = """
        import sys
        notes = sys.modules["notes_of_a_test"]
        def load(loader): notes.append("load {0}")
        def configure(updated): notes.append("configure {0}")
        async def running(): notes.append("running {0}")
        async def done(): notes.append("done {0}")
        """
    path = write(tmp_path / "script.py", text.format("old"))
    scripts.add(path)
    await master.addons.start()
    write(path, text.format("new"))
    scripts.check()
    await master.addons.settle()
    await master.addons.stop()
    assert notes == [
        "load old", "configure old", "running old",
        "load new", "configure new", "done old", "running new", "done new",
    ]  # fmt: skip


async def test_5_6_99_the_running_proxy_watches_by_itself(
    master: Master, scripts: ScriptLoader, flow: HTTPFlow, tmp_path: Path
) -> None:
    path = write(tmp_path / "script.py", SAYS.format("old"))
    scripts.add(path)
    await master.addons.start()
    write(path, "from proxyfw import ctx\nassert ctx.options\n" + SAYS.format("new"))
    while await said(master, flow) != ["new"]:  # noqa: ASYNC110 - what ends it is the thing under test
        await asyncio.sleep(0)
    await master.addons.stop()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_watching_goes_on_after_a_surprise(
    scripts: ScriptLoader, master: Master, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    again = asyncio.Event()

    def surprise() -> None:
        if caplog.records:
            again.set()
        raise RuntimeError("surprise")

    monkeypatch.setattr(scripts, "check", surprise)
    await master.addons.start()
    await asyncio.wait_for(again.wait(), 5)
    await master.addons.stop()
    assert caplog.messages[0] == "watching scripts failed; it goes on"


def test_by_default_changes_are_seen_within_a_second(master: Master) -> None:
    assert ScriptLoader(master.addons)._interval <= 0.5


# the option


def test_the_option_loads_orders_and_unloads(master: Master, scripts: ScriptLoader, tmp_path: Path) -> None:
    a, b, c = (str(write(tmp_path / f"{name}.py", SAYS)) for name in "abc")
    master.options.update(scripts=[a, b])
    assert master.addons.names() == ["scriptloader", "a.py", "b.py"]
    kept = master.addons.get("b.py")
    master.options.update(scripts=[c, b])
    assert master.addons.names() == ["scriptloader", "c.py", "b.py"]
    assert master.addons.get("b.py") is kept
    master.options.update(scripts=[])
    assert master.addons.names() == ["scriptloader"]


def test_a_bad_script_in_the_option_changes_nothing(
    master: Master, scripts: ScriptLoader, tmp_path: Path
) -> None:
    good, bad = write(tmp_path / "good.py", SAYS), write(tmp_path / "bad.py", "1 / 0")
    other = write(tmp_path / "other.py", SAYS)
    master.options.update(scripts=[str(good)])
    with pytest.raises(OptionsError, match=r"bad\.py:1: ZeroDivisionError"):
        master.options.update(scripts=[str(other), str(bad)])
    assert master.addons.names() == ["scriptloader", "good.py"]
    assert master.options.scripts == [str(good)]
    with pytest.raises(OptionsError, match="this script is given twice"):
        master.options.update(scripts=[str(good), str(good)])


def test_scripts_given_before_the_loader_is_there(master: Master, tmp_path: Path) -> None:
    path = write(tmp_path / "script.py", "def load(loader): loader.add_option('mine', int, 1, '')")
    master.options.set(f"scripts={path}", "mine=3", defer=True)
    master.addons.add(Other())
    master.addons.add(ScriptLoader(master.addons, before="other"))
    assert master.addons.names() == ["script.py", "other", "scriptloader"]
    assert master.options.mine == 3
    master.options.check_deferred()


def test_a_bad_script_at_start_refuses_the_loader_and_leaves_nothing(master: Master, tmp_path: Path) -> None:
    good, bad = write(tmp_path / "good.py", SAYS), write(tmp_path / "bad.py", "1 / 0")
    master.options.set(f"scripts={good}", f"scripts={bad}", defer=True)
    with pytest.raises(OptionsError, match=r"bad\.py:1: ZeroDivisionError"):
        master.addons.add(ScriptLoader(master.addons))
    assert master.addons.names() == []


def test_removing_a_script(master: Master, scripts: ScriptLoader, tmp_path: Path) -> None:
    path = write(tmp_path / "script.py", SAYS)
    scripts.add(path)
    name = scripts.scripts[0].module.__name__
    scripts.remove(path)
    assert name not in sys.modules
    with pytest.raises(AddonError, match="this script is not loaded"):
        scripts.remove(path)
