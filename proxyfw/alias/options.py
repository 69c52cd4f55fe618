"""``mitmproxy.options``: all options at once, which is how programs of the field make them."""

from __future__ import annotations

from typing import Any

from proxyfw import options
from proxyfw.core import settings

from . import leftovers, names_of

__all__ = ["CONF_BASENAME", "CONF_DIR", "KEY_SIZE", "Options"]

CONF_DIR = "~/.proxyfw"
CONF_BASENAME = "proxyfw"
KEY_SIZE = 2048


class Options(options.Options):
    """`proxyfw.options.Options` with those of the core declared from the beginning.

    Those of addons wait until their addon is loaded. A single *mode* need not be in a list.
    """

    def __init__(self, **values: Any) -> None:
        super().__init__()
        settings.declare(self)
        leftovers.declare(self)
        if isinstance(values.get("mode"), str):
            values["mode"] = [values["mode"]]
        self.update_defer(**values)

    def add_option(
        self, name: str, typespec: Any, default: Any, help: str, choices: Any = None, **more: Any
    ) -> None:
        """Declare an option, unless the proxy has it: old programs declare some of its own themselves."""
        if more or name not in self:
            super().add_option(name, typespec, default, help, choices, **more)

    def update_known(self, **values: Any) -> dict[str, Any]:
        """Change the options that there are; the others are returned."""
        unknown = {name: value for name, value in values.items() if name not in self}
        self.update(**{name: value for name, value in values.items() if name in self})
        return unknown


__getattr__ = names_of("options")
