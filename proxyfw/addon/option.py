"""One option: how it was declared, and a value that some source gave for it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

from proxyfw.addon.kinds import Kind, items_of, kind_of
from proxyfw.exceptions import AddonError, OptionsError

RESERVED_FLAGS = frozenset(
    {
        "--script", "-s", "--listen-port", "-p", "--listen-host", "--mode", "-m", "--workers", "--set",
        "--quiet", "-q", "--verbose", "-v", "--no-server", "-n", "--ssl-insecure", "-k", "--confdir",
        "--addon", "--flow-detail", "--version", "--help", "-h",
    }
)  # fmt: skip
"""Flags that the command line has by itself."""

_FLAG = re.compile(r"--[a-z][a-z0-9]*(-[a-z0-9]+)*")
_SHORT = re.compile(r"-[A-Za-z]")


@dataclass(frozen=True, slots=True)
class Option:
    """A declared option. *source* names the addon that declared it; None if that has been removed.

    *flag* (``--name``) and *short* (``-n``) set it on the command line, if it has them.
    """

    name: str
    typespec: Any
    default: Any
    help: str
    choices: tuple[Any, ...] | None = None
    source: str | None = "proxyfw"
    flag: str | None = None
    short: str | None = None

    @classmethod
    def declared(
        cls,
        name: str,
        typespec: Any,
        default: Any,
        help: str,
        choices: Iterable[Any] | None,
        flag: str | None,
        short: str | None,
        source: str,
    ) -> Self:
        """As an addon declares it; raises `AddonError` for a type or a flag that cannot be."""
        try:
            kind = kind_of(typespec)
            allowed = kind.choices if choices is None else kind.allowed(choices)
        except (AddonError, OptionsError) as problem:
            raise AddonError(f"option {name!r} of {source}: {problem}") from None
        for text, form, example in ((flag, _FLAG, "--my-flag"), (short, _SHORT, "-M")):
            if text is not None and not form.fullmatch(text):
                raise AddonError(f"option {name!r} of {source}: {text!r} is not a flag such as {example}")
        return cls(name, typespec, default, help, allowed, source, flag, short)

    @property
    def kind(self) -> Kind:
        """The type as something that can check and read values."""
        return kind_of(self.typespec)

    @property
    def about(self) -> str:
        """Its help, and the choices if there are any."""
        return (
            self.help if self.choices is None else f"{self.help} One of {', '.join(map(str, self.choices))}."
        )

    @property
    def flags(self) -> tuple[str, ...]:
        """Its flags on the command line, the short one first."""
        return tuple(text for text in (self.short, self.flag) if text)

    def check(self, value: object) -> Any:
        """*value* as it will be stored; raises `OptionsError` if type or choice is wrong."""
        kind = self.kind
        checked = kind.check(self.name, value)
        if self.choices is not None and checked is not None:
            for item in checked if kind.sequence else [checked]:
                if item not in self.choices:
                    names, wrong = ", ".join(map(str, self.choices)), kind.plain(item)
                    raise OptionsError(f"option {self.name} must be one of {names}, not {wrong!r}")
        return checked

    def same_as(self, other: Option) -> bool:
        """Whether both declare the same thing, whoever does."""
        return (self.kind, self.default, self.choices) == (other.kind, other.default, other.choices)


def check_flags(option: Option, others: Iterable[Option]) -> None:
    """Raise `AddonError` if a flag of *option* belongs to the command line itself or to one of *others*."""
    if not option.flags:
        return
    owners = dict.fromkeys(RESERVED_FLAGS, "the command line itself")
    for other in others:
        if other.name != option.name:
            owners |= dict.fromkeys(other.flags, f"option {other.name!r} of {other.source}")
    for flag in option.flags:
        if flag in owners:
            raise AddonError(
                f"flag {flag} of option {option.name!r} of {option.source} is taken by {owners[flag]}"
            )


@dataclass(frozen=True, slots=True)
class Given:
    """A value for an option as some source gave it: a *value*, or *texts* (None for a bare name).

    *whole*: the only text holds all items of a sequence, one on each line, or as a list in JSON.

    *origin* is what errors begin with: a variable, a file with line and column. *required*: it is an error
    if no such option is declared in the end.
    """

    value: Any = None
    texts: tuple[str | None, ...] | None = None
    whole: bool = False
    origin: str = ""
    required: bool = True

    def read(self, option: Option, current: object) -> Any:
        """What it means for *option*; raises `OptionsError`. *current* is the value until now."""
        try:
            return option.check(self.value if self.texts is None else self._read(self.texts, option, current))
        except OptionsError as problem:
            raise self.error(problem) from None

    def _read(self, texts: Sequence[str | None], option: Option, current: object) -> Any:
        if self.whole and option.kind.sequence:
            texts = items_of(texts[0] or "")
        return option.kind.read(option.name, texts, option.default if current is None else current)

    def error(self, problem: OptionsError) -> OptionsError:
        """*problem*, with its origin."""
        return type(problem)(f"{self.origin}: {problem}") if self.origin else problem
