"""The commands flow.*: what they change, what they refuse, and that others are told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from proxyfw.command import CommandManager
from proxyfw.exceptions import CommandError
from proxyfw.flow import Flow
from proxyfw.http import HTTPFlow, Request, Response
from proxyfw.testing import addon_test_context, http_flow
from proxyfw_addons.flows import Flows


class Told:
    """Notes what the hook `update` was called with."""

    def __init__(self) -> None:
        self.flows: list[Flow] = []

    def update(self, flows: Sequence[Flow]) -> None:
        self.flows += flows


@pytest.fixture
def flow() -> HTTPFlow:
    request = Request.make("GET", "http://example.com/a", headers={"Host": "example.com", "X-Old": "1"})
    return http_flow(request, Response.make(200, b"content", {"Content-Type": "text/plain"}))


@pytest.mark.parametrize(
    ("attribute", "value", "expression"),
    [
        ("method", "POST", "flow.request.method == 'POST'"),
        ("url", "https://other.example:8443/b", "flow.request.port == 8443"),
        ("scheme", "https", "flow.request.url.startswith('https://')"),
        ("host", "other.example", "flow.request.headers['Host'] == 'other.example'"),
        ("port", "8080", "flow.request.headers['Host'] == 'example.com:8080'"),
        ("path", "/b?c=d", "flow.request.query['c'] == 'd'"),
        ("header", "X-New:  2 ", "flow.request.headers['x-new'] == '2'"),
        ("header", "X-Old:", "'x-old' not in flow.request.headers"),
        ("body", "text", "flow.request.content == b'text'"),
        ("status_code", "404", "flow.response.reason == 'Not Found'"),
        ("reason", "Gone fishing", "flow.response.reason == 'Gone fishing'"),
        ("response_header", "X-New: 2", "flow.response.headers['x-new'] == '2'"),
        ("response_body", "text", "flow.response.headers['content-length'] == '4'"),
    ],
)
def test_attributes_are_set_and_set_back(flow: HTTPFlow, attribute: str, value: str, expression: str) -> None:
    before, told = flow.get_state(), Told()
    with addon_test_context(Flows(), told) as context:
        commands: CommandManager = context.commands
        commands.call("flow.set", [flow], attribute, value)
        assert eval(expression)
        commands.call("flow.revert", [flow])
    assert flow.get_state() == before
    assert told.flows == [flow, flow]


@pytest.mark.parametrize(
    ("attribute", "value", "message"),
    [
        ("colour", "red", "'colour' is none of method, url"),
        ("port", "x", "port: invalid literal"),
        ("port", "0", "0 is not a port"),
        ("status_code", "9", "9 is not a status"),
        ("url", "nowhere", "has no scheme"),
        ("header", "bare", "'bare' is not a header: write 'Name: value'"),
    ],
)
def test_what_cannot_be_set(flow: HTTPFlow, attribute: str, value: str, message: str) -> None:
    with addon_test_context(Flows()) as context, pytest.raises(CommandError) as caught:
        context.commands.call("flow.set", [flow], attribute, value)
    assert message in str(caught.value)


def test_a_response_is_made_where_there_is_none() -> None:
    flow = http_flow(response=None)
    with addon_test_context(Flows()) as context:
        context.commands.call("flow.set", [flow], "status_code", "404")
    assert flow.response
    assert flow.response.status_code == 404


def test_bodies_are_encoded_and_decoded(flow: HTTPFlow) -> None:
    assert flow.response
    bodiless = http_flow(response=None)
    with addon_test_context(Flows()) as context:
        call = context.commands.call
        call("flow.encode", [flow, bodiless], "response", "gzip")
        assert flow.response.headers["content-encoding"] == "gzip"
        zipped = flow.response.raw_content
        call("flow.encode", [flow], "response", "br")
        assert flow.response.raw_content == zipped
        call("flow.encode.toggle", [flow], "response")
        assert flow.response.raw_content == b"content"
        call("flow.encode.toggle", [flow], "response")
        assert flow.response.headers["content-encoding"] == "deflate"
        call("flow.decode", [flow], "response")
        assert flow.response.raw_content == b"content"
        assert call("flow.encode.options") == ["gzip", "deflate", "br", "zstd"]
        assert call("flow.parts") == ["request", "response"]
        with pytest.raises(CommandError):
            call("flow.encode", [flow], "response", "morse")
        flow.response.headers["content-encoding"] = "gzip"
        with pytest.raises(CommandError):
            call("flow.decode", [flow], "response")


def test_marks_and_comments(flow: HTTPFlow) -> None:
    told = Told()
    with addon_test_context(Flows(), told) as context:
        call = context.commands.call
        call("flow.mark", [flow], "!")
        call("flow.comment", [flow], "odd")
        assert (flow.marked, flow.comment) == ("!", "odd")
        call("flow.mark.toggle", [flow])
        assert flow.marked == ""
        call("flow.mark.toggle", [flow])
        assert flow.marked
        call("flow.mark", [], "!")
    assert told.flows == [flow] * 4


def test_nobody_to_resume_kill_or_answer(flow: HTTPFlow) -> None:
    with addon_test_context(Flows()) as context:
        call = context.commands.call
        call("flow.resume", [])
        call("flow.kill", [])
        refused: list[tuple[Any, str]] = [
            (("flow.resume", [flow]), f"flow {flow.id} is not intercepted"),
            (("flow.resume", [flow, http_flow()]), "none of 2 flows is not intercepted"),
            (("flow.kill", [flow]), "is over"),
            (("flow.respond", [flow], 200), "there is nobody to answer"),
            (("flow.respond", [flow], 200, b"", "bare"), "is not a header"),
        ]
        for command, message in refused:
            with pytest.raises(CommandError, match=message):
                call(*command)
