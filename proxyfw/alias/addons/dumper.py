"""``mitmproxy.addons.dumper``: the addon that prints flows."""

from __future__ import annotations

from typing import TextIO

from proxyfw.addon.loading import load_installed
from proxyfw.alias import names_of


def Dumper(outfile: TextIO | None = None) -> object:
    """The dumper, which writes on standard output. Raises ValueError for another *outfile*."""
    if outfile is not None:
        raise ValueError("the dumper writes on standard output only: redirect that")
    return load_installed("dumper")


__getattr__ = names_of("addons.dumper")
