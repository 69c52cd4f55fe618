"""The page about matches and actions, and the JSON Schema of rule files, made from the built-in addons."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import types
import typing
from collections.abc import Iterator
from typing import Annotated, Any

from proxyfw.cli.rules import document_schema
from proxyfw.proxy import Proxy
from proxyfw.rules import Match, RuleBook
from proxyfw.ruleset import shape


def book() -> RuleBook:
    """The actions of all addons that are loaded by default."""
    addons = Proxy({"confdir": "none"}).addons
    addons.dormant.wake_all()
    return addons.rules


def schema_text() -> str:
    """The JSON Schema as it is published."""
    return json.dumps(document_schema(book()), indent=1) + "\n"


def actions_page() -> Iterator[str]:
    yield "# Rules: matches and actions\n"
    yield (
        "What rules can ask and do. [Keep rules in a file](../howto/rules.md) says how they are written and "
        "which runs first; editors check rule files with [the JSON Schema](rules.schema.json). Where a list "
        "is wanted, one of its items may stand alone.\n"
    )
    yield "## match\n"
    yield from _table(Match)
    for name, kind in sorted(book().types.items()):
        yield f"## {name}\n"
        yield re.sub(r"``(.+?)``", r"`\1`", inspect.getdoc(kind) or "") + "\n"
        yield f"Acts in {', '.join(f'`{hook}`' for hook in kind.hooks())}.\n"
        yield from _table(kind)


def _table(kind: Any) -> Iterator[str]:
    fields = {field.name: field for field in dataclasses.fields(kind) if field.init}
    if not fields:
        return
    yield "| | | Default | |\n|---|---|---|---|"
    for name, annotation in shape.fields(kind).items():
        notes = typing.get_args(annotation)[1:] if typing.get_origin(annotation) is Annotated else ()
        about = next((note for note in notes if isinstance(note, str)), "")
        row = (f"`{name}`", _kind(annotation), _default(fields[name]), about)
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"
    yield ""


def _kind(annotation: Any) -> str:
    bare = typing.get_args(annotation)[0] if typing.get_origin(annotation) is Annotated else annotation
    origin, args = typing.get_origin(bare), typing.get_args(bare)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(dict.fromkeys(_kind(each) for each in args if each is not type(None)))
    if origin is typing.Literal:
        return ", ".join(f"`{choice}`" for choice in args)
    if origin is dict:
        return f"names to {_kind(args[1])}"
    if origin is list:
        return f"list of {_kind(args[0])}"
    names = {str: "text", int: "number", float: "number", bool: "true, false", Any: "anything"}
    return names.get(bare) or str(bare.__name__).removeprefix("_").lower().replace("pathpattern", "pattern")


def _default(field: dataclasses.Field[Any]) -> str:
    value, missing = field.default, dataclasses.MISSING
    if value is missing and field.default_factory is missing:
        return "needed"
    if value is missing or value is None or value == "" or type(value) is object:
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"
