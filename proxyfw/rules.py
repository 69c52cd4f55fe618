"""Rules: which flows, and what to do with them, as data that a file, an option or code may hold.

An addon offers a type of action with ``loader.add_action("stamp", Stamp)``: a dataclass whose methods are
named like hooks. ``ctx.master.addons.rules`` is the `RuleBook` of the proxy.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from proxyfw.model.trace import Step, Trace
from proxyfw.options import Duration, Size
from proxyfw.ruleset.book import RuleBook
from proxyfw.ruleset.dry import dry_run
from proxyfw.ruleset.lint import lint
from proxyfw.ruleset.match import Match
from proxyfw.ruleset.original import keep_original, original_response, replace_original
from proxyfw.ruleset.patterns import Pattern, host_key
from proxyfw.ruleset.quantities import Chance, Rate
from proxyfw.ruleset.rule import Action, Hit, Rule
from proxyfw.ruleset.shape import File, read
from proxyfw.ruleset.spec import split_spec, split_words
from proxyfw.ruleset.walk import Rules

if TYPE_CHECKING:
    from proxyfw.ruleset.document import RuleFile

__all__ = [
    "Action",
    "Chance",
    "Duration",
    "File",
    "Hit",
    "Match",
    "Pattern",
    "Rate",
    "Rule",
    "RuleBook",
    "RuleFile",
    "Rules",
    "Size",
    "Step",
    "Trace",
    "dry_run",
    "host_key",
    "keep_original",
    "lint",
    "open_file",
    "original_response",
    "read",
    "replace_original",
    "split_spec",
    "split_words",
]


def open_file(path: str | Path, *, alone: bool = True) -> RuleFile:
    """The rule file at *path*; with *alone* false there may be more in it, as in ``config.yaml``.

    Raises OptionsError, with line and column, if it cannot be read.
    """
    from proxyfw.ruleset.document import RuleFile

    return RuleFile(Path(path).expanduser(), alone=alone)


def __getattr__(name: str) -> Any:
    if name == "RuleFile":
        from proxyfw.ruleset.document import RuleFile

        return RuleFile
    raise AttributeError(f"module 'proxyfw.rules' has no attribute {name!r}")
