"""Take tracking parameters out of every URL before it is asked for, and the whole query out of Referer.

Run:  proxyfw -s examples/strip_tracking.py
See:  curl -x http://127.0.0.1:8080 'http://example.com/?id=7&utm_source=mail&fbclid=x'
      The server is asked for ``/?id=7``.
"""

from proxyfw.http import HTTPFlow

TRACKING = ("utm_", "fbclid", "gclid", "mc_eid", "msclkid")


def requestheaders(flow: HTTPFlow) -> None:
    for name in list(flow.request.query):
        if name.startswith(TRACKING):
            del flow.request.query[name]
    referer = flow.request.headers.get("referer")
    if referer and "?" in referer:
        flow.request.headers["referer"] = referer.partition("?")[0]
