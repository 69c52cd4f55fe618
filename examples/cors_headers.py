"""Let pages of any origin use an API that does not allow it: CORS headers, and answers to preflights.

Run:  proxyfw -s examples/cors_headers.py
See:  curl -x http://127.0.0.1:8080 -i -H 'Origin: http://localhost:3000' http://example.com/
      The answer has ``access-control-allow-origin: http://localhost:3000``.
"""

from proxyfw import http


def request(flow: http.HTTPFlow) -> None:
    asked = flow.request.headers
    if flow.request.method == "OPTIONS" and "access-control-request-method" in asked:
        flow.response = http.Response.make(204)
        flow.response.headers["access-control-allow-methods"] = asked["access-control-request-method"]
        flow.response.headers["access-control-allow-headers"] = asked.get(
            "access-control-request-headers", ""
        )


def response(flow: http.HTTPFlow) -> None:
    origin = flow.request.headers.get("origin")
    if origin and flow.response:
        flow.response.headers["access-control-allow-origin"] = origin
        flow.response.headers["access-control-allow-credentials"] = "true"
        flow.response.headers.add("vary", "Origin")
