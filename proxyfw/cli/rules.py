"""``proxyfw rules``: what rule files mean, without any traffic."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from proxyfw.exceptions import OptionsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from proxyfw.flow import Flow
    from proxyfw.http import HTTPFlow, Request
    from proxyfw.model.trace import Trace
    from proxyfw.rules import Rule, RuleBook

    from .settings import Settings


@click.group(short_help="Test, check and list rule files.")
def rules() -> None:
    """Say what rule files mean, without any traffic."""


_files = click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")


@rules.command("list")
@_files
@click.pass_obj
def list_(settings: Settings, files: tuple[Path, ...]) -> None:
    """List the rules in the order they run in."""
    book = _book(settings, files)
    for rule in book:
        marks = "" if rule.enabled else " (off)"
        times = f", {rule.times} times" if rule.times else ""
        click.echo(f"{rule.priority:>4}  {rule.name}{marks}: {_actions(book, rule)}{times}  [{rule.place}]")


@rules.command()
@_files
@click.pass_obj
def lint(settings: Settings, files: tuple[Path, ...]) -> int:
    """Find mistakes, and rules that can never run. The exit code is 1 if there are any."""
    from proxyfw import rules as public

    book = _book(settings, files)
    found = public.lint(book)
    for line in found:
        click.echo(line)
    if not found:
        click.echo(f"{len(book)} rules, nothing suspicious")
    return 1 if found else 0


@rules.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("url", required=False)
@click.option("-X", "--request", "method", metavar="METHOD", help="Default GET, or POST with --data.")
@click.option("-H", "--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="Repeatable.")
@click.option("-d", "--data", metavar="BODY", help="The body of the request.")
@click.option("--status", type=click.IntRange(100, 599), metavar="CODE", help="An answer of the origin.")
@click.option(
    "--flows", type=click.Path(path_type=Path), metavar="FILE", help="Saved flows instead of a URL."
)
@click.pass_obj
def test(
    settings: Settings,
    file: Path,
    url: str | None,
    method: str | None,
    headers: tuple[str, ...],
    data: str | None,
    status: int | None,
    flows: Path | None,
) -> None:
    """Say what the rules in FILE would do to a request for URL, or to saved flows."""
    import asyncio

    book = _book(settings, (file,))
    if (url is None) == (flows is None):
        raise click.UsageError("give a URL, or --flows FILE")
    for flow in _saved(flows) if flows else [_asked(url or "", method, headers, data, status)]:
        trace, after = asyncio.run(_dry_run(book, flow))
        for line in _report(trace, flow, after):
            click.echo(line)


@rules.command()
@click.pass_obj
def schema(settings: Settings) -> None:
    """Print the JSON Schema of rule files, with the actions of the addons that are loaded."""
    import json

    click.echo(json.dumps(document_schema(_book(settings, ())), indent=2))


@rules.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("name")
def enable(file: Path, name: str) -> None:
    """Switch the rule NAME in FILE on; comments stay."""
    _switch(file, name, True)


@rules.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("name")
def disable(file: Path, name: str) -> None:
    """Switch the rule NAME in FILE off; comments stay."""
    _switch(file, name, False)


def document_schema(book: RuleBook) -> dict[str, object]:
    """The JSON Schema of a rule file: a list of rules, or a mapping with them."""
    listed = book.schema()
    definitions = listed.pop("$defs")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "proxyfw rules",
        "$defs": definitions,
        "anyOf": [
            listed,
            {
                "type": "object",
                "properties": {"rules": listed, "version": {"const": 1}},
                "additionalProperties": False,
            },
        ],
    }


def _switch(file: Path, name: str, enabled: bool) -> None:
    from proxyfw.rules import open_file

    opened = open_file(file)
    opened.set_enabled(name, enabled)
    opened.save()


def _book(settings: Settings, files: Iterable[Path]) -> RuleBook:
    """The rules of *files*, with the actions of the addons that *settings* load. Raises OptionsError."""
    from proxyfw.rules import open_file

    from .loaded import proxy_of

    book = proxy_of(settings).addons.rules
    for source in ("rules", "rules_file"):
        book.provide(source, ())
    book.provide("files", [rule for file in files for rule in open_file(file).rules(book)])
    return book


def _actions(book: RuleBook, rule: Rule) -> str:
    names = {kind: name for name, kind in book.types.items()}
    return " + ".join(names[type(action)] for action in rule.actions)


async def _dry_run(book: RuleBook, flow: Flow) -> tuple[Trace, Flow]:
    from proxyfw.rules import dry_run

    return await dry_run(book.current, flow)


def _asked(
    url: str, method: str | None, headers: tuple[str, ...], data: str | None, status: int | None
) -> HTTPFlow:
    from proxyfw.connection import Client, Server
    from proxyfw.http import HTTPFlow, Request, Response

    fields = [_field(header) for header in headers]
    if data and not any(name.lower() == b"content-type" for name, _ in fields):
        fields.append((b"Content-Type", _type_of(data)))
    try:
        request = Request.make(method or ("GET" if data is None else "POST"), url, data or "", fields)
    except ValueError as problem:
        raise click.UsageError(f"{url}: {problem}") from None
    client = Client(
        peername=("127.0.0.1", 0), sockname=("127.0.0.1", 0), timestamp_start=request.timestamp_start
    )
    flow = HTTPFlow(client, Server(address=(request.host, request.port)))
    flow.request = request
    if status is not None:
        flow.response = Response.make(status)
    return flow


def _type_of(data: str) -> bytes:
    """What clients say of such a body."""
    return b"application/json" if data.lstrip()[:1] in ("{", "[") else b"application/x-www-form-urlencoded"


def _field(header: str) -> tuple[bytes, bytes]:
    name, colon, value = header.partition(":")
    if not colon or not name.strip():
        raise click.UsageError(f"{header!r} is not a header field: write 'Name: value'")
    return name.strip().encode(), value.strip().encode()


def _saved(path: Path) -> Iterator[Flow]:
    from proxyfw import io

    try:
        with path.open("rb") as file:
            yield from io.FlowReader(file).stream()
    except OSError as problem:
        raise OptionsError(f"cannot read flows from {path}: {problem.strerror}") from None


def _report(trace: Trace, before: Flow, after: Flow) -> Iterator[str]:
    from proxyfw.http import HTTPFlow

    if isinstance(before, HTTPFlow):
        yield f"{before.request.method} {before.request.pretty_url}"
    for step in trace:
        yield f"  {step}"
    if isinstance(after, HTTPFlow) and isinstance(before, HTTPFlow):
        yield f"  = {_outcome(trace, before, after)}"


def _outcome(trace: Trace, before: HTTPFlow, after: HTTPFlow) -> str:
    if trace.answered_by and after.response is not None:
        return (
            f"answered by {trace.answered_by}: {after.response.status_code} {after.response.reason}".rstrip()
        )
    if trace.answered_by:
        return f"ended by {trace.answered_by}"
    request = after.request
    changed = _facts(request) != _facts(before.request)
    return f"goes to the origin as {request.method} {request.url}" + (
        ", changed" if changed else ", unchanged"
    )


def _facts(request: Request) -> object:
    return request.method, request.url, request.headers.fields, request.raw_content
