"""``proxyfw flows``: lists, shows and searches what is stored. Other packages add commands to it."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from .place import json_option, library, moment, print_json, print_table, size, store_option

if TYPE_CHECKING:
    from proxyfw.flow import Flow
    from proxyfw.http import Message
    from proxyfw_addons.storage.library import Library

_HIDDEN = frozenset({"id", "session", "request_body", "response_body"})
_FLAGS = frozenset({"open", "answered", "websocket", "asset", "truncated"})
_LONGEST = 20_000
"""Characters of a body that people are shown."""

_session = click.option("--session", metavar="NAME", help="Default: the active one.")
_everywhere = click.option("--all-sessions", is_flag=True, help="Look in all sessions.")
_limit = click.option("--limit", type=click.IntRange(0), default=100, help="Default 100, the latest; 0: all.")


@click.group(short_help="Flows that were recorded.")
def flows() -> None:
    """Flows that were recorded with --store."""


@flows.command("list")
@click.argument("words", nargs=-1, metavar="[FILTER]...")
@_session
@_everywhere
@_limit
@store_option
@json_option
def list_(
    words: tuple[str, ...],
    session: str | None,
    all_sessions: bool,
    limit: int,
    store: str | None,
    as_json: bool,
) -> None:
    """List flows, those only that FILTER means."""
    _list(store, session, all_sessions, " ".join(words), (), limit, as_json)


@flows.command()
@click.argument("words", nargs=-1, required=True, metavar="WORD...")
@click.option("--filter", "wanted", metavar="FILTER", default="", help="Of those that this filter means.")
@_session
@_everywhere
@_limit
@store_option
@json_option
def search(
    words: tuple[str, ...], wanted: str, session: str | None, all_sessions: bool, limit: int,
    store: str | None, as_json: bool,
) -> None:  # fmt: skip
    """List flows in whose URL, header fields or text bodies all WORDs are.

    WORD* is any word that begins so; words in quotes stand together.
    """
    _list(store, session, all_sessions, wanted, words, limit, as_json)


@flows.command()
@click.argument("id")
@store_option
@json_option
def show(id: str, store: str | None, as_json: bool) -> None:
    """Show the flow whose id is ID, or begins so."""
    with library(store) as found:
        row = found.row(id)
        if row is None:
            raise click.ClickException(f"no flow, or more than one, has an id that begins with {id!r}")
        flow = found.flow(row["uid"])
        assert flow is not None
        if as_json:
            print_json(_whole(found, row, flow))
        else:
            click.echo("\n".join(_text(found, row, flow)))


def _list(
    store: str | None, session: str | None, everywhere: bool, text: str, words: Sequence[str], limit: int,
    as_json: bool,
) -> None:  # fmt: skip
    from proxyfw import flowfilter

    wanted = flowfilter.parse(text) if text else None
    with library(store) as found:
        where = None if everywhere else found.session(session)
        rows = found.rows(where, wanted=wanted, words=words, limit=limit or None)
    if as_json:
        print_json([_plain(row) for row in rows])
        return
    heads = ("ID", "TIME", "METHOD", "STATUS", "SIZE", "DURATION", "URL")
    print_table(heads, [_line(row) for row in reversed(rows)], right=(3, 4, 5))
    if limit and len(rows) == limit:
        click.echo(f"(the latest {limit}; --limit 0 lists all)", err=True)


def _line(row: Mapping[str, Any]) -> tuple[str, ...]:
    duration = row["duration"]
    return (
        row["uid"][:8],
        moment(row["started"]),
        row["method"] or row["type"],
        str(row["status"] or ("failed" if row["error"] else "-")),
        size(row["response_size"]),
        "-" if duration is None else f"{duration * 1000:.0f}ms",
        row["url"] or row["server"] or row["peer"] or "",
    )


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as JSON has it."""
    plain = {"id": row["uid"]}
    for name, value in row.items():
        if name not in _HIDDEN and name != "uid":
            plain[name] = bool(value) if name in _FLAGS else value
    return plain


def _whole(found: Library, row: Mapping[str, Any], flow: Flow) -> dict[str, Any]:
    whole = _plain(row)
    for name, message in _sides(flow):
        whole[name] = {
            "http_version": message.http_version,
            "headers": [[_str(part) for part in field] for field in message.headers.fields],
            **_body(message.get_content(strict=False)),
        }
    whole["messages"] = [
        {name: message[name] for name in ("kind", "timestamp")}
        | {name: bool(message[name]) for name in ("from_client", "dropped", "injected", "truncated")}
        | _body(bytes(message["content"]))
        for message in found.messages(row)
    ]
    noted = found.annotation(row)
    if noted is not None:
        tags = json.loads(noted["tags"])
        whole["annotation"] = {"note": noted["note"], "colour": noted["colour"], "tags": tags}
    return whole


def _sides(flow: Flow) -> list[tuple[str, Message]]:
    from proxyfw.http import HTTPFlow

    if not isinstance(flow, HTTPFlow):
        return []
    sides: list[tuple[str, Message]] = [("request", flow.request)]
    return sides + ([("response", flow.response)] if flow.response is not None else [])


def _body(content: bytes | None) -> dict[str, Any]:
    if content is None:
        return {"text": None}
    try:
        return {"text": content.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(content).decode()}


def _text(found: Library, row: Mapping[str, Any], flow: Flow) -> list[str]:
    lines = [f"{row['type']} {row['uid']}, {moment(row['started'])}, {row['client']} to {row['server']}"]
    for name, message in _sides(flow):
        first = (
            f"{row['method']} {row['url']} {message.http_version}"
            if name == "request"
            else f"{message.http_version} {row['status']} {_reason(flow)}".rstrip()
        )
        lines += ["", click.style(first, bold=True)]
        lines += [f"{_str(key)}: {_str(value)}" for key, value in message.headers.fields]
        lines += _shown_body(message.get_content(strict=False), message.truncated)
    for each in found.messages(row):
        arrow = "->" if each["from_client"] else "<-"
        lines += ["", f"{arrow} {each['kind']}{', dropped' if each['dropped'] else ''}"]
        lines += _shown_body(bytes(each["content"]), bool(each["truncated"]))
    if row["error"]:
        lines += ["", f"failed: {row['error']}"]
    noted = found.annotation(row)
    if noted is not None:
        lines += ["", f"note: {' '.join([noted['colour'], noted['note'], noted['tags']]).strip()}"]
    return [
        "".join(char if char.isprintable() or char in "\n\t\x1b" else "\ufffd" for char in x) for x in lines
    ]


def _shown_body(content: bytes | None, truncated: bool) -> list[str]:
    if content is None:
        return ["", "(the body was not recorded)"]
    if not content:
        return []
    try:
        text = content.decode().replace("\x1b", "\ufffd").replace("\r\n", "\n")
    except UnicodeDecodeError:
        return ["", f"({len(content)} bytes; --json has them)"]
    more = f"… ({len(text) - _LONGEST} more characters)" if len(text) > _LONGEST else ""
    return ["", text[:_LONGEST] + more, *(["(the record was cut)"] if truncated else [])]


def _reason(flow: Any) -> str:
    return str(flow.response.reason)


def _str(data: bytes) -> str:
    return data.decode("utf-8", "replace").replace("\x1b", "\ufffd")
