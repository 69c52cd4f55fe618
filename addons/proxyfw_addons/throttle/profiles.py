"""Networks by name: the presets, and those that the option `throttle_profiles` defines. Data only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any

from proxyfw import rules
from proxyfw.rules import Chance, Duration, Rate


@dataclass(frozen=True)
class Profile:
    """How good a network is; what is left out is without limit, or does not happen."""

    down: Annotated[Rate | None, "Towards the client, in a second: 780kbit, 1.5mbit, 96KiB."] = None
    up: Annotated[Rate | None, "From the client."] = None
    latency: Annotated[Duration, "There and back: half of it each way."] = Duration(0)  # noqa: RUF009
    jitter: Annotated[Duration, "The latency is up to so much less or more."] = Duration(0)  # noqa: RUF009
    loss: Annotated[Chance, "Part of requests, messages and raw streams that are broken off."] = Chance(0)  # noqa: RUF009
    offline: Annotated[bool, "Nothing goes through: connections are reset at once."] = False

    def __str__(self) -> str:
        if self.offline:
            return "offline"
        parts = [f"{name} {_spoken(rate)}" for name, rate in (("down", self.down), ("up", self.up)) if rate]
        for name in ("latency", "jitter"):
            if getattr(self, name):
                parts.append(f"{name} {getattr(self, name)}")
        if self.loss:
            parts.append(f"loss {self.loss * 100:g}%")
        return ", ".join(parts) or "no limit"


def _spoken(rate: float) -> str:
    return f"{rate / 1e6:.3g} Mbit/s" if rate >= 1e6 else f"{rate / 1e3:.3g} kbit/s"


def _preset(down: int, up: int, latency: int, jitter: int, loss: float) -> Profile:
    """From bytes a second, milliseconds and per cent."""
    return Profile(
        Rate(down * 8) if down else None,
        Rate(up * 8) if up else None,
        Duration(latency / 1000),
        Duration(jitter / 1000),
        Chance(loss / 100),
    )


PRESETS: Mapping[str, Profile] = {
    "No Throttling": Profile(),
    "Slow 2G": _preset(35_840, 32_768, 1400, 400, 1),
    "Regular 2G": _preset(57_344, 19_456, 800, 200, 0.5),
    "Good 2G": _preset(114_688, 35_840, 650, 150, 0.2),
    "Slow 3G": _preset(99_328, 41_984, 400, 100, 0),
    "Regular 3G": _preset(196_608, 96_256, 300, 100, 0),
    "Good 3G": _preset(524_288, 196_608, 170, 40, 0),
    "Regular 4G": _preset(1_179_648, 524_288, 50, 10, 0),
    "DSL": _preset(262_144, 131_072, 50, 10, 0),
    "WiFi": _preset(3_932_160, 1_966_080, 10, 5, 0),
    "Offline": replace(_preset(1, 1, 30_000, 0, 100), offline=True),
}
"""The networks that have a name everywhere, slowest phones first."""


class UnknownProfile(ValueError):
    """There is no such profile."""


class Profiles:
    """The presets, and *custom* ones, as the option has them. Raises ValueError if those cannot be read."""

    def __init__(self, custom: Mapping[str, Any]) -> None:
        self._by_name = dict(PRESETS)
        taken = {_key(name) for name in PRESETS}
        for name, data in custom.items():
            if _key(name) in taken:
                raise ValueError(f"{name}: is the name of another profile: choose a new one")
            taken.add(_key(name))
            self._by_name[name] = rules.read(Profile, data, (name,))

    def __iter__(self) -> Iterator[tuple[str, Profile]]:
        return iter(self._by_name.items())

    def find(self, wanted: str) -> tuple[str, Profile]:
        """The profile of that name, and its proper name; capitals, spaces and dashes make no difference."""
        for number, (name, profile) in enumerate(self):
            if _key(wanted) in (_key(name), f"preset{number}"):
                return name, profile
        raise UnknownProfile(f"there is no profile {wanted!r}; there are {', '.join(self._by_name)}")


def _key(name: str) -> str:
    return "".join(filter(str.isalnum, name.lower()))
