"""``mitmproxy.exceptions``: ours, under the names that scripts catch and raise."""

from __future__ import annotations

from proxyfw.exceptions import AddonError as AddonManagerError
from proxyfw.exceptions import (
    AddonHalt,
    CommandError,
    FlowReadException,
    LocalProtocolError,
    OptionsError,
    ProtocolError,
)
from proxyfw.exceptions import ProxyfwError as MitmproxyException

from . import names_of

__all__ = [
    "AddonHalt",
    "AddonManagerError",
    "CommandError",
    "ControlException",
    "FlowReadException",
    "LocalProtocolError",
    "MitmproxyException",
    "OptionsError",
    "ProtocolError",
]

ControlException = MitmproxyException

__getattr__ = names_of("exceptions")
