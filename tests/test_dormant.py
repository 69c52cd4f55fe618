"""Default addons that have nothing to do are not loaded before somebody asks for something of theirs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from proxyfw.addon.dormant import possessions
from proxyfw.exceptions import CommandError, OptionsError
from proxyfw.proxy import DEFAULT_ADDONS, Proxy


def proxy(tmp_path: Path, **options: Any) -> Proxy:
    return Proxy({"confdir": str(tmp_path), **options})


@pytest.mark.parametrize(
    ("ask", "woken"),
    [
        (lambda p: p.options.map_local, "map_local"),
        (lambda p: p.options.option("map_local"), "map_local"),
        (lambda p: p.options.update(anticache=True), "anticache"),
        (lambda p: p.options.set("anticache=true", defer=True), "anticache"),
        (lambda p: p.options.update_defer(anticache=True), "anticache"),
        (lambda p: p.addons.rules.add({"action": "block"}), "block"),
        (lambda p: p.addons.rules.read([{"action": ["cors", {"type": "delay", "delay": "1s"}]}]), "delay"),
        (lambda p: p.commands.call("replay.client.count"), "replay"),
        (lambda p: p.commands.execute("replay.client.count"), "replay"),
        (lambda p: p.addons.get("mock"), "mock"),
        (lambda p: p.addons.add_installed("mock"), "mock"),
    ],
)
def test_who_asks_for_what_an_addon_has_finds_it_loaded(
    tmp_path: Path, ask: Callable[[Proxy], object], woken: str
) -> None:
    p = proxy(tmp_path)
    assert woken in p.addons.dormant.sleeping
    assert woken not in p.addons.names()
    ask(p)
    assert woken not in p.addons.dormant.sleeping
    names = p.addons.names()
    assert names.count(woken) == 1
    assert names.index(woken) < names.index("rule_engine")


def test_what_is_given_at_the_start_has_its_addon_loaded(tmp_path: Path) -> None:
    assert "anticache" in proxy(tmp_path, anticache=True).addons.names()
    assert "mock" in proxy(tmp_path, rules=[{"action": "mock"}]).addons.names()
    (tmp_path / "rules.yaml").write_text("- action: block\n")
    assert "block" in proxy(tmp_path, rules_file=[str(tmp_path / "rules.yaml")]).addons.names()


def test_what_nobody_has_is_said_with_what_comes_nearest(tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match="did you mean 'anticache'"):
        proxy(tmp_path).options.update(anticash=True)
    with pytest.raises(OptionsError, match="did you mean map_local"):
        proxy(tmp_path).addons.rules.read([{"action": "map_locl"}])
    with pytest.raises(CommandError, match=r"did you mean 'replay\.client'"):
        proxy(tmp_path).commands.call("replay.clint")
    with pytest.raises(OptionsError, match="did you mean 'anticache'"):
        proxy(tmp_path, anticash=True).options.check_deferred()


def test_an_addon_that_is_left_out_is_not_found(tmp_path: Path) -> None:
    """features 6."""
    p = Proxy({"confdir": str(tmp_path)}, default_addons=[n for n in DEFAULT_ADDONS if n != "map_local"])
    assert not hasattr(p.options, "map_local")
    with pytest.raises(OptionsError, match="there is no action 'map_local'"):
        p.addons.rules.read([{"action": "map_local"}])


def test_all_can_be_loaded_at_once(tmp_path: Path) -> None:
    p = proxy(tmp_path)
    p.addons.dormant.wake_all()
    assert set(DEFAULT_ADDONS) <= set(p.addons.names()) | {"contentviews"}
    for name in DEFAULT_ADDONS:
        for option in possessions(name, "option"):
            assert p.options.option(option).source == name


async def test_an_addon_that_wakes_while_the_proxy_runs_is_told_so(tmp_path: Path) -> None:
    async with Proxy({"confdir": str(tmp_path)}, server=False) as p:
        (tmp_path / "rules.yaml").write_text("- action: block\n")
        p.options.update(rules_file=[str(tmp_path / "rules.yaml")])
        assert [rule.name for rule in p.addons.rules] == ["block#1"]
        rules = p.addons.get("rules")
        assert rules
        assert rules._watching
