"""The ``match`` of a rule: what is written there, and the tests that come of it, cheapest first.

All that is given must hold. Of several patterns for one fact (a method, a host) one must hold, of several
values for a name that may be repeated (a query parameter, a header) each must be there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from random import Random
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from proxyfw.exceptions import FilterError
from proxyfw.flow import Flow
from proxyfw.http import HTTPFlow
from proxyfw.ruleset import facts
from proxyfw.ruleset.facts import Subject
from proxyfw.ruleset.patterns import Found, PathPattern, Pattern
from proxyfw.ruleset.quantities import Chance
from proxyfw.ruleset.shape import Problem, ShapeError

if TYPE_CHECKING:
    from proxyfw.filters.tree import Filter


class Known(IntEnum):
    """From when on a fact is known."""

    CONNECTION = 0
    REQUEST_HEAD = 1
    REQUEST_BODY = 2
    RESPONSE_HEAD = 3
    RESPONSE_BODY = 4
    MESSAGE = 5


class Test(NamedTuple):
    """One condition: the field it stems from, when it can be answered, and the answer.

    `holds` gives None if it does not hold, else what the wildcards of its pattern stood for.
    """

    field: str
    known: Known
    holds: Callable[[Any], Found | None]


class _Filter:
    """A filter expression in a rule file."""

    @classmethod
    def read(cls, value: object) -> Filter:
        """Raises ValueError."""
        if not isinstance(value, str):
            raise ValueError(f"must be a filter expression, not {value!r}")
        return _parsed(value)

    @classmethod
    def schema(cls) -> dict[str, Any]:
        """As JSON Schema."""
        return {"type": "string"}


class _Status:
    """Status codes in a rule file: 404, 4xx, 500-599."""

    @classmethod
    def read(cls, value: object) -> Filter:
        """Raises ValueError."""
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise ValueError(f"must be a status as 404, 4xx or 500-599, not {value!r}")
        try:
            return _parsed(f"~c {str(value).replace(' ', '')}")
        except FilterError as problem:
            raise ValueError(problem.reason) from None

    @classmethod
    def schema(cls) -> dict[str, Any]:
        """As JSON Schema."""
        return {"type": ["string", "integer"]}


def _parsed(expression: str) -> Filter:
    from proxyfw import flowfilter  # not before somebody has a filter: it is not small

    return flowfilter.parse(expression)


@dataclass(frozen=True, slots=True)
class GraphQL:
    """A GraphQL operation."""

    operation: Annotated[list[Pattern], "Pattern of its name."] = field(default_factory=list)
    kind: Annotated[Literal["query", "mutation", "subscription"] | None, "What it is."] = None

    @staticmethod
    def shorthand(value: object) -> Mapping[str, Any]:
        """A name alone is an operation of any kind."""
        return {"operation": value}

    @staticmethod
    def shorthand_schema() -> dict[str, Any]:
        """As JSON Schema."""
        return {"type": ["string", "array"]}


Named = dict[str, list[Pattern] | None]
"""Patterns by name; None says that there must be nothing of this name."""
Protocols = Literal["http", "https", "ws", "wss", "grpc", "tls", "tcp", "udp", "dns"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Which flows a rule is for; empty: all."""

    filter: Annotated[_Filter | None, "Filter expression, as `~m POST & ~t json`."] = None
    url: Annotated[
        list[Pattern] | None,
        "Pattern of the URL, of WebSockets also as `wss://`; the query counts only if the pattern has a `?`.",
    ] = None
    scheme: Annotated[list[Pattern] | None, "`http` or `https`."] = None
    host: Annotated[
        list[Pattern] | None, "Pattern of the host; `*.example.com` means all below, not example.com itself."
    ] = None
    port: Annotated[list[int] | None, "Port of the origin."] = None
    path: Annotated[list[PathPattern] | None, "Pattern of the path; the query as for url."] = None
    method: Annotated[list[Pattern] | None, "Methods."] = None
    protocol: Annotated[list[Protocols] | None, "What is spoken."] = None
    query: Annotated[Named | None, "Parameters of the query, in any order; null: absent."] = None
    headers: Annotated[Named | None, "Header fields of the request; null: absent."] = None
    cookies: Annotated[Named | None, "Cookies of the request; null: absent."] = None
    form: Annotated[Named | None, "Fields of a form, urlencoded or multipart; null: absent."] = None
    json: Annotated[Any, "The body is JSON and equals this."] = facts.MISSING
    json_contains: Annotated[Any, "The body is JSON and has at least this in it."] = facts.MISSING
    graphql: Annotated[GraphQL | None, "A GraphQL operation by its name."] = None
    body: Annotated[list[Pattern] | None, "Pattern of the decoded text of the request's body."] = None
    status: Annotated[_Status | None, "Status of the response: 404, 4xx, 500-599."] = None
    message: Annotated[list[Pattern] | None, "Pattern of a WebSocket, TCP, UDP message or SSE event."] = None
    sender: Annotated[Literal["client", "server"] | None, "Who sent the message."] = None
    chance: Annotated[Chance | None, "Part of the flows that are meant: 0.1, or 10%."] = None

    def tests(self, random: Random) -> list[Test]:
        """What has to hold, cheapest first; *random* decides about `chance`."""
        found = [test for make in _MAKERS for test in make(self)]
        found.sort(key=lambda test: test.known)  # stable: what is cheap stays first
        if self.chance is not None:
            chance = self.chance
            known = max((test.known for test in found), default=Known.CONNECTION)
            found.append(Test("chance", known, lambda subject: () if random.random() < chance else None))
        return found

    def hosts(self) -> list[Pattern] | None:
        """Patterns one of which the host must match, as far as they are obvious; None: any host may do."""
        if self.host:
            return self.host
        hosts = [_host_of(pattern) for pattern in self.url or ()]
        found = [host for host in hosts if host is not None]
        return found if found and len(found) == len(hosts) else None

    def __post_init__(self) -> None:
        for name in ("url", "host"):
            if getattr(self, name) == []:
                raise ShapeError([Problem((name,), "is an empty list, so that it never holds: leave it out")])


def _host_of(url: Pattern) -> Pattern | None:
    scheme, slashes, rest = url.text.partition("://")
    if url.is_regex or not slashes or "*" in scheme:
        return None
    authority = rest.partition("/")[0].partition("?")[0]
    name = authority.rpartition(":")[0] or authority if authority.rpartition(":")[2].isdigit() else authority
    return None if "*" in authority[len(name) :] or name.endswith("*") else Pattern(name.strip("[]"))


def _one(
    name: str, known: Known, patterns: Sequence[Any] | None, get: Callable[[Any], Any]
) -> Iterable[Test]:
    """One of *patterns* must match what *get* gives; None there means no."""
    if patterns is None:
        return

    def holds(subject: Any) -> Found | None:
        value = get(subject)
        for pattern in patterns if value is not None else ():
            found: Found | None = pattern.find(value)
            if found is not None:
                return found
        return None

    yield Test(name, known, holds)


def _among(
    name: str, known: Known, values: Sequence[Any] | None, get: Callable[[Any], Any]
) -> Iterable[Test]:
    if values is not None:
        wanted = frozenset(values)
        yield Test(name, known, lambda subject: () if get(subject) in wanted else None)


def _flow(get: Callable[[HTTPFlow], Any]) -> Callable[[Any], Any]:
    """*get*, and None for what is not HTTP."""
    return lambda subject: get(subject) if isinstance(subject, HTTPFlow) else None


def _each(
    name: str, known: Known, wanted: Mapping[str, Any] | None, get: Callable[[HTTPFlow], Mapping[str, Any]]
) -> Iterable[Test]:
    """Every name of *wanted* must be there with such values, or not be there at all."""
    for key, patterns in (wanted or {}).items():
        yield Test(f"{name}.{key}", known, _has(key, patterns, get))


def _has(
    key: str, patterns: Sequence[Pattern] | None, get: Callable[[HTTPFlow], Any]
) -> Callable[[Any], Found | None]:
    def holds(subject: Any) -> Found | None:
        if not isinstance(subject, HTTPFlow):
            return None
        values = get(subject).get_all(key)
        if patterns is None:
            return None if values else ()
        found: list[str] = []
        for pattern in patterns:
            groups = next((g for value in values if (g := pattern.find(value)) is not None), None)
            if groups is None:
                return None
            found.extend(groups)
        return tuple(found) if values else None

    return holds


def _url(match: Match) -> Iterable[Test]:
    if match.url is not None:
        yield Test("url", Known.REQUEST_HEAD, _of_url(match.url))
    if match.path is not None:
        yield Test("path", Known.REQUEST_HEAD, _with_query(match.path, lambda f: f.request.path))


def _of_url(patterns: Sequence[Pattern]) -> Callable[[Any], Found | None]:
    """Patterns that begin with ``ws`` mean the URL that a page writes to open a WebSocket."""
    of_sockets = [each for each in patterns if each.text.lower().startswith(("ws://", "wss://"))]
    usual = _with_query([each for each in patterns if each not in of_sockets], lambda f: f.request.pretty_url)
    if not of_sockets:
        return usual
    socket = _with_query(of_sockets, facts.websocket_url)

    def holds(subject: Any) -> Found | None:
        found = usual(subject)
        return socket(subject) if found is None else found

    return holds


def _with_query(patterns: Sequence[Pattern], get: Callable[[HTTPFlow], str]) -> Callable[[Any], Found | None]:
    def holds(subject: Any) -> Found | None:
        if not isinstance(subject, HTTPFlow):
            return None
        whole = get(subject)
        bare = whole.partition("?")[0]
        for pattern in patterns:
            found = pattern.find(whole if pattern.is_regex or "?" in pattern.text else bare)
            if found is not None:
                return found
        return None

    return holds


def _protocol(match: Match) -> Iterable[Test]:
    if match.protocol is None:
        return
    wanted = frozenset(match.protocol)
    grpc = "grpc" in wanted

    def holds(subject: Subject) -> Found | None:
        if facts.protocol(subject) in wanted:
            return ()
        return () if grpc and isinstance(subject, HTTPFlow) and facts.is_grpc(subject) else None

    needs_head = wanted - {"tls", "tcp", "udp", "dns"}
    yield Test("protocol", Known.REQUEST_HEAD if needs_head else Known.CONNECTION, holds)


def _body(match: Match) -> Iterable[Test]:
    known = Known.REQUEST_BODY
    if match.json is not facts.MISSING:
        yield Test("json", known, _json(match.json, equals))
    if match.json_contains is not facts.MISSING:
        yield Test("json_contains", known, _json(match.json_contains, contains))
    if match.graphql is not None:
        yield Test("graphql", known, _graphql(match.graphql))
    yield from _one("body", known, match.body, _flow(facts.body))


def _json(wanted: Any, compare: Callable[[Any, Any], bool]) -> Callable[[Any], Found | None]:
    def holds(subject: Any) -> Found | None:
        found = facts.json_of(subject) if isinstance(subject, HTTPFlow) else facts.MISSING
        return () if found is not facts.MISSING and compare(found, wanted) else None

    return holds


def equals(found: Any, wanted: Any) -> bool:
    """Whether both are the same JSON; true is not 1."""
    if isinstance(wanted, Mapping):
        same = isinstance(found, Mapping) and found.keys() == wanted.keys()
        return same and all(equals(found[key], each) for key, each in wanted.items())
    if isinstance(wanted, list):
        same = isinstance(found, list) and len(found) == len(wanted)
        return same and all(map(equals, found, wanted))
    return bool(found == wanted) and isinstance(found, bool) == isinstance(wanted, bool)


def contains(found: Any, wanted: Any) -> bool:
    """Whether *found* has *wanted* in it: of mappings the keys, of lists the items, in any order."""
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(
            key in found and contains(found[key], each) for key, each in wanted.items()
        )
    if isinstance(wanted, list):
        return isinstance(found, list) and all(any(contains(f, w) for f in found) for w in wanted)
    return equals(found, wanted)


def _graphql(wanted: GraphQL) -> Callable[[Any], Found | None]:
    patterns: Sequence[Any] = wanted.operation

    def holds(subject: Any) -> Found | None:
        for kind, name in facts.operations(subject) if isinstance(subject, HTTPFlow) else ():
            if wanted.kind in (None, kind):
                if not patterns:
                    return ()
                found = next((f for pattern in patterns if (f := pattern.find(name)) is not None), None)
                if found is not None:
                    return tuple(found)
        return None

    return holds


def _filter(match: Match) -> Iterable[Test]:
    for name in ("status", "filter"):
        wanted = getattr(match, name)
        if wanted is not None:
            yield Test(name, _known(wanted), _passes(wanted))


def _passes(wanted: Filter) -> Callable[[Any], Found | None]:
    return lambda subject: () if isinstance(subject, Flow) and wanted(subject) else None


_OPERATORS = {
    **dict.fromkeys(("~c", "~s", "~hs", "~ts", "~a"), Known.RESPONSE_HEAD),
    **dict.fromkeys(("~bs", "~jsons", "~sizes", "~dur"), Known.RESPONSE_BODY),
    **dict.fromkeys(("~bq", "~jsonq", "~sizeq"), Known.REQUEST_BODY),
}


def _known(condition: Filter) -> Known:
    """From when on it may hold; what is combined with "or" or "not" may hold from the beginning."""
    from proxyfw.filters.tree import Both, Single

    parts = condition.parts if isinstance(condition, Both) else [condition]
    names = [part.operator.name for part in parts if isinstance(part, Single)]
    return max((_OPERATORS.get(name, Known.REQUEST_HEAD) for name in names), default=Known.REQUEST_HEAD)


def _message(match: Match) -> Iterable[Test]:
    if match.sender is not None:
        yield Test("sender", Known.MESSAGE, _sent_by(match.sender == "client"))
    yield from _one("message", Known.MESSAGE, match.message, _message_text)


def _sent_by(client: bool) -> Callable[[Any], Found | None]:
    return lambda subject: () if _last(subject, "from_client", not client) is client else None


def _last(subject: Any, attribute: str, otherwise: Any) -> Any:
    """What *attribute* is of the newest message."""
    holder = subject.websocket if isinstance(subject, HTTPFlow) else subject
    messages = getattr(holder, "messages", None)
    return getattr(messages[-1], attribute) if messages else otherwise


def _message_text(subject: Any) -> str | None:
    content = _last(subject, "content", None)
    return None if content is None else bytes(content).decode("utf-8", "replace")


def _simple(match: Match) -> Iterable[Test]:
    yield from _one("host", Known.CONNECTION, match.host, facts.host)
    yield from _among("port", Known.CONNECTION, match.port, facts.port)
    head = Known.REQUEST_HEAD
    yield from _one("method", head, match.method, _flow(lambda f: f.request.method))
    yield from _one("scheme", head, match.scheme, _flow(lambda f: f.request.scheme))


def _named(match: Match) -> Iterable[Test]:
    head = Known.REQUEST_HEAD
    yield from _each("headers", head, match.headers, lambda f: f.request.headers)
    yield from _each("query", head, match.query, lambda f: f.request.query)
    yield from _each("cookies", head, match.cookies, lambda f: f.request.cookies)
    yield from _each("form", Known.REQUEST_BODY, match.form, _form)


def _form(flow: HTTPFlow) -> Any:
    urlencoded = flow.request.urlencoded_form
    return urlencoded or _Decoded(flow.request.multipart_form)


class _Decoded:
    """Fields of a multipart form as text."""

    def __init__(self, pairs: Any) -> None:
        self._pairs = pairs

    def get_all(self, key: str) -> list[str]:
        """The values of *key*."""
        return [value.decode("utf-8", "replace") for value in self._pairs.get_all(key.encode())]


_MAKERS: Sequence[Callable[[Match], Iterable[Test]]] = (
    _simple, _protocol, _url, _named, _filter, _body, _message
)  # fmt: skip
