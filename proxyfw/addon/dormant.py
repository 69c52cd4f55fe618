"""Addons that are not loaded before somebody asks for something of theirs: an option, an action, a command.

`OWNERS` says whose is what, so that nothing has to be imported to know. Nobody notices but by the time that
the start takes: whoever asks for what a dormant addon has finds it loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from proxyfw.addon.owners import OWNERS

OPTION, FLAG, ACTION, COMMAND = "option", "flag", "action", "command"


def possessions(addon: str, kind: str) -> list[str]:
    """What *addon* has of one kind; nothing for an addon that is not in the table."""
    return [name for name, owner in OWNERS[kind].items() if owner == addon]


def may_sleep(addon: str) -> bool:
    """Whether *addon* does nothing before it is asked for something of its own."""
    return any(addon in owners.values() for owners in OWNERS.values())


class Dormitory:
    """The dormant addons of one proxy; *load* loads the one of a name."""

    def __init__(self, load: Callable[[str], None]) -> None:
        self.sleeping: list[str] = []
        self._load = load

    def put(self, names: Iterable[str]) -> None:
        """These are not loaded yet."""
        self.sleeping.extend(names)

    def wake(self, addon: str) -> bool:
        """Load *addon*, if it is dormant. Raises AddonError, OptionsError."""
        if addon not in self.sleeping:
            return False
        self.sleeping.remove(addon)
        self._load(addon)
        return True

    def wake_all(self) -> None:
        """Load all that are dormant, as for those who want to list what there is."""
        while self.sleeping:
            self.wake(self.sleeping[0])

    def find(self, kind: str, name: str) -> None:
        """Somebody wants what is called *name*: load whose it is; all, if nobody has such a thing.

        Then what does not exist can be said, and what comes nearest.
        """
        owner = OWNERS[kind].get(name)
        if owner is None:
            self.wake_all()
        else:
            self.wake(owner)
