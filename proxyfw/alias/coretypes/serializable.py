"""``mitmproxy.coretypes.serializable``: what can be turned into plain data and back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Self

from proxyfw.alias import names_of


class Serializable(ABC):
    """Something with a state. Our own classes have the same methods without inheriting from it."""

    @classmethod
    @abstractmethod
    def from_state(cls, state: Any) -> Self:
        """An object with *state*."""

    @abstractmethod
    def get_state(self) -> Any:
        """The state, as plain data."""

    @abstractmethod
    def set_state(self, state: Any) -> None:
        """Take over *state*."""

    def copy(self) -> Self:
        """An object of the same state."""
        return self.from_state(self.get_state())

    @classmethod
    def __subclasshook__(cls, other: type) -> Any:
        if cls is not Serializable:
            return NotImplemented
        if all(hasattr(other, name) for name in ("from_state", "get_state", "set_state")):
            return True
        return NotImplemented


__getattr__ = names_of("coretypes.serializable")
