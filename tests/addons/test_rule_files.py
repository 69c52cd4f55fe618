"""Rules from files and from the configuration."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from proxyfw import config, ctx, hookspecs
from proxyfw.addonmanager import Loader
from proxyfw.exceptions import CommandError, OptionsError
from proxyfw.http import HTTPFlow, Response
from proxyfw.proxy import Proxy
from proxyfw.rules import Action, Hit
from proxyfw.testing import http_flow, world
from proxyfw_addons.rules import RuleFiles

GET = b"GET http://example.com/a HTTP/1.1\r\nHost: example.com\r\n\r\n"


@dataclass
class Say(Action):
    """Answer with a text."""

    text: str = ""
    answers = True

    def request(self, flow: HTTPFlow, hit: Hit) -> None:
        flow.response = Response.make(200, self.text)


class Saying:
    def load(self, loader: Loader) -> None:
        loader.add_action("say", Say)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text("# ours\n- name: hello\n  match: {host: example.com}\n  action: {type: say, text: one}\n")
    return path


@pytest.fixture
def proxy(file: Path) -> Iterator[Proxy]:
    made = Proxy(default_addons=("rules",), addons=[Saying()], rules_file=[str(file)])
    with ctx.use(made):
        yield made


def rewrite(file: Path, old: str, new: str | None = None) -> None:
    """Replace the text, or a part of it, so that it looks changed however coarse the clock of the disk is."""
    replacement = file.with_suffix(".new")
    text = old if new is None else file.read_text().replace(old, new)
    replacement.write_text(text)
    replacement.replace(file)


async def test_a_rule_of_a_file_answers(file: Path) -> None:
    async with world(addons=[RuleFiles(), Saying()], rules_file=[str(file)]) as w:
        client = w.client()
        client.write(GET)
        assert (await client.message()).endswith(b"\r\n\r\none")
        assert w.network.dialled == []


async def test_a_changed_file_takes_effect_at_once_and_a_bad_edit_keeps_the_rules(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """features 18."""
    addon = RuleFiles()
    async with world(addons=[addon, Saying()], rules_file=[str(file)]) as w:
        client = w.client()

        async def answer() -> bytes:
            with ctx.use(w.proxy):
                addon.check()
            client.write(GET)
            message: bytes = await client.message()
            return message.rpartition(b"\r\n\r\n")[2]

        assert await answer() == b"one"
        rewrite(file, "one", "two")
        assert await answer() == b"two"
        rewrite(file, "host:", "hots:")
        assert await answer() == b"two"
        assert f"{file}:3:11: match.hots: there is no 'hots' here; did you mean host?" in caplog.text
        assert "the rules before this change stay in force" in caplog.text
        rewrite(file, "- action: {type: say, text: three}\n")
        assert await answer() == b"three"
        rewrite(file, "[")
        assert await answer() == b"three"


def test_actions_of_addons_that_come_later_are_known(proxy: Proxy) -> None:
    proxy.addons.rules.check()
    assert [rule.name for rule in proxy.addons.rules] == ["hello"]
    proxy.addons.remove("saying")
    with pytest.raises(OptionsError, match="there is no action 'say'"):
        proxy.addons.rules.check()


async def test_the_proxy_does_not_start_with_rules_that_cannot_be_read(file: Path) -> None:
    rewrite(file, "- action: sya\n")
    with pytest.raises(
        OptionsError, match=r"rules.yaml:1:3: action.type: there is no action 'sya'; did you mean"
    ):
        async with world(addons=[RuleFiles(), Saying()], rules_file=[str(file)]):
            pass


async def test_rules_in_the_configuration(file: Path) -> None:
    rules: list[dict[str, Any]] = [
        {"name": "inline", "action": {"type": "say", "text": "inline"}, "priority": -1}
    ]
    async with world(addons=[RuleFiles(), Saying()], rules_file=[str(file)], rules=rules) as w:
        assert [rule.name for rule in w.proxy.addons.rules] == ["inline", "hello"]
        with pytest.raises(OptionsError, match=r"rules\[0\].action.type: there is no action 'nope'"):
            w.proxy.options.update(rules=[{"action": "nope"}])
        assert [rule.name for rule in w.proxy.addons.rules] == ["inline", "hello"]
        w.proxy.options.update(rules=[])
        assert [rule.name for rule in w.proxy.addons.rules] == ["hello"]


async def test_a_mistake_in_the_configuration_file_is_pointed_at(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("rules:\n  - name: a\n    match: {pth: /a}\n    action: say\nrules_seed: x\n")
    made = Proxy(default_addons=("rules",), addons=[Saying()], confdir=str(tmp_path))
    config.load(made.options, path)
    with pytest.raises(OptionsError) as refused:
        await made.start()
    assert str(refused.value) == f"{path}:3:13: match.pth: there is no 'pth' here; did you mean path?"


async def test_a_mistake_elsewhere_is_not_looked_for_in_the_configuration_file(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("rules: []\n")
    made = Proxy(default_addons=("rules",), confdir=str(tmp_path), rules=[{"action": "nope"}])
    with pytest.raises(OptionsError, match=r"^rules\[0\]\.action\.type: there is no action 'nope'"):
        await made.start()


async def test_commands_say_what_rules_did(proxy: Proxy) -> None:
    flow = http_flow("http://example.com/", response=None)
    with pytest.raises(CommandError, match="no rules that act on such a flow"):
        proxy.commands.call("rules.trace", flow)
    proxy.addons.trigger("request", flow)
    assert proxy.commands.call("rules.trace", flow) == ["request: hello matched"]
    (line,) = proxy.commands.call("rules.list")
    assert line.endswith("rules.yaml:2:3): used 1 times")


async def test_without_rules_no_hook_is_wanted(proxy: Proxy) -> None:
    assert "rule_engine" in proxy.addons.order(hookspecs.request)
    proxy.options.update(rules_file=[])
    assert not proxy.addons.wants(hookspecs.request)
