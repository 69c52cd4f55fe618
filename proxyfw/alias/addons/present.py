"""Addons of the field that programs add by hand and that a proxy of ours already has, or does without.

Adding one changes nothing, so that the program can stay as it is.
"""

from __future__ import annotations

from typing import Any


class Present:
    """Stands for something that is there already."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        """Whatever it is made with."""

    def running(self) -> None:
        """Nothing to do."""


class AntiCache(Present):
    """Use ``flow.request.anticache()``."""


class Core(Present):
    """Part of the proxy."""


class DisableH2C(Present):
    """Part of the proxy."""


class DnsResolver(Present):
    """The mode dns."""


class ErrorCheck(Present):
    """A proxy that cannot start raises the reason."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__()
        self.logger = None


class KeepServing(Present):
    """A proxy serves until it is told to stop."""


class NextLayer(Present):
    """Part of the proxy."""


class Onboarding(Present):
    """The certificate is in confdir."""


class Proxyserver(Present):
    """Part of the proxy."""


class ScriptLoader(Present):
    """Part of the proxy: the option ``scripts``."""


class TermLog(Present):
    """`proxyfw.log.TerminalLog`, installed by the master with ``with_termlog=True``."""


class TlsConfig(Present):
    """Part of the proxy."""
