"""Answers requests from files: one file whatever is asked, or those of a directory.

Files are read when they are asked for, big ones while they are sent. Nothing outside of the directory is ever
read, and a request that is to be answered from it is never sent on.
"""

from __future__ import annotations

import logging
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Annotated, Any, NamedTuple
from urllib.parse import unquote

from proxyfw import ctx
from proxyfw.addonmanager import Loader
from proxyfw.exceptions import OptionsError
from proxyfw.http import HTTPFlow, Request, Response, media_type_of
from proxyfw.rules import Action, File, Hit, Match, Rule, RuleBook, split_spec

log = logging.getLogger("proxyfw")

_FORM = "|[filter|]url-regex|path"
_INDEX = "index.html"
_PIECE = 64 * 1024
"""Bytes of a big file in memory at a time."""
_ODD = re.compile(r"[^0-9a-zA-Z\-_.=(),/]")
"""What file systems may not have in names."""
_RANGE = re.compile(r"bytes=\s*([0-9]{0,18})-([0-9]{0,18})\s*", re.IGNORECASE)


class Escape(Exception):
    """A name leads out of the directory."""


class Span(NamedTuple):
    """A part of a file: its first byte, and how many."""

    start: int
    length: int


@dataclass
class MapLocal(Action):
    """Answer from a file, or from the files of a directory."""

    path: Annotated[File, "A file, which is the answer whatever is asked, or a directory."]
    name: Annotated[
        str | None,
        "The file in the directory, as `$1.html`; by default what the last wildcard of the path or URL stood"
        " for, or the first group of a regular expression, or what comes behind it; else the whole path.",
    ] = None
    status: Annotated[int, "Status of the answer."] = 200
    headers: Annotated[dict[str, str], "Header fields of the answer, instead of ours or besides them."] = (
        field(default_factory=dict)
    )
    answers = True
    others: Sequence[Rule] = field(init=False, repr=False, default=())
    """Rules like this, which have a file perhaps where this one has none."""

    def __post_init__(self) -> None:
        if not 200 <= self.status <= 999:
            raise ValueError(f"status: {self.status} is no status to end with: write 200 to 999")

    def request(self, flow: HTTPFlow, hit: Hit) -> None:
        """Answer."""
        missing: dict[str, Path] = {}
        try:
            for action, named in self._in_turn(flow, hit):
                for file in action._candidates(named):
                    if _is_file(file):
                        return action._answer(flow, file, hit)
                    missing[action._shown(file)] = file
            self._refuse(
                flow, hit, f"there is no {', '.join(missing)}", ", ".join(map(str, missing.values()))
            )
        except Escape as problem:
            self._refuse(flow, hit, "the path leads out of the directory", str(problem))
        except OSError as problem:
            self._refuse(flow, hit, f"the file cannot be read: {problem.strerror}", str(problem.filename))

    def _in_turn(self, flow: HTTPFlow, hit: Hit) -> Iterator[tuple[MapLocal, str]]:
        """This action and those of `others` that match, with the name that is asked for."""
        yield self, hit.expand(self.name) if self.name is not None else _rest(flow.request, hit.rule.match)
        for rule in self.others:
            if all(test.holds(flow) is not None for test in rule.match.tests(Random(0))):
                (other,) = rule.actions
                assert isinstance(other, MapLocal)
                yield other, _rest(flow.request, rule.match)

    def _candidates(self, named: str) -> Iterator[Path]:
        """The files that may be meant by *named*, the likeliest first. Raises Escape."""
        if not self.path.is_dir():
            yield self.path
            return
        root = self.path.resolve()
        for name in _names(named):
            yield _below(root, name)

    def _shown(self, file: Path) -> str:
        """*file* without what is nobody's business."""
        root = self.path.resolve()
        return str(file.relative_to(root)) if file != root and file.is_relative_to(root) else file.name

    def _refuse(self, flow: HTTPFlow, hit: Hit, reason: str, private: str) -> None:
        hit.note(f"404: {reason} ({private!r})")
        log.info("%s: %s: %s (%r)", flow.request.pretty_url, hit.rule.name, reason, private)
        flow.response = Response.make(
            404, f"map_local, rule {hit.rule.name}: {reason}\n", {"Content-Type": "text/plain; charset=utf-8"}
        )

    def _answer(self, flow: HTTPFlow, file: Path, hit: Hit) -> None:
        """Answer with *file*, or the part of it that is asked for. RFC 9110 sections 13 and 14."""
        facts = file.stat()
        etag = f'"{facts.st_mtime_ns:x}-{facts.st_size:x}"'
        headers = {
            "Content-Type": media_type_of(file.name), "ETag": etag, "Cache-Control": "no-cache",
            "Accept-Ranges": "bytes",
        }  # fmt: skip
        status, span = self.status, Span(0, facts.st_size)
        asked = flow.request.headers if status == 200 and flow.request.method in ("GET", "HEAD") else {}
        if asked.get("if-none-match") in (etag, "*"):
            status, span = 304, Span(0, 0)
        elif flow.request.method == "GET" and asked.get("if-range", etag) == etag:
            part = _part(asked.get("range"), facts.st_size)
            if part is not None:
                status, span = (206, part) if part.length else (416, part)
                last = f"{part.start}-{part.start + part.length - 1}" if part.length else "*"
                headers["Content-Range"] = f"bytes {last}/{facts.st_size}"
        flow.response = response = Response.make(status)
        response.headers.update({**headers, **self.headers})
        if status != 304:
            _fill(response, file, span, flow.request.method == "HEAD")
        hit.note(f"{status} from {file}")


def _fill(response: Response, file: Path, span: Span, head: bool) -> None:
    """Give *response* its body: at once, or if it is big, when it is sent."""
    response.headers["Content-Length"] = str(span.length)
    above: int | None = ctx.options.stream_large_bodies
    if head:
        return
    if above is not None and span.length > above:
        response.raw_content = None
        response.stream = lambda _: _pieces(file, span)
    else:
        response.raw_content = b"".join(_pieces(file, span))


def _pieces(file: Path, span: Span) -> Iterator[bytes]:
    """The bytes of *span*. Raises OSError if the file has become shorter meanwhile."""
    left = span.length
    with file.open("rb") as stream:
        stream.seek(span.start)
        while left:
            piece = stream.read(min(left, _PIECE))
            if not piece:
                raise OSError(0, "it has become shorter while it was read", str(file))
            left -= len(piece)
            yield piece


def _part(asked: str | None, size: int) -> Span | None:
    """The range of bytes that is asked for; of no length if there is no such; None if all is to be sent.

    Several ranges at once, and what is no range, count as none. RFC 9110 section 14.2.
    """
    found = _RANGE.fullmatch(asked or "")
    if not found or not (found[1] or found[2]):
        return None
    if not found[1]:
        length = min(int(found[2]), size)
        return Span(size - length, length)
    start, last = int(found[1]), min(int(found[2] or size - 1), size - 1)
    if found[2] and int(found[2]) < start:
        return None
    return Span(start, max(0, last - start + 1))


def _rest(request: Request, match: Match) -> str:
    """What of the URL is not said by *match*."""
    path = request.path
    for patterns, text in ((match.path, path), (match.url, request.pretty_url)):
        bare = text.partition("?")[0]
        for pattern in patterns or ():
            whole = text if pattern.is_regex or "?" in pattern.text else bare
            found = pattern.find(whole)
            if found:
                return found[0 if pattern.is_regex else -1]
            if found is not None and pattern.is_regex:
                return pattern.after(whole).partition("?")[0]
    return path.partition("?")[0]


def _names(named: str) -> list[str]:
    """The names of files that *named*, a part of a URL, may mean. Raises Escape."""
    names: list[str] = []
    for part in dict.fromkeys((named, named.partition("?")[0])):
        name = unquote(part).strip("/")
        if "\0" in name or ".." in re.split(r"[/\\]", name):
            raise Escape(name)
        plain = _ODD.sub("_", name)
        for each in dict.fromkeys((name, plain)) if name else ():
            names += [each, f"{each}/{_INDEX}"]
    return names or [_INDEX]


def _below(root: Path, name: str) -> Path:
    """The file *name* in *root*, symbolic links followed. Raises Escape if it is elsewhere."""
    try:
        file = (root / name).resolve()
    except (OSError, RuntimeError, ValueError) as problem:  # a link that leads to itself
        raise Escape(f"{root / name}: {problem}") from None
    if not file.is_relative_to(root):
        raise Escape(str(file))
    return file


def _is_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):
        return False


class LocalMapping:
    """The addon: action and option `map_local`."""

    name = "map_local"

    def load(self, loader: Loader) -> None:
        """Declare action and option."""
        loader.add_action("map_local", MapLocal)
        loader.add_option(
            "map_local",
            Sequence[str],
            [],
            f"Answer from a file or a directory: {_FORM}; the first file that there is.",
            flag="--map-local",
        )

    def configure(self, updated: set[str]) -> None:
        """Make rules of the option. Raises OptionsError."""
        if "map_local" in updated:
            book: RuleBook = ctx.master.addons.rules
            rules = [_rule(book, index, spec) for index, spec in enumerate(ctx.options.map_local)]
            for index, rule in enumerate(rules):
                (action,) = rule.actions
                assert isinstance(action, MapLocal)
                action.others = rules[index + 1 :]
            book.provide(self.name, rules)


def _rule(book: RuleBook, index: int, spec: str) -> Rule:
    expression, regex, path = split_spec("map_local", spec, _FORM)
    place = f"map_local: {spec!r}"
    match: dict[str, Any] = {"url": f"/{regex or '^'}/", **({"filter": expression} if expression else {})}
    action: dict[str, Any] = {"type": "map_local", "path": path}
    data = {"name": f"map_local[{index}]", "match": match, "action": action}
    if not path or not Path(path).expanduser().exists():
        raise OptionsError(f"{place}: there is no file or directory {path!r}")
    (rule,) = book.read([data], locate=lambda _: place)
    return rule
