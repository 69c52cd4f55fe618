"""``mitmproxy.addons.save``: the addon that writes flows to a file as they end."""

from __future__ import annotations

from proxyfw.addon.loading import load_installed
from proxyfw.alias import names_of

Save = type(load_installed("save"))
__getattr__ = names_of("addons.save")
