"""``mitmproxy.optmanager``: the class that holds options."""

from __future__ import annotations

from proxyfw.options import Options as OptManager

from . import names_of

__all__ = ["OptManager"]

__getattr__ = names_of("optmanager")
