"""Keeps what a response was before rules changed it, beside what the client got."""

from __future__ import annotations

from proxyfw.http import HTTPFlow

ORIGINAL = "original_response"


def keep_original(flow: HTTPFlow, body: bool = False) -> None:
    """Keep the response of *flow* as it is, unless that has been done: call it before an action changes it.

    It goes to ``flow.metadata["original_response"]``, for `Response.from_state`. Its content is kept if the
    *body* is about to be changed; else it is None there, and the same as the client's.
    """
    if flow.response is None:
        return
    original = flow.metadata.get(ORIGINAL)
    if original is None:
        original = flow.metadata[ORIGINAL] = flow.response.get_state() | {"content": None}
    if body and original["content"] is None:
        original["content"] = flow.response.raw_content
