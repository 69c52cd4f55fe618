"""The addon that ``mitmdump([...])`` always loads: it accepts options that mean nothing here."""

from __future__ import annotations

from proxyfw.addonmanager import Loader
from proxyfw.alias import leftovers


def load(loader: Loader) -> None:
    """Declare them."""
    leftovers.declare(loader.master.options)
    loader.used = True
