"""Addons of the field that programs add by hand and that a proxy of ours already has, or does without.

Adding one changes nothing, so that the program can stay as it is.
"""

from __future__ import annotations

from typing import Any


class Present:
    """Stands for something that is there already, under a name that leaves ours to the one that works."""

    name: str

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.name = f"mitmproxy.{cls.__name__.lower()}"

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        """Whatever it is made with."""

    def running(self) -> None:
        """Nothing to do."""


class AntiCache(Present):
    """The addon anticache."""


class AntiComp(Present):
    """The addon anticomp."""


class Block(Present):
    """The addon access."""


class BlockList(Present):
    """The addon block."""


class ClientPlayback(Present):
    """The addon replay."""


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


class Intercept(Present):
    """The addon intercept."""


class KeepServing(Present):
    """A proxy serves until it is told to stop."""


class MapLocal(Present):
    """The addon map_local."""


class MapRemote(Present):
    """The addon map_remote."""


class ModifyBody(Present):
    """The addon modify."""


class ModifyHeaders(Present):
    """The addon modify."""


class NextLayer(Present):
    """Part of the proxy."""


class Onboarding(Present):
    """The certificate is in confdir."""


class Proxyserver(Present):
    """Part of the proxy."""


class ReadFile(Present):
    """The addon readfile."""


class Save(Present):
    """The addon save."""


class ScriptLoader(Present):
    """Part of the proxy: the option ``scripts``."""


class StickyAuth(Present):
    """The addon stickyauth."""


class StickyCookie(Present):
    """The addon stickycookie."""


class TermLog(Present):
    """`proxyfw.log.TerminalLog`, installed by the master with ``with_termlog=True``."""


class TlsConfig(Present):
    """Part of the proxy."""


class UpstreamAuth(Present):
    """The option ``upstream_auth``."""
