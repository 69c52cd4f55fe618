"""An addon hands its state to its next version: around a reload of a script, and around `replace`."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from proxyfw import hookspecs
from proxyfw.addonmanager import AddonManager
from proxyfw.exceptions import AddonError
from proxyfw.script import ScriptLoader
from proxyfw.testing import AddonContext, http_flow, world

COUNTS = """
class Counts:
    def __init__(self):
        self.seen = []
    def request(self, flow):
        self.seen.append(flow.request.path)
        flow.comment = "{version} " + " ".join(self.seen)
    def save_state(self):
        return self.seen
    def load_state(self, state):
        self.seen = state

addons = [Counts()]
"""


class Keeps:
    """Version one: its state is a list, and so are the notes on what happens to it."""

    def __init__(self, notes: list[Any], state: object = None) -> None:
        self.notes = notes
        self.state = state

    def request(self, flow: object) -> None: ...

    def configure(self, updated: set[str]) -> None:
        self.notes.append("configure")

    def running(self) -> None:
        self.notes.append("running")

    def done(self) -> None:
        self.notes.append("done")

    def save_state(self) -> object:
        self.notes.append("save")
        return self.state

    def load_state(self, state: object) -> None:
        self.notes.append("load")
        self.state = state


@pytest.fixture
def addons() -> AddonManager:
    return AddonContext().addons


def edit(path: Path, text: str, version: int) -> None:
    path.write_text(text)
    os.utime(path, (1_000_000 + version, 1_000_000 + version))


async def seen_by(addons: AddonManager, path: str) -> str:
    flow = http_flow(f"http://example.com{path}", response=None)
    await addons.call(hookspecs.request, flow)
    assert flow.addon_errors == []
    return flow.comment


def test_the_very_object_goes_over_between_configure_and_done(addons: AddonManager) -> None:
    notes: list[Any] = []
    state = object()
    addons.add(Keeps(notes, state), "keeps")
    asyncio.run(addons.start())
    del notes[:]
    new = Keeps(notes)
    addons.replace("keeps", new)
    assert new.state is state
    assert notes == ["configure", "save", "load", "done", "running"]


async def test_a_reloaded_script_goes_on_counting(addons: AddonManager, tmp_path: Path) -> None:
    scripts = ScriptLoader(addons, interval=0)
    addons.add(scripts)
    path = tmp_path / "counts.py"
    edit(path, COUNTS.format(version="v1"), 1)
    scripts.add(path)
    assert await seen_by(addons, "/a") == "v1 /a"
    edit(path, COUNTS.format(version="v2"), 2)
    scripts.check()
    assert await seen_by(addons, "/b") == "v2 /a /b"


async def test_functions_of_a_module_do_it_too(addons: AddonManager, tmp_path: Path) -> None:
    scripts = ScriptLoader(addons, interval=0)
    addons.add(scripts)
    path = tmp_path / "plain.py"
    text = """
hits = 0
def request(flow):
    global hits
    hits += 1
    flow.comment = f"{version} {{hits}}"
def save_state():
    return hits
def load_state(before):
    global hits
    hits = before
"""
    edit(path, text.format(version="v1"), 1)
    scripts.add(path)
    await seen_by(addons, "/")
    edit(path, text.format(version="v2"), 2)
    scripts.check()
    assert await seen_by(addons, "/") == "v2 2"


async def test_a_module_that_has_only_state_beside_its_list_hands_it_over(
    addons: AddonManager, tmp_path: Path
) -> None:
    scripts = ScriptLoader(addons, interval=0)
    addons.add(scripts)
    path = tmp_path / "shared.py"
    text = """
shared = []
def save_state(): return shared
def load_state(before): shared.extend(before)
class Says:
    def request(self, flow):
        shared.append({version})
        flow.comment = str(shared)
addons = [Says()]
"""
    edit(path, text.format(version=1), 1)
    scripts.add(path)
    await seen_by(addons, "/")
    edit(path, text.format(version=2), 2)
    scripts.check()
    assert await seen_by(addons, "/") == "[1, 2]"


def test_members_are_matched_by_name(addons: AddonManager) -> None:
    class Parent:
        def __init__(self, *members: object) -> None:
            self.addons = list(members)

    class Other(Keeps):
        pass

    addons.add(Parent(Keeps([], "first"), Other([], "other"), Keeps([], "second")), "p")
    one, two, more = Keeps([]), Keeps([]), Keeps([])
    addons.replace("p", Parent(one, two, more))
    assert [member.state for member in (one, two, more)] == ["first", "second", None]


async def test_flows_in_progress_stay_with_the_old_version_and_share_what_is_handed_over(
    tmp_path: Path,
) -> None:
    path = tmp_path / "counts.py"
    ends = "    def response(self, flow):\n        self.seen.append('end')\n    def save_state"
    edit(path, COUNTS.format(version="v1").replace("    def save_state", ends), 1)
    async with world(scripts=[str(path)]) as w:
        origin, client = w.origin(), w.client()
        client.write(b"GET http://example.com/a HTTP/1.1\r\nHost: example.com\r\n\r\n")
        connection = await origin.accept()
        await connection.head()
        edit(path, COUNTS.format(version="v2"), 2)
        scripts = w.proxy.addons.get("scriptloader")
        assert isinstance(scripts, ScriptLoader)
        scripts.check()
        connection.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await client.message()
        assert await seen_by(w.proxy.addons, "/b") == "v2 /a end /b"


# What goes wrong


def broken(role: str, reason: str = "raise KeyError('hits')") -> str:
    start = COUNTS.index(f"    def {role}")
    end = COUNTS.index("\n", start) + 1
    return COUNTS[:end] + f"        {reason}\n" + COUNTS[end:]


@pytest.mark.parametrize(
    ("role", "reason", "said"),
    [
        (
            "save_state",
            "raise KeyError('hits')",
            "addon s.py:Counts failed in save_state(): KeyError: 'hits'",
        ),
        (
            "load_state",
            "raise KeyError('hits')",
            "addon s.py:Counts failed in load_state(): KeyError: 'hits'",
        ),
        (
            "load_state",
            "from proxyfw import AddonError; raise AddonError('too old')",
            "addon s.py:Counts failed in load_state(): AddonError: too old",
        ),
    ],
)
async def test_what_raises_is_logged_with_its_place_and_the_new_version_begins_fresh(
    role: str, reason: str, said: str, addons: AddonManager, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    scripts = ScriptLoader(addons, interval=0)
    addons.add(scripts)
    path = tmp_path / "s.py"
    text = broken(role, reason)
    line = next(n for n, code in enumerate(text.splitlines(), 1) if reason in code)
    edit(path, text.format(version="v1"), 1)
    scripts.add(path)
    await seen_by(addons, "/a")
    edit(path, text.format(version="v2"), 2)
    scripts.check()
    assert await seen_by(addons, "/b") == "v2 /b"
    assert f"{said} ({path}, line {line})" in caplog.messages
    assert "addon s.py:Counts: the new version begins without the state of the old one" in caplog.messages


@pytest.mark.parametrize("role", ["save_state", "load_state"])
async def test_they_must_be_plain_functions(
    role: str, addons: AddonManager, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    scripts = ScriptLoader(addons, interval=0)
    addons.add(scripts)
    path = tmp_path / "s.py"
    text = COUNTS.replace(f"def {role}", f"async def {role}")
    edit(path, text.format(version="v1"), 1)
    scripts.add(path)
    await seen_by(addons, "/a")
    edit(path, text.format(version="v2"), 2)
    scripts.check()
    assert await seen_by(addons, "/b") == "v2 /b"
    assert f"{role}() of addon s.py:Counts must be a plain function, not async" in caplog.text


def test_state_that_nobody_takes_is_worth_a_warning(
    addons: AddonManager, caplog: pytest.LogCaptureFixture
) -> None:
    class Forgets:
        def request(self, flow: object) -> None: ...

        def load_state(self) -> None:
            raise AssertionError("another thing of this name")

    addons.add(Keeps([], "state"), "x")
    addons.replace("x", Forgets())
    assert "addon x: the new version has no load_state(state)" in caplog.text


@pytest.mark.parametrize("new", [Keeps([], "untouched"), object()])
def test_nothing_saved_is_nothing_said(
    new: object, addons: AddonManager, caplog: pytest.LogCaptureFixture
) -> None:
    addons.add(Keeps([]), "x")
    addons.replace("x", new)
    assert getattr(new, "state", "untouched") == "untouched"
    assert "state" not in caplog.text


def test_an_addon_that_is_refused_takes_nothing(addons: AddonManager) -> None:
    class Refuses(Keeps):
        def load(self, loader: object) -> None:
            raise ValueError("no")

    notes: list[Any] = []
    addons.add(Keeps(notes, "state"), "x")
    with pytest.raises(AddonError):
        addons.replace("x", Refuses(notes))
    assert notes == ["configure"]


def test_functions_of_these_names_with_other_arguments_are_the_addons_own(
    addons: AddonManager, caplog: pytest.LogCaptureFixture
) -> None:
    class Own:
        def request(self, flow: object) -> None: ...

        def save_state(self, path: str) -> None:
            raise AssertionError("not ours to call")

        def load_state(self) -> None:
            raise AssertionError("not ours to call")

        def save_stats(self, path: str) -> None: ...

    addons.add(Own(), "x")
    addons.replace("x", Own())
    assert caplog.text == ""


@pytest.mark.parametrize("name", hookspecs.HAND_OVER)
def test_they_are_documented_and_declared_beside_the_hooks(name: str) -> None:
    assert getattr(hookspecs, name) is hookspecs.HAND_OVER[name]
    assert "Sync only." in (hookspecs.HAND_OVER[name].__doc__ or "")
    assert name not in hookspecs.HOOKS
