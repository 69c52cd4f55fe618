"""``mitmproxy.eventsequence``: the hooks that a flow would go through if it happened now."""

from __future__ import annotations

from collections.abc import Iterator

from proxyfw.flow import Flow
from proxyfw.replay import hooks_of

from . import names_of
from .hooks import Hook, all_hooks


def iterate(f: Flow) -> Iterator[Hook]:
    """The hooks of *f*, in order; message by message where it has some. Raises TypeError."""
    if not isinstance(f, Flow):
        raise TypeError(f"Unknown flow type: {f!r}")
    return (all_hooks[name](f) for name in hooks_of(f) if name != "flow_end")  # which is ours alone


__getattr__ = names_of("eventsequence")
