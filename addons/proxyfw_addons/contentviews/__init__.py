"""The content views that come with the proxy: JSON, markup, forms, images, protobuf, DNS and more.

What suits which view is decided in one table; the code that lays data out is imported when it is needed.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import TYPE_CHECKING

from proxyfw import ctx
from proxyfw.addonmanager import Loader
from proxyfw.contentviews import Metadata

from .table import VIEWS, BuiltIn

if TYPE_CHECKING:
    from .protobuf_types import Types


class ContentViews:
    """Adds the views, and reads the descriptors that make protobuf messages typed."""

    def __init__(self) -> None:
        self.types: Types | None = None

    def load(self, loader: Loader) -> None:
        """Add the views; declare the option."""
        loader.add_option(
            "protobuf_descriptors", Sequence[str], [],
            "Files written by protoc --descriptor_set_out --include_imports: protobuf and gRPC messages are "
            "shown with the names of their fields. Needs proxyfw[protobuf].",
        )  # fmt: skip
        for view in VIEWS:
            loader.add_view(Typed(view, self) if view.name in ("protobuf", "grpc") else view)

    def configure(self, updated: Set[str]) -> None:
        """Read the descriptors. Raises OptionsError."""
        if "protobuf_descriptors" in updated:
            self.types = None
            if ctx.options.protobuf_descriptors:
                from .protobuf_types import Types

                self.types = Types.read(ctx.options.protobuf_descriptors)


class Typed(BuiltIn):
    """A view that can use what the descriptors say."""

    def __init__(self, view: BuiltIn, addon: ContentViews) -> None:
        super().__init__(view.name, view.about, view.suits, view.syntax_highlight, view.limit, view.module)
        self._addon = addon

    def prettify(self, data: bytes, metadata: Metadata) -> str:
        text: str = self.implementation().prettify(data, metadata, self._addon.types)
        return text
