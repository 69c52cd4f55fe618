"""View ``graphql``: what is asked, with which variables. A query that has line ends keeps them."""

from __future__ import annotations

import json
import re

from proxyfw.contentviews import Metadata

from .json import laid_out
from .lines import Lines

_TOKEN = re.compile(
    r'"""(?:[^"]++|"(?!""))*+(?:""")?+|"[^"\\\n]*+(?:\\.[^"\\\n]*+)*+"?+|#[^\n]*+|[\s,]++|\.\.\.'
    r'|[{}()\[\]:]|[^\s,{}()\[\]:"#.]++|\.'
)


def prettify(data: bytes, metadata: Metadata) -> str:
    """A query, or one or several of them in JSON. Raises ValueError if it is neither."""
    text = metadata.decode(data)
    if metadata.content_type == "application/graphql":
        return query_laid_out(text)
    said = json.loads(text)
    return "\n---\n".join(_operation(one) for one in (said if isinstance(said, list) else [said]))


def _operation(said: object) -> str:
    if not isinstance(said, dict) or not isinstance(said.get("query"), str):
        raise ValueError("no GraphQL: there is no query in it")
    parts = [query_laid_out(said["query"])]
    rest = {name: value for name, value in said.items() if name != "query"}
    if rest:
        parts.append(laid_out(json.dumps(rest, ensure_ascii=False)))
    return "\n\n".join(parts)


def query_laid_out(query: str) -> str:
    """A field a line, unless whoever wrote *query* has seen to that."""
    if "\n" in query.strip():
        return query.strip("\n")
    lines, parentheses, before = Lines(), 0, ""
    for token in _TOKEN.findall(query):
        if token[0] in " \t,":
            if parentheses:
                lines.put("," if "," in token else "")
                lines.space()
            elif before in (":", "...", "on", "{") or not lines.depth:
                lines.space()
            else:
                before = "end"
            continue
        if before == "end":
            lines.space() if token in "({@:" or token[0] == "@" else lines.end()
        parentheses = max(parentheses + (token in "([") - (token in ")]"), 0)
        before = token
        if token == "{" and not parentheses:
            lines.space()
            lines.put(token)
            lines.end()
            lines.depth += 1
        elif token == "}" and not parentheses:
            lines.end()
            lines.depth = max(lines.depth - 1, 0)
            lines.put(token)
            lines.end()
        else:
            lines.put(token)
            if token == ":":
                lines.space()
            elif token[0] == "#":
                lines.end()
    return lines.text()
