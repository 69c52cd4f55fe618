"""Slow and bad networks: presets and profiles of your own, for all traffic, a host, or what a rule matches.

Bytes are paced one by one, as a link does it, and what is lost ends in a broken connection, not in an answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from proxyfw import ctx
from proxyfw.addonmanager import Loader
from proxyfw.command import command
from proxyfw.exceptions import OptionsError
from proxyfw.rules import RuleBook, split_words

from .action import Throttle
from .profiles import PRESETS, Profile, Profiles

if TYPE_CHECKING:
    from proxyfw.rules import Rule

__all__ = ["PRESETS", "Profile", "Throttle", "Throttling"]

_LAST = 1_000_000
"""Priority of what is for all traffic: any other rule that throttles goes before."""


class Throttling:
    """The addon: action `throttle`, options `throttle`, `throttle_hosts` and `throttle_profiles`."""

    name = "throttle"

    def __init__(self) -> None:
        self._running = False

    def load(self, loader: Loader) -> None:
        """Declare action and options."""
        loader.add_action("throttle", Throttle)
        loader.add_option(
            "throttle",
            str | None,
            None,
            "Send all traffic through a slow network: "
            f"{', '.join(PRESETS)}; one of throttle_profiles; or fields of the action throttle, "
            "'down=780kbit up=330kbit latency=400ms jitter=100ms loss=1%'.",
            flag="--throttle",
        )
        loader.add_option("throttle_hosts", Sequence[str], [], "Throttle only these hosts; with wildcards.")
        loader.add_option(
            "throttle_profiles",
            dict,
            {},
            "Networks of your own by name, each with down, up, latency, jitter, loss, offline.",
        )

    def configure(self, updated: set[str]) -> None:
        """Take up networks, and the one for all traffic. Raises OptionsError."""
        if "throttle_profiles" in updated:
            _profiles()
        if not updated.isdisjoint({"throttle", "throttle_hosts", "throttle_profiles"}):
            self._book.provide(self.name, self._rules())
        if self._running and "throttle_profiles" in updated:
            self._book.read_again()

    def running(self) -> None:
        """Rules may have been read by now that name profiles."""
        self._running = True

    @property
    def _book(self) -> RuleBook:
        book: RuleBook = ctx.master.addons.rules
        return book

    def _rules(self) -> list[Rule]:
        """What the option means, as a rule."""
        spec, hosts = ctx.options.throttle, list(ctx.options.throttle_hosts)
        if not spec:
            return []
        rule = {
            "name": "throttle",
            "priority": _LAST,
            "match": {"host": hosts} if hosts else {},
            "action": {"type": "throttle", **split_words("throttle", spec, spec, "profile")},
        }
        return self._book.read([rule], locate=lambda where: f"throttle: {spec!r}")

    @command("throttle.presets")
    def presets(self) -> Sequence[Any]:
        """All networks there are by name: bytes a second, milliseconds, per cent; 0 is no limit."""
        networks = dict(_profiles())
        active = _active(self._rules())
        if active.network != networks.get(active.name):
            active = active._replace(name=ctx.options.throttle)
            networks[active.name] = active.network
        return [
            {"id": f"preset-{number}", "name": name, "active": name == active.name, **_numbers(network)}
            for number, (name, network) in enumerate(networks.items())
        ]


class _Active(NamedTuple):
    name: str
    network: Profile


def _active(rules: Sequence[Rule]) -> _Active:
    """What is in force for all traffic, and the profile it stems from."""
    action = rules[0].actions[0] if rules else None
    if isinstance(action, Throttle):
        return _Active(action.name, action.network)
    return _Active("No Throttling", PRESETS["No Throttling"])


def _profiles() -> Profiles:
    try:
        return Profiles(ctx.options.throttle_profiles)
    except ValueError as problem:
        raise OptionsError(f"throttle_profiles: {problem}") from None


def _numbers(profile: Profile) -> dict[str, Any]:
    return {
        "down": round((profile.down or 0) / 8),
        "up": round((profile.up or 0) / 8),
        "latency": round(profile.latency * 1000),
        "jitter": round(profile.jitter * 1000),
        "loss": round(profile.loss * 100, 3),
        "offline": profile.offline,
    }
