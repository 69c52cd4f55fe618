"""``mitmproxy.addons.readfile``: the addon that shows saved flows to the others."""

from __future__ import annotations

from proxyfw.addon.loading import load_installed
from proxyfw.alias import names_of

ReadFile = type(load_installed("readfile"))
__getattr__ = names_of("addons.readfile")
