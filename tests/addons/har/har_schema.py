"""HAR 1.2 as a JSON Schema, after http://www.softwareishard.com/blog/har-12-spec/: strict about names."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}
SIZE: Schema = {"type": "integer", "minimum": -1}
TIME: Schema = {"type": "number", "minimum": 0}
MAYBE: Schema = {"anyOf": [TIME, {"const": -1}]}
DATE: Schema = {
    "type": "string",
    "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$",
}


def record(required: Schema, optional: Schema | None = None) -> Schema:
    """An object with these members, and such as begin with an underscore."""
    return {
        "type": "object",
        "properties": {**required, **(optional or {}), "comment": TEXT},
        "required": list(required),
        "patternProperties": {"^_": {}},
        "additionalProperties": False,
    }


def many(item: Schema) -> Schema:
    """A list of such."""
    return {"type": "array", "items": item}


PAIR = record({"name": TEXT, "value": TEXT})
COOKIE = record(
    {"name": TEXT, "value": TEXT},
    {"path": TEXT, "domain": TEXT, "expires": DATE, "httpOnly": FLAG, "secure": FLAG},
)
PARAM = record({"name": TEXT}, {"value": TEXT, "fileName": TEXT, "contentType": TEXT})
POST_DATA = {
    **record({"mimeType": TEXT}, {"text": TEXT, "params": many(PARAM)}),
    "not": {"required": ["text", "params"]},
}
REQUEST = record(
    {
        "method": TEXT,
        "url": TEXT,
        "httpVersion": TEXT,
        "cookies": many(COOKIE),
        "headers": many(PAIR),
        "queryString": many(PAIR),
        "headersSize": SIZE,
        "bodySize": SIZE,
    },
    {"postData": POST_DATA},
)
CONTENT = record(
    {"size": SIZE, "mimeType": TEXT}, {"compression": {"type": "integer"}, "text": TEXT, "encoding": TEXT}
)
RESPONSE = record(
    {
        "status": {"type": "integer"},
        "statusText": TEXT,
        "httpVersion": TEXT,
        "cookies": many(COOKIE),
        "headers": many(PAIR),
        "content": CONTENT,
        "redirectURL": TEXT,
        "headersSize": SIZE,
        "bodySize": SIZE,
    }
)
TIMINGS = record(
    {"send": TIME, "wait": TIME, "receive": TIME},
    {"blocked": MAYBE, "dns": MAYBE, "connect": MAYBE, "ssl": MAYBE},
)
ENTRY = record(
    {
        "startedDateTime": DATE,
        "time": TIME,
        "request": REQUEST,
        "response": RESPONSE,
        "cache": {"type": "object"},
        "timings": TIMINGS,
    },
    {"pageref": TEXT, "serverIPAddress": TEXT, "connection": TEXT},
)
CREATOR = record({"name": TEXT, "version": TEXT})
LOG = record(
    {"version": {"const": "1.2"}, "creator": CREATOR, "entries": many(ENTRY)},
    {"browser": CREATOR, "pages": {"type": "array"}},
)
HAR: Schema = {**record({"log": LOG}), "$schema": "https://json-schema.org/draft/2020-12/schema"}
