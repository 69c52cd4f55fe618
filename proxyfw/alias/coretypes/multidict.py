"""``mitmproxy.coretypes.multidict``."""

from __future__ import annotations

from proxyfw.alias import names_of
from proxyfw.http import MultiDict, MultiDictView

__all__ = ["MultiDict", "MultiDictView"]

__getattr__ = names_of("coretypes.multidict")
