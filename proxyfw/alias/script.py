"""``mitmproxy.script``: the decorator for hooks that block."""

from __future__ import annotations

from proxyfw.script import concurrent

from . import names_of

__all__ = ["concurrent"]

__getattr__ = names_of("script")
