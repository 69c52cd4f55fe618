"""Put a banner on top of every HTML page, whatever its compression and charset.

Run:  proxyfw -s examples/rewrite_html.py
See:  curl -x http://127.0.0.1:8080 --compressed http://example.com/
      The page begins its body with "Seen by proxyfw". Content-Length and compression still fit.
"""

import re

from proxyfw.http import HTTPFlow

BANNER = "<p>Seen by proxyfw</p>"


def response(flow: HTTPFlow) -> None:
    assert flow.response
    if flow.response.headers.get("content-type", "").startswith("text/html") and flow.response.text:
        flow.response.text = re.sub(
            r"(<body[^>]*>)", rf"\1{BANNER}", flow.response.text, count=1, flags=re.IGNORECASE
        )
