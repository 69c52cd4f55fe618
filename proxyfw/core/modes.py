"""How clients reach the proxy: the grammar ``mode[:data][@[host:]port]`` and what each mode means."""

from __future__ import annotations

import re
from dataclasses import dataclass

from proxyfw.exceptions import OptionsError

_SPEC = re.compile(
    r"(?P<name>[a-z0-9]+)(?::(?P<data>[^@]*))?(?:@(?:(?:\[(?P<ip6>[^\]]+)\]|(?P<host>[^:\[\]]+)):)?(?P<port>\d+))?"
)
_KNOWN = ("regular",)


@dataclass(frozen=True, slots=True)
class Mode:
    """One listener: what it is and where. `host` and `port` are None where the options are to say."""

    name: str
    data: str = ""
    host: str | None = None
    port: int | None = None

    @classmethod
    def parse(cls, spec: str) -> Mode:
        """Raises OptionsError that names what is wrong with *spec*."""
        match = _SPEC.fullmatch(spec)
        if not match:
            raise OptionsError(f"mode: {spec!r} is not of the form mode[:data][@[host:]port]")
        if match["name"] not in _KNOWN:
            raise OptionsError(f"mode: {match['name']!r} is not one of {', '.join(_KNOWN)}")
        if match["data"]:
            raise OptionsError(f"mode: {match['name']} takes no {match['data']!r}")
        port = int(match["port"]) if match["port"] else None
        if port is not None and port > 65535:
            raise OptionsError(f"mode: {port} is not a port")
        return cls(match["name"], match["data"] or "", match["ip6"] or match["host"], port)

    def __str__(self) -> str:
        return self.name


def parse_all(specs: list[str]) -> list[Mode]:
    """The modes of *specs*. Raises OptionsError, also for two on the same address."""
    modes = [Mode.parse(spec) for spec in specs]
    taken: set[tuple[str | None, int | None]] = set()
    for mode, spec in zip(modes, specs, strict=True):
        if mode.port != 0 and (mode.host, mode.port) in taken:
            raise OptionsError(f"mode: {spec!r} listens where another mode does; add @port to one of them")
        taken.add((mode.host, mode.port))
    return modes
