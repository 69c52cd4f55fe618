"""What a response was before rules changed it: kept once, saved with the flow, without secrets."""

from __future__ import annotations

import io
from typing import Any

from proxyfw import ctx
from proxyfw.http import HTTPFlow, Response
from proxyfw.io import FlowReader, FlowWriter
from proxyfw.proxy import Proxy
from proxyfw.redaction import redacted
from proxyfw.rules import keep_original, original_response, replace_original
from proxyfw.testing import http_flow


def answered() -> HTTPFlow:
    return http_flow("http://example.com/", Response.make(200, b"origin", {"Server": "x"}))


def response_of(flow: HTTPFlow) -> Response:
    assert flow.response
    return flow.response


def original_of(flow: Any) -> Response:
    assert isinstance(flow, HTTPFlow)
    original = original_response(flow)
    assert original
    return original


def test_what_was_first_is_kept() -> None:
    """Features 31, trap 8 of features 2.2."""
    flow = answered()
    assert original_response(flow) is None
    keep_original(flow)
    response_of(flow).headers["server"] = "y"
    keep_original(flow)
    assert original_of(flow).headers["server"] == "x"
    assert original_of(flow).content is None
    keep_original(flow, body=True)
    response_of(flow).content = b"new"
    keep_original(flow, body=True)
    assert original_of(flow).content == b"origin"


def test_without_a_response_there_is_nothing_to_keep() -> None:
    flow = http_flow(response=None)
    keep_original(flow)
    assert flow.metadata == {}


def test_it_is_saved_with_the_flow() -> None:
    """Features 31."""
    flow, file = answered(), io.BytesIO()
    keep_original(flow, body=True)
    FlowWriter(file).add(flow)
    file.seek(0)
    (saved,) = FlowReader(file).stream()
    assert original_of(saved).get_state() == original_of(flow).get_state()


def test_a_copy_has_its_own() -> None:
    flow = answered()
    keep_original(flow)
    copy = flow.copy()
    replace_original(copy, Response.make(404))
    assert (original_of(flow).status_code, original_of(copy).status_code) == (200, 404)


def test_secrets_are_taken_out_of_it_too() -> None:
    proxy = Proxy(default_addons=("rules", "redact"), redact=True)
    flow = http_flow(
        "http://example.com/",
        Response.make(
            200, '{"password":"s3cret"}', {"Set-Cookie": "s3cret", "Content-Type": "application/json"}
        ),
    )
    response_of(flow).encode("gzip")
    keep_original(flow, body=True)
    response_of(flow).headers.clear()
    with ctx.use(proxy):
        kept = original_of(redacted(flow))
    assert "s3cret" not in f"{kept.headers} {kept.text}"
    assert kept.json().keys() == {"password"}
    assert original_of(flow).headers["set-cookie"] == "s3cret"
