"""``mitmproxy.contentviews``: ours, and the class of views that can take edits back."""

from __future__ import annotations

from typing import Any

from proxyfw import contentviews
from proxyfw.contentviews import *  # noqa: F403
from proxyfw.contentviews import Contentview, Metadata

from . import names_of

__all__ = [*contentviews.__all__, "InteractiveContentview"]
__path__: list[str] = []


class InteractiveContentview(Contentview):
    """A view whose text may be edited. Nobody edits it here, so that it is a view like any other."""

    def reencode(self, text: str, metadata: Metadata) -> bytes:
        """The data that *text* stands for."""
        raise NotImplementedError(
            f"{type(self).__name__} needs a method reencode(self, prettified, metadata)"
        )


_other_names = names_of("contentviews")


def __getattr__(name: str) -> Any:
    return contentviews.registry if name == "registry" else _other_names(name)
