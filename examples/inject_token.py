"""Log in every request to one host, so that scripts and browsers behind the proxy need no secret.

Run:  API_TOKEN=s3cret proxyfw -s examples/inject_token.py
See:  curl -x http://127.0.0.1:8080 http://httpbin.org/bearer
      ``"authenticated": true``. Other hosts never see the token.
"""

import os

from proxyfw.http import HTTPFlow

HOST = "httpbin.org"


def requestheaders(flow: HTTPFlow) -> None:
    if flow.request.host == HOST and "authorization" not in flow.request.headers:
        flow.request.headers["Authorization"] = f"Bearer {os.environ['API_TOKEN']}"
