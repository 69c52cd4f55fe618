"""The line that says what a flow was and how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from proxyfw.connection import Address, shown_address
from proxyfw.dns import DNSFlow, response_codes, types
from proxyfw.flow import Error, Flow, clock
from proxyfw.http import HTTPFlow, Message
from proxyfw.options import format_size
from proxyfw.tcp import TCPFlow
from proxyfw.udp import UDPFlow
from proxyfw.websocket import WebSocketData

from .look import BOLD, CYAN, DIM, GREEN, PLAIN, RED, YELLOW, Look, count, duration, escape

SHORTEST_URL = 24
"""A URL is not cut below this many characters, however narrow the terminal."""
_BY_CLASS = {2: GREEN, 3: CYAN, 4: YELLOW, 5: RED}


class Summary(NamedTuple):
    """What the line says after the client's address: what was wanted, how it ended, and figures."""

    verb: str
    target: str
    result: str
    colour: str
    facts: Sequence[str | None] = ()


def line(flow: Flow, look: Look = PLAIN) -> str:
    """The flow in one line; the URL is cut so that it fits the terminal."""
    client = _shown_address(flow.client_conn.peername)
    verb, target, result, colour, facts = summary(flow)
    rest = "".join(f", {fact}" for fact in facts if fact)
    if look.width is not None:
        room = look.width - len(client) - len(verb) - len(result) - len(rest) - len("   -> ")
        target = _cut(target, max(room, SHORTEST_URL))
    return (
        f"{look.paint(client, DIM)} {look.paint(verb, BOLD)} {target} -> {look.paint(result, colour)}{rest}"
    )


def summary(flow: Flow) -> Summary:
    """What is to be said about a flow of any kind."""
    if isinstance(flow, HTTPFlow):
        return _of_http(flow)
    if isinstance(flow, TCPFlow | UDPFlow):
        return _of_chunks(flow)
    if isinstance(flow, DNSFlow):
        return _of_dns(flow)
    return Summary(flow.type.upper(), _server(flow), *(_failure(flow) or ("done", GREEN)), [_age(flow)])


def _of_http(flow: HTTPFlow) -> Summary:
    request, response = flow.request, flow.response
    verb, target = escape(request.method), escape(request.pretty_url)
    if flow.is_replay:
        verb = f"[replay] {verb}"
    failure = _failure(flow)
    if failure or response is None:
        return Summary(verb, target, *(failure or ("no answer", YELLOW)), [_age(flow)])
    status = response.status_code
    facts: list[str | None] = [_media_type(response), shown_size(response), _age(flow)]
    if flow.websocket:
        facts[:2] = _websocket_facts(flow.websocket)
    result = f"{status} {escape(response.reason)}".rstrip()
    return Summary(verb, target, result, _BY_CLASS.get(status // 100, BOLD), facts)


def _websocket_facts(websocket: WebSocketData) -> list[str | None]:
    messages = websocket.messages
    total = format_size(sum(len(message.content) for message in messages))
    if websocket.close_code is None:
        return [f"WebSocket, {count(len(messages), 'message')}", total]
    who = "client" if websocket.closed_by_client else "server"
    reason = f" ({escape(websocket.close_reason)})" if websocket.close_reason else ""
    closed = f"closed by {who} with {websocket.close_code}{reason}"
    return [f"WebSocket, {count(len(messages), 'message')}", total, closed]


def _of_chunks(flow: TCPFlow | UDPFlow) -> Summary:
    sent = sum(len(message.content) for message in flow.messages if message.from_client)
    received = sum(len(message.content) for message in flow.messages if not message.from_client)
    if not flow.messages:  # they were not looked at
        sent, received = flow.bytes_from_client, flow.bytes_from_server
    said = count(len(flow.messages), "message") if flow.messages or not sent + received else "passed through"
    result, colour = _failure(flow) or (said, GREEN)
    facts = [f"{format_size(sent)} sent", f"{format_size(received)} received", _age(flow)]
    return Summary(flow.type.upper(), _server(flow), result, colour, facts)


def _of_dns(flow: DNSFlow) -> Summary:
    questions = flow.request.questions
    verb = "DNS " + (" ".join(types.to_str(question.type) for question in questions) or "query")
    target = escape(" ".join(question.name for question in questions))
    failure, response = _failure(flow), flow.response
    if failure or response is None:
        return Summary(verb, target, *(failure or ("no answer", YELLOW)), [_age(flow)])
    code = response_codes.to_str(response.response_code)
    if response.response_code:
        return Summary(verb, target, code, YELLOW, [_age(flow)])
    answers = ", ".join(escape(str(answer)) for answer in response.answers)
    return Summary(verb, target, answers or "no records", GREEN, [_age(flow)])


def _failure(flow: Flow) -> tuple[str, str] | None:
    """How a flow failed, and the colour to say it in."""
    if flow.error is None:
        return None
    if flow.error.msg == Error.KILLED_MESSAGE:
        return "killed", RED
    return f"failed: {escape(flow.error.msg)}", RED


def _server(flow: Flow) -> str:
    return _shown_address(flow.server_conn.address or flow.server_conn.peername)


def _media_type(message: Message) -> str | None:
    value = message.headers.get("content-type")
    return _short_type(value) if value else None


@lru_cache
def _short_type(value: str) -> str:
    return escape(value.partition(";")[0].strip())


def shown_size(message: Message) -> str:
    """How long the body of *message* is, as it was sent, as far as that is known."""
    raw = message.raw_content
    if raw is not None and not message.truncated:
        return _size(len(raw))
    length = message.headers.get("content-length", "")
    return _size(int(length)) if length.isascii() and length.isdigit() else "streamed"


@lru_cache(maxsize=1024)
def _size(size: int) -> str:
    return format_size(size) if size else "no content"


def _age(flow: Flow) -> str:
    """How long *flow* took."""
    end = flow.response.timestamp_end if isinstance(flow, HTTPFlow) and flow.response else None
    if isinstance(flow, HTTPFlow) and flow.websocket:
        end = flow.websocket.timestamp_end
    if isinstance(flow, TCPFlow | UDPFlow):
        end = flow.timestamp_end
    if flow.error:
        end = flow.error.timestamp
    return duration((end or clock()) - flow.timestamp_start)


@lru_cache
def _shown_address(address: Address | None) -> str:
    return escape(shown_address(address))


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
