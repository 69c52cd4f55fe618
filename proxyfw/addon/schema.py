"""The JSON Schema of an option's value, as ``config.yaml`` may have it (draft 2020-12)."""

from __future__ import annotations

from typing import Any

from proxyfw.addon.kinds import Data, Kind
from proxyfw.addon.option import Option
from proxyfw.addon.quantities import Duration, Size

_SIZE = r"^\s*[0-9]+(\.[0-9]+)?\s*([kKmMgGtT]([iI]?[bB])?|[bB])?\s*$"
_DURATION = r"^\s*([0-9]+(\.[0-9]+)?|([0-9]+(\.[0-9]+)?\s*(ms|s|m|h|d)\s*)+)\s*$"
_TYPES: dict[Any, dict[str, Any]] = {
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    str: {"type": "string"},
    Size: {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": _SIZE}]},
    Duration: {"anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": _DURATION}]},
    dict: {"type": "object"},
    list: {"type": "array"},
    Data: {},
}


def option_schema(option: Option) -> dict[str, Any]:
    """What a value of *option* may be, with its description and default."""
    kind = option.kind
    schema = _TYPES[kind.base]
    if option.choices is not None and not kind.measured:
        schema = {"enum": list(option.choices)}
    schema = _around(kind, schema)
    return {"description": option.help, "default": kind.plain(option.check(option.default)), **schema}


def _around(kind: Kind, schema: dict[str, Any]) -> dict[str, Any]:
    if kind.sequence:
        schema = {"type": "array", "items": schema}
    elif kind.mappings:
        schema = {"type": "array", "items": {"type": "object"}}
    if kind.optional and schema:
        schema = {"anyOf": [schema, {"type": "null"}]}
    return schema
