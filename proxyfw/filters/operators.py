"""The operators: what they are called, what they take, how they look at a flow."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from proxyfw.dns import DNSFlow
from proxyfw.filters import facts, measures, numbers
from proxyfw.filters.facts import BOTH, RECEIVED, SENT, Memo
from proxyfw.filters.jsonpath import condition
from proxyfw.filters.patterns import compiled, finder, is_for_bytes
from proxyfw.filters.wrong import Wrong
from proxyfw.flow import Flow
from proxyfw.http import HTTPFlow
from proxyfw.tcp import TCPFlow
from proxyfw.udp import UDPFlow

Test = Callable[[Flow, Memo], bool]
"""Whether a flow is meant; the memo is that of one evaluation."""
Make = Callable[[str], Test]
"""Makes a test of an operator's argument. Raises Wrong."""

REGEX, STATUS, SIZE, TIME, PORT, VERSION, JSON = (
    "regex", "status", "size", "time", "port", "version", "path",
)  # fmt: skip
ARGUMENTS = {
    REGEX: "A [Python regular "
    "expression](https://docs.python.org/3/library/re.html#regular-expression-syntax), found anywhere "
    "in the text, in capitals or not; `(?-i:Text)` minds capitals. In bodies `.` means line breaks, "
    "too.",
    STATUS: "`404`, `4xx`, `500-599`, `>=400`, or a list: `200,204,3xx`.",
    SIZE: "`0`, `>10k`, `<=1.5m`, `10k-20k`, or a list; units are powers of 1024. A body of which neither "
    "the bytes nor Content-Length are known has no size.",
    TIME: "`>500ms`, `<2s`, `1m-5m`, or a list; units are `ms`, `s`, `m`, `h`, `d`.",
    PORT: "`443`, `8000-8999`, `<1024`, or a list: `80,8080`.",
    VERSION: "`1` (which is both of the next), `1.0`, `1.1`, `2`, `3`, or a list: `2,3`.",
    JSON: "Where in the document, and, if need be, what. Steps behind `$` are `.name`, `['any name']`, "
    "`[0]`, `[-1]`, `.*` or `[*]` (all), `..name` (anywhere below). Comparisons are `=` `!=` `<` `<=` "
    "`>` `>=` with a number, `true`, `false`, `null` or a string (in quotes where it looks like one "
    "of the others), and `~` with a regular expression. They hold if they do for something that is at "
    "the path. With spaces all of it needs quotes: `~json '$.items[*].price >= 10'`.",
}
"""What the arguments of operators look like, by the name they have there."""
NUMERIC = frozenset({STATUS, SIZE, TIME, PORT})
"""Arguments in which spaces and capitals make no difference."""


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator of the filter language.

    *argument* says what it takes, ``""`` that it takes nothing; *description* which flows it means.
    """

    name: str
    argument: str
    description: str
    english: str = field(repr=False, compare=False)
    """What it says about a flow, ``{}`` standing for the argument."""
    make: Make = field(repr=False, compare=False)

    def __str__(self) -> str:
        return f"{self.name} {self.argument}".rstrip()


# Regular expressions over text


def _search(get: Callable[[Flow], Iterable[str]], flags: int = 0) -> Make:
    def make(pattern: str) -> Test:
        search = compiled(pattern, flags).search

        def test(flow: Flow, memo: Memo) -> bool:
            for text in get(flow):  # noqa: SIM110 - any() costs three times as much
                if search(text):
                    return True
            return False

        return test

    return make


def _media_type(side: int) -> Make:
    return _search(lambda flow: facts.media_types(flow, side))


_ASSET = re.compile(r"\s*(image/|font/|text/(css|javascript)|application/((x-)?javascript|(x-)?font))", re.I)


def _is_asset(flow: Flow) -> bool:
    return any(_ASSET.match(kind) for kind in facts.media_types(flow, RECEIVED))


# … and over bytes, where the expression allows it


def _headers(side: int) -> Make:
    def make(pattern: str) -> Test:
        if is_for_bytes(pattern):
            find = finder(pattern, re.MULTILINE)
        else:
            search = compiled(pattern, re.MULTILINE).search
            find = lambda block: search(facts.as_text(block))  # noqa: E731

        def test(flow: Flow, memo: Memo) -> bool:
            return any(find(memo.once(facts.header_block, m)) for m in facts.messages(flow, side))

        return test

    return make


def _body(side: int) -> Make:
    def make(pattern: str) -> Test:
        if is_for_bytes(pattern):
            find = finder(pattern, re.DOTALL)
            return lambda flow, memo: any(find(data) for data in facts.bodies(flow, side, memo))
        search = compiled(pattern, re.DOTALL).search
        return lambda flow, memo: any(search(text) for text in facts.texts(flow, side, memo))

    return make


# JSON


def _json(side: int) -> Make:
    def make(text: str) -> Test:
        holds = condition(text)

        def test(flow: Flow, memo: Memo) -> bool:
            for message in facts.messages(flow, side):
                if any(map(holds, memo.once(facts.documents, message))):
                    return True
            if isinstance(flow, HTTPFlow):
                return any(any(map(holds, facts.parsed(data))) for data in facts.chunks(flow, side))
            return False

        return test

    return make


# Numbers and versions


def _compare(get: Callable[[Flow], float | None], read: numbers.Reader) -> Make:
    def make(text: str) -> Test:
        spans = numbers.spans(text, read)

        def test(flow: Flow, memo: Memo) -> bool:
            number = get(flow)
            return number is not None and any(low <= number <= high for low, high in spans)

        return test

    return make


_VERSIONS = {
    "1": (b"HTTP/1.0", b"HTTP/1.1"),
    "1.0": (b"HTTP/1.0",),
    "1.1": (b"HTTP/1.1",),
    "2": (b"HTTP/2.0", b"HTTP/2"),
    "3": (b"HTTP/3", b"HTTP/3.0"),
}


def _version(text: str) -> Test:
    wanted: set[bytes] = set()
    for entry in text.split(","):
        versions = _VERSIONS.get(entry.strip().upper().removeprefix("HTTP/"))
        if versions is None:
            raise Wrong(f"{entry!r} is not a version of HTTP: write 1, 1.0, 1.1, 2 or 3, or a list: 2,3")
        wanted.update(versions)
    return lambda flow, memo: any(m.version_bytes in wanted for m in facts.messages(flow, BOTH))


# Yes or no


def _flag(holds: Callable[[Flow], bool]) -> Make:
    return lambda _: lambda flow, memo: holds(flow)


def _is_asked(flow: Flow) -> bool:
    return isinstance(flow, (HTTPFlow, DNSFlow)) and flow.response is None


def _is_answered(flow: Flow) -> bool:
    return isinstance(flow, (HTTPFlow, DNSFlow)) and flow.response is not None


def _is_websocket(flow: Flow) -> bool:
    return isinstance(flow, HTTPFlow) and flow.websocket is not None


# fmt: off
OPERATORS: tuple[Operator, ...] = (
    Operator("~u", REGEX, "URL, with the host that the client named; of DNS, the first name asked for",
             "URL matches {}", _search(facts.url)),
    Operator("~d", REGEX, "host of an HTTP request: the one it goes to, or the one that the client named",
             "host matches {}", _search(facts.hosts)),
    Operator("~m", REGEX, "method", "method matches {}", _search(facts.method)),
    Operator("~c", STATUS, "status of the response", "status is {}",
             _compare(measures.status, numbers.status)),
    Operator("~h", REGEX, "a header field, written as `name: value`; `^` and `$` are its ends",
             "header matches {}", _headers(BOTH)),
    Operator("~hq", REGEX, "a header field of the request", "request header matches {}", _headers(SENT)),
    Operator("~hs", REGEX, "a header field of the response", "response header matches {}",
             _headers(RECEIVED)),
    Operator("~t", REGEX, "Content-Type", "content type matches {}", _media_type(BOTH)),
    Operator("~tq", REGEX, "Content-Type of the request", "content type of the request matches {}",
             _media_type(SENT)),
    Operator("~ts", REGEX, "Content-Type of the response", "content type of the response matches {}",
             _media_type(RECEIVED)),
    Operator("~b", REGEX, "decoded body, or a message of WebSocket, TCP or UDP; names and records of DNS",
             "body matches {}", _body(BOTH)),
    Operator("~bq", REGEX, "the same, only what the client sent", "request body matches {}", _body(SENT)),
    Operator("~bs", REGEX, "the same, only what the server sent", "response body matches {}",
             _body(RECEIVED)),
    Operator("~json", JSON, "JSON body, or WebSocket message: something is at the path, or compares",
             "JSON has {}", _json(BOTH)),
    Operator("~jsonq", JSON, "the same, only what the client sent", "request JSON has {}", _json(SENT)),
    Operator("~jsons", JSON, "the same, only what the server sent", "response JSON has {}",
             _json(RECEIVED)),
    Operator("~a", "", "the response is an asset: JavaScript, CSS, image, font", "response is an asset",
             _flag(_is_asset)),
    Operator("~q", "", "no response (yet): HTTP and DNS", "response is missing", _flag(_is_asked)),
    Operator("~s", "", "there is a response: HTTP and DNS", "response is there", _flag(_is_answered)),
    Operator("~e", "", "failed: there is an error", "flow has an error",
             _flag(lambda flow: flow.error is not None)),
    Operator("~http", "", "HTTP, WebSocket included", "flow is HTTP",
             _flag(lambda flow: isinstance(flow, HTTPFlow))),
    Operator("~websocket", "", "WebSocket", "flow is WebSocket", _flag(_is_websocket)),
    Operator("~tcp", "", "raw TCP", "flow is TCP", _flag(lambda flow: isinstance(flow, TCPFlow))),
    Operator("~udp", "", "raw UDP", "flow is UDP", _flag(lambda flow: isinstance(flow, UDPFlow))),
    Operator("~dns", "", "DNS", "flow is DNS", _flag(lambda flow: isinstance(flow, DNSFlow))),
    Operator("~version", VERSION, "version of HTTP that request or response came in",
             "HTTP version is {}", _version),
    Operator("~size", SIZE, "bytes of bodies and messages as they were sent, both directions together",
             "size is {}", _compare(measures.size, numbers.size)),
    Operator("~sizeq", SIZE, "the same, only what the client sent", "request size is {}",
             _compare(measures.size_sent, numbers.size)),
    Operator("~sizes", SIZE, "the same, only what the server sent", "response size is {}",
             _compare(measures.size_received, numbers.size)),
    Operator("~dur", TIME, "from the beginning to the end, or to the latest TCP or UDP message",
             "duration is {}", _compare(measures.duration, numbers.duration)),
    Operator("~age", TIME, "since the beginning", "age is {}",
             _compare(measures.age, numbers.duration)),
    Operator("~src", REGEX, "client, as `address:port`", "client address matches {}",
             _search(facts.source)),
    Operator("~dst", REGEX, "server, as `host:port` or `address:port`", "server address matches {}",
             _search(facts.destinations)),
    Operator("~port", PORT, "port of the server", "server port is {}",
             _compare(measures.port, numbers.port)),
    Operator("~replay", "", "replayed, request or response", "flow is a replay",
             _flag(lambda flow: flow.is_replay is not None)),
    Operator("~replayq", "", "the request is a replay", "request is a replay",
             _flag(lambda flow: flow.is_replay == "request")),
    Operator("~replays", "", "the response is a replay", "response is a replay",
             _flag(lambda flow: flow.is_replay == "response")),
    Operator("~marked", "", "marked", "flow is marked", _flag(lambda flow: bool(flow.marked))),
    Operator("~marker", REGEX, "the marker", "marker matches {}", _search(facts.marker)),
    Operator("~comment", REGEX, "the comment", "comment matches {}", _search(facts.comment)),
    Operator("~meta", REGEX, "an entry of `flow.metadata`, written as `key: value`; `^` and `$` are its ends",
             "metadata matches {}", _search(facts.metadata, re.MULTILINE)),
    Operator("~all", "", "every flow", "flow is any", _flag(lambda flow: True)),
)
# fmt: on
BY_NAME = {operator.name: operator for operator in OPERATORS}
