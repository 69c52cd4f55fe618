"""Add a header to every response.

Run:  proxyfw -s examples/add_header.py
See:  curl -x http://127.0.0.1:8080 -i http://example.com/
      The answer has the line ``x-proxyfw: hello``.
"""

from proxyfw.http import HTTPFlow


def response(flow: HTTPFlow) -> None:
    assert flow.response
    flow.response.headers["x-proxyfw"] = "hello"
