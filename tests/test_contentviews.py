"""Content views: which is chosen, who they belong to, what happens when one fails or does not end."""

from __future__ import annotations

import gzip
import itertools
import logging
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxyfw import contentviews, http
from proxyfw.addonmanager import Loader
from proxyfw.contentviews import Contentview, ContentviewRegistry, Metadata, View, format_dict, printable
from proxyfw.exceptions import AddonError
from proxyfw.script import ScriptLoader
from proxyfw.testing import addon_test_context, http_flow
from proxyfw.viewing import attempt
from proxyfw.websocket import Opcode, WebSocketMessage


class Shout(Contentview):
    """All in capitals."""

    def prettify(self, data: bytes, metadata: Metadata) -> str:
        return metadata.decode(data).upper()

    def render_priority(self, data: bytes, metadata: Metadata) -> float:
        return float(metadata.content_type == "text/shout")


class Old(View):
    """A view as scripts have had them for years."""

    name = "old view"
    content_types = ["text/old"]  # noqa: RUF012  # as scripts write it

    def __call__(self, data: bytes, **metadata: Any) -> contentviews.TViewResult:
        return "Old", format_dict({"length": str(len(data)), "type": metadata["content_type"]})


class Faulty(Contentview):
    """Finds everything suitable, and fails."""

    def prettify(self, data: bytes, metadata: Metadata) -> str:
        raise ValueError("line 3: \x1b[31mred\nand more")

    def render_priority(self, data: bytes, metadata: Metadata) -> float:
        return 2


@pytest.fixture
def registry() -> Any:
    with addon_test_context() as context:
        yield context.addons.contentviews


def message(body: bytes, kind: str = "text/plain", **headers: str) -> http.Response:
    return http.Response.make(200, body, {"content-type": kind, **headers})


# choosing


def test_the_highest_priority_is_chosen_and_a_name_may_be_given(registry: ContentviewRegistry) -> None:
    registry.add(Shout)
    assert registry.prettify_message(message(b"hi", "text/shout; charset=utf-8")).text == "HI"
    result = registry.prettify_message(message(b"hi"))
    assert (result.text, result.view_name, result.description) == ("hi", "raw", "")
    assert registry.prettify_message(message(b"hi"), view_name="SHOUT").text == "HI"
    assert registry.available_views() == ["auto", "raw", "shout"]


def test_a_name_that_is_not_there_names_the_nearest_and_does_not_fail(registry: ContentviewRegistry) -> None:
    registry.add(Shout())
    result = registry.prettify(b"hi", view_name="shuot")
    assert result.text == "hi"
    assert result.description == "there is no content view 'shuot'; did you mean shout?"
    with pytest.raises(KeyError, match="there are auto, raw, shout"):
        registry["nothing"]


def test_an_old_view_is_called_as_it_is_used_to(registry: ContentviewRegistry) -> None:
    view = Old()
    registry.add(view)
    result = registry.prettify_message(message(b"abc", "text/old"))
    assert (result.view_name, result.text) == ("old view", "length: 3\ntype:   text/old")
    registry.remove(view)
    assert registry.available_views() == ["auto", "raw"]


def test_old_views_need_no_base_class(registry: ContentviewRegistry) -> None:
    class Bare:
        name = "bare"

        def __call__(self, data: bytes, content_type: object, flow: object, http_message: object) -> Any:
            return "bare", ([("text", b"\xff"), ("text", line)] for line in ("one", "two"))

        def render_priority(self, data: bytes, content_type: str | None = None, **unknown: object) -> int:
            return 5

    registry.add(Bare)
    assert registry.prettify(b"x").text == "\\xffone\n\\xfftwo"


def test_what_has_the_methods_is_a_view(registry: ContentviewRegistry) -> None:
    class Duck:
        syntax_highlight = "yaml"

        def prettify(self, data: bytes, metadata: Metadata) -> str:
            return "quack"

        def render_priority(self, data: bytes, metadata: Metadata) -> float:
            return 3

    registry.add(Duck())
    result = registry.prettify(b"")
    assert (result.text, result.syntax_highlight, result.view_name) == ("quack", "yaml", "duck")


@pytest.mark.parametrize("wrong", [3, type("Nameless", (Old,), {"name": ""}), type("Raw", (Shout,), {})])
def test_what_is_no_view_is_refused(registry: ContentviewRegistry, wrong: object) -> None:
    with pytest.raises(AddonError, match=r"is no content view|needs a name of its own"):
        registry.add(wrong)


def test_views_are_told_what_the_data_is_of(registry: ContentviewRegistry) -> None:
    seen: list[Metadata] = []

    class Spy(Contentview):
        def prettify(self, data: bytes, metadata: Metadata) -> str:
            seen.append(metadata)
            return ""

    registry.add(Spy)
    flow = http_flow("http://example.com/", 200)
    said = WebSocketMessage(Opcode.TEXT, True, b"hi")
    registry.prettify_message(said, flow, "spy")
    registry.prettify_message(flow.request, flow, "spy", lines=4)
    assert seen[0] == Metadata(flow=flow, websocket_message=said)
    assert seen[1] == Metadata(flow=flow, http_message=flow.request, lines=4)


# failing


def test_a_view_that_fails_falls_back_to_raw_with_one_safe_line(registry: ContentviewRegistry) -> None:
    registry.add(Faulty)
    result = registry.prettify(b"data")
    assert (result.text, result.view_name) == ("data", "raw")
    assert result.description == "faulty: line 3: \\x1b[31mred and more"


@pytest.mark.parametrize("result", [b"bytes", None, 3])
def test_a_view_that_returns_no_text_has_failed(registry: ContentviewRegistry, result: object) -> None:
    kind = type("Odd", (Shout,), {"prettify": lambda self, data, metadata: result})
    registry.add(kind)
    shown = registry.prettify(b"data", view_name="odd")
    assert shown.text == "data"
    assert shown.description == f"odd: TypeError: prettify() returned {type(result).__name__}, not str"


def test_a_priority_that_fails_leaves_the_choice_to_the_others(registry: ContentviewRegistry) -> None:
    registry.add(type("Unsure", (Shout,), {"render_priority": lambda self, data, metadata: 1 / 0}))
    registry.add(Shout)
    result = registry.prettify(b"hi", Metadata(content_type="text/shout"))
    assert (result.text, result.description) == ("HI", "unsure: ZeroDivisionError: division by zero")


def test_a_view_that_does_not_end_is_given_up(
    registry: ContentviewRegistry, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(attempt, "TIME", 0.05)

    class Endless(Faulty):
        def prettify(self, data: bytes, metadata: Metadata) -> str:
            for _ in itertools.count():
                pass
            return ""

    registry.add(Endless)
    assert registry.prettify(b"a").description == "endless: not finished after 0.05 s"
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    again = registry.prettify(b"a")
    assert (again.text, again.description) == ("a", "")
    registry.add(Endless)
    assert registry.prettify(b"a").description == "endless: not finished after 0.05 s"


def test_lines_without_end_are_cut(registry: ContentviewRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxyfw.viewing.adapted.MOST_LINES", 10)
    monkeypatch.setattr(
        Old, "__call__", lambda self, data, **metadata: ("", ([("text", "x")] for _ in itertools.count()))
    )
    registry.add(Old)
    assert registry.prettify(b"", view_name="old view").text == "\n".join("x" * 10)


def test_more_than_the_limit_is_not_given_to_a_view(registry: ContentviewRegistry) -> None:
    registry.add(type("Small", (Faulty,), {"limit": 3}))
    result = registry.prettify(b"data")
    assert (result.text, result.description) == ("data", "small lays out at most 3 bytes, these are 4")


def test_no_more_is_shown_raw_than_can_be_read(
    registry: ContentviewRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proxyfw.viewing.interface.MOST_RAW", 3)
    monkeypatch.setattr(attempt, "MOST_RAW", 3)
    result = registry.prettify(b"data")
    assert (result.text, result.description, result.size) == ("dat", "these are the first 3 bytes of 4", 4)


def test_a_view_that_exits_has_failed(registry: ContentviewRegistry) -> None:
    registry.add(type("Exits", (Shout,), {"prettify": lambda self, data, metadata: sys.exit(3)}))
    result = registry.prettify(b"data", view_name="exits")
    assert (result.text, result.description) == ("data", "exits: RuntimeError: it raised SystemExit")


def test_a_body_that_cannot_be_decoded_is_shown_as_it_was_sent(registry: ContentviewRegistry) -> None:
    broken = message(b"x")
    broken.headers["content-encoding"] = "gzip"
    result = registry.prettify_message(broken)
    assert result.text == "x"
    assert result.description.startswith("body is not valid gzip: ")
    gone = message(b"")
    gone.raw_content = None
    assert registry.prettify_message(gone).description == "streamed, not kept"


def test_a_bomb_is_shown_as_it_was_sent(
    registry: ContentviewRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    bomb = message(b"")
    bomb.headers["content-encoding"] = "gzip"
    bomb.raw_content = gzip.compress(bytes(129 * 1024**2), 1)
    result = registry.prettify_message(bomb, lines=1)
    assert result.size == len(bomb.raw_content)
    assert "once decoded" in result.description


def test_text_is_in_the_charset_of_the_message(registry: ContentviewRegistry) -> None:
    assert registry.prettify_message(message(b"\xe4", "text/plain; charset=latin-1")).text == "ä"
    assert registry.prettify_message(message("ä".encode())).text == "ä"
    assert registry.prettify_message(message(b"\xe4")).text == "\\xe4"


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")))
def test_nothing_that_is_shown_can_steer_a_terminal(data: bytes) -> None:
    with addon_test_context() as context:
        text = context.addons.contentviews.prettify(data).text
    assert all(line.replace("\t", "").isprintable() or not line.isascii() for line in text.split("\n"))
    assert "\x1b" not in text


def test_what_is_made_visible() -> None:
    assert printable("a\nb\rc\t\x00\x1b\x9b\u202e\udc80\ud800é") == (
        "a\nb\\rc\t\\x00\\x1b\\x9b\\u202e\\x80\\ud800é"
    )


# whose they are


def views_of(context: Any) -> list[str]:
    found: list[str] = context.addons.contentviews.available_views()
    return found[1:]


class InLoad:
    """Adds a view in load, and takes it away at the end, as scripts do."""

    def load(self, loader: Loader) -> None:
        self.view = Shout()
        contentviews.add(self.view)

    def done(self) -> None:
        contentviews.remove(self.view)


class ThroughLoader:
    """Adds a view through the loader."""

    def load(self, loader: Loader) -> None:
        loader.add_view(Shout)


class WhenTrafficComes:
    """Adds a view in a hook."""

    async def request(self, flow: http.HTTPFlow) -> None:
        contentviews.add(Shout)


@pytest.mark.parametrize("kind", [InLoad, ThroughLoader, WhenTrafficComes])
async def test_a_view_goes_with_its_addon(kind: type) -> None:
    with addon_test_context(WhenResponseComes := Bystander(), addon := kind()) as context:
        await context.cycle(http_flow("http://example.com/"))
        assert views_of(context) == ["raw", "shout"]
        context.addons.remove(WhenResponseComes)
        assert views_of(context) == ["raw", "shout"]
        context.addons.remove(addon)
        assert views_of(context) == ["raw"]


class Bystander:
    """Another addon of this file."""

    def request(self, flow: http.HTTPFlow) -> None:
        pass


async def test_a_replaced_addon_takes_its_views_along_though_it_says_so_later() -> None:
    with addon_test_context(old := InLoad()) as context:
        new = InLoad()
        context.addons.replace("inload", new)
        await context.addons.settle()
        assert context.addons.contentviews.get("shout") is new.view is not old.view
        context.addons.replace("inload", Bystander())
        assert views_of(context) == ["raw"]


def test_an_addon_that_does_not_load_leaves_everything_as_it_was() -> None:
    class Broken(InLoad):
        def load(self, loader: Loader) -> None:
            super().load(loader)
            raise RuntimeError("no")

    with addon_test_context(good := InLoad()) as context:
        with pytest.raises(AddonError):
            context.addons.replace("inload", Broken())
        assert context.addons.contentviews.get("shout") is good.view
        with pytest.raises(AddonError):
            context.addons.add(Broken(), "another")
        assert context.addons.contentviews.get("shout") is good.view


def test_the_later_view_of_a_name_hides_the_earlier_until_it_goes() -> None:
    with addon_test_context(first := InLoad(), second := InLoadToo()) as context:
        assert context.addons.contentviews.get("shout") is second.view
        context.addons.remove(second)
        assert context.addons.contentviews.get("shout") is first.view


class InLoadToo(InLoad):
    """The same, as another addon."""


def test_two_proxies_share_nothing() -> None:
    with addon_test_context(InLoad()) as one, addon_test_context() as other:
        assert views_of(one) == ["raw", "shout"]
        assert views_of(other) == ["raw"]
        assert contentviews.registry.available_views() == ["auto", "raw"]
        assert contentviews.get("shout") is None


def test_outside_a_proxy_adding_says_where_it_can_be_done() -> None:
    with pytest.raises(AttributeError, match="only there while a proxy runs this code"):
        contentviews.add(Shout)


SCRIPT = """
from proxyfw import contentviews

class {name}(contentviews.Contentview):
    def prettify(self, data, metadata):
        return {text!r}

contentviews.add({name}())
{rest}
"""


def test_a_view_added_while_a_script_runs_belongs_to_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "views.py"

    def written(name: str, text: str, rest: str = "") -> None:
        before = path.stat().st_mtime_ns if path.exists() else time.time_ns()
        path.write_text(SCRIPT.format(name=name, text=text, rest=rest))
        stamp = before + 10**9
        os.utime(path, ns=(stamp, stamp))
        scripts.check()

    with addon_test_context() as context:
        scripts = ScriptLoader(context.addons)
        written("One", "first")
        scripts.add(path)
        assert context.addons.contentviews.prettify(b"", view_name="one").text == "first"
        assert not caplog.records
        written("One", "second")
        assert context.addons.contentviews.prettify(b"", view_name="one").text == "second"
        written("One", "third", "1/0")
        assert context.addons.contentviews.prettify(b"", view_name="one").text == "second"
        written("Two", "fourth")
        assert views_of(context) == ["raw", "two"]
        scripts.remove(path)
        assert views_of(context) == ["raw"]


OLDER = """
from mitmproxy import contentviews, flow, http

class ViewSwapCase(contentviews.View):
    name = "swapcase"

    def __call__(self, data, *, content_type=None, flow=None, http_message=None, **unknown_metadata):
        return "case-swapped text", contentviews.format_text(data.swapcase())

    def render_priority(self, data, *, content_type=None, flow=None, http_message=None, **unknown_metadata):
        return 2 if content_type == "text/plain" else 0

view = ViewSwapCase()

def load(loader):
    contentviews.add(view)

def done():
    contentviews.remove(view)
"""
NEWER = """
from mitmproxy import contentviews

class SwapCase(contentviews.Contentview):
    def prettify(self, data: bytes, metadata: contentviews.Metadata) -> str:
        return data.swapcase().decode(errors="replace")

    def render_priority(self, data: bytes, metadata: contentviews.Metadata) -> float:
        return 2 if metadata.content_type and metadata.content_type.startswith("text/") else 0

contentviews.add(SwapCase)
"""


@pytest.mark.parametrize("script", [OLDER, NEWER], ids=["older", "newer"])
def test_scripts_written_for_mitmproxy_add_views(tmp_path: Path, script: str) -> None:
    (tmp_path / "swap.py").write_text(script)
    with addon_test_context() as context:
        scripts = ScriptLoader(context.addons)
        scripts.add(tmp_path / "swap.py")
        result = context.addons.contentviews.prettify_message(message(b"Hello"))
        assert (result.text, result.view_name) == ("hELLO", "swapcase")
        scripts.remove(tmp_path / "swap.py")
        assert views_of(context) == ["raw"]
