"""``mitmproxy.addons``: what scripts and programs import of the addons of the field."""

from __future__ import annotations

from proxyfw.alias import names_of


def default_addons() -> list[object]:
    """Nothing: a proxy has its addons before a program can add them."""
    return []


__getattr__ = names_of("addons")
