"""One change of several options, of the core and of addons: all of it takes effect, or none."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxyfw import ctx
from proxyfw.addonmanager import Loader
from proxyfw.exceptions import OptionsError
from proxyfw.proxy import Proxy


class Limit:
    """Keeps half of its option as an option of its own, and remembers what it was told."""

    def __init__(self) -> None:
        self.heard: list[tuple[set[str], int]] = []

    def load(self, loader: Loader) -> None:
        loader.add_option("limit", int, 10, "")
        loader.add_option("half", int, 5, "")

    def configure(self, updated: set[str]) -> None:
        self.heard.append((updated, ctx.options.limit))
        if "limit" in updated:
            ctx.options.half = ctx.options.limit // 2


class Sceptic:
    """Refuses limits above a hundred."""

    def configure(self, updated: set[str]) -> None:
        if ctx.options.limit > 100:
            raise OptionsError("limit: at most 100")


async def test_5_6_101_a_refusal_by_the_last_addon_undoes_what_core_and_others_have_done(
    tmp_path: Path,
) -> None:
    """mitmproxy 5.6.101: the running proxy goes on as before, and everybody is told so."""
    limit = Limit()
    async with Proxy(confdir=str(tmp_path), server=False, addons=[limit, Sceptic()]) as proxy:
        assert proxy._server
        house, options = proxy._server.house, proxy.options
        options.update(limit=20, idle_timeout="7s", ignore_hosts=["a"])
        before = options.snapshot()
        assert (options.half, house.settings.idle_timeout, len(house.ignore_hosts)) == (10, 7, 1)
        limit.heard.clear()
        with pytest.raises(OptionsError, match="limit: at most 100"):
            options.update(limit=200, idle_timeout="8s", ignore_hosts=[], body_size_limit="1m")
        changed = {"limit", "idle_timeout", "ignore_hosts", "body_size_limit"}
        assert limit.heard[0] == (changed, 200)
        assert limit.heard[-1] == (changed, 20)
        assert (options.half, house.settings.idle_timeout, len(house.ignore_hosts)) == (10, 7, 1)
        assert house.settings.body_limit == float("inf")
        after = options.snapshot()
        assert all(getattr(after, name) == getattr(before, name) for name in options)


async def test_a_refusal_by_the_core_reaches_no_addon(tmp_path: Path) -> None:
    limit = Limit()
    async with Proxy(confdir=str(tmp_path), server=False, addons=[limit]) as proxy:
        limit.heard.clear()
        with pytest.raises(OptionsError, match="listen_port: 99999 is not a port"):
            proxy.options.update(limit=1, listen_port=99999)
        assert all(value == 10 for _, value in limit.heard)
        assert (proxy.options.limit, proxy.options.half, proxy.options.listen_port) == (10, 5, None)
