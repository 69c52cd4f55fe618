"""``mitmproxy.io``: ours, in which ``mitmproxy.io.io`` is found."""

from __future__ import annotations

from proxyfw import io
from proxyfw.io import *  # noqa: F403

from . import names_of

__all__ = [*io.__all__]
__path__: list[str] = []

__getattr__ = names_of("io")
