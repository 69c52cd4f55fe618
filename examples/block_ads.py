"""Answer requests to advertising hosts with 403; the network is never touched for them.

Run:  proxyfw -s examples/block_ads.py
See:  curl -x http://127.0.0.1:8080 -i http://ads.example/banner.js
      403 Forbidden, although there is no such host.
"""

from proxyfw import http

BLOCKED = ("ads.example", "doubleclick.net", "googlesyndication.com")


def requestheaders(flow: http.HTTPFlow) -> None:
    host = "." + flow.request.pretty_host.lower()
    if host.endswith(tuple("." + name for name in BLOCKED)):
        flow.response = http.Response.make(403, b"blocked\n", {"Content-Type": "text/plain"})
