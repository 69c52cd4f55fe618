"""``mitmproxy.addons``: what scripts and programs import of the addons of the field."""

from __future__ import annotations

from proxyfw.alias import names_of

from . import present


def default_addons() -> list[object]:
    """One that does nothing: a proxy has its addons before a program can add them."""
    return [present.Core()]


__getattr__ = names_of("addons")
