"""What a response was before rules changed it, kept with the flow beside what the client got."""

from __future__ import annotations

from proxyfw.http import HTTPFlow, Response

_ORIGINAL = "original_response"
"""In the metadata of the flow, so that it is saved with it."""


def keep_original(flow: HTTPFlow, body: bool = False) -> None:
    """Keep the response of *flow* as it is, unless that has been done: call it before an action changes it.

    Its content is kept if the *body* is about to be changed, too.
    """
    if flow.response is None:
        return
    original = flow.metadata.get(_ORIGINAL)
    if original is None:
        original = flow.metadata[_ORIGINAL] = flow.response.get_state() | {"content": None}
    if body and original["content"] is None:
        original["content"] = flow.response.raw_content


def original_response(flow: HTTPFlow) -> Response | None:
    """A copy of what the response of *flow* was before rules changed it; None if they have not.

    Its content is None if the body was not changed.
    """
    original = flow.metadata.get(_ORIGINAL)
    return None if original is None else Response.from_state(original)


def replace_original(flow: HTTPFlow, response: Response) -> None:
    """Make *response* what the response of *flow* was: for those who take secrets out of it."""
    flow.metadata = flow.metadata | {_ORIGINAL: response.get_state()}
