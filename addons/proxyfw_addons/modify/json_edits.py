"""Edits of JSON documents: merge patches, and patches of single steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from proxyfw.exceptions import ProxyfwError

Operations = Sequence[Mapping[str, Any]]

_NEEDS = {"add": "value", "replace": "value", "test": "value", "move": "from", "copy": "from"}
"""The library misses these only when the operation is done."""


def merged(document: Any, patch: Any) -> Any:
    """*document* with *patch* merged into it: null removes. RFC 7396 section 2."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(document) if isinstance(document, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def check_operations(operations: Operations) -> None:
    """Raise ValueError if *operations* are not a JSON Patch. RFC 6902 section 4."""
    import jsonpatch  # not before there is a patch

    try:
        jsonpatch.JsonPatch(operations)
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException) as problem:
        raise ValueError(f"json_patch: {problem}") from None
    for operation in operations:
        needed = _NEEDS.get(operation["op"])
        if needed and needed not in operation:
            raise ValueError(f"json_patch: {operation['op']} needs {needed!r}")


def patched(document: Any, operations: Operations) -> Any:
    """*document* after all of *operations*. Raises ProxyfwError if one cannot be done: then none is."""
    import jsonpatch

    try:
        return jsonpatch.JsonPatch(operations).apply(document)
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException) as problem:
        raise ProxyfwError(f"json_patch: {problem}; the body stays as it is") from None
