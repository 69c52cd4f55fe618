"""Change text on its way, piece by piece, without ever holding the whole body: works for endless ones too.

Run:  proxyfw -s examples/stream_uppercase.py
See:  curl -x http://127.0.0.1:8080 http://example.com/
      THE WHOLE PAGE SHOUTS.
"""

from proxyfw.http import HTTPFlow


def requestheaders(flow: HTTPFlow) -> None:
    flow.request.anticomp()  # ask for a body that is not compressed


def responseheaders(flow: HTTPFlow) -> None:
    assert flow.response
    if flow.response.headers.get("content-type", "").startswith("text/"):
        flow.response.stream = bytes.upper
